"""CancerNet: train, judge and use breast-cancer image classifiers with Keras.

In Python, `load` opens a trained run, which predicts, explains and evaluates; `build` makes a
data set and `train` a run. `cancernet.api` documents them.

Research software, not a medical device; not for diagnosis.

Importing this package loads nothing heavy: TensorFlow is imported only by the
modules that train (`cancernet.models`, `cancernet.training`).
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cancernet.api import CancerNetError, Run, build, load, train

__all__ = ["CancerNetError", "Run", "build", "load", "train"]
__version__ = "0.1.0"

# From version 1.29 on, ONNX Runtime reports its use to its maker, with a hash of the model,
# unless it is told not to before it is loaded. ORT_DISABLE_TELEMETRY=0 allows the report.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def __getattr__(name: str) -> Any:
    """Loads a name of `cancernet.api` when it is first used; the scripts use none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from cancernet import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
