"""The mammogram study's networks without a backbone: simple, AlexNet, kernel CNN, ShuffleNet."""

import functools

import keras

from cancernet.models.preprocessing import filter_and_stretch, preprocess
from cancernet.models.registry import Shape, register


@register("simple-cnn")
def build_simple_cnn(input_shape: Shape, classes: int) -> keras.Model:
    """Two convolutions and one dense layer; 5,977,640 parameters at 224x224, 8 classes."""
    image = keras.Input(input_shape, name="image")
    x = preprocess(image, "unit")
    for filters in (16, 32):
        x = keras.layers.Conv2D(filters, 3, activation="relu", kernel_initializer="he_normal")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dense(64, activation="relu")(x)
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(image, x, name="simple_cnn")


ALEXNET_DENSE = (4096, 4096, 1000)


@register("alexnet")
def build_alexnet(input_shape: Shape, classes: int) -> keras.Model:
    """AlexNet without dropout or normalization; 62,386,352 parameters at 227x227, 8 classes."""
    image = keras.Input(input_shape, name="image")
    x = preprocess(image, "unit")
    x = keras.layers.Conv2D(96, 11, strides=4, activation="relu")(x)
    x = keras.layers.MaxPooling2D(3, strides=2)(x)
    x = keras.layers.Conv2D(256, 5, padding="same", activation="relu")(x)
    x = keras.layers.MaxPooling2D(3, strides=2)(x)
    for filters in (384, 384, 256):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
    x = keras.layers.MaxPooling2D(3, strides=2)(x)
    x = keras.layers.Flatten()(x)
    for units in ALEXNET_DENSE:
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(image, x, name="alexnet")


def kernel_cnn(
    input_shape: Shape, classes: int, *, kernel: str, hidden_activation: str
) -> keras.Model:
    """Three convolutions and three dense layers; 1,794,168 parameters at 224x224, 8 classes.

    `kernel` is a name of `KERNELS`, `hidden_activation` that of the two hidden dense layers.
    """
    image = keras.Input(input_shape, name="image")
    x = filter_and_stretch(image, kernel)
    for filters in (64, 64, 32):
        x = keras.layers.Conv2D(filters, 3, activation="relu", kernel_initializer="random_normal")(
            x
        )
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    for units in (80, 64):
        x = keras.layers.Dense(
            units, activation=hidden_activation, kernel_initializer="random_normal"
        )(x)
        x = keras.layers.Dropout(0.2)(x)
    x = keras.layers.Dense(
        classes, activation="softmax", kernel_initializer="random_normal", dtype="float32"
    )(x)
    return keras.Model(image, x, name="kernel_cnn")


for _name, _kernel, _activation in (
    ("kernel-cnn", "sharpening", "linear"),  # as published
    ("kernel-cnn-gaussian", "gaussian", "linear"),
    ("kernel-cnn-mean", "mean", "linear"),
    # Without ReLU the dense layers are one linear map.
    ("kernel-cnn-relu", "sharpening", "relu"),
):
    register(_name, kernel=_kernel)(
        functools.partial(kernel_cnn, kernel=_kernel, hidden_activation=_activation)
    )


# (channels behind the first unit, units) of each stage; the first unit halves the size
STAGES = ((240, 4), (480, 8), (960, 4))
GROUPS = 3


@register("shufflenet")
def build_shufflenet(input_shape: Shape, classes: int) -> keras.Model:
    """8,176,784 parameters, 8,143,568 of them trainable, with 8 classes at any size.

    After ShuffleNet v2 (Ma et al. 2018). It differs from the paper: a unit of stride 1 passes
    its whole input on beside the new channels, so the channels grow within a stage, and the
    shuffle has three groups.
    """
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
