"""The networks. `from cancernet.models import build_model, CancerNet`.

To add one, write its builder into a file here, decorated with `@register("name")`,
and add the file to the imports below.
"""

from cancernet.base.quiet import import_tensorflow_quietly

import_tensorflow_quietly()  # before the imports below load Keras

from cancernet.models import (  # noqa: E402
    alexnet,
    backbones,
    densenet,
    efficientnet,
    kernel_cnn,
    shufflenet,
    simple_cnn,
    vgg,
)
from cancernet.models.cancernet import CancerNet  # noqa: E402
from cancernet.models.fine_tuning import (  # noqa: E402
    freeze_backbone,
    unfreeze_all,
    unfreeze_top,
)
from cancernet.models.registry import (  # noqa: E402
    MODELS,
    build_model,
    model_facts,
    network,
    register,
)
from cancernet.models.weights import WeightsRecord, load_weights  # noqa: E402

__all__ = [
    "MODELS",
    "CancerNet",
    "WeightsRecord",
    "alexnet",
    "backbones",
    "build_model",
    "densenet",
    "efficientnet",
    "freeze_backbone",
    "kernel_cnn",
    "load_weights",
    "model_facts",
    "network",
    "register",
    "shufflenet",
    "simple_cnn",
    "unfreeze_all",
    "unfreeze_top",
    "vgg",
]
