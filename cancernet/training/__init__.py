"""Training: batches, fit, export, and the training as a whole."""

from cancernet.base.console import import_tensorflow_quietly

import_tensorflow_quietly()  # before any module of this room loads Keras
