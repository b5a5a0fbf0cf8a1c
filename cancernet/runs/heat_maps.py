"""Heat maps that lie in a run folder, found by the image they explain."""

from collections.abc import Callable
from pathlib import Path

from cancernet.base.files import is_file, parse_json

# As `predict.py --explain` writes them: one JSON object a line with `path` and `overlay`.
PATTERN = "*/explanations.jsonl"


def heat_map_of(folder: Path) -> Callable[[str], Path | None]:
    """Returns a look-up from an image's path to its overlay; None where there is none.

    Args:
        folder: a run folder; every folder below it that `predict.py --explain` filled is
            looked through.
    """
    found: dict[str, Path] = {}
    explained: dict[str, str] = {}
    for lines in sorted(Path(folder).glob(PATTERN)):
        for line in lines.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                facts = parse_json(line)
                name = Path(facts["path"]).name
                # Two images of one name: nobody knows whose map it is.
                clear = explained.setdefault(name, facts["path"]) == facts["path"]
                overlay = lines.parent / Path(facts["overlay"]).name
                found[name] = overlay if clear else Path()
            except (ValueError, KeyError, TypeError):
                continue  # a cut line hides no other

    def look_up(path: str) -> Path | None:
        place = found.get(Path(path).name)
        return place if place is not None and is_file(place) else None

    return look_up
