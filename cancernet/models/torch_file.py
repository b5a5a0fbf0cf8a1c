"""Reads the arrays of a legacy PyTorch file (`.pth`), without PyTorch and without its code.

Such a file is five pickles, one behind the other: a magic number, a version, facts about the
machine, the tensors by name, and the keys of their storages. The storages follow in the order
of the keys, each as its number of elements (int64) and its bytes. A tensor is a view of a
storage: offset, size and strides all count.

A pickle may call whatever it names. Here it may name an ordered dictionary, two kinds of
storage and the function that makes a tensor, and use the few operations that these need. No
other code is called: every name stands for something of this file.

A layer of Keras gets the arrays of the PyTorch module that has its name, without the underscores
that the parts of a name begin with: `_blocks.0._bn1` is `blocks.0.bn1`.
"""

import collections
import dataclasses
import io
import math
import pickle
import pickletools
import re
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError, first_line

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
KINDS = {"FloatStorage": "<f4", "LongStorage": "<i8"}
OPERATIONS = {
    "PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2",
    "LONG1", "BINUNICODE", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST",
    "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "GLOBAL", "REDUCE", "BUILD",
    "BINPERSID", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
}  # fmt: skip
# Of each kind of layer: its arrays in Keras's order, and their axes in PyTorch's.
_PARTS: tuple[tuple[type, tuple[str, ...], tuple[int, ...]], ...] = (
    (keras.layers.DepthwiseConv2D, ("weight",), (2, 3, 0, 1)),
    (keras.layers.Conv2D, ("weight",), (2, 3, 1, 0)),
    (keras.layers.BatchNormalization, ("weight", "bias", "running_mean", "running_var"), (0,)),
)


@dataclasses.dataclass(frozen=True)
class _Storage:
    """Elements of one kind (as NumPy writes it) that tensors are views of."""

    key: str
    kind: str
    count: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage, counted in elements."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    strides: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuses a view of another form, or one that leads out of its storage or swells."""
        if not isinstance(self.storage, _Storage):
            raise ValueError("a tensor is not a view of a storage")
        _check_counts(self.offset, *self.size, *self.strides)
        if len(self.size) != len(self.strides):
            raise ValueError("a tensor has not as many strides as dimensions")
        last = sum((n - 1) * step for n, step in zip(self.size, self.strides, strict=True))
        count = self.storage.count
        if math.prod(self.size) > count or (0 not in self.size and self.offset + last >= count):
            raise ValueError(f"a tensor leads out of its storage of {count} elements")

    def of(self, elements: NDArray[Any]) -> NDArray[Any]:
        """Returns the view of its storage's elements; nothing is copied."""
        steps = [step * elements.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(elements[self.offset :], self.size, steps)


class _Unpickler(pickle.Unpickler):
    """Makes tensors that have no elements yet, and remembers their storages."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Returns what a name stands for here; refuses every other name."""
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # A new one each time: what a file does to it ends with the file.
            return lambda storage, offset, size, strides, *_: _Tensor(
                storage, offset, size, strides
            )
        if module == "torch" and name in KINDS:
            return KINDS[name]
        raise ValueError(f"it names {module}.{name}, which does not belong in weights")

    def persistent_load(self, pid: Any) -> _Storage:
        """Returns the storage that ("storage", kind, key, device, count, None) describes."""
        _, kind, key, _, count, view = pid
        _check_counts(count)
        if kind not in KINDS.values() or not isinstance(key, str) or view is not None:
            raise ValueError("a storage is described in an unknown way")
        storage = _Storage(key, kind, count)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError(f"storage {key!r:.40} is described in two ways")
        return storage


def read_tensors(path: Path) -> dict[str, NDArray[Any]]:
    """Reads every tensor of a legacy PyTorch file by its name.

    Returns:
        Read-only arrays, float32 or int64, of the shapes that PyTorch would give.

    Raises:
        CancerNetError: no such file, a damaged one, or one that names anything else.
        OSError: it cannot be read.
    """
    try:
        return _read(io.BytesIO(path.read_bytes()))
    except OSError:
        raise
    except Exception as error:  # a forged pickle raises many kinds
        raise CancerNetError(
            f"{path} is damaged or not a legacy PyTorch file of weights ({first_line(error)}); get "
            "it again, or use a .h5, .weights.h5 or .keras file"
        ) from None


def _read(file: io.BytesIO) -> dict[str, NDArray[Any]]:
    magic, version, machine = (_unpickled(file)[0] for _ in range(3))
    if (magic, version, machine["little_endian"]) != (MAGIC, VERSION, True):
        raise ValueError("it does not begin as such files do")
    tensors, storages = _unpickled(file)
    if not isinstance(tensors, dict) or not all(
        isinstance(name, str) and isinstance(tensor, _Tensor) for name, tensor in tensors.items()
    ):
        raise ValueError("it holds something other than tensors by name")
    keys, _ = _unpickled(file)
    if sorted(keys) != sorted(storages):
        raise ValueError("its list of storages is not that of its tensors")
    elements = {key: _elements(file, storages[key]) for key in keys}
    if file.read(1):
        raise ValueError("it goes on behind its last storage")
    return {name: tensor.of(elements[tensor.storage.key]) for name, tensor in tensors.items()}


def _unpickled(file: io.BytesIO) -> tuple[Any, dict[str, _Storage]]:
    """Reads one pickle, after a look at its operations; returns it and the storages it names."""
    start = file.tell()
    for operation, argument, place in pickletools.genops(file):
        if operation.name not in OPERATIONS:
            raise ValueError(f"its operation {operation.name} does not belong in weights")
        if operation.name == "LONG_BINPUT" and int(argument or 0) > int(place or 0):
            raise ValueError("it remembers more than it holds")  # memory would be set aside
    file.seek(start)
    unpickler = _Unpickler(file)
    return unpickler.load(), unpickler.storages


def _elements(file: io.BytesIO, storage: _Storage) -> NDArray[Any]:
    length, kind = file.read(8), np.dtype(storage.kind)
    if length != struct.pack("<q", storage.count):
        raise ValueError(f"storage {storage.key!r:.40} is not of {storage.count} elements")
    data = file.read(storage.count * kind.itemsize)
    if len(data) != storage.count * kind.itemsize:
        raise ValueError("it is cut short")
    return np.frombuffer(data, kind)


def _check_counts(*numbers: Any) -> None:
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise ValueError("an offset, a size or a stride is not a number of elements")


def set_weights(model: keras.Model, tensors: Mapping[str, NDArray[np.float32]]) -> None:
    """Fills every layer that has weights; tensors that belong to none are ignored.

    Raises:
        ValueError: a layer has no tensor, one of another shape, or one without numbers; or it
            is of a kind that no such file is known for. The layers before it are filled then.
    """
    named = {re.sub(r"(^|\.)_", r"\1", name): tensor for name, tensor in tensors.items()}
    for layer in model.layers:
        if not layer.weights:
            continue
        parts = next((each[1:] for each in _PARTS if isinstance(layer, each[0])), None)
        if parts is None:
            raise ValueError(f"PyTorch has another layer in the place of {layer.name}")
        names, axes = parts
        missing = [f"{layer.name}.{part}" for part in names if f"{layer.name}.{part}" not in named]
        if missing:
            raise ValueError(f"there is no tensor {missing[0]}")
        values = [named[f"{layer.name}.{part}"] for part in names]
        if any(value.ndim != len(axes) or not np.isfinite(value).all() for value in values):
            raise ValueError(f"{layer.name} would be left without numbers")
        layer.set_weights([value.transpose(axes) for value in values])
