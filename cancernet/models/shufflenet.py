"""The ShuffleNet of the mammogram study, built after ShuffleNet v2 (Ma et al. 2018).

It differs from the paper: a unit of stride 1 passes its whole input on beside the new
channels, so the channels grow within a stage, and the shuffle has three groups.
"""

import keras

from cancernet.models.preprocessing import preprocess
from cancernet.models.registry import register

# (channels behind the first unit, units) of each stage; the first unit halves the size
STAGES = ((240, 4), (480, 8), (960, 4))
GROUPS = 3


@register("shufflenet")
def build_shufflenet(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """8,176,784 parameters, 8,143,568 of them trainable, with 8 classes at any size."""
    image = keras.Input(input_shape, name="image")
    x = preprocess(image, "unit")
    x = keras.layers.Conv2D(24, 3, strides=2, padding="same", use_bias=False)(x)
    x = _normalized(x, relu=True)
    x = keras.layers.MaxPooling2D(3, strides=2, padding="same")(x)
    for channels, units in STAGES:
        x = _shuffled(_halving_unit(x, channels // 2))
        for _ in range(units - 1):
            x = _shuffled(_growing_unit(x, channels // 2))
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(image, x, name="shufflenet")


def _halving_unit(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """Both branches convolve with stride 2; 2 * channels come out."""
    shortcut = _normalized(_depthwise(x, strides=2))
    shortcut = _normalized(_pointwise(shortcut, channels), relu=True)
    return keras.layers.Concatenate()([shortcut, _main_branch(x, channels, strides=2)])


def _growing_unit(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    """The whole input and `channels` new ones."""
    return keras.layers.Concatenate()([x, _main_branch(x, channels, strides=1)])


def _main_branch(x: keras.KerasTensor, channels: int, *, strides: int) -> keras.KerasTensor:
    x = _normalized(_pointwise(x, channels), relu=True)
    x = _normalized(_depthwise(x, strides=strides))
    return _normalized(_pointwise(x, channels), relu=True)


def _pointwise(x: keras.KerasTensor, channels: int) -> keras.KerasTensor:
    return keras.layers.Conv2D(channels, 1, padding="same", use_bias=False)(x)


def _depthwise(x: keras.KerasTensor, *, strides: int) -> keras.KerasTensor:
    return keras.layers.DepthwiseConv2D(3, strides=strides, padding="same", use_bias=False)(x)


def _normalized(x: keras.KerasTensor, *, relu: bool = False) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization()(x)
    return keras.layers.ReLU()(x) if relu else x


def _shuffled(x: keras.KerasTensor) -> keras.KerasTensor:
    """Deals the channels out: those of the first third go to places 0, 3, 6, ..."""
    _, height, width, channels = x.shape
    x = keras.layers.Reshape((height, width, GROUPS, channels // GROUPS))(x)
    x = keras.layers.Permute((1, 2, 4, 3))(x)
    return keras.layers.Reshape((height, width, channels))(x)
