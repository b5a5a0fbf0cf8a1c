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

import argparse
from pathlib import Path

from cancernet import catalog
from cancernet.base.cluster import check_wishes
from cancernet.base.errors import CancerNetError
from cancernet.commands.command_line import Parser, run
from cancernet.config import DATASETS, ORIGINAL, SEED, SPLITS, TRAIN_SPLIT, VALIDATION_SPLIT

DEFAULT_DATASET = "idc"


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    add = parser.add_argument
    add(
        "--dataset",
        help=f"one of {', '.join(catalog.DATASETS)}, or `folder` for your own (default: idc)",
    )
    add(
        "--source",
        type=Path,
        metavar="DIR",
        help=f"as downloaded (default: {ORIGINAL}; for others than idc {ORIGINAL}-<data set>)",
    )
    add("--output", type=Path, metavar="DIR", help=f"default: {DATASETS}/<data set>")
    add(
        "--split",
        default="patient",
        choices=("patient", "image", "lists", "shipped"),
        help="by patient, or by whatever must stay together (default); by image, for "
        "comparison: it LEAKS; by lists of patients; as shipped by the authors, leaks counted",
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
    own = parser.add_argument_group("your own images (--dataset folder)").add_argument
    own("--classes", nargs="+", default=(), metavar="NAME", help="folders of the classes, in order")
    own("--positive", nargs="+", default=(), metavar="NAME", help="which of them are positive")
    own("--words", nargs="+", default=(), metavar="WORD", help="what each class means to a reader")
    own(
        "--group-by",
        default="",
        metavar="REGEX",
        help="finds the patient in a path (its first group); `content` (default): images that "
        "look alike stay together; `image`: each image is on its own",
    )
    own(
        "--table",
        type=Path,
        metavar="FILE",
        help="CSV of filename,label[,patient] where the labels are not the folders",
    )
    add(
        "--include-masks",
        action="store_true",
        help="busi only: take masks for images, the FAULT of a published system, to repeat it",
    )
    add("--download", action="store_true", help="fetch the data set with kagglehub first")
    add(
        "--allow-leaks",
        action="store_true",
        help="build a split that leaks all the same; every report made from it will say so",
    )
    look = parser.add_argument_group("looking for leaks, without building").add_argument
    look(
        "--audit",
        nargs="?",
        const="",
        metavar="DIR",
        help="audit a built set (default: --output), or any folder with train, val, test folders; "
        "--dataset or --group-by then say how its names tell patients; exit code 1: it leaks",
    )
    look(
        "--report",
        type=Path,
        metavar="DIR",
        help="where the audit's page goes (default: <set>.audit beside a built set, else here)",
    )
    look("--workers", type=int, default=0, metavar="N", help="read in N Dask processes here")
    look("--scheduler", default="", metavar="ADDRESS", help="use this Dask scheduler's workers")
    return parser.parse_args()


def main() -> int:
    """Builds what the command line says; returns the exit code."""
    arguments = parse_arguments()
    dataset = arguments.dataset or DEFAULT_DATASET
    check_wishes(arguments.workers, arguments.scheduler)
    if arguments.audit is not None:
        from cancernet.commands.audit import audit_command

        built = arguments.output or DATASETS / dataset
        return audit_command(
            Path(arguments.audit) if arguments.audit else built,
            report=arguments.report,
            dataset=arguments.dataset,
            group_by=arguments.group_by,
            scheduler=arguments.scheduler,
            workers=arguments.workers,
        )
    if arguments.workers or arguments.scheduler:
        raise CancerNetError("--workers and --scheduler are for --audit; a build has its own")
    from cancernet.commands.build import build_command

    return build_command(
        dataset=dataset,
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
        include_masks=arguments.include_masks,
        classes=tuple(arguments.classes),
        positive=tuple(arguments.positive),
        words=tuple(arguments.words),
        group_by=arguments.group_by,
        table=arguments.table,
        allow_leaks=arguments.allow_leaks,
    )


if __name__ == "__main__":
    run(main)
