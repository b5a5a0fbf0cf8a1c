"""A data set by hand, which costs less than one that is built."""

import csv
from pathlib import Path

import pytest

from cancernet.dataset.manifest import COLUMNS, MANIFEST, BuiltDataset
from tests.helpers.numbered_images import numbered_images


@pytest.fixture
def dataset(tmp_path: Path) -> BuiltDataset:
    found = numbered_images(tmp_path / "data")
    with open(found.folder / MANIFEST, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(COLUMNS)
        for split, part in found.parts.items():
            for path, label, patient in zip(part.paths, part.labels, part.patients, strict=True):
                rows.writerow([path, path, patient, label, split, "0" * 64, "", ""])
    return found
