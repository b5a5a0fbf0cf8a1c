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
# A SavedModel holds code, which would be run.
_SAVED_MODEL = (
    "is a SavedModel, which is not opened here: `tf_keras.models.load_model(FOLDER)"
    ".save('model.h5')` makes a file of it"
)
_ASK = "ask for the .keras or .h5 file it was made from"


def refuse_other(named: Path, *, weights: Path | None) -> None:
    """Raises RunError for what can be no run and no model; says what it is, and what to name.

    Args:
        named: a path, also of a file that is not there.
        weights: file of the weights, where the model is in two files.
    """
    if (named / "saved_model.pb").is_file():
        raise RunError(f"{named} {_SAVED_MODEL}")
    if named.is_file() and (what := _other_file(named, weights)):
        raise RunError(f"{named} {what}")


def _other_file(named: Path, weights: Path | None) -> str:
    """Says what a file is, or seems to be; nothing of a model."""
    suffix = named.suffix.lower()
    if named.name == RUN_FILE:
        return f"is the record of a run; name its folder, --run {named.parent}"
    if suffix in _ARCHITECTURES and (weights is None or suffix != NETWORK_ONLY):
        return WITHOUT_WEIGHTS
    if suffix == ".onnx":
        return (
            "is an ONNX file, which does not say what its outputs mean; name the run folder that "
            f"holds it, or {_ASK}"
        )
    if suffix == ".tflite":
        return f"is a TFLite file, which is not opened here; {_ASK}"
    if not is_model_file(named):
        return f"is neither a run folder nor a Keras model ({', '.join(SUFFIXES)})"
    return ""
