"""`predict.py`: scores images with a run or with another model, and maps slides."""

import contextlib
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.settings import flag_of, setting, setting_fields
from cancernet.base.words import DRAWN, NOTICE
from cancernet.commands.command_line import add_settings, command_parser, given_settings
from cancernet.config import INTERPOLATIONS, OUTPUT

if TYPE_CHECKING:
    from cancernet.explaining.explainer import ExplanationFolder
    from cancernet.runs.run_folder import Run
    from cancernet.scoring.keras_predictor import KerasPredictor
    from cancernet.scoring.predictor import Prediction

_KERAS_FILE = "a Keras model without a run folder (--run FILE)"
_MAPS = "heat maps (docs/EXPLAIN.md says what they show)"
_SLIDES = "slide maps (docs/SLIDES.md)"
_SPREAD = "many images on many processes (needs Dask)"


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictFlags:
    """The flags of `predict.py`: what to score, with what, and what to write."""

    run: Path | None = setting(
        None,
        f"run folder (default: the newest in {OUTPUT}/), or a .keras or .h5 model without one",
        metavar="DIR_OR_FILE",
        common=True,
    )
    json: bool = setting(False, "print one JSON object a line", switch=True, common=True)
    csv: Path | None = setting(
        None,
        "write a table, row by row; after an interruption the same command continues it",
        metavar="FILE",
        common=True,
    )
    list_: Path | None = setting(
        None,
        "score only the images that the column `filename` of this CSV names, in its order, "
        "from the folders that are named",
        metavar="FILE",
    )
    alone: bool = setting(
        False,
        "judge every patch by itself, also where the run judges patches with their neighbours",
        switch=True,
        common=True,
    )
    figure: Path | None = setting(
        None,
        "save the one image, titled with its prediction, as a new file",
        metavar="FILE",
        common=True,
    )

    dataset: str | None = setting(
        None, "its classes in order, as in the catalogue", group=_KERAS_FILE, metavar="NAME"
    )
    preprocessing: str | None = setting(
        None,
        "how its pixels are prepared: unit is 0-1; inside: the model does it",
        group=_KERAS_FILE,
        choices=("inside", "unit", "tf", "torch", "caffe"),
    )
    image_size: int | None = setting(
        None, "height and width, where the file does not say", group=_KERAS_FILE, metavar="N"
    )
    interpolation: str | None = setting(
        None, "default: bilinear", group=_KERAS_FILE, choices=INTERPOLATIONS
    )
    recipe: str | None = setting(
        None,
        "take data set, size and interpolation from a recipe, whose models prepare pixels "
        "themselves",
        group=_KERAS_FILE,
        metavar="NAME_OR_FILE",
    )
    sha256: str | None = setting(
        None, "the hash the file must have", group=_KERAS_FILE, metavar="HEX"
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
        choices=("grad-cam", "hirescam", "grad-cam++", "occlusion"),
    )
    layer: str | None = setting(
        None,
        "the layer whose feature maps are used (default: the last with spatial extent)",
        group=_MAPS,
        metavar="NAME",
    )
    class_: str | None = setting(
        None,
        "the class to explain (default: the one predicted for the image)",
        group=_MAPS,
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
        metavar="DIR",
        common=True,
    )
    patch_size: int | None = setting(
        None,
        "side of a patch in pixels of the image (default: that of the run's data)",
        group=_SLIDES,
        metavar="N",
    )

    workers: int = setting(0, "start N processes here", group=_SPREAD, metavar="N")
    scheduler: str = setting(
        "", "use this Dask scheduler's workers", group=_SPREAD, metavar="ADDRESS"
    )

    def conflict(self, images: list[Path]) -> str:
        """Says in a sentence which flags do not go together; empty where all do.

        No flag may be passed over in silence.
        """
        if bool(images) == bool(self.slide):
            return "name images or folders, or slides with --slide"
        if self.slide and (flag := self._first_given("", _MAPS, _SPREAD)):
            return f"{flag} does not go with --slide"
        if not self.slide and (flag := self._first_given(_SLIDES)):
            return f"{flag} goes with --slide"
        if self.csv and self.explain:
            return (
                "--csv can continue after a stop and --explain cannot, so they do not go "
                "together; run one after the other"
            )
        return ""

    def of(self, *groups: str) -> dict[str, object]:
        """Returns the values of the flags under these headings of `--help`, by field."""
        fields = setting_fields(self)
        names = [field.name for field in fields if field.metadata["group"] in groups]
        return {name: getattr(self, name) for name in names}

    def _first_given(self, *groups: str) -> str:
        defaults = PredictFlags().of(*groups)
        for name, value in self.of(*groups).items():
            if value != defaults[name] and name not in ("run", "slide", "alone"):
                return flag_of(name)
        return ""


