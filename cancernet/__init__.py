"""CancerNet: train, judge and use breast-cancer image classifiers with Keras.

Research software, not a medical device.

Importing this package loads nothing heavy: TensorFlow is imported only by the
modules that train (`cancernet.models`, `cancernet.training`).
"""

__version__ = "0.1.0"
