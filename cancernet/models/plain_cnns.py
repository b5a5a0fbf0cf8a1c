"""Two plain networks of the mammogram study: a small one, and AlexNet."""

import keras

from cancernet.models.preprocessing import preprocess
from cancernet.models.registry import register


@register("simple-cnn")
def build_simple_cnn(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
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


@register("alexnet")
def build_alexnet(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
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
    for units in (4096, 4096, 1000):
        x = keras.layers.Dense(units, activation="relu")(x)
    x = keras.layers.Dense(classes, activation="softmax", dtype="float32")(x)
    return keras.Model(image, x, name="alexnet")
