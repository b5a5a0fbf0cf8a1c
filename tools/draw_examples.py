"""Draws the example images of the page anew: two of every kind of image, from the drawn samples.

.venv/bin/python tools/draw_examples.py
"""

import shutil
import tempfile
from pathlib import Path, PurePosixPath

from cancernet.sample.layouts import draw_sample
from cancernet.serving.application import PAGE

# data set -> a negative and a positive image of its sample
CHOSEN = {
    "idc": (
        "90001/0/90001_idx5_x401_y1401_class0.png",
        "90001/1/90001_idx5_x601_y1501_class1.png",
    ),
    "busi": ("benign/benign (1).png", "malignant/malignant (1).png"),
    "ultrasound": ("val/benign/benign (1).png", "val/malignant/malignant (1).png"),
    "mammography": ("Density2Benign/90000008.png", "Density2Malignant/90000012.png"),
}


def main() -> None:
    """Draws the samples into a temporary folder and takes the chosen images."""
    with tempfile.TemporaryDirectory() as folder:
        for dataset, paths in CHOSEN.items():
            sample = Path(folder) / dataset
            draw_sample(dataset, sample, patients=1 if dataset == "idc" else None)
            for path in paths:
                label = PurePosixPath(path).parent.name
                target = PAGE / "examples" / f"{dataset}-drawn-{label}.png"
                shutil.copy(sample / path, target)
                print(target, f"{target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
