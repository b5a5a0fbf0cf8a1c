"""Any network of keras.applications by name: `backbone:MobileNetV2`.

A frozen backbone, average pooling, dropout 0.2 and softmax: the plain way to start
from ImageNet. For a start from nothing, `unfreeze_all` lets all of it learn.
"""

import functools

import keras

from cancernet.models.fine_tuning import freeze_backbone
from cancernet.models.pretrained import APPLICATIONS, backbone, probabilities
from cancernet.models.registry import BACKBONE_PREFIX, register


def build_on_backbone(
    input_shape: tuple[int, int, int], classes: int, *, application: str
) -> keras.Model:
    """Builds a classifier on a frozen backbone of keras.applications."""
    image, x = backbone(application, input_shape)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = keras.layers.Dropout(0.2, name="head_dropout")(x)
    model = keras.Model(image, probabilities(x, classes), name=f"backbone_{application}")
    freeze_backbone(model)
    return model


for _application in APPLICATIONS:
    register(BACKBONE_PREFIX + _application, application=_application, frozen=True)(
        functools.partial(build_on_backbone, application=_application)
    )
