"""EfficientNet-Lite0: a small backbone whose ImageNet weights come as a package.

Layers are named as in the PyTorch file of these weights, without its leading underscores
(`cancernet.models.torch_file`). Tan & Le 2019; "Lite" has ReLU6 in the place of Swish and
no squeeze-and-excitation.
"""

import keras

from cancernet.models.preprocessing import preprocess
from cancernet.models.pretrained import HEAD, probabilities
from cancernet.models.registry import Shape, register
from cancernet.models.weights import PACKAGED

# (blocks, kernel size, stride of the first block, expansion, channels) of each stage
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, LAST = 32, 1280  # channels


@register("efficientnet-lite0", application=PACKAGED)
def build_efficientnet_lite0(input_shape: Shape, classes: int) -> keras.Model:
    """All trainable, with average pooling, dropout 0.2 and softmax, at any size.

    3,415,586 parameters with 2 classes, of them 3,373,570 trainable.
    """
    image = keras.Input(input_shape, name="image")
    x = _convolved(preprocess(image, "torch"), "conv_stem", "bn0", filters=STEM, size=3, strides=2)
    place = 0
    for blocks, size, strides, expansion, channels in STAGES:
        for number in range(blocks):
            first = strides if number == 0 else 1
            x = _block(x, f"blocks.{place}", size, first, expansion, channels)
            place += 1
    x = _convolved(x, "conv_head", "bn1", filters=LAST)
    x = keras.layers.GlobalAveragePooling2D(name=f"{HEAD}pool")(x)
    x = keras.layers.Dropout(0.2, name=f"{HEAD}dropout")(x)
    return keras.Model(image, probabilities(x, classes), name="efficientnet_lite0")


def _block(
    x: keras.KerasTensor, name: str, size: int, strides: int, expansion: int, channels: int
) -> keras.KerasTensor:
    """Widens, filters each channel, narrows; adds its input where the shape stays."""
    before = x
    if expansion > 1:
        wide = expansion * x.shape[-1]
        x = _convolved(x, f"{name}.expand_conv", f"{name}.bn0", filters=wide)
    x = keras.layers.DepthwiseConv2D(
        size, strides, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )(x)
    x = _normalized(x, f"{name}.bn1")
    x = _convolved(x, f"{name}.project_conv", f"{name}.bn2", filters=channels, relu=False)
    if x.shape != before.shape:
        return x
    return keras.layers.Add(name=f"{name}.add")([x, before])


def _convolved(
    x: keras.KerasTensor,
    name: str,
    norm: str,
    *,
    filters: int,
    size: int = 1,
    strides: int = 1,
    relu: bool = True,
) -> keras.KerasTensor:
    x = keras.layers.Conv2D(filters, size, strides, padding="same", use_bias=False, name=name)(x)
    return _normalized(x, norm, relu=relu)


def _normalized(x: keras.KerasTensor, name: str, *, relu: bool = True) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{name}.relu6")(x) if relu else x
