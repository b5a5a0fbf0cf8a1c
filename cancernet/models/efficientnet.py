"""EfficientNetV2-B0 for the mammograms: one rescaling and one softmax."""

import keras

from cancernet.models.pretrained import backbone, probabilities
from cancernet.models.registry import register


@register("efficientnetv2b0", application="EfficientNetV2B0")
def build_efficientnetv2b0(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """All trainable; 5,929,560 parameters with 8 classes at any size.

    The study scaled its input twice and put a second softmax layer (72 parameters)
    on the first; both are left out.
    """
    image, x = backbone("EfficientNetV2B0", input_shape)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = keras.layers.Dropout(0.2, name="head_dropout")(x)
    return keras.Model(image, probabilities(x, classes), name="efficientnetv2b0")
