"""Where a network's first weights come from: ImageNet, a file, or chance, never silently.

`imagenet` is downloaded by Keras into its cache (and verified there). A file may hold
the whole network or its backbone; which of the two, its number of parameters says.
"""

import contextlib
import dataclasses
import io
import os
import re
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import keras
import numpy as np

from cancernet.errors import CancerNetError
from cancernet.files import sha256_of
from cancernet.models.preprocessing import IMAGENET_DEVIATION, IMAGENET_MEAN
from cancernet.models.pretrained import APPLICATIONS, backbone_part

IMAGENET = "imagenet"
NONE = "none"
TIMEOUT = 60.0  # seconds without an answer after which a download has failed
_SIZE = 224  # the size at which Keras's files are named (MobileNet has one a size)


@dataclasses.dataclass(frozen=True)
class WeightsRecord:
    """What was loaded, for the run's record.

    Attributes:
        file: the path.
        sha256: of the file.
        part: "backbone" or "network".
    """

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
            the whole network or of its backbone.
        application: the name of its backbone in keras.applications, if it has one.

    Returns:
        What was loaded.

    Raises:
        CancerNetError: no such weights, no network to download them, a damaged file,
            or one of another network. The model is of no use then.
    """
    path = imagenet_file(application) if weights == IMAGENET else Path(weights)
    if not path.is_file():
        raise CancerNetError(f"there is no weights file {path}")
    part = _load_file(model, path, application)
    return WeightsRecord(file=str(path), sha256=sha256_of(path), part=part)


def imagenet_file(application: str | None) -> Path:
    """Returns the ImageNet weights in Keras's cache, downloading them if need be.

    Raises:
        CancerNetError: the network has none, or they cannot be had; names the file to bring.
    """
    if application is None:
        raise CancerNetError(
            "this network has no ImageNet weights; start it with --weights none, or from a file "
            "of its own with --weights FILE"
        )
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
        f"Keras did not leave {name} in {_cache_folders()[0]}; bring it there or use --weights FILE"
    )


def parameters_in(path: Path) -> int:
    """Counts the numbers a weights file holds for a model's layers.

    Raises:
        OSError, KeyError: no HDF5 file, no Keras archive, or nothing of a model in it.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as member:
            return _parameters_in_hdf5(io.BytesIO(member.read()))
    return _parameters_in_hdf5(path)


def _load_file(model: keras.Model, path: Path, application: str | None) -> str:
    try:
        count = parameters_in(path)
    except (OSError, KeyError, ValueError) as error:
        raise CancerNetError(
            f"{path} is damaged or no weights file of Keras ({_first_line(error)}); bring a .h5, "
            ".weights.h5 or .keras file"
        ) from None
    whole, backbone = model.count_params(), backbone_part(model)
    if count == whole:
        _load_into(model, path)
        return "network"
    if backbone is not None and count == backbone.count_params():
        _load_into(backbone, path)
        if application is not None and APPLICATIONS[application].preprocessing == "efficientnet":
            _fold_normalization(backbone, path)
        return "backbone"
    of_backbone = f", its backbone {backbone.count_params():,}" if backbone is not None else ""
    raise CancerNetError(
        f"the weights in {path} do not fit: the file holds {count:,} parameters, this network has "
        f"{whole:,}{of_backbone}; a backbone's file must be without its classifier (notop)"
    )


def _load_into(model: keras.Model, path: Path) -> None:
    try:
        # A backbone saved whole is a `.keras` file too; Keras reads only its weights here.
        model.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise CancerNetError(
            f"the weights in {path} do not fit this network: {_first_line(error)}"
        ) from None


def _parameters_in_hdf5(source: Path | io.BytesIO) -> int:
    total = 0

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal total
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name:
            total += int(np.prod(item.shape))

    with h5py.File(source, "r") as file:
        # Keras 2 wrote the weights at the top or, with the model, under model_weights;
        # Keras 3 writes them under layers, beside the optimizer's.
        if "layer_names" in file.attrs:
            file.visititems(add)
        else:
            file["model_weights" if "model_weights" in file else "layers"].visititems(add)
    return total


def _fold_normalization(backbone: keras.Model, path: Path) -> None:
    """Brings EfficientNet's stored input statistics to what its graph here expects.

    Keras's file keeps the ImageNet mean and (as "variance") the deviation; with the
    square root Keras adds for it, the result is (x / 255 - mean) / deviation. Our graph
    has that in front, so the layer inside must pass its input on. Stored as weights the
    statistics would moreover be lost by `set_weights`, which this layer does not notice.
    """
    layer = next(x for x in backbone.layers if isinstance(x, keras.layers.Normalization))
    mean, variance, count = layer.get_weights()
    known = np.allclose(mean, IMAGENET_MEAN, atol=1e-3) and np.allclose(
        variance, IMAGENET_DEVIATION, atol=1e-3
    )
    if not known:
        raise CancerNetError(
            f"{path} was trained with another input scaling (mean {mean}, variance {variance}) "
            "than Keras's own EfficientNet; use Keras's file"
        )
    layer.set_weights([np.zeros_like(mean), np.ones_like(variance), np.zeros_like(count)])
    layer.finalize_state()


def _how_to_bring(application: str, name: str, reason: str) -> str:
    address = re.search(r"https?://[^\s'\"]+[^\s'\".:,]", reason)
    source = f" from {address[0]}" if address else ""
    # Keras: "URL fetch failure on <address>: None -- <the reason>"
    reason = re.sub(r"^URL fetch failure on \S+ (None -- )?", "", _first_line(reason))
    return (
        f"the ImageNet weights of {application} cannot be had ({reason}): bring the "
        f"file {name}{source} into {_cache_folders()[0]}, or name it with --weights FILE; to start "
        "from random numbers say --weights none"
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


def _first_line(error: object) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
