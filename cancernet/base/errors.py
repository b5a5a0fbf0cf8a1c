"""The errors a person is meant to read.

Every message is one sentence (two at most) that says what was wrong, where,
and what to do about it. `cancernet.commands.command_line.run` prints it without a
traceback and leaves with the exit code given here.
"""

import errno

EXIT_OK = 0
EXIT_SOME_FAILED = 1  # each input is named on stderr, and the rest is done; or a check failed
EXIT_NOTHING_DONE = 2  # wrong use included
EXIT_INTERRUPTED = 130  # stopped by Ctrl-C, as shells have it


class CancerNetError(Exception):
    """Something the user can mend: wrong input, wrong flag, missing file."""

    exit_code = EXIT_NOTHING_DONE


class ImageError(CancerNetError):
    """One image could not be read; the message is the reason, without the path."""


class NoMemoryError(ImageError):
    """There is not enough memory for the image now; another time there may be."""


class SplitError(CancerNetError):
    """The patients at hand cannot give the split that was asked for."""


class SettingsError(CancerNetError):
    """Settings, each allowed, cannot be trained together or would not do what they say."""


class RunError(CancerNetError):
    """A run folder is missing, unfinished, damaged or does not fit the data."""


class StoppedError(RunError):
    """The user pressed Ctrl-C; the message says what is kept and how to continue."""

    exit_code = EXIT_INTERRUPTED


def describe_os_error(error: OSError) -> str:
    """Says in a sentence what the operating system refused, where, and what to do."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return f"the disk is full{place}; free some space and continue"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"permission denied{place}; choose a folder you may read and write"
    return f"{error.strerror or error}{place}"


def first_line(error: object, *, longest: int = 160) -> str:
    """Returns the first line of another library's error, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0][:longest] if lines else type(error).__name__
