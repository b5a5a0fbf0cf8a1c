"""Backbones of keras.applications: their preprocessing, their weight files, their graph.

Some of them can scale their input themselves. Here none does: Keras's `Normalization`
layer would not survive the export to ONNX, nor, where it keeps its statistics as
weights, `set_weights`. `preprocess` does the same in front of each.
"""

import dataclasses
import inspect
from typing import Any

import keras

from cancernet.models.preprocessing import preprocess

_NOTOP = "_weights_tf_dim_ordering_tf_kernels_notop.h5"

HEAD = "head_"  # names of the layers behind a backbone begin so
PREPROCESS = "preprocess_"  # and of those in front of it so


@dataclasses.dataclass(frozen=True)
class Application:
    """A network of keras.applications.

    Attributes:
        preprocessing: the rule its ImageNet weights were trained with.
        file: its ImageNet weights without the classifier, as Keras names the file.
    """

    preprocessing: str
    file: str


APPLICATIONS: dict[str, Application] = {
    **{f"VGG{n}": Application("caffe", f"vgg{n}{_NOTOP}") for n in (16, 19)},
    **{f"ResNet{n}": Application("caffe", f"resnet{n}{_NOTOP}") for n in (50, 101, 152)},
    **{f"ResNet{n}V2": Application("tf", f"resnet{n}v2{_NOTOP}") for n in (50, 101, 152)},
    **{f"DenseNet{n}": Application("torch", f"densenet{n}{_NOTOP}") for n in (121, 169, 201)},
    "InceptionV3": Application("tf", f"inception_v3{_NOTOP}"),
    "InceptionResNetV2": Application("tf", f"inception_resnet_v2{_NOTOP}"),
    "Xception": Application("tf", f"xception{_NOTOP}"),
    "MobileNet": Application("tf", "mobilenet_1_0_224_tf_no_top.h5"),
    "MobileNetV2": Application(
        "tf", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    ),
    **{
        f"MobileNetV3{size}": Application(
            "tf", f"weights_mobilenet_v3_{size.lower()}_224_1.0_float_no_top_v2.h5"
        )
        for size in ("Small", "Large")
    },
    "NASNetMobile": Application("tf", "nasnet_mobile_no_top.h5"),
    "NASNetLarge": Application("tf", "nasnet_large_no_top.h5"),
    **{f"EfficientNetB{n}": Application("torch", f"efficientnetb{n}_notop.h5") for n in range(8)},
    **{
        f"EfficientNetV2B{n}": Application("torch", f"efficientnetv2-b{n}_notop.h5")
        for n in range(4)
    },
    **{
        f"EfficientNetV2{size}": Application("tf-128", f"efficientnetv2-{size.lower()}_notop.h5")
        for size in ("S", "M", "L")
    },
    **{
        f"ConvNeXt{size}": Application("torch", f"convnext_{size.lower()}_notop.h5")
        for size in ("Tiny", "Small", "Base", "Large", "XLarge")
    },
}


def backbone(
    application: str, input_shape: tuple[int, int, int], *, preprocessing: str | None = None
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Builds a backbone without its classifier, its preprocessing in front.

    Its layers stand in the graph one by one, not as a model within the model: what
    clones, explains or partly unfreezes a network then sees them all.

    Args:
        application: a name of `APPLICATIONS`.
        input_shape: (height, width, 3), pixels.
        preprocessing: another rule than the one its ImageNet weights need.

    Returns:
        The input (RGB 0-255) and the feature maps, shape (n, rows, columns, channels).

    Raises:
        ValueError: the images are too small for it.
    """
    image = keras.Input(input_shape, name="image")
    scaled = preprocess(image, preprocessing or APPLICATIONS[application].preprocessing)
    if normalizes_inside(application):
        return _without_normalization(application, image, scaled)
    base = keras_network(application, input_shape=input_shape, input_tensor=scaled)
    return image, base.output


def normalizes_inside(application: str) -> bool:
    """Tells whether Keras's own graph begins with scaling that cannot be switched off."""
    return application.startswith("EfficientNetB")


def keras_network(name: str, **arguments: Any) -> keras.Model:
    """Builds a network of keras.applications as Keras has it, without classifier or weights."""
    build = getattr(keras.applications, name)
    if "include_preprocessing" in inspect.signature(build).parameters:
        arguments["include_preprocessing"] = False
    return build(include_top=False, weights=None, **arguments)


def _without_normalization(
    application: str, image: keras.KerasTensor, scaled: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Builds EfficientNet (the first version) from its stem on."""
    whole = keras_network(application, input_shape=image.shape[1:])
    network = keras.Model(whole.get_layer("stem_conv_pad").input, whole.output)
    joined = keras.Model(image, network.call(scaled))
    # The layers stand in the graph they came from as well; those of a clone do not.
    alone = keras.models.clone_model(joined)
    return alone.input, alone.output


def probabilities(features: keras.KerasTensor, classes: int) -> keras.KerasTensor:
    """Adds the softmax layer of a head, in float32 whatever the arithmetic of the rest."""
    layer = keras.layers.Dense(
        classes, activation="softmax", dtype="float32", name=f"{HEAD}probabilities"
    )
    return layer(features)


def backbone_layers(model: keras.Model) -> list[keras.Layer]:
    """Returns the backbone's layers from input to output; none where there is no backbone."""
    if not any(layer.name.startswith(HEAD) for layer in model.layers):
        return []
    return [
        layer
        for layer in model.layers
        if not isinstance(layer, keras.layers.InputLayer)
        and not layer.name.startswith((HEAD, PREPROCESS))
    ]


def backbone_part(model: keras.Model) -> keras.Model | None:
    """Returns the model up to where its head begins, sharing its layers, or None."""
    for layer in model.layers:
        if layer.name.startswith(HEAD):
            return keras.Model(model.input, layer.input)
    return None
