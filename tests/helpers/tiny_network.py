"""A network small enough to be trained many times over in a test, in two phases."""

import keras

from cancernet.config import TrainConfig
from cancernet.models import freeze_backbone
from cancernet.models.preprocessing import preprocess
from cancernet.models.pretrained import probabilities

CONFIG = TrainConfig(
    dataset="busi",
    model="tiny",
    image_size=16,
    limit=24,
    batch_size=8,
    epochs=2,
    optimizer="adam",
    learning_rate=0.05,
    schedule="constant",
    fine_tune_epochs=2,
    fine_tune_layers=1,
    fine_tune_learning_rate=0.01,
    precision="float32",
    monitor="last",
    rotation=0.0,
    zoom=0.0,
    shift=0.0,
    shear=0.0,
    horizontal_flip=False,
    vertical_flip=False,
)


def build_tiny(input_shape, classes):
    """A backbone of two convolutions and batch normalization under a head with dropout."""
    image = keras.Input(input_shape, name="image")
    x = preprocess(image, "unit")
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="first")(x)
    x = keras.layers.BatchNormalization(name="normal")(x)
    x = keras.layers.Conv2D(6, 3, strides=2, activation="relu", name="top")(x)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = keras.layers.Dropout(0.2, name="head_dropout")(x)
    model = keras.Model(image, probabilities(x, classes), name="tiny")
    freeze_backbone(model)
    return model
