"""Reads a file that may be anything: a pipe would wait for ever, a device never end."""

import os
import stat

from cancernet.base.errors import ImageError

# No image within `images.MAXIMUM_PIXELS` is larger (four channels of 32 bits, not packed);
# more would fill the memory.
MAXIMUM_BYTES = 1 << 30


class CannotReadError(ImageError):
    """The file cannot be read; `detail` is what the operating system said, or the message."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail or message


def read_file(path: str | os.PathLike[str]) -> tuple[bytes, os.stat_result]:
    """Returns a regular file's bytes and status.

    Raises:
        CannotReadError: it is a pipe, a device or a folder, too large, gone, or may not be read.
    """
    try:
        # Without NONBLOCK, opening a named pipe would wait for a writer for ever.
        file = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        try:
            status = os.fstat(file)
            _refuse_odd(status)
            content = os.read(file, status.st_size + 1)
            while len(content) < status.st_size and (more := os.read(file, status.st_size)):
                content += more
            return content, status
        finally:
            os.close(file)
    except (FileNotFoundError, ValueError):  # ValueError: a name with a zero byte
        gone = not os.path.islink(path)
        raise CannotReadError(
            "there is no such file" if gone else "the link leads nowhere"
        ) from None
    except OSError as error:
        detail = error.strerror or str(error)
        raise CannotReadError(f"the file cannot be read ({detail})", detail) from None


def _refuse_odd(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise CannotReadError("this is a folder, not an image")
    if not stat.S_ISREG(status.st_mode):
        raise CannotReadError("this is a pipe or a device, not an image file")
    if status.st_size > MAXIMUM_BYTES:
        raise CannotReadError(f"the file is larger than {MAXIMUM_BYTES >> 30} GiB")
