"""The networks. `from cancernet.models import build_model, CancerNet`."""

from cancernet.quiet import import_tensorflow_quietly

import_tensorflow_quietly()  # before the imports below load Keras

from cancernet.models.cancernet import CancerNet  # noqa: E402
from cancernet.models.registry import MODELS, build_model, load_weights, register  # noqa: E402

__all__ = ["MODELS", "CancerNet", "build_model", "load_weights", "register"]
