"""CancerNet: train, judge and use breast-cancer image classifiers with Keras.

Research software, not a medical device.

Importing this package loads nothing heavy: TensorFlow is imported only by the
modules that train (`cancernet.models`, `cancernet.training`).
"""

import os

__version__ = "0.1.0"

# ONNX Runtime reports its use to its maker from version 1.29 on, the hash of the model
# included, unless told not to before it is loaded. ORT_DISABLE_TELEMETRY=0 lets it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
