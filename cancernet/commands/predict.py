"""`predict.py`: scores images with a run or with another model, and maps slides."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED, CancerNetError
from cancernet.base.screen import RED
from cancernet.base.settings import flag_of
from cancernet.base.words import DRAWN, IMAGES_READ, NOTICE
from cancernet.commands.command_line import alert
from cancernet.commands.predict_flags import KERAS_FILE, PredictFlags, parse_arguments

if TYPE_CHECKING:
    from cancernet.runs.run_folder import Run
    from cancernet.scoring.predictor import Predictor


def main() -> int:
    """Predicts what the command line names; returns the exit code."""
    images, flags = parse_arguments()
    if flags.workers or flags.scheduler:
        from cancernet.base.parallel import check_cluster_flags

        check_cluster_flags(flags.workers, flags.scheduler)
    from cancernet.runs.run_folder import newest_run, open_run

    with contextlib.ExitStack() as stack:
        if alone := _model_alone(flags, stack):
            return _predict(images, flags, alone.run, alone)
        trained = open_run(flags.run if flags.run is not None else newest_run())
        if flags.slide:
            return _map_slides(flags, trained)
        return _predict(images, flags, trained, None)


def _model_alone(flags: PredictFlags, stack: contextlib.ExitStack) -> "Predictor | None":
    """Opens the model that --run names; None when it names a run folder."""
    stated: dict[str, Any] = flags.of(KERAS_FILE)
    if flags.run is not None:
        from cancernet.scoring.model_file import is_model_file
        from cancernet.scoring.other_files import ONNX, refuse_other

        refuse_other(flags.run, weights=flags.weights)
        onnx = flags.run.is_file() and flags.run.suffix.lower() == ONNX
        if onnx or is_model_file(flags.run):
            if flags.slide or flags.explain or flags.workers or flags.scheduler:
                raise CancerNetError(
                    "--slide, --explain, --workers and --scheduler need a run folder, not a "
                    "model alone"
                )
            from cancernet.scoring.described import ModelDescription

            description = ModelDescription(**stated)
            if onnx:
                from cancernet.scoring.onnx_predictor import open_onnx_model

                return open_onnx_model(flags.run, description)
            from cancernet.scoring.keras_predictor import open_keras_model

            return stack.enter_context(open_keras_model(flags.run, description))
        if not flags.run.exists():
            return None  # who opens the run says so
    for name, value in stated.items():
        if value is not None:
            raise CancerNetError(
                f"{flag_of(name)} is only for a model without a run folder; leave it out"
            )
    return None


def _predict(
    images: list[Path], flags: PredictFlags, trained: "Run", own: "Predictor | None"
) -> int:
    from cancernet.commands.predict_images import predict_images

    scored, failed = predict_images(images, flags, trained, own)
    if not flags.json:
        _say_what_answered(trained)
    if scored == 0 and failed == 0:
        alert(f"error: no image found there ({IMAGES_READ})", RED)
    return _exit_code(scored, failed)


def _map_slides(flags: PredictFlags, trained: "Run") -> int:
    from cancernet.commands.slides import map_slides

    output = flags.output or Path("slides")
    done, failed = map_slides(
        trained, list(flags.slide), output, side=flags.patch_size, alone=flags.alone
    )
    _say_what_answered(trained)
    if done:
        print(f"Maps: {output}")
    return _exit_code(done, failed)


def _exit_code(done: int, failed: int) -> int:
    if not done:
        return EXIT_NOTHING_DONE
    return EXIT_SOME_FAILED if failed else EXIT_OK


def _say_what_answered(trained: "Run") -> None:
    if trained.drawn:
        print(DRAWN)
    print(f"Run {trained.folder}. {NOTICE}")
