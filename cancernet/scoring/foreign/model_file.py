"""A model file, whole or in parts: found, joined in a temporary folder, its hash checked.

`model.h5.part01`, `model.h5.part02`, … are joined in the order of their numbers. A file put
together from parts is opened only when its SHA-256 is the stated one: that of `--sha256`, or
of `model.h5.sha256` beside the parts.
"""

import contextlib
import hashlib
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.base.files import sha256_of

_PART = re.compile(r"^(?P<name>.+)\.part(?P<number>\d+)$")
_HEX = re.compile(r"^[0-9a-fA-F]{64}$")
SUFFIXES = (".keras", ".h5", ".hdf5")
CHUNK = 1 << 20


def is_model_file(named: Path) -> bool:
    """Tells whether a path names a model file, or a part of one, rather than a run folder."""
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
            f"{whole} comes in {len(parts)} parts, which are joined only if their hash is right; "
            f"give the publisher's with --sha256 or in a file {whole.name}.sha256"
        )
    _compare(whole, _hash_of_parts(parts), expected)  # before anything is written
    with tempfile.TemporaryDirectory(prefix="cancernet-joined-") as folder:
        joined = Path(folder) / whole.name
        with open(joined, "wb") as file:
            for each in parts:
                with open(each, "rb") as source:
                    shutil.copyfileobj(source, file, CHUNK)
        # The parts may have changed between the two readings.
        _compare(whole, sha256_of(joined), expected)
        yield joined


def parts_of(whole: Path) -> list[Path]:
    """Returns the parts of a file in order; raises RunError when one is missing or there twice."""
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
            f"part {missing} of {whole.name} is missing from {folder}, which has {len(numbered)} "
            f"parts with numbers up to {max(numbered)}; add it"
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
        raise RunError(f"{where} is not a SHA-256 hash, which has 64 hexadecimal digits")
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
            f"{whole} is not the expected file: its SHA-256 begins with {found[:12]}, not "
            f"{expected[:12]}; download it again and do not use this one"
        )
