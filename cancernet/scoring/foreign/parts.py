"""A model file that is shipped in parts: joined in a temporary place, and only with a hash.

`model.h5.part01`, `model.h5.part02`, … are joined in the order of their numbers. What a
stranger put together from pieces is opened only when its SHA-256 is the one that was
stated: by `--sha256`, or by `model.h5.sha256` beside the parts.
"""

import contextlib
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.base.files import sha256_of, written_beside

_PART = re.compile(r"^(?P<name>.+)\.part(?P<number>\d+)$")
_HEX = re.compile(r"^[0-9a-fA-F]{64}$")
SUFFIXES = (".keras", ".h5", ".hdf5")
CHUNK = 1 << 20


def is_model_file(named: Path) -> bool:
    """Tells whether a path names a bare model or a part of one rather than a run folder."""
    part = _PART.match(named.name)
    return Path(part["name"] if part else named.name).suffix in SUFFIXES and not named.is_dir()


@contextlib.contextmanager
def whole_file(named: Path, *, sha256: str | None) -> Iterator[Path]:
    """Gives a path to the whole model for the time of the block, its hash checked.

    Args:
        named: the model, or the name it has when its parts are joined, or one of them.
        sha256: 64 hex digits, or None to look for a file `<model>.sha256`.

    Raises:
        RunError: no such file, a part missing, no hash for parts, or another hash.
    """
    part = _PART.match(named.name)
    whole = named.with_name(part["name"]) if part else named
    expected = _expected(whole, sha256)
    if whole.is_file() and part is None:
        if expected is not None:
            _compare(whole, sha256_of(whole), expected)
        yield whole
        return
    parts = parts_of(whole)
    if not parts:
        raise RunError(f"there is no model file {named}")
    if expected is None:
        raise RunError(
            f"{whole} comes in {len(parts)} parts, and nothing says what they make together; state "
            f"its hash with --sha256 or in a file {whole.name}.sha256, as its publisher gives it"
        )
    found = _hash_of_parts(parts)
    _compare(whole, found, expected)
    with tempfile.TemporaryDirectory(prefix="cancernet-joined-") as folder:
        joined = Path(folder) / whole.name
        with written_beside(joined) as temporary, open(temporary, "wb") as file:
            for each in parts:
                with open(each, "rb") as source:
                    shutil.copyfileobj(source, file, CHUNK)
        # The parts may have changed between the two readings.
        _compare(whole, sha256_of(joined), expected)
        yield joined


def parts_of(whole: Path) -> list[Path]:
    """Returns the parts of a file in order.

    Raises:
        RunError: one is missing or there twice.
    """
    numbered: dict[int, Path] = {}
    folder = whole.parent
    if not folder.is_dir():
        return []
    for path in sorted(folder.iterdir()):
        part = _PART.match(path.name)
        if part and part["name"] == whole.name and path.is_file():
            if int(part["number"]) in numbered:
                raise RunError(f"{folder} holds part {part['number']} of {whole.name} twice")
            numbered[int(part["number"])] = path
    if not numbered:
        return []
    first = 0 if 0 in numbered else 1
    # Not a list of all that are missing: a number may have 200 digits.
    missing = next((n for n in range(first, max(numbered) + 1) if n not in numbered), None)
    if missing is not None:
        raise RunError(
            f"{folder} lacks part {missing} of {whole.name} ({len(numbered)} parts up to number "
            f"{max(numbered)} are there); bring it"
        )
    return [numbered[number] for number in sorted(numbered)]


def _expected(whole: Path, sha256: str | None) -> str | None:
    beside = whole.with_name(whole.name + ".sha256")
    where = "--sha256"
    if sha256 is None:
        try:
            # As sha256sum writes it: the digits, then the name.
            sha256 = (beside.read_text(encoding="utf-8").split() or [""])[0]
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{beside} cannot be read: {error}") from None
        where = str(beside)
    if not _HEX.match(sha256):
        raise RunError(f"{where} is no SHA-256: it needs 64 hexadecimal digits")
    return sha256.lower()


def _hash_of_parts(parts: list[Path]) -> str:
    digest = hashlib.sha256()
    for each in parts:
        with open(each, "rb") as source:
            while chunk := source.read(CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def _compare(whole: Path, found: str, expected: str) -> None:
    if found != expected:
        raise RunError(
            f"{whole} is not the file that was announced: its SHA-256 begins with {found[:12]}, "
            f"announced is {expected[:12]}…; fetch it again and do not use this one"
        )
