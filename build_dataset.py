"""Splits a downloaded data set by patient, checks every file, and makes it ready to train on.

    python build_dataset.py --sample
    python build_dataset.py
    python build_dataset.py --source DIR --output DIR --link hard
    python build_dataset.py --split lists --split-lists train.txt val.txt test.txt
    python build_dataset.py --audit [DIR]
    python build_dataset.py --dataset busi --source DIR
    python build_dataset.py --dataset folder --source DIR --classes benign malignant \\
        --positive malignant --group-by '([^/]+)_[0-9]+\\.png$'

IDC, the default, comes from Kaggle (paultimothymooney/breast-histopathology-images,
277,524 patches of 279 patients); unpack it into datasets/original, or use --download.
docs/DATASETS.md has the others. The built set holds training, validation and testing
folders, manifest.csv, left_out.csv and build.json. Research software, not a medical
device; not for diagnosis.
"""

from cancernet.commands.build import main
from cancernet.commands.command_line import run

if __name__ == "__main__":
    run(lambda: main(__doc__))
