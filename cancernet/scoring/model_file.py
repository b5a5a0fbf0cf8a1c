"""Finds files of other people's Keras models, joins their parts, and vets them before opening.

`model.h5.part01`, `model.h5.part02`, … are joined in the order of their numbers. A file put
together from parts is opened only when its SHA-256 is the stated one: that of `--sha256`, or
of `model.h5.sha256` beside the parts.

Only layers, initializers and the like of Keras itself are let through, and none of those
that hold code (Lambda), wrap another framework, or read a file (a vocabulary). Keras's own
safe mode stays on as well. Nor may the network be larger than its weights: a file of a
kilobyte can name a layer of a billion units, and Keras would allocate its weights before
it looked for them in the file.
"""

import contextlib
import hashlib
import math
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cancernet.base.archives import check_hdf5, check_zip
from cancernet.base.console import typed
from cancernet.base.errors import RunError, first_line
from cancernet.base.files import parse_json, sha256_of

NETWORK_ONLY = ".json"  # its weights lie in another file
SUFFIXES = (".keras", ".h5", ".hdf5", NETWORK_ONLY)
_PART = re.compile(r"^(?P<name>.+)\.part(?P<number>\d+)$")
_HEX = re.compile(r"^[0-9a-fA-F]{64}$")

Config = dict[str, Any]  # JSON of a stranger

# Their configuration holds code or the path of a file to read.
FORBIDDEN = {
    "Lambda", "__lambda__", "function", "TorchModuleWrapper", "JaxLayer", "FlaxLayer",
    "TFSMLayer", "StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization",
    "HashedCrossing", "FeatureSpace",
}  # fmt: skip
# The module that a class of Keras comes from, with or without `.src`.
_ROOMS = (
    "layers", "models", "initializers", "regularizers", "constraints", "activations", "engine",
    "dtype_policies", "mixed_precision", "ops", "random", "applications", "trainers", "quantizers",
)  # fmt: skip
LARGEST_CONFIG = 8 << 20  # bytes; that of EfficientNetV2L has under 1 MB
HARMLESS = 2**24  # weights, 64 MB of memory: not worth refusing
LEAST_BYTES = 2  # of a weight; smaller ones Keras does not write


def is_model_file(named: Path) -> bool:
    """Tells whether a path names a model file, or a part of one, rather than a run folder."""
    part = _PART.match(named.name)
    return Path(part["name"] if part else named.name).suffix in SUFFIXES and not named.is_dir()


@contextlib.contextmanager
def whole_file(named: Path, *, sha256: str | None) -> Iterator[Path]:
    """Gives a path to the whole model for the time of the block, its hash checked.

    Args:
        named: the model, or the name it has when its parts are joined, or one of them.
        sha256: 64 hex digits, or None to look for a file `<model>.sha256`.

    Raises:
        RunError: no such file, a part missing, no hash for parts, or another hash.
    """
    part = _PART.match(named.name)
    whole = named.with_name(part["name"]) if part else named
    expected = _expected(whole, sha256)
    if whole.is_file() and part is None:
        if expected is not None:
            compare_hash(whole, sha256_of(whole), expected)
        yield whole
        return
    parts = parts_of(whole)
    if not parts:
        raise RunError(f"there is no model file {named}")
    if expected is None:
        raise RunError(
            f"{whole} comes in {len(parts)} parts, which are joined only if their hash is right; "
            f"give the publisher's with --sha256 or in a file {whole.name}.sha256"
        )
    compare_hash(whole, _hash_of_parts(parts), expected)  # before anything is written
    with tempfile.TemporaryDirectory(prefix="cancernet-joined-") as folder:
        joined = Path(folder) / whole.name
        with open(joined, "wb") as file:
            for each in parts:
                with open(each, "rb") as source:
                    shutil.copyfileobj(source, file)
        # The parts may have changed between the two readings.
        compare_hash(whole, sha256_of(joined), expected)
        yield joined


