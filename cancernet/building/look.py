"""Reads from the paths alone what every image is: patient, class, position, second copy."""

import dataclasses
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from cancernet import catalog
from cancernet.building.columns import Images, LeftOutFile, first_alike
from cancernet.building.parallel import in_parallel

SECOND_COPY = "second copy of an image"
CONTRADICTION = "folder and file name disagree"
UNWRITABLE_NAME = "the name cannot be written as text"

CHUNK = 2048
KEY_BYTES = 16


@dataclasses.dataclass(frozen=True)
class Look:
    """What the paths say.

    Attributes:
        images: those that belong to the set, in the order of the paths.
        left_out: the others.
        listing: SHA-256 over every path, size and time of change: the same again
            means that the source folder is as it was.
    """

    images: Images
    left_out: list[LeftOutFile]
    listing: str


@dataclasses.dataclass
class _Seen:
    """The same for one chunk of paths; arrays have one entry a path that belongs."""

    belongs: list[int]
    patients: list[str]
    columns: np.ndarray  # int64 (n, 4): label, x, y, size
    keys: np.ndarray  # uint8 (n, 2 * KEY_BYTES): digest of the key, of class and name
    left_out: list[tuple[int, str, str, bool]]
    listing: bytes


def look_at_paths(source: Path, paths: list[str], dataset: catalog.Dataset) -> Look:
    """Asks the catalogue about every path, in parallel; no image is opened.

    Args:
        source: the folder that the paths are relative to.
        paths: with `/`, in a fixed order; of two copies the first one stays.
        dataset: the catalogue's entry.
    """
    chunks: list[_Seen | None] = [None] * -(-len(paths) // CHUNK)
    work = functools.partial(_look_at_chunk, os.fspath(source), dataset)
    for place, seen in in_parallel(work, _chunked(paths)):
        chunks[place] = seen
    return _join([chunk for chunk in chunks if chunk is not None], paths)


def _chunked(paths: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(paths), CHUNK):
        yield paths[begin : begin + CHUNK]


def _look_at_chunk(source: str, dataset: catalog.Dataset, paths: list[str]) -> _Seen:
    listing = hashlib.sha256()
    belongs, patients, rows, left_out = [], [], [], []
    keys = bytearray()
    for place, name in enumerate(paths):
        size, changed = _size_and_time(os.path.join(source, name))
        listing.update(f"{name}\0{size}\0{changed}\n".encode("utf-8", "surrogateescape"))
        try:
            name.encode()
            path = PurePosixPath(name)
            identity = dataset.identify(path)
        except UnicodeEncodeError:
            left_out.append((place, UNWRITABLE_NAME, ascii(name), True))
            continue
        except catalog.Contradiction as contradiction:
            left_out.append((place, CONTRADICTION, str(contradiction), True))
            continue
        except catalog.LeftOut as reason:
            left_out.append((place, str(reason), "", False))
            continue
        belongs.append(place)
        patients.append(identity.patient)
        rows.append((dataset.classes.index(identity.label), _or_none(identity.x),
                     _or_none(identity.y), size))  # fmt: skip
        keys += _digest(dataset.key(path))
        # Folded: on macOS and Windows `A.png` and `a.png` are one file.
        keys += _digest(f"{identity.label}/{path.name.casefold()}")
    return _Seen(
        belongs,
        patients,
        np.array(rows, np.int64).reshape(-1, 4),
        np.frombuffer(bytes(keys), np.uint8).reshape(-1, 2 * KEY_BYTES),
        left_out,
        listing.digest(),
    )


def _join(chunks: list[_Seen], paths: list[str]) -> Look:
    listing = hashlib.sha256()
    left_out: list[LeftOutFile] = []
    belongs: list[int] = []
    number: dict[str, int] = {}
    patient = np.empty(sum(len(chunk.belongs) for chunk in chunks), np.int32)
    for begin, chunk in zip(range(0, len(paths), CHUNK), chunks, strict=True):
        listing.update(chunk.listing)
        numbers = [number.setdefault(name, len(number)) for name in chunk.patients]
        patient[len(belongs) : len(belongs) + len(numbers)] = numbers
        belongs += [begin + place for place in chunk.belongs]
        left_out += [LeftOutFile(paths[begin + p], *rest) for p, *rest in chunk.left_out]
    columns = np.concatenate([chunk.columns for chunk in chunks] or [np.empty((0, 4), np.int64)])
    keys = np.concatenate(
        [chunk.keys for chunk in chunks] or [np.empty((0, 2 * KEY_BYTES), np.uint8)]
    )
    first = first_alike(keys[:, :KEY_BYTES])
    for place in np.flatnonzero(first != np.arange(len(first))).tolist():
        same = paths[belongs[int(first[place])]]
        left_out.append(LeftOutFile(paths[belongs[place]], SECOND_COPY, same))
    chosen = np.flatnonzero(first == np.arange(len(first)))
    alike = first_alike(keys[chosen, KEY_BYTES:])
    images = Images(
        sources=[paths[place] for place in belongs],
        patients=list(number),
        patient=patient,
        label=columns[:, 0].astype(np.int8),
        x=columns[:, 1],
        y=columns[:, 2],
        size=columns[:, 3],
        common_name=np.zeros(len(belongs), bool),
    ).take(chosen)
    images.common_name[:] = np.bincount(alike, minlength=len(alike))[alike] > 1
    return Look(_with_sorted_patients(images), left_out, listing.hexdigest())


def _with_sorted_patients(images: Images) -> Images:
    order = sorted(range(len(images.patients)), key=images.patients.__getitem__)
    rank = np.empty(len(order), np.int32)
    rank[order] = np.arange(len(order))
    return dataclasses.replace(
        images, patients=[images.patients[i] for i in order], patient=rank[images.patient]
    )


def _size_and_time(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest()


def _or_none(value: int | None) -> int:
    return -1 if value is None else value


def all_left_out(*parts: Iterable[LeftOutFile]) -> list[LeftOutFile]:
    """Joins lists of files that are left out, sorted by path."""
    return sorted(rest for part in parts for rest in part)
