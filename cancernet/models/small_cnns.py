"""The two small convolutional networks for mammograms."""

import keras

from cancernet.models.kernels import filter_and_stretch
from cancernet.models.preprocessing import preprocess
from cancernet.models.registry import register

Shape = tuple[int, int, int]


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


@register("kernel-cnn")
def build_kernel_cnn(input_shape: Shape, classes: int) -> keras.Model:
    """Sharpened mammograms, as published; 1,794,168 parameters at 224x224, 8 classes."""
    return kernel_cnn(input_shape, classes, kernel="sharpening")


@register("kernel-cnn-gaussian")
def build_kernel_cnn_gaussian(input_shape: Shape, classes: int) -> keras.Model:
    """The kernel CNN behind the Gaussian kernel."""
    return kernel_cnn(input_shape, classes, kernel="gaussian")


@register("kernel-cnn-mean")
def build_kernel_cnn_mean(input_shape: Shape, classes: int) -> keras.Model:
    """The kernel CNN behind the mean kernel."""
    return kernel_cnn(input_shape, classes, kernel="mean")


@register("kernel-cnn-relu")
def build_kernel_cnn_relu(input_shape: Shape, classes: int) -> keras.Model:
    """The published one with ReLU between its dense layers, which else are one linear map."""
    return kernel_cnn(input_shape, classes, kernel="sharpening", hidden_activation="relu")


def kernel_cnn(
    input_shape: Shape, classes: int, *, kernel: str, hidden_activation: str = "linear"
) -> keras.Model:
    """Three convolutions and three dense layers behind a fixed 3x3 kernel.

    Args:
        input_shape: (height, width, channels), pixels.
        classes: number of outputs.
        kernel: a name of `cancernet.models.kernels.KERNELS`.
        hidden_activation: of the two hidden dense layers; linear as published.
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
