"""Writes what a build leaves beside the images: manifest, left-out list, `build.json`."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.building.columns import Images, LeftOutFile
from cancernet.catalog import Dataset
from cancernet.config import SPLITS
from cancernet.files import write_json
from cancernet.manifest import BUILD, COLUMNS, LEFT_OUT, MANIFEST


def write_manifest(folder: Path, images: Images, splits: np.ndarray, names: list[str],
                   sha256: np.ndarray, dataset: Dataset) -> None:  # fmt: skip
    """Writes `manifest.csv`, sorted by path.

    Args:
        folder: where.
        images, splits: what the set holds; one entry an image.
        names: path under `folder`, one an image.
        sha256: uint8 (n, 32).
        dataset: the catalogue's entry.
    """

    def row(i: int) -> list[Any]:
        return [
            names[i],
            images.sources[i],
            images.patients[images.patient[i]],
            dataset.classes[images.label[i]],
            SPLITS[splits[i]],
            sha256[i].tobytes().hex(),
            images.x[i] if images.x[i] >= 0 else "",
            images.y[i] if images.y[i] >= 0 else "",
        ]

    order = sorted(range(len(names)), key=names.__getitem__)
    _write_csv(folder / MANIFEST, COLUMNS, (row(i) for i in order))


def write_left_out(folder: Path, left_out: list[LeftOutFile]) -> None:
    """Writes `left_out.csv`: every file that is not in the set, and why."""
    rows = ((_as_text(f.source), f.reason, _as_text(f.detail)) for f in left_out)
    _write_csv(folder / LEFT_OUT, ("source", "reason", "detail"), rows)


def write_build(folder: Path, facts: dict[str, Any]) -> None:
    """Writes `build.json`."""
    write_json(folder / BUILD, facts)


def count_splits(images: Images, splits: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    """Returns for each split its patients, images, positives and images of each class."""
    counts = {}
    for place, split in enumerate(SPLITS):
        inside = splits == place
        per_class = np.bincount(images.label[inside], minlength=len(dataset.classes)).tolist()
        by_name = dict(zip(dataset.classes, per_class, strict=True))
        counts[split] = {
            "patients": len(np.unique(images.patient[inside])),
            "images": int(inside.sum()),
            "positives": sum(by_name[name] for name in dataset.positive),
            "classes": by_name,
        }
    return counts


def count_reasons(left_out: Iterable[LeftOutFile]) -> dict[str, int]:
    """Returns reason -> number of files, the most frequent first."""
    counter = Counter(file.reason for file in left_out)
    return dict(sorted(counter.items(), key=lambda item: (-item[1], item[0])))


def most_common_size(width: np.ndarray, height: np.ndarray) -> dict[str, int]:
    """Returns the size in pixels that most images have, and how many those are."""
    sizes, images = np.unique(np.stack([width, height]), axis=1, return_counts=True)
    place = int(np.argmax(images))
    return {
        "width": int(sizes[0, place]),
        "height": int(sizes[1, place]),
        "images": int(images[place]),
    }


def _write_csv(path: Path, columns: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> None:
    # Straight into the staging folder, which is renamed as a whole.
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _as_text(name: str) -> str:
    """A name that is not valid text, with its odd bytes written as `\\udcXX`."""
    return name.encode("utf-8", "backslashreplace").decode() if not name.isascii() else name

