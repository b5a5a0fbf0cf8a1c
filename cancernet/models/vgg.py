"""Two networks on VGG16: the mammograms' from scratch, the ultrasound study's frozen one."""

import keras

from cancernet.base.errors import SettingsError
from cancernet.models.fine_tuning import freeze_backbone
from cancernet.models.pretrained import backbone, probabilities
from cancernet.models.registry import register

Shape = tuple[int, int, int]


@register("vgg16", application="VGG16")
def build_vgg16(input_shape: Shape, classes: int) -> keras.Model:
    """One softmax on the flattened maps, all trainable; 14,915,400 at 224x224 with 8 classes."""
    image, x = backbone("VGG16", input_shape)
    x = keras.layers.Flatten(name="head_flatten")(x)
    return keras.Model(image, probabilities(x, classes), name="vgg16")


@register("vgg16-dense-head", application="VGG16", frozen=True, sigmoid=True)
def build_vgg16_dense_head(input_shape: Shape, classes: int) -> keras.Model:
    """A frozen VGG16 under dense 512 and one sigmoid; 18,910,017 / 4,195,329 at 150x150."""
    return dense_head(input_shape, classes, preprocessing="caffe")


@register("vgg16-dense-head-unit", application="VGG16", frozen=True, sigmoid=True)
def build_vgg16_dense_head_unit(input_shape: Shape, classes: int) -> keras.Model:
    """The same behind 1/255, as the study ran it: not what the ImageNet weights expect."""
    return dense_head(input_shape, classes, preprocessing="unit")


def dense_head(input_shape: Shape, classes: int, *, preprocessing: str) -> keras.Model:
    """VGG16, flatten, dense 512, dropout 0.5 and one sigmoid unit for the second class.

    The sigmoid gives p, the probability of the second class; the model answers with
    [1 - p, p] like every other, by two layers without weights. Categorical cross
    entropy of that pair is the binary cross entropy of p.

    Raises:
        CancerNetError: not exactly 2 classes.
    """
    if classes != 2:
        raise SettingsError(
            f"vgg16-dense-head ends in one sigmoid unit and tells 2 classes apart, not {classes}; "
            "use backbone:VGG16"
        )
    image, x = backbone("VGG16", input_shape, preprocessing=preprocessing)
    x = keras.layers.Flatten(name="head_flatten")(x)
    x = keras.layers.Dense(512, activation="relu", name="head_dense_1")(x)
    x = keras.layers.Dropout(0.5, name="head_dropout_1")(x)
    p = keras.layers.Dense(1, activation="sigmoid", dtype="float32", name="head_sigmoid")(x)
    rest = keras.layers.Rescaling(-1.0, 1.0, dtype="float32", name="head_rest")(p)
    both = keras.layers.Concatenate(dtype="float32", name="head_probabilities")([rest, p])
    model = keras.Model(image, both, name="vgg16_dense_head")
    freeze_backbone(model)
    return model
