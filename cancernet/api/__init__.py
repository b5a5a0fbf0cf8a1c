"""CancerNet in Python: what the scripts do, with values instead of text.

    >>> import cancernet
    >>> run = cancernet.load("output/idc-cancernet-001")
    >>> run.predict("image.png").call in run.classes
    True

The arguments are the flags of the scripts, with `_` for `-`; an error names the flag. Nothing is
printed unless `progress=True` asks for it. TensorFlow is loaded by `train` and by gradient heat
maps only. Research software, not a medical device; not for diagnosis.
"""

import logging

from cancernet.api.making import build, train
from cancernet.api.run import Run, load
from cancernet.base.errors import CancerNetError

__all__ = ["CancerNetError", "Run", "build", "load", "train"]

# Without a handler Python would print warnings; whoever wants them asks for progress.
logging.getLogger("cancernet").addHandler(logging.NullHandler())
