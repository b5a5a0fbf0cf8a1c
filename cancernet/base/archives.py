"""Decides whether a file of packed arrays or weights may be opened, before it is unpacked.

A few bytes can claim to be terabytes (a zip bomb, an array that was never written), or name
other files of the machine that opens them (links, external storage, paths that lead out).
"""

import math
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import h5py

# Weights pack to nine tenths; zeros, as of an optimizer that never stepped, to a thousandth.
EXPANSION = 100
HARMLESS = 64 << 20  # bytes that may always be unpacked


def check_zip(path: Path) -> None:
    """Refuses an archive that would swell, or whose members have paths that lead out of it.

    Raises:
        ValueError: it is not an archive, or may not be opened; the message says why.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception as error:  # zipfile raises also struct.error, RuntimeError, ...
        raise ValueError(str(error) or type(error).__name__) from None
    for member in members:
        place = PurePosixPath(member.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts or ":" in member.filename:
            raise ValueError(f"its member {member.filename!r:.80} leads out of the folder")
    _refuse_swelling(path, sum(member.file_size for member in members))


def check_hdf5(path: Path) -> None:
    """Refuses an HDF5 file that would swell or that names other files.

    Raises:
        ValueError: it is not an HDF5 file, or may not be opened; the message says why.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            whole = _declared(file)
    except ValueError:
        raise
    except Exception as error:  # HDF5 raises OSError, RuntimeError, KeyError, ...
        raise ValueError(str(error) or type(error).__name__) from None
    _refuse_swelling(path, whole)


def _refuse_swelling(path: Path, whole: int) -> None:
    packed = path.stat().st_size
    if whole > HARMLESS and whole > EXPANSION * packed:
        raise ValueError(f"its {packed:,} bytes would swell to {whole:,}")


def _declared(file: "h5py.File") -> int:
    """Adds up the bytes that all arrays claim to have, following no link to another file."""
    import h5py

    total, waiting, seen = 0, [file], set()
    while waiting:
        group = waiting.pop()
        for name in group:
            if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
                raise ValueError(f"its entry {name!r:.80} is a link to another file")
            item: Any = group.get(name)
            if isinstance(item, h5py.Group) and item.id not in seen:
                seen.add(item.id)
                waiting.append(item)
            elif isinstance(item, h5py.Dataset):
                if item.external or item.is_virtual:
                    raise ValueError(f"its array {name!r:.80} lies in another file")
                total += math.prod(item.shape or ()) * item.dtype.itemsize
    return total
