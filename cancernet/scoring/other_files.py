"""What is said of a path that is given for a model or a run and is neither."""

from pathlib import Path

from cancernet.base.errors import RunError
from cancernet.runs.run_folder import RUN_FILE
from cancernet.scoring.model_file import NETWORK_ONLY, SUFFIXES, is_model_file

WITHOUT_WEIGHTS = (
    "is an architecture without weights, which knows nothing yet; name a .keras or .h5 file with "
    "both, or a .json file and its weights with --weights FILE"
)
_ARCHITECTURES = (NETWORK_ONLY, ".yaml", ".yml")  # as Keras writes them
ONNX = ".onnx"


def refuse_other(named: Path, *, weights: Path | None) -> None:
    """Raises RunError for what can be no run and no model; says what it is, and what to name.

    Args:
        named: a path, also of a file that is not there.
        weights: file of the weights, where the model is in two files.
    """
    if (named / "saved_model.pb").is_file():
        # It holds code, which would be run.
        raise RunError(
            f"{named} is a SavedModel, which is not opened here; if you trust it, `python -m "
            f"tf2onnx.convert --saved-model {named} --output {named.name}{ONNX}` makes a file of it"
        )
    if named.is_file() and (what := _other_file(named, weights)):
        raise RunError(f"{named} {what}")


def _other_file(named: Path, weights: Path | None) -> str:
    """Says what a file is, or seems to be; nothing of a model."""
    suffix = named.suffix.lower()
    if named.name == RUN_FILE:
        return f"is the record of a run; name its folder, --run {named.parent}"
    if suffix in _ARCHITECTURES and (weights is None or suffix != NETWORK_ONLY):
        return WITHOUT_WEIGHTS
    if suffix == ONNX:
        in_a_run = (named.parent / RUN_FILE).is_file()
        return f"is the model of a run; name its folder, --run {named.parent}" if in_a_run else ""
    if suffix == ".tflite":
        return (
            f"is a TFLite file, which is not opened here: `python -m tf2onnx.convert --tflite "
            f"{named.name} --output {named.stem}{ONNX}` makes an ONNX file of it"
        )
    if not is_model_file(named):
        return f"is neither a run folder nor a model ({', '.join((*SUFFIXES, ONNX))})"
    return ""
