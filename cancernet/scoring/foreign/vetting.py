"""Checks of a model file before Keras builds anything from it.

Only layers, initializers and the like of Keras itself are let through, and none of those
that hold code (Lambda), wrap another framework, or read a file (a vocabulary). Keras's own
safe mode stays on as well. Nor may the network be larger than its weights: a file of a
kilobyte can name a layer of a billion units, and Keras would allocate its weights before
it looked for them in the file.
"""

import math
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cancernet.base.archives import check_hdf5, check_zip
from cancernet.base.errors import RunError, first_line
from cancernet.base.files import parse_json

Config = dict[str, Any]  # JSON of a stranger

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
HARMLESS = 2**24  # weights, 64 MB of memory: not worth refusing
LEAST_BYTES = 2  # of a weight; smaller ones Keras does not write


def vet(path: Path) -> Config:
    """Returns the network's configuration if it is made of plain Keras layers.

    Raises:
        RunError: the file is damaged, has weights without a network, or something in it may
            run code or read files.
    """
    try:
        config = parse_json(_from_zip(path) if zipfile.is_zipfile(path) else _from_hdf5(path))
    except RunError:
        raise
    except Exception as error:  # zipfile, zlib and HDF5 raise whatever they like
        raise RunError(
            f"{path} is damaged or not a Keras model ({first_line(error)}); use a .keras or .h5 "
            "file"
        ) from None
    if not isinstance(config, dict):
        raise RunError(f"{path} is damaged: its configuration is not a JSON object")
    for kind, module in _classes(config):
        stranger = module if not _is_of_keras(module) else None
        if kind in FORBIDDEN or stranger:
            raise RunError(
                f"{path} holds {kind}{f' of {stranger}' if stranger else ''}, which may run code "
                "or read files when it is loaded, so it is not opened; ask for the model without "
                "it, as plain Keras layers"
            )
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


def refuse_larger_than_its_weights(path: Path, shown: Path, config: Config) -> None:
    """Raises RunError when a network asks for more weights than its file can hold.

    `path` is that of the vetted file, `shown` the name a person knows it by, and `config`
    the network's configuration.
    """
    asked = _count_weights(config)
    held = _bytes_of_weights(path) // LEAST_BYTES
    if asked > max(held, HARMLESS):
        raise RunError(
            f"{shown} describes a network of {asked:,} weights but can hold {held:,} at most, so "
            "it is damaged or made to exhaust the memory; it is not opened"
        )


def _count_weights(config: Config) -> int:
    """Counts the weights of a network without allocating them.

    Returns 0 where Keras cannot read the configuration: loading the file says what is wrong.
    """
    # Keras remembers variables without values, for each thread, and fills them all when it
    # next can, even those of a discarded model: the thread takes them with it.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_count, config).result()


def _count(config: Config) -> int:
    import keras

    # An optimizer allocates its variables at once, and none is needed here.
    config = {key: value for key, value in config.items() if key != "compile_config"}
    try:
        with keras.StatelessScope(initialize_variables=False):
            if "module" in config:
                network = keras.saving.deserialize_keras_object(config, safe_mode=True)
            else:  # the form of an HDF5 file
                kind = keras.Sequential if config["class_name"] == "Sequential" else keras.Model
                network = kind.from_config(config["config"])
            return sum(math.prod(variable.shape) for variable in network.variables)
    except Exception:  # Keras raises whatever its parts raise
        return 0


def _bytes_of_weights(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())
