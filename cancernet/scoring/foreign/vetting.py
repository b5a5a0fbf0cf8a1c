"""Looks at what a model file would build, before Keras builds anything.

Only layers, initializers and the like of Keras itself are let through, and of these none
that holds code (Lambda), wraps another framework, or reads a file (a vocabulary). Keras's
own safe mode stays on besides.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cancernet.base.archives import check_hdf5, check_zip
from cancernet.base.errors import RunError, first_line
from cancernet.base.files import parse_json

# Their configuration holds code or the path of a file to read.
FORBIDDEN = {
    "Lambda", "__lambda__", "function", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
    "TFSMLayer", "StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization",
    "HashedCrossing", "FeatureSpace",
}  # fmt: skip
# The module that a class of Keras comes from, with or without `.src`.
_ROOMS = (
    "layers", "models", "initializers", "regularizers", "constraints", "activations",
    "dtype_policies", "ops", "engine", "random", "applications", "trainers", "quantizers",
)  # fmt: skip
LARGEST_CONFIG = 8 << 20  # bytes; that of EfficientNetV2L has under 1 MB


def vet(path: Path) -> dict[str, Any]:
    """Refuses a file whose network is not made of plain Keras layers.

    Returns:
        The network's configuration.

    Raises:
        RunError: damaged, weights without a network, or something in it that may run code
            or read files.
    """
    config = read_config(path)
    for kind, module in _classes(config):
        if kind in FORBIDDEN or not _is_of_keras(module):
            what = f"{kind} of {module}" if module and not _is_of_keras(module) else kind
            raise RunError(
                f"{path} holds {what}, which may run code or read files when it is loaded, so it "
                "is not opened; ask for the model without it, as plain Keras layers"
            )
    return config


def read_config(path: Path) -> dict[str, Any]:
    """Returns the network's configuration as the file has it.

    Raises:
        RunError: not a Keras file, or one with weights only.
    """
    try:
        text = _from_zip(path) if zipfile.is_zipfile(path) else _from_hdf5(path)
        config = parse_json(text)
    except RunError:
        raise
    except Exception as error:  # zipfile, zlib and HDF5 raise whatever they like
        raise RunError(
            f"{path} is damaged or no model file of Keras ({first_line(error)}); bring a "
            ".keras or .h5 file"
        ) from None
    if not isinstance(config, dict):
        raise RunError(f"{path} is damaged: its configuration is no object")
    return config


def _from_zip(path: Path) -> str:
    check_zip(path)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("config.json")
        if member.file_size > LARGEST_CONFIG:
            raise ValueError("its configuration is far too large")
        return archive.read(member).decode("utf-8")


def _from_hdf5(path: Path) -> str:
    import h5py

    check_hdf5(path)
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
        if text is None:
            raise RunError(
                f"{path} holds weights but no network; give it to `python train_model.py "
                "--recipe NAME --weights FILE`, or ask for the whole model"
            )
        text = text.decode("utf-8") if isinstance(text, bytes) else str(text)
        if len(text) > LARGEST_CONFIG:
            raise ValueError("its configuration is far too large")
        return text


def _classes(config: Any) -> Iterator[tuple[str, str | None]]:
    """Gives every class that is named anywhere, and its module where it is stated."""
    stack = [config]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            if isinstance(item.get("class_name"), str):
                module = item.get("module")
                yield item["class_name"], module if isinstance(module, str) else None
            # How it was compiled is not read: the model is not trained here.
            stack += [value for key, value in item.items() if key != "compile_config"]
        elif isinstance(item, list):
            stack += item


def _is_of_keras(module: str | None) -> bool:
    """Old files state no module; Keras then looks among its own classes only."""
    if module is None or module == "keras":
        return True
    steps = module.split(".")
    if steps[0] not in ("keras", "tensorflow"):
        return False
    return any(step in _ROOMS for step in steps[1:])
