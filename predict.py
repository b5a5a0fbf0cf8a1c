"""Scores one image, several, or whole folders with a trained run.

    python predict.py image.png
    python predict.py folder/ --csv predictions.csv
    python predict.py image.png --run output/my-run --json
    python predict.py images/test --list Testing_set.csv --csv predictions.csv
    python predict.py image.png --explain why/
    python predict.py image.png --figure titled.png
    python predict.py scan.png --run model.h5 --dataset busi --preprocessing unit
    python predict.py --slide patches/ scan.tif --output maps/

Without --run the run that finished last in output/ is taken. Research software,
not a medical device; not for diagnosis.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.cluster import check_wishes
from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.notice import NOTICE
from cancernet.commands.command_line import Parser, run
from cancernet.commands.predict_flags import odd_pair
from cancernet.config import INTERPOLATIONS, OUTPUT

if TYPE_CHECKING:
    from cancernet.explaining.folder import ExplanationFolder
    from cancernet.runs.run_folder import Run
    from cancernet.scoring.foreign.predictor import BarePredictor
    from cancernet.scoring.predictor import Prediction

# What must be stated of a bare model.
BARE = ("dataset", "recipe", "image_size", "interpolation", "preprocessing", "sha256")


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE_OR_DIR",
        help="PNG, JPEG, TIFF or BMP files, or folders of them",
    )
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR_OR_FILE",
        help=f"run folder (default: the newest in {OUTPUT}/), or a bare .keras or .h5 model",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="write a table, row by row; the same command goes on after an interruption",
    )
    parser.add_argument(
        "--list",
        type=Path,
        metavar="FILE",
        help="score only the images that the column `filename` of this CSV names, in its order, "
        "from the folders that are named",
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="save the one image, titled with its prediction, as a new file",
    )
    add_bare(parser)
    add_explaining(parser)
    add_slides(parser)
    add_spreading(parser)
    arguments = parser.parse_args()
    if bool(arguments.images) == bool(arguments.slide):
        parser.error("name images or folders, or slides with --slide")
    if wrong := odd_pair(parser, arguments):
        parser.error(wrong)
    return arguments


def add_bare(parser: argparse.ArgumentParser) -> None:
    """Adds the flags that say what a bare model is."""
    group = parser.add_argument_group("a bare model, without a run folder (--run FILE)")
    group.add_argument(
        "--dataset", metavar="NAME", help="its classes in order, as in the catalogue"
    )
    group.add_argument(
        "--preprocessing",
        choices=("inside", "unit", "tf", "torch", "caffe"),
        help="how its pixels are prepared: unit is 0-1; inside: the model does it",
    )
    group.add_argument(
        "--image-size", type=int, metavar="N", help="height and width, where the file does not say"
    )
    group.add_argument("--interpolation", choices=INTERPOLATIONS, help="default: bilinear")
    group.add_argument(
        "--recipe",
        metavar="NAME_OR_FILE",
        help="take data set, size and interpolation from a recipe; its models prepare pixels "
        "themselves",
    )
    group.add_argument("--sha256", metavar="HEX", help="the hash the file must have")


def bare_model(arguments: argparse.Namespace, stack: contextlib.ExitStack) -> BarePredictor | None:
    """Opens the bare model that --run names; None when it names a run folder."""
    from cancernet.scoring.foreign.parts import is_model_file

    given = {name: getattr(arguments, name) for name in BARE}
    if arguments.run is None or not is_model_file(arguments.run):
        for name, value in given.items():
            if value is not None:
                flag = "--" + name.replace("_", "-")
                raise CancerNetError(f"{flag} goes with a bare model; a run folder knows it itself")
        return None
    if arguments.slide or arguments.explain or arguments.workers or arguments.scheduler:
        raise CancerNetError(
            "--slide, --explain, --workers and --scheduler need a run folder, not a bare model"
        )
    from cancernet.scoring.foreign.open import Stated, opened

    return stack.enter_context(opened(arguments.run, Stated(**given)))


def figure_of(arguments: argparse.Namespace, trained: Run) -> Callable[[Prediction], None]:
    """Returns what saves the one image that is named, titled with its prediction."""
    from cancernet.scoring.figure import check_target, write_figure

    if len(arguments.images) != 1 or arguments.images[0].is_dir() or arguments.scheduler:
        raise CancerNetError("--figure shows one image; name exactly one file")
    check_target(arguments.figure)

    def write(prediction: Prediction) -> None:
        write_figure(arguments.figure, prediction, trained, notice=NOTICE)
        print(f"Figure: {arguments.figure}", file=sys.stderr)

    return write


def add_explaining(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of heat maps."""
    group = parser.add_argument_group("heat maps (docs/EXPLAIN.md says what they show)")
    group.add_argument(
        "--explain",
        type=Path,
        metavar="DIR",
        help="write a heat map, an overlay and the raw numbers of every image into a new folder",
    )
    group.add_argument(
        "--method",
        choices=("grad-cam", "hirescam", "grad-cam++", "occlusion"),
        help="how the map is made; occlusion needs predictions only (default: grad-cam)",
    )
    group.add_argument(
        "--layer",
        metavar="NAME",
        help="the layer whose feature maps are used (default: the last with spatial extent)",
    )
    group.add_argument(
        "--class",
        dest="class_name",
        metavar="NAME",
        help="the class to explain (default: the one predicted for the image)",
    )


