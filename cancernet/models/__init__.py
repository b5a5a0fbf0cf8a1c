"""The networks. `from cancernet.models import build_model, CancerNet`.

To add one, write its builder into a file of this folder, decorate it with
`@register("name")`, and enter the name in `cancernet/networks.py`. Every file of
this folder is imported here.
"""

import importlib
import pkgutil

from cancernet.base.console import import_tensorflow_quietly

import_tensorflow_quietly()  # before the imports below load Keras

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")

from cancernet.models.cancernet import CancerNet
from cancernet.models.pretrained import freeze_backbone, unfreeze_all, unfreeze_top
from cancernet.models.registry import MODELS, build_model, model_facts, network, register
from cancernet.models.weights import load_weights
