"""Splits a downloaded data set by patient, checks every file, and makes it ready to train on.

    python build_dataset.py --sample
    python build_dataset.py
    python build_dataset.py --source DIR --output DIR --link hard
    python build_dataset.py --split lists --split-lists train.txt val.txt test.txt

The images come from Kaggle (paultimothymooney/breast-histopathology-images, 277,524
patches of 279 patients); unpack them into datasets/original, or use --download. The
built set holds training, validation and testing folders, manifest.csv, left_out.csv
and build.json. Research software, not a medical device; not for diagnosis.
"""

import argparse
from pathlib import Path

from cancernet import catalog
from cancernet.command_line import Parser, run
from cancernet.config import DATASETS, ORIGINAL, SEED, SPLITS, TRAIN_SPLIT, VALIDATION_SPLIT


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add("--dataset", default="idc", help=f"one of {', '.join(catalog.DATASETS)} (default: idc)")
    add("--source", type=Path, metavar="DIR", help=f"as downloaded (default: {ORIGINAL})")
    add("--output", type=Path, metavar="DIR", help=f"default: {DATASETS}/<data set>")
    add(
        "--split",
        default="patient",
        choices=("patient", "image", "lists"),
        help="by patient (default); by image, for comparison: it LEAKS; by lists of patients",
    )
    add(
        "--split-lists",
        nargs=3,
        type=Path,
        default=(),
        metavar=("TRAIN", "VAL", "TEST"),
        help="three files with one patient id a line, for --split lists",
    )
    add(
        "--unlisted",
        default="leave-out",
        choices=("leave-out", *SPLITS),
        help="where patients on no list go (default: leave-out)",
    )
    add(
        "--link",
        default="copy",
        choices=("copy", "hard", "symbolic"),
        help="copy the images (default), or link to the source, which must then stay as it is",
    )
    add("--seed", type=int, default=SEED, metavar="N", help=f"of the split (default: {SEED})")
    add(
        "--train-split",
        type=float,
        default=TRAIN_SPLIT,
        metavar="X",
        help=f"share for training and validation together (default: {TRAIN_SPLIT})",
    )
    add(
        "--validation-split",
        type=float,
        default=VALIDATION_SPLIT,
        metavar="X",
        help=f"share of the former for validation (default: {VALIDATION_SPLIT})",
    )
    add(
        "--sample",
        action="store_true",
        help=f"draw a sample into {DATASETS}/sample/original and build from it",
    )
    add("--download", action="store_true", help="fetch the data set with kagglehub first")
    return parser.parse_args()


def main() -> int:
    """Builds what the command line says; returns the exit code."""
    arguments = parse_arguments()
    from cancernet.building.command import build_command

    return build_command(
        dataset=arguments.dataset,
        source=arguments.source,
        output=arguments.output,
        sample=arguments.sample,
        download_it=arguments.download,
        split=arguments.split,
        split_lists=tuple(arguments.split_lists),
        unlisted=arguments.unlisted,
        link=arguments.link,
        seed=arguments.seed,
        train_split=arguments.train_split,
        validation_split=arguments.validation_split,
    )


if __name__ == "__main__":
    run(main)
