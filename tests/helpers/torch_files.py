"""Writes legacy PyTorch files without PyTorch, sound and forged ones."""

import collections
import io
import pickle
import struct
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.models.torch_file import MAGIC, VERSION


class Storage:
    """Elements of a file; `kind` is the name of its class, `key` its own."""

    view: Any = None  # of another storage: no file has that any more

    def __init__(self, key: Any, elements: np.ndarray, kind: str = "FloatStorage") -> None:
        self.key, self.elements, self.kind = key, elements, kind
        self.count = len(elements)  # as its tensors describe it


class View:
    """A tensor, as `torch._utils._rebuild_tensor_v2` is told to make one."""

    def __init__(self, storage: Any, offset: Any, size: Any, strides: Any) -> None:
        self.told = (storage, offset, size, strides, False, collections.OrderedDict())

    def __reduce__(self) -> tuple[Any, ...]:
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.told


def torch_modules() -> dict[str, types.ModuleType]:
    """Modules whose names a pickle can write; nothing in them does anything."""

    def _rebuild_tensor_v2() -> None: ...

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch", "__qualname__": kind}))
    return {"torch": torch, "torch._utils": utils}


class _Pickler(pickle.Pickler):
    def persistent_id(self, thing: Any) -> Any:
        if not isinstance(thing, Storage):
            return None
        kind = getattr(sys.modules["torch"], thing.kind, thing.kind)
        return "storage", kind, thing.key, "cpu", thing.count, thing.view


def pickled(thing: Any) -> bytes:
    """Pickles as PyTorch does; `torch_modules` must be in `sys.modules`."""
    file = io.BytesIO()
    _Pickler(file, protocol=2).dump(thing)
    return file.getvalue()


def contents(tensors: Mapping[str, Any], *storages: Storage) -> list[bytes]:
    """Returns the parts of a file: three pickles, the tensors, the keys, then each storage."""
    parts = [pickled(MAGIC), pickled(VERSION), pickled({"little_endian": True})]
    parts += [pickled(tensors), pickled([storage.key for storage in storages])]
    for storage in storages:
        parts.append(struct.pack("<q", len(storage.elements)) + storage.elements.tobytes())
    return parts


def write_torch_file(path: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """Writes arrays as views with the strides that they have."""
    named, storages = collections.OrderedDict(), []
    for name, array in tensors.items():
        flat = array.ravel(order="K")  # as it lies in memory
        kind = {"f": "FloatStorage", "i": "LongStorage"}[flat.dtype.kind]
        storages.append(Storage(str(len(storages)), flat, kind))
        steps = tuple(step // array.itemsize for step in array.strides)
        named[name] = View(storages[-1], 0, array.shape, steps)
    path.write_bytes(b"".join(contents(named, *storages)))
    return path
