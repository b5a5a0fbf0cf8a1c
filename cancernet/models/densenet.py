"""Two networks on DenseNet121: with the ultrasound study's large head, and the mammograms'."""

import keras

from cancernet.models.fine_tuning import freeze_backbone
from cancernet.models.pretrained import backbone, probabilities
from cancernet.models.registry import register

Shape = tuple[int, int, int]


@register("densenet121", application="DenseNet121")
def build_densenet121(input_shape: Shape, classes: int) -> keras.Model:
    """One softmax on the flattened maps, all trainable; 7,438,920 / 7,355,272 at 224, 8 classes."""
    image, x = backbone("DenseNet121", input_shape)
    x = keras.layers.Flatten(name="head_flatten")(x)
    return keras.Model(image, probabilities(x, classes), name="densenet121")


@register("densenet121-dense-head", application="DenseNet121", frozen=True)
def build_densenet121_dense_head(input_shape: Shape, classes: int) -> keras.Model:
    """A frozen DenseNet121 under four dense layers; 75,787,843 / 68,750,339 at 256, 3 classes."""
    return dense_head(input_shape, classes, preprocessing="torch")


@register("densenet121-dense-head-unit", application="DenseNet121", frozen=True)
def build_densenet121_dense_head_unit(input_shape: Shape, classes: int) -> keras.Model:
    """The same behind 1/255, as the study ran it: not what the ImageNet weights expect."""
    return dense_head(input_shape, classes, preprocessing="unit")


def dense_head(input_shape: Shape, classes: int, *, preprocessing: str) -> keras.Model:
    """DenseNet121, flatten, dense 1024, 1024, 512, 128 and softmax; dropout 0.5 and 0.3."""
    image, x = backbone("DenseNet121", input_shape, preprocessing=preprocessing)
    x = keras.layers.Flatten(name="head_flatten")(x)
    x = keras.layers.Dense(1024, activation="relu", name="head_dense_1")(x)
    x = keras.layers.Dropout(0.5, name="head_dropout_1")(x)
    x = keras.layers.Dense(1024, activation="relu", name="head_dense_2")(x)
    x = keras.layers.Dropout(0.3, name="head_dropout_2")(x)
    x = keras.layers.Dense(512, activation="relu", name="head_dense_3")(x)
    x = keras.layers.Dense(128, activation="relu", name="head_dense_4")(x)
    model = keras.Model(image, probabilities(x, classes), name="densenet121_dense_head")
    freeze_backbone(model)
    return model
