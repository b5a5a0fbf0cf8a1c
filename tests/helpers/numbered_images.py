"""A small data set whose images tell which they are."""

from pathlib import Path

import numpy as np
from PIL import Image

from cancernet.dataset.manifest import BuiltDataset, Part

# patient -> images of class 0, of class 1
PATIENTS = {"a": (4, 2), "b": (3, 3), "c": (2, 4), "d": (4, 3), "e": (2, 2), "f": (3, 1)}
SPLITS = {"training": "abcd", "validation": "ef", "testing": "t"}


def numbered_images(folder: Path) -> BuiltDataset:
    """Writes the images; class 1 is bright, the number of the image is in the blue channel."""
    parts, number = {}, 0
    for split, patients in SPLITS.items():
        rows = []
        for patient in patients:
            for label, count in enumerate(PATIENTS.get(patient, (2, 2))):
                for _ in range(count):
                    number += 1
                    path = f"{split}/{label}/{number}.png"
                    (folder / path).parent.mkdir(parents=True, exist_ok=True)
                    pixels = np.full((16, 16, 3), 60 + 120 * label, np.uint8)
                    pixels[..., 2] = number
                    Image.fromarray(pixels).save(folder / path)
                    rows.append((path, label, patient))
        nowhere = np.full(len(rows), -1)
        parts[split] = Part(
            [path for path, _, _ in rows],
            np.array([label for _, label, _ in rows]),
            [patient for _, _, patient in rows],
            nowhere,
            nowhere,
        )
    return BuiltDataset(
        folder=folder, name="idc", title="", classes=("0", "1"), words=("a", "b"),
        positive=("1",), drawn=True, split_kind="patient", unit="patient", absent={}, counts={},
        leaks=(), notices=(), left_out={}, image_size=(16, 16),
        fingerprint="0123456789abcdef" * 4, parts=parts,
    )  # fmt: skip