def parts_of(whole: Path) -> list[Path]:
    """Returns the parts of a file in order; raises RunError when one is missing or there twice."""
    numbered: dict[int, Path] = {}
    folder = whole.parent
    if not folder.is_dir():
        return []
    for path in sorted(folder.iterdir()):
        part = _PART.match(path.name)
        if part and part["name"] == whole.name and path.is_file():
            if int(part["number"]) in numbered:
                raise RunError(f"{folder} holds part {part['number']} of {whole.name} twice")
            numbered[int(part["number"])] = path
    if not numbered:
        return []
    first = 0 if 0 in numbered else 1
    # Not a list of all that are missing: a number may have 200 digits.
    missing = next((n for n in range(first, max(numbered) + 1) if n not in numbered), None)
    if missing is not None:
        raise RunError(
            f"part {missing} of {whole.name} is missing from {folder}, which has {len(numbered)} "
            f"parts with numbers up to {max(numbered)}; add it"
        )
    return [numbered[number] for number in sorted(numbered)]


def _expected(whole: Path, sha256: str | None) -> str | None:
    beside = whole.with_name(whole.name + ".sha256")
    where = "--sha256"
    if sha256 is None:
        try:
            # As sha256sum writes it: the digits, then the name.
            sha256 = (beside.read_text(encoding="utf-8").split() or [""])[0]
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{beside} cannot be read: {error}") from None
        where = str(beside)
    if not _HEX.match(sha256):
        raise RunError(f"{where} is not a SHA-256 hash, which has 64 hexadecimal digits")
    return sha256.lower()


def _hash_of_parts(parts: list[Path]) -> str:
    digest = hashlib.sha256()
    for each in parts:
        with open(each, "rb") as source:
            hashlib.file_digest(source, lambda: digest)
    return digest.hexdigest()


def compare_hash(whole: Path, found: str, expected: str) -> None:
    """Raises RunError where a file does not have the SHA-256 that was stated for it."""
    if found != expected:
        raise RunError(
            f"{whole} is not the expected file: its SHA-256 begins with {found[:12]}, not "
            f"{expected[:12]}; download it again and do not use this one"
        )


def vet(path: Path) -> Config:
    """Returns the network's configuration if it is made of plain Keras layers.

    Raises:
        RunError: the file is damaged, has weights without a network, or something in it may
            run code or read files.
    """
    try:
        config = parse_json(_text_of(path))
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
        stranger = "" if _is_of_keras(module) else f" of {module}"
        if kind in FORBIDDEN or stranger:
            raise RunError(
                f"{path} holds {kind}{stranger}, which may run code "
                "or read files when it is loaded, so it is not opened; ask for the model without "
                "it, as plain Keras layers"
            )
    return config


def _text_of(path: Path) -> str:
    if path.suffix == NETWORK_ONLY:
        if path.stat().st_size > LARGEST_CONFIG:
            raise ValueError("its configuration is far too large")
        return path.read_text(encoding="utf-8")
    return _from_zip(path) if zipfile.is_zipfile(path) else _from_hdf5(path)


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
                f"{path} holds weights but no network; give it to `{typed('train')} "
                "--recipe NAME --weights FILE`, or name its network with --run FILE.json "
                "--weights FILE, or ask for the whole model"
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
    first, *steps = (module or "keras").split(".")
    if not steps:
        return first == "keras"
    return first in ("keras", "tensorflow", "tf_keras") and any(step in _ROOMS for step in steps)


def refuse_larger_than_its_weights(path: Path, shown: Path, config: Config) -> None:
    """Raises RunError when a network asks for more weights than its vetted file can hold.

    `shown` is the name a person knows the file by.
    """
    # Keras remembers variables without values, for each thread, and fills them all when it
    # next can, even those of a discarded model: the thread takes them with it.
    with ThreadPoolExecutor(max_workers=1) as thread:
        asked = thread.submit(_count_weights, config).result()
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
    import keras

    from cancernet.scoring.keras_2 import network_of

    try:
        with keras.StatelessScope(initialize_variables=False):
            network = network_of(config)
            return sum(math.prod(variable.shape) for variable in network.variables)
    except Exception:  # Keras raises whatever its parts raise
        return 0


def _bytes_of_weights(path: Path) -> int:
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())
