"""Writes what a build leaves beside the images: manifest, left-out list, `build.json`."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.files import write_json
from cancernet.catalog import Dataset
from cancernet.config import SPLITS
from cancernet.dataset.build_record import BuildRecord, ImageSize, SplitCounts
from cancernet.dataset.images import Images, LeftOutFile
from cancernet.dataset.manifest import BUILD, COLUMNS, LEFT_OUT, MANIFEST, NO_POSITION

BLOCK = 4096  # rows


def write_manifest(folder: Path, images: Images, splits: np.ndarray, name_of: Callable[[int], str],
                   sha256: np.ndarray, dataset: Dataset) -> None:  # fmt: skip
    """Writes `manifest.csv`, sorted by path.

    Args:
        folder: where.
        images: what the set holds.
        splits: int8, one an image, places in `config.SPLITS`.
        name_of: from the place of an image to its path under `folder`.
        sha256: uint8 (n, 32).
        dataset: the catalogue's entry.
    """
    rows = (
        row
        for group in _groups(images, splits, dataset)
        for row in _rows(sorted(group, key=name_of), images, splits, name_of, sha256, dataset)
    )
    _write_csv(folder / MANIFEST, COLUMNS, rows, images.sources)


def _groups(images: Images, splits: np.ndarray, dataset: Dataset) -> Iterator[list[int]]:
    """The images of each class folder, in the order of the folders' paths."""
    folders = {
        f"{split}/{label}/": (split_place, label_place)
        for split_place, split in enumerate(SPLITS)
        for label_place, label in enumerate(dataset.classes)
    }
    for _, (split, label) in sorted(folders.items()):
        yield np.flatnonzero((splits == split) & (images.label == label)).tolist()


def _rows(order: list[int], images: Images, splits: np.ndarray, name_of: Callable[[int], str],
          sha256: np.ndarray, dataset: Dataset) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    # In blocks: an array gives its values much faster as a list, but a list of them
    # all would take more memory than everything else.
    for begin in range(0, len(order), BLOCK):
        block = order[begin : begin + BLOCK]
        yield from zip(
            map(name_of, block),
            [images.sources[i] for i in block],
            [images.patients[i] for i in images.patient[block].tolist()],
            [dataset.classes[i] for i in images.label[block].tolist()],
            [SPLITS[i] for i in splits[block].tolist()],
            [row.tobytes().hex() for row in sha256[block]],
            ["" if x == NO_POSITION else x for x in images.x[block].tolist()],
            ["" if y == NO_POSITION else y for y in images.y[block].tolist()],
            strict=True,
        )


def write_left_out(folder: Path, left_out: list[LeftOutFile]) -> None:
    """Writes `left_out.csv`: every file that is not in the set, and why."""
    rows = ((_as_text(f.source), f.reason, _as_text(f.detail)) for f in left_out)
    names = (name for f in left_out for name in (f.source, f.detail))
    _write_csv(folder / LEFT_OUT, ("source", "reason", "detail"), rows, names)


def read_failed(folder: Path, reasons: list[str]) -> list[LeftOutFile]:
    """Returns the files that `left_out.csv` lists with one of these reasons."""
    with open(folder / LEFT_OUT, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [
            LeftOutFile(row["source"], row["reason"], row["detail"], True)
            for row in rows
            if row["reason"] in reasons
        ]


def write_build(folder: Path, facts: BuildRecord) -> None:
    """Writes `build.json`."""
    write_json(folder / BUILD, facts)


def count_splits(images: Images, splits: np.ndarray, dataset: Dataset) -> dict[str, SplitCounts]:
    """Returns for each split its patients, images, positives and images of each class."""
    counts = {}
    for place, split in enumerate(SPLITS):
        inside = splits == place
        per_class = np.bincount(images.label[inside], minlength=len(dataset.classes)).tolist()
        by_name = dict(zip(dataset.classes, per_class, strict=True))
        counts[split] = SplitCounts(
            patients=len(np.unique(images.patient[inside])),
            images=int(inside.sum()),
            positives=sum(by_name[name] for name in dataset.positive),
            classes=by_name,
        )
    return counts


def count_reasons(left_out: Iterable[LeftOutFile]) -> dict[str, int]:
    """Returns reason -> number of files, the most frequent first."""
    counter = Counter(file.reason for file in left_out)
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def most_common_size(width: np.ndarray, height: np.ndarray) -> ImageSize:
    """Returns the size in pixels that most images have, and how many those are."""
    sizes, images = np.unique(np.stack([width, height]), axis=1, return_counts=True)
    place = int(np.argmax(images))
    return ImageSize(
        width=int(sizes[0, place]), height=int(sizes[1, place]), images=int(images[place])
    )


def _write_csv(
    path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[Any]], names: Iterable[str]
) -> None:
    # Before Python 3.13 the writer does not quote a carriage return, and no reader
    # would find the end of the row.
    odd = any("\r" in name for name in names)
    # Straight into the staging folder, which is renamed as a whole.
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, lineterminator="\n", quoting=csv.QUOTE_ALL if odd else csv.QUOTE_MINIMAL
        )
        writer.writerow(columns)
        writer.writerows(rows)


def _as_text(name: str) -> str:
    """A name that is not valid text, with its odd bytes written as `\\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode() if not name.isascii() else name
