"""Whether a model file's network is larger than the numbers that came with it.

A file of a kilobyte can name a layer of a billion units; Keras would make room for its
weights before it looked for them in the file.
"""

import math
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cancernet.base.errors import RunError

# 64 MB of memory: not worth refusing.
HARMLESS = 2**24
# Weights of 16 bits; smaller ones Keras does not write.
LEAST_BYTES = 2


def refuse_larger_than_its_weights(path: Path, shown: Path, config: dict[str, Any]) -> None:
    """Refuses a file whose network asks for more numbers than the file can hold.

    Args:
        path: of the file, vetted.
        shown: the name a person knows it by.
        config: its network's configuration.

    Raises:
        RunError: it does.
    """
    asked = numbers_of(config)
    held = _bytes_of_weights(path) // LEAST_BYTES
    if asked > max(held, HARMLESS):
        raise RunError(
            f"{shown} describes a network of {asked:,} numbers but holds {held:,} at most, so it "
            "is damaged or made to fill the memory; it is not opened"
        )


def numbers_of(config: dict[str, Any]) -> int:
    """Counts the weights of a network without making room for them.

    Returns:
        Their number; 0 where Keras cannot read the configuration, or in the form of
        its older versions: loading the file says what is wrong then.
    """
    # Keras remembers variables without values, for each thread, and fills them all when
    # next it can, also those of a model long gone: the thread takes that memory with it.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_count, config).result()


def _count(config: dict[str, Any]) -> int:
    import keras

    # An optimizer cannot be made without room for its numbers, and none is needed here.
    config = {key: value for key, value in config.items() if key != "compile_config"}
    try:
        with keras.StatelessScope(initialize_variables=False):
            if "module" in config:
                network = keras.saving.deserialize_keras_object(config, safe_mode=True)
            else:  # as an HDF5 file has it
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