def parse_arguments() -> tuple[list[Path], PredictFlags]:
    """Returns the images that the command line names, and its flags."""
    parser = command_parser("predict")
    parser.add_argument(
        "images",
        nargs="*",
        type=Path,
        metavar="IMAGE_OR_DIR",
        help="PNG, JPEG, TIFF or BMP files, or folders of them",
    )
    add_settings(parser, PredictFlags)
    arguments = parser.parse_args()
    flags = PredictFlags(**given_settings(arguments, PredictFlags))
    if conflict := flags.conflict(arguments.images):
        parser.error(conflict)
    return arguments.images, flags


def main() -> int:
    """Predicts what the command line names; returns the exit code."""
    images, flags = parse_arguments()
    if flags.workers or flags.scheduler:
        from cancernet.base.parallel import check_cluster_flags

        check_cluster_flags(flags.workers, flags.scheduler)
    from cancernet.runs.run_folder import newest_run, open_run

    with contextlib.ExitStack() as stack:
        if keras_model := _keras_model(flags, stack):
            return _predict(images, flags, keras_model.run, keras_model)
        trained = open_run(flags.run if flags.run is not None else newest_run())
        if flags.slide:
            return _map_slides(flags, trained)
        return _predict(images, flags, trained, None)


def _keras_model(flags: PredictFlags, stack: contextlib.ExitStack) -> "KerasPredictor | None":
    """Opens the Keras model that --run names; None when it names a run folder."""
    stated: dict[str, Any] = flags.of(_KERAS_FILE)
    if flags.run is not None and not flags.run.is_dir():
        from cancernet.scoring.model_file import is_model_file

        if is_model_file(flags.run):
            if flags.slide or flags.explain or flags.workers or flags.scheduler:
                raise CancerNetError(
                    "--slide, --explain, --workers and --scheduler need a run folder, not a "
                    "Keras model"
                )
            from cancernet.scoring.keras_predictor import ModelDescription, open_keras_model

            return stack.enter_context(open_keras_model(flags.run, ModelDescription(**stated)))
    for name, value in stated.items():
        if value is not None:
            raise CancerNetError(
                f"{flag_of(name)} is only for a Keras model without a run folder; leave it out"
            )
    return None


def _map_slides(flags: PredictFlags, trained: "Run") -> int:
    from cancernet.commands.slides import map_slides

    output = flags.output or Path("slides")
    done, failed = map_slides(
        trained, list(flags.slide), output, side=flags.patch_size, alone=flags.alone
    )
    _say_what_answered(trained)
    if not done:
        return EXIT_NOTHING_DONE
    print(f"Maps: {output}")
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _say_what_answered(trained: "Run") -> None:
    if trained.drawn:
        print(DRAWN)
    print(f"Run {trained.folder}. {NOTICE}")


def _predict(
    images: list[Path], flags: PredictFlags, trained: "Run", predictor: "KerasPredictor | None"
) -> int:
    from cancernet.commands.predict_images import predict_named

    named = images
    if flags.list_ is not None:
        from cancernet.scoring.inputs import listed_images

        named = listed_images(flags.list_, images)
    folder = _explanations(flags, trained)
    figure = _figure(images, flags.figure, flags, trained) if flags.figure else None

    def also(prediction: "Prediction") -> None:
        if folder:
            folder.explain(prediction)
        if figure:
            figure(prediction)

    scored, failed = predict_named(
        trained,
        named,
        as_json_lines=flags.json,
        csv_path=flags.csv,
        also=also,
        alone=flags.alone,
        scheduler=flags.scheduler,
        workers=flags.workers,
        predictor=predictor,
    )
    if not flags.json:
        if folder:
            print(folder.summary())
        _say_what_answered(trained)
    if scored == 0:
        if failed == 0:
            print("error: no image found there (PNG, JPEG, TIFF or BMP)", file=sys.stderr)
        return EXIT_NOTHING_DONE
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _explanations(flags: PredictFlags, trained: "Run") -> "ExplanationFolder | None":
    """Prepares the folder of --explain; loads TensorFlow only for a gradient method."""
    if flags.explain is None:
        if flags.layer or flags.class_ or flags.method:
            raise CancerNetError("--layer, --class and --method go with --explain DIR")
        return None
    from cancernet.explaining.explainer import ExplanationFolder

    return ExplanationFolder(
        flags.explain,
        trained,
        method=flags.method or "grad-cam",
        layer=flags.layer,
        class_name=flags.class_,
    )


def _figure(
    images: list[Path], target: Path, flags: PredictFlags, trained: "Run"
) -> "Callable[[Prediction], None]":
    """Returns what saves the one image that is named, titled with its prediction."""
    from cancernet.scoring.output import check_target, write_figure

    if len(images) != 1 or images[0].is_dir() or flags.scheduler:
        raise CancerNetError("--figure shows one image; name exactly one file")
    check_target(target)

    def write(prediction: "Prediction") -> None:
        write_figure(target, prediction, trained, notice=NOTICE)
        print(f"Figure: {target}", file=sys.stderr)

    return write
