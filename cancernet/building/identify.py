"""What the paths say of the images: patient, class, position, second copy."""

import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.parallel import spread
from cancernet.base.patch_name import Respelled, find_respelled, kept_spellings
from cancernet.catalog import Dataset, LeftOut, LeftOutFile, Reason
from cancernet.config import SPLITS
from cancernet.dataset.find_leaks import NOT_NAMED
from cancernet.dataset.images import Images, first_alike
from cancernet.dataset.manifest import NO_POSITION
from cancernet.dataset.notices import Notice, notice_respelled

CHUNK = 2048
KEY_BYTES = 16


@dataclasses.dataclass(frozen=True)
class Identified:
    """What the paths say.

    Attributes:
        images: those that belong to the set, in the order of the paths.
        respelled: patients whose ids occur in several spellings; `images` has one of them.
    """

    images: Images
    left_out: list[LeftOutFile]
    respelled: tuple[Respelled, ...] = ()

    @property
    def notices(self) -> list[Notice]:
        """What a reader must know of the paths."""
        return notice_respelled(self.respelled)


class _Chunk(NamedTuple):
    """The same for one chunk of paths; arrays have one entry a path that belongs."""

    belongs: np.ndarray  # places in the chunk
    patients: list[str]
    columns: np.ndarray  # int64 (n, 4): label, x, y, part
    digests: np.ndarray  # uint8 (n, 2 * KEY_BYTES): of the key; of class and name
    left_out: list[tuple[int, Reason, str, bool]]


def identify_paths(paths: list[str], dataset: Dataset) -> Identified:
    """Asks the catalogue about every path, in parallel; no file is opened.

    Of two copies the first in the order of the paths stays.

    Raises:
        CancerNetError: the entry gives a class or a part of a split that it does not have.
    """
    images, digests, left_out = _ask_catalogue(paths, dataset)
    places = np.flatnonzero(images.label >= 0)
    first = places[first_alike(digests[places, :KEY_BYTES])]
    for copy, original in zip(places.tolist(), first.tolist(), strict=True):
        if copy != original:
            left_out.append(LeftOutFile(paths[copy], Reason.SECOND_COPY, paths[original]))
    kept = places[first == places]
    alike = first_alike(digests[kept, KEY_BYTES:])
    images.common_name[kept] = np.bincount(alike, minlength=len(alike))[alike] > 1
    images = images.take(kept)
    respelled = () if dataset.unit in NOT_NAMED else tuple(find_respelled(images.patients))
    return Identified(_with_patients(images, kept_spellings(respelled)), left_out, respelled)


def _ask_catalogue(
    paths: list[str], dataset: Dataset
) -> tuple[Images, np.ndarray, list[LeftOutFile]]:
    """Returns a row for every path, with label -1 where it does not belong, and the digests."""
    patient = np.zeros(len(paths), np.int32)
    columns = np.full((len(paths), 4), -1, np.int64)
    digests = np.zeros((len(paths), 2 * KEY_BYTES), np.uint8)
    number: dict[str, int] = {}
    left_out: list[LeftOutFile] = []
    chunks = (paths[begin : begin + CHUNK] for begin in range(0, len(paths), CHUNK))
    work = functools.partial(_identify_chunk, dataset)
    with contextlib.closing(spread(work, chunks, len(paths))) as results:
        for place, seen in results:
            rows = seen.belongs + place * CHUNK
            patient[rows] = [number.setdefault(name, len(number)) for name in seen.patients]
            columns[rows], digests[rows] = seen.columns, seen.digests
            left_out += [LeftOutFile(paths[place * CHUNK + p], *rest) for p, *rest in seen.left_out]
    images = Images(
        sources=paths,
        patients=list(number),
        patient=patient,
        label=columns[:, 0].astype(np.int8),
        x=columns[:, 1],
        y=columns[:, 2],
        common_name=np.zeros(len(paths), bool),
        part=columns[:, 3].astype(np.int8),
    )
    return images, digests, left_out


def _identify_chunk(dataset: Dataset, paths: list[str]) -> _Chunk:
    belongs, patients, rows, left_out = [], [], [], []
    digests = bytearray()
    for place, path in enumerate(paths):
        try:
            path.encode()  # fails for names that are not text, which no table could hold
            pure = PurePosixPath(path)
            identity, key = dataset.identify(pure), dataset.key(pure)
        except LeftOut as left:
            left_out.append((place, left.reason, left.detail, left.failed))
        except UnicodeEncodeError:
            left_out.append((place, Reason.UNWRITABLE_NAME, ascii(path), True))
        else:
            label = _index(dataset, "class", identity.label, dataset.classes, path)
            belongs.append(place)
            patients.append(identity.patient)
            part = _index(dataset, "part", identity.part, SPLITS, path) if identity.part else -1
            rows.append((label, _position(identity.x), _position(identity.y), part))
            # Folded: on macOS and Windows `A.png` and `a.png` are one file.
            name = path.rpartition("/")[2].casefold()
            digests += _digest(key) + _digest(f"{label}/{name}")
    return _Chunk(
        np.array(belongs, np.int64),
        patients,
        np.array(rows, np.int64).reshape(-1, 4),
        np.frombuffer(bytes(digests), np.uint8).reshape(-1, 2 * KEY_BYTES),
        left_out,
    )


def _index(dataset: Dataset, what: str, name: str, known: Sequence[str], path: str) -> int:
    if name not in known:
        raise CancerNetError(
            f"`identify` of the data set {dataset.name!r} returns the {what} {name!r} for {path}; "
            f"it must be {' or '.join(known)}"
        )
    return known.index(name)


def _with_patients(images: Images, kept: dict[str, str]) -> Images:
    """Sorts the patients; those with several spellings get the one that is kept."""
    names = [kept.get(name, name) for name in images.patients]
    patients = sorted(set(names))
    rank = {name: place for place, name in enumerate(patients)}
    new = np.array([rank[name] for name in names], np.int32)
    return dataclasses.replace(images, patients=patients, patient=new[images.patient])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=KEY_BYTES).digest()


def _position(value: int | None) -> int:
    # No slide is so large: such a number in a name is not a position.
    return value if value is not None and value < 1 << 31 else NO_POSITION
