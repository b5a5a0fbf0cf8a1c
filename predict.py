"""Scores one image, several, or whole folders with a trained run.

    python predict.py image.png
    python predict.py folder/ --csv predictions.csv
    python predict.py image.png --run output/my-run --json

Without --run the run that finished last in output/ is taken. Research software,
not a medical device; not for diagnosis.
"""

import argparse
import sys
from pathlib import Path

from cancernet.command_line import NOTICE, Parser, run
from cancernet.config import OUTPUT
from cancernet.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE_OR_DIR",
        help="PNG, JPEG, TIFF or BMP files, or folders of them",
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help=f"run folder (default: the newest in {OUTPUT}/)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write a table, row by row; the same command goes on after an interruption",
    )
    return parser.parse_args()


def main() -> int:
    """Predicts what the command line names; returns the exit code."""
    arguments = parse_arguments()
    from cancernet.inference.command import predict_named
    from cancernet.runs import newest_run, open_run

    trained = open_run(arguments.run if arguments.run is not None else newest_run())
    scored, failed = predict_named(
        trained, arguments.images, as_json_lines=arguments.json, csv_path=arguments.csv
    )
    if not arguments.json:
        if trained.drawn:
            print("The model was trained on drawn pictures: its answers mean nothing for tissue.")
        print(f"Run {trained.folder}. {NOTICE}")
    if scored == 0:
        if failed == 0:
            print("error: no image found there (PNG, JPEG, TIFF or BMP)", file=sys.stderr)
        return EXIT_NOTHING_DONE
    return EXIT_SOME_FAILED if failed else EXIT_OK


if __name__ == "__main__":
    run(main)
