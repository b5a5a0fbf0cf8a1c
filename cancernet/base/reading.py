"""Reads a file that may be anything: a pipe would wait for ever, a device never end."""

import os
import stat

# No image within `images.MAXIMUM_PIXELS` is larger; more would fill the memory.
MAXIMUM_BYTES = 1 << 30


class CannotRead(Exception):
    """The file cannot be read; the message is the reason."""


def read_file(path: str) -> tuple[bytes, os.stat_result]:
    """Returns a regular file's bytes and status.

    Raises:
        CannotRead: it is a pipe, a device or a folder, too large, gone, or may not be read.
    """
    try:
        # Without NONBLOCK, opening a named pipe would wait for a writer for ever.
        file = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise CannotRead("it is not a regular file")
            if status.st_size > MAXIMUM_BYTES:
                raise CannotRead(f"it is larger than {MAXIMUM_BYTES >> 30} GiB")
            content = os.read(file, status.st_size + 1)
            while len(content) < status.st_size and (more := os.read(file, status.st_size)):
                content += more
            return content, status
        finally:
            os.close(file)
    except FileNotFoundError:
        reason = "the link leads nowhere" if os.path.islink(path) else "it has vanished"
        raise CannotRead(reason) from None
    except OSError as error:
        raise CannotRead(error.strerror or str(error)) from None
