"""The trained network as `model.keras` and `model.onnx`, the second held to the first."""

from pathlib import Path

import keras
import numpy as np
import onnxruntime

from cancernet.base.errors import RunError
from cancernet.base.files import written_beside
from cancernet.training.onnx_file import write_onnx

TOLERANCE = 1e-5  # largest difference in a probability; about 1e-7 is usual


def export(model: keras.Model, keras_path: Path, onnx_path: Path, pixels: np.ndarray) -> float:
    """Writes both files and verifies that they answer alike.

    Args:
        model: a float32 model, called at least once.
        keras_path: where the Keras file goes.
        onnx_path: where the ONNX file goes.
        pixels: images to compare on, uint8 (n, height, width, 3), n at least 1.

    Returns:
        The largest absolute difference of a probability between the two.

    Raises:
        RunError: the network's answers are not numbers, or the two differ by more than
            `TOLERANCE`; no ONNX file is left then.
    """
    with written_beside(keras_path) as temporary:
        model.save(temporary)
    # What was written is compared, not what was in memory.
    saved = keras.saving.load_model(keras_path, compile=False, safe_mode=True)
    expected = saved.predict(pixels.astype(np.float32), verbose=0, batch_size=64)
    if not np.isfinite(expected).all():
        raise RunError(
            "the network answers with what is no number: its training diverged; start a new run "
            "with a lower --learning-rate, or with --clip-value 1"
        )
    with written_beside(onnx_path) as temporary:
        write_onnx(saved, temporary)
        session = onnxruntime.InferenceSession(
            temporary.read_bytes(), providers=["CPUExecutionProvider"]
        )
        name = session.get_inputs()[0].name
        found = session.run(None, {name: pixels.astype(np.float32)})[0]
        difference = float(np.abs(found - expected).max())
        if not difference <= TOLERANCE:
            raise RunError(
                f"the ONNX model differs from the Keras model by {difference:.1e} in a "
                f"probability (allowed: {TOLERANCE}), so the run is not finished; {keras_path} is "
                "sound, please report this"
            )
    return difference
