"""`predict.py`: scores images with a run or with another model, and maps slides."""

import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.settings import flag_of
from cancernet.base.words import DRAWN, NOTICE
from cancernet.commands.predict_flags import KERAS_FILE, PredictFlags, parse_arguments

if TYPE_CHECKING:
    from cancernet.explaining.explainer import ExplanationFolder
    from cancernet.runs.run_folder import Run
    from cancernet.scoring.distributed import SpreadPredictor
    from cancernet.scoring.keras_predictor import KerasPredictor
    from cancernet.scoring.predictor import Prediction
    from cancernet.scoring.sorting import SortedFolder


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
        if not (flags.scheduler or flags.workers):
            return _predict(images, flags, trained, None)
        from cancernet.scoring.distributed import SpreadPredictor

        many = SpreadPredictor(trained, scheduler=flags.scheduler, workers=flags.workers)
        return _predict(images, flags, trained, stack.enter_context(many))


def _keras_model(flags: PredictFlags, stack: contextlib.ExitStack) -> "KerasPredictor | None":
    """Opens the Keras model that --run names; None when it names a run folder."""
    stated: dict[str, Any] = flags.of(KERAS_FILE)
    if flags.run is not None and not flags.run.is_dir():
        from cancernet.scoring.model_file import is_model_file, refuse_other_file

        if flags.run.is_file() and not is_model_file(flags.run):
            refuse_other_file(flags.run)
        if is_model_file(flags.run):
            if flags.slide or flags.explain or flags.workers or flags.scheduler:
                raise CancerNetError(
                    "--slide, --explain, --workers and --scheduler need a run folder, not a "
                    "Keras model"
                )
            from cancernet.scoring.keras_predictor import ModelDescription, open_keras_model

            return stack.enter_context(open_keras_model(flags.run, ModelDescription(**stated)))
        if not flags.run.exists():
            return None  # who opens the run says so
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
    images: list[Path],
    flags: PredictFlags,
    trained: "Run",
    predictor: "KerasPredictor | SpreadPredictor | None",
) -> int:
    from cancernet.commands.predict_images import predict_named

    named = images
    if flags.list_ is not None:
        from cancernet.scoring.inputs import listed_images

        named = listed_images(flags.list_, images)
    folder, sorting = _explanations(flags, trained), _sorting(flags, images)
    figure = _figure(images, flags.figure, flags, trained) if flags.figure else None

    def also(prediction: "Prediction") -> None:
        if folder:
            folder.explain(prediction)
        if sorting:
            sorting.put(prediction)
        if figure:
            figure(prediction)

    scored, failed = predict_named(
        trained,
        named,
        as_json_lines=flags.json,
        csv_path=flags.csv,
        overwrite=flags.overwrite,
        also=also,
        alone=flags.alone,
        predictor=predictor,
    )
    if not flags.json:
        if folder:
            print(folder.summary())
        if sorting:
            print(sorting.summary())
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


def _sorting(flags: PredictFlags, images: list[Path]) -> "SortedFolder | None":
    """Prepares the folder of --sort-into."""
    if flags.sort_into is None:
        return None
    from cancernet.scoring.sorting import SortedFolder

    return SortedFolder(flags.sort_into, images, link=flags.link or "symbolic")


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