def add_slides(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of slide maps."""
    group = parser.add_argument_group("slide maps (docs/SLIDES.md)")
    group.add_argument(
        "--slide",
        nargs="+",
        type=Path,
        metavar="FOLDER_OR_IMAGE",
        help="folders of patches with x and y in their names, or TIFF and whole-slide files: "
        "write a map of every patient or image as PNG, CSV and GeoJSON",
    )
    group.add_argument(
        "--output", type=Path, metavar="DIR", help="a new folder for the maps (default: slides)"
    )
    group.add_argument(
        "--patch-size",
        type=int,
        metavar="N",
        help="side of a patch in pixels of the image (default: that of the run's data)",
    )


def map_slides(arguments: argparse.Namespace, trained: Run) -> int:
    """Maps the slides that are named; returns the exit code."""
    from cancernet.commands.slides import map_slides

    output = arguments.output or Path("slides")
    done, failed = map_slides(trained, arguments.slide, output, side=arguments.patch_size)
    if trained.drawn:
        print("The model was trained on drawn pictures: its answers mean nothing for tissue.")
    print(f"Run {trained.folder}. {NOTICE}")
    if not done:
        return EXIT_NOTHING_DONE
    print(f"Maps: {output}")
    return EXIT_SOME_FAILED if failed else EXIT_OK


def explaining(arguments: argparse.Namespace, trained: Run) -> ExplanationFolder | None:
    """Prepares the folder of --explain; loads TensorFlow only for a gradient method."""
    if arguments.explain is None:
        if arguments.layer or arguments.class_name or arguments.method:
            raise CancerNetError("--layer, --class and --method go with --explain DIR")
        return None
    from cancernet.explaining.folder import ExplanationFolder

    return ExplanationFolder(
        arguments.explain,
        trained,
        method=arguments.method or "grad-cam",
        layer=arguments.layer,
        class_name=arguments.class_name,
    )


def add_spreading(parser: argparse.ArgumentParser) -> None:
    """Adds the flags of scoring on many processes."""
    group = parser.add_argument_group("many images on many processes (needs Dask)")
    group.add_argument("--workers", type=int, default=0, metavar="N", help="start N processes here")
    group.add_argument(
        "--scheduler", default="", metavar="ADDRESS", help="use this Dask scheduler's workers"
    )


def main() -> int:
    """Predicts what the command line names; returns the exit code."""
    arguments = parse_arguments()
    check_wishes(arguments.workers, arguments.scheduler)
    from cancernet.runs.run_folder import newest_run, open_run

    with contextlib.ExitStack() as stack:
        bare = bare_model(arguments, stack)
        if bare is not None:
            return predict(arguments, bare.run, bare)
        trained = open_run(arguments.run if arguments.run is not None else newest_run())
        if arguments.slide:
            return map_slides(arguments, trained)
        return predict(arguments, trained, None)


def predict(arguments: argparse.Namespace, trained: Run, bare: BarePredictor | None) -> int:
    """Scores the images and prints or writes the answers; returns the exit code."""
    from cancernet.commands.predict import predict_named

    named = arguments.images
    if arguments.list is not None:
        from cancernet.scoring.listed_images import listed_images

        named = listed_images(arguments.list, named)
    folder = explaining(arguments, trained)
    figure = figure_of(arguments, trained) if arguments.figure else None

    def also(prediction: Prediction) -> None:
        if folder:
            folder.explain(prediction)
        if figure:
            figure(prediction)

    scored, failed = predict_named(
        trained,
        named,
        as_json_lines=arguments.json,
        csv_path=arguments.csv,
        also=also,
        scheduler=arguments.scheduler,
        workers=arguments.workers,
        predictor=bare,
    )
    if not arguments.json:
        if folder:
            print(folder.summary())
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
