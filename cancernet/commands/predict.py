"""`predict.py`: its flags, which of them go together, and what predicts: a run or a model alone."""

import contextlib
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.console import fitted, typed
from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.settings import (
    check_settings,
    chosen_fields,
    columns_setting,
    flag_of,
    setting,
)
from cancernet.base.words import DRAWN, IMAGES_READ, NOTICE
from cancernet.commands.command_line import add_settings, command_parser, given_settings
from cancernet.config import OUTPUT
from cancernet.scoring.described import ModelDescription, is_model_alone

if TYPE_CHECKING:
    from cancernet.runs.run_folder import Run
    from cancernet.scoring.predictor import Predictor

_MAPS = "heat maps (docs/EXPLAIN.md says what they show)"
_SLIDES = "slide maps (docs/SLIDES.md)"
_SPREAD = "many images on many processes (needs Dask)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictFlags:
    """The flags of `predict.py`: what to score, with what, and what to write."""

    run: Path | None = setting(
        None,
        f"run folder (default: the newest in {OUTPUT}/), or a .keras, .h5 or .json model",
        metavar="DIR_OR_FILE",
        common=True,
    )
    json: bool = setting(False, "print one JSON object per line", switch=True, common=True)
    csv: Path | None = setting(
        None,
        "write a table, row by row; after an interruption the same command continues it",
        metavar="FILE",
        common=True,
    )
    overwrite: bool = setting(
        False,
        "replace a finished --csv table when the new one is complete",
        switch=True,
        goes_with="csv",
    )
    list_: Path | None = setting(
        None,
        "score only the images that this table names in its column `filename`, in its order, "
        "from the folders that are named",
        metavar="FILE",
    )
    columns: tuple[str, ...] = columns_setting(goes_with="list_")
    alone: bool = setting(
        False,
        "judge every patch by itself, also where the run judges patches with their neighbours",
        switch=True,
        common=True,
    )
    sort_into: Path | None = setting(
        None,
        "link the images into a new folder with one folder for each call; no image is moved",
        metavar="DIR",
        common=True,
    )
    link: str | None = setting(
        None,
        "how --sort-into does that (default: symbolic)",
        choices=("symbolic", "hard", "copy"),
        goes_with="sort_into",
    )
    figure: Path | None = setting(
        None,
        "save the one image, titled with its prediction, as a new file",
        metavar="FILE",
        common=True,
    )

    explain: Path | None = setting(
        None,
        "write a heat map, an overlay and the raw numbers of every image into a new folder",
        group=_MAPS,
        metavar="DIR",
        common=True,
    )
    method: str | None = setting(
        None,
        "how the map is made; occlusion needs only predictions (default: grad-cam)",
        group=_MAPS,
        goes_with="explain",
        choices=("grad-cam", "hirescam", "grad-cam++", "occlusion"),
    )
    layer: str | None = setting(
        None,
        "the layer whose feature maps are used (default: the last with spatial extent)",
        group=_MAPS,
        goes_with="explain",
        metavar="NAME",
    )
    class_: str | None = setting(
        None,
        "the class to explain (default: the one predicted for the image)",
        group=_MAPS,
        goes_with="explain",
        metavar="NAME",
    )

    slide: tuple[Path, ...] = setting(
        (),
        "folders of patches with x and y in their names, or TIFF and whole-slide files: "
        "write a map of every patient or image as PNG, CSV and GeoJSON",
        group=_SLIDES,
        metavar="FOLDER_OR_IMAGE",
        common=True,
    )
    output: Path | None = setting(
        None,
        "a new folder for the maps (default: slides)",
        group=_SLIDES,
        goes_with="slide",
        metavar="DIR",
        common=True,
    )
    patch_size: int | None = setting(
        None,
        "side of a patch in pixels of the image (default: that of the run's data)",
        group=_SLIDES,
        goes_with="slide",
        metavar="N",
    )

    workers: int = setting(0, "start N processes here", group=_SPREAD, metavar="N")
    scheduler: str = setting(
        "", "use this Dask scheduler's workers", group=_SPREAD, metavar="ADDRESS"
    )

    def __post_init__(self) -> None:
        # First, so that nobody is told to add a flag that --slide would refuse next.
        for field in chosen_fields(self) if self.slide else ():
            if field.metadata["group"] != _SLIDES and field.name not in ("run", "alone"):
                raise CancerNetError(f"{flag_of(field.name)} does not go with --slide")
        check_settings(self)

    def refuse_conflict(self, images: list[Path]) -> None:
        """Raises CancerNetError where flags do not go together: none may be ignored silently."""
        if bool(images) == bool(self.slide):
            raise CancerNetError(
                f"name images or folders, or slides with --slide; see `{typed('predict')} --help`"
            )
        for folder, flag in ((self.explain, "--explain"), (self.sort_into, "--sort-into")):
            if self.csv and folder:
                raise CancerNetError(
                    f"--csv can continue after a stop and {flag} cannot, so they do not go "
                    "together; run one after the other"
                )


def parse_arguments() -> tuple[list[Path], PredictFlags, ModelDescription]:
    """Returns the images that the command line names, its flags, and those of a model alone."""
    parser = command_parser("predict")
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE_OR_DIR",
        help=f"{IMAGES_READ} files, or folders of them",
    )
    add_settings(parser, PredictFlags)
    add_settings(parser, ModelDescription)
    arguments = parser.parse_args()
    flags = PredictFlags(**given_settings(arguments, PredictFlags))
    flags.refuse_conflict(arguments.images)
    return arguments.images, flags, ModelDescription(**given_settings(arguments, ModelDescription))


def main() -> int:
    """Predicts what the command line names; returns the exit code."""
    images, flags, model = parse_arguments()
    if flags.workers or flags.scheduler:
        from cancernet.base.parallel import check_cluster_flags

        check_cluster_flags(flags.workers, flags.scheduler)
    from cancernet.runs.run_folder import newest_run, open_run

    with contextlib.ExitStack() as stack:
        if is_model_alone(flags.run, model):
            assert flags.run is not None
            if flags.slide or flags.explain or flags.workers or flags.scheduler:
                raise CancerNetError(
                    "--slide, --explain, --workers and --scheduler need a run folder, not a "
                    "model alone"
                )
            from cancernet.scoring.other_models import open_model
            from cancernet.scoring.words import assumed_text

            alone = stack.enter_context(open_model(flags.run, model))
            print(f"note: {assumed_text(alone)}", file=sys.stderr)
            return _predict(images, flags, alone.run, alone)
        trained = open_run(flags.run or newest_run())
        if flags.slide:
            return _map_slides(flags, trained)
        return _predict(images, flags, trained, None)


def _predict(
    images: list[Path], flags: PredictFlags, trained: "Run", own: "Predictor | None"
) -> int:
    from cancernet.commands.predict_images import predict_images

    scored, failed = predict_images(images, flags, trained, own)
    if scored and not flags.json:
        _say_what_answered(trained)
    return _exit_code(scored, failed)


def _map_slides(flags: PredictFlags, trained: "Run") -> int:
    from cancernet.commands.slides import map_slides

    output = flags.output or Path("slides")
    done, failed = map_slides(
        trained, list(flags.slide), output, side=flags.patch_size, alone=flags.alone
    )
    if done:
        _say_what_answered(trained)
        print(f"Maps: {output}")
    return _exit_code(done, failed)


def _exit_code(done: int, failed: int) -> int:
    if not done:
        return EXIT_NOTHING_DONE
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _say_what_answered(trained: "Run") -> None:
    if trained.drawn:
        print(DRAWN)
    print(fitted(f"Run {trained.folder}. {NOTICE}"))
