"""Classifiers on a backbone of keras.applications: those of the studies, and any by name.

`backbone:MobileNetV2` is the plain way to start from ImageNet: a frozen backbone, average
pooling, dropout 0.2 and softmax. To start from random numbers, `unfreeze_all` lets all of it learn.
"""

import functools

import keras

from cancernet.base.errors import SettingsError
from cancernet.models.pretrained import backbone, freeze_backbone, probabilities
from cancernet.models.registry import Shape, register
from cancernet.networks import APPLICATIONS, BACKBONE_PREFIX


def build_on_backbone(input_shape: Shape, classes: int, *, application: str) -> keras.Model:
    """A frozen backbone, average pooling and one softmax."""
    image, x = _pooled(application, input_shape)
    model = keras.Model(image, probabilities(x, classes), name=f"backbone_{application}")
    freeze_backbone(model)
    return model


for _application in APPLICATIONS:
    register(BACKBONE_PREFIX + _application, application=_application, frozen=True)(
        functools.partial(build_on_backbone, application=_application)
    )


@register("efficientnetv2b0", application="EfficientNetV2B0")
def build_efficientnetv2b0(input_shape: Shape, classes: int) -> keras.Model:
    """The same, all trainable; 5,929,560 parameters with 8 classes at any size.

    The mammogram study scaled its input twice and put a second softmax layer (72
    parameters) on the first; both are left out.
    """
    image, x = _pooled("EfficientNetV2B0", input_shape)
    return keras.Model(image, probabilities(x, classes), name="efficientnetv2b0")


def _pooled(application: str, input_shape: Shape) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    image, x = backbone(application, input_shape)
    x = keras.layers.GlobalAveragePooling2D(name="head_pool")(x)
    return image, keras.layers.Dropout(0.2, name="head_dropout")(x)


def build_flattened(
    input_shape: Shape, classes: int, *, application: str, name: str
) -> keras.Model:
    """One softmax on the flattened feature maps, all trainable.

    With 8 classes at 224x224, VGG16 has 14,915,400 parameters and DenseNet121 7,438,920, of
    them 7,355,272 trainable.
    """
    image, x = backbone(application, input_shape)
    x = keras.layers.Flatten(name="head_flatten")(x)
    return keras.Model(image, probabilities(x, classes), name=name)


for _name, _application in (("vgg16", "VGG16"), ("densenet121", "DenseNet121")):
    register(_name, application=_application)(
        functools.partial(build_flattened, application=_application, name=_name)
    )


def build_densenet121_dense_head(
    input_shape: Shape, classes: int, *, preprocessing: str
) -> keras.Model:
    """A frozen DenseNet121 under dense 1024, 1024, 512, 128 and softmax; dropout 0.5 and 0.3.

    75,787,843 parameters at 256x256 with 3 classes, of them 68,750,339 trainable.
    """
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


def build_vgg16_dense_head(input_shape: Shape, classes: int, *, preprocessing: str) -> keras.Model:
    """A frozen VGG16 under dense 512, dropout 0.5 and one sigmoid unit for the second class.

    The sigmoid gives p, the probability of the second class; the model answers with
    [1 - p, p] like every other, by two layers without weights. Categorical cross
    entropy of that pair is the binary cross entropy of p. 18,910,017 parameters at 150x150,
    of them 4,195,329 trainable.

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


# The ultrasound studies ran both behind 1/255 ("-unit"), which is not what the ImageNet
# weights expect.
for _suffix, _densenet, _vgg in (("", "torch", "caffe"), ("-unit", "unit", "unit")):
    register(f"densenet121-dense-head{_suffix}", application="DenseNet121", frozen=True)(
        functools.partial(build_densenet121_dense_head, preprocessing=_densenet)
    )
    register(f"vgg16-dense-head{_suffix}", application="VGG16", frozen=True, sigmoid=True)(
        functools.partial(build_vgg16_dense_head, preprocessing=_vgg)
    )
