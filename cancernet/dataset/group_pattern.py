"""What a pattern of `--group-by` says of a path, the same in building and auditing."""

import re
from pathlib import PurePosixPath


def group_of(path: PurePosixPath, pattern: str | re.Pattern[str]) -> str | None:
    """Returns the group that a pattern finds in a path, or None where it does not match.

    That is its group `patient`, else its first group that is not empty, else all that it
    matches; for an empty match the path itself.

    Args:
        path: of an image.
        pattern: a regular expression, looked for in the path with `/`.
    """
    found = re.search(pattern, str(path))
    if found is None:
        return None
    named = found.groupdict().get("patient") or next(filter(None, found.groups()), None)
    return named or found[0] or str(path.with_suffix(""))
