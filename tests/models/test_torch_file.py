"""Legacy PyTorch files: read as PyTorch reads them, and nothing else in them is done."""

import collections
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.models.torch_file import MAGIC, VERSION, read_tensors
from tests.helpers.torch_files import Storage, View, contents, pickled, torch_modules

STORAGE = Storage("7", np.arange(24, dtype=np.float32))


@pytest.fixture(autouse=True)
def named_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, module in torch_modules().items():
        monkeypatch.setitem(sys.modules, name, module)


def written(path: Path, tensors: Any, *storages: Storage) -> Path:
    path.write_bytes(b"".join(contents(tensors, *storages)))
    return path


def test_offset_size_and_strides_are_honoured(tmp_path: Path) -> None:
    long = Storage("long", np.array([5, -6], np.int64), "LongStorage")
    tensors = collections.OrderedDict(
        whole=View(STORAGE, 0, (24,), (1,)),
        turned=View(STORAGE, 0, (4, 3, 2), (1, 8, 4)),
        inner=View(STORAGE, 5, (3, 2), (6, 2)),
        one=View(long, 1, (), ()),
        none=View(STORAGE, 24, (0,), (1,)),
    )
    tensors._metadata = {"": {"version": 1}}
    found = read_tensors(written(tmp_path / "sound.pth", tensors, long, STORAGE))
    elements = np.arange(24, dtype=np.float32)
    assert list(found) == ["whole", "turned", "inner", "one", "none"]
    np.testing.assert_array_equal(found["whole"], elements)
    np.testing.assert_array_equal(found["turned"], elements.reshape(3, 2, 4).transpose(2, 0, 1))
    np.testing.assert_array_equal(found["inner"], [[5, 7], [11, 13], [17, 19]])
    assert found["one"].shape == () and found["one"] == -6
    assert found["inner"].dtype == np.float32 and not found["inner"].flags.writeable
    assert found["none"].shape == (0,)


def test_a_file_of_many_tensors_is_read(tmp_path: Path) -> None:
    tensors = {f"layer{place}": View(STORAGE, place % 24, (1,), (1,)) for place in range(300)}
    found = read_tensors(written(tmp_path / "many.pth", tensors, STORAGE))
    assert len(found) == 300 and found["layer299"] == 299 % 24


class Calls:
    """Pickles as a call of a function, as a forger would have it."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def forged_tensors(touched: Path) -> dict[str, tuple[Any, str]]:
    half = Storage("h", np.arange(4, dtype=np.float16), "HalfStorage")
    other = Storage("7", np.arange(9, dtype=np.float32))
    viewing, numbered = Storage("7", STORAGE.elements), Storage(7, STORAGE.elements)
    viewing.view = ("7", 0, 24)
    told = Storage("7", STORAGE.elements, "<f8")  # a text where the class of the storage is named
    return {
        "another function": ({"a": Calls(touched.touch)}, "it names "),
        "another class": ({"a": collections.Counter()}, "names collections.Counter"),
        "another kind": ({"a": View(half, 0, (4,), (1,))}, "names torch.HalfStorage"),
        "no tensor": ({"a": 1}, "something other than tensors"),
        "no name": ({1: View(STORAGE, 0, (1,), (1,))}, "something other than tensors"),
        "no names": ([View(STORAGE, 0, (1,), (1,))], "something other than tensors"),
        "no storage": ({"a": View("7", 0, (1,), (1,))}, "not a view of a storage"),
        "behind its storage": ({"a": View(STORAGE, 20, (5,), (1,))}, "leads out of its storage"),
        "one behind its storage": (
            {"a": View(STORAGE, 24, (1,), (1,))},
            "leads out of its storage",
        ),
        "far strides": ({"a": View(STORAGE, 0, (3, 8), (1, 4))}, "leads out of its storage"),
        "swelling": ({"a": View(STORAGE, 0, (25,), (0,))}, "leads out of its storage"),
        "before its storage": ({"a": View(STORAGE, -1, (4,), (1,))}, "not a number of elements"),
        "backwards": ({"a": View(STORAGE, 9, (4,), (-1,))}, "not a number of elements"),
        "a truth": ({"a": View(STORAGE, 0, (True,), (1,))}, "not a number of elements"),
        "a fraction": (
            {"a": View(STORAGE, 0, (1.5,), (1,))},
            "BINFLOAT does not belong in weights",
        ),
        "one stride less": ({"a": View(STORAGE, 0, (4, 3), (1,))}, "not as many strides"),
        "two descriptions": (
            {"a": View(STORAGE, 0, (4,), (1,)), "b": View(other, 0, (4,), (1,))},
            "described in two ways",
        ),
        "a view of a view": ({"a": View(viewing, 0, (4,), (1,))}, "in an unknown way"),
        "a number for a key": ({"a": View(numbered, 0, (4,), (1,))}, "in an unknown way"),
        "a text for a kind": ({"a": View(told, 0, (4,), (1,))}, "in an unknown way"),
        "a storage that is called": (
            {"a": Calls(sys.modules["torch"].FloatStorage)},
            "not callable",
        ),
    }


def test_forged_tensors_are_refused(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    for case, (tensors, words) in forged_tensors(touched).items():
        path = written(tmp_path / "forged.pth", tensors, STORAGE)
        with pytest.raises(CancerNetError, match="damaged or not a legacy PyTorch") as caught:
            read_tensors(path)
        assert str(path) in str(caught.value) and words in str(caught.value), case
    assert not touched.exists()


def test_forged_files_are_refused(tmp_path: Path) -> None:
    sound = contents({"a": View(STORAGE, 0, (24,), (1,))}, STORAGE)
    magic, version, machine, tensors, keys, elements = sound
    remembering = pickle.PROTO + b"\x02" + b"]" + pickle.LONG_BINPUT + struct.pack("<I", 2**31)
    for forged, words in (
        ([b""], "pickle exhausted"),
        ([b"PK\x03\x04" + bytes(40)], ""),
        ([pickled(MAGIC + 1), *sound[1:]], "does not begin"),
        ([magic, pickled(VERSION + 1), *sound[2:]], "does not begin"),
        ([magic, version, pickled({"little_endian": False}), *sound[3:]], "does not begin"),
        ([*sound[:3], tensors.replace(b"ctorch\n", b"cother\n"), *sound[4:]], "names other.Float"),
        ([*sound, b"more"], "goes on behind"),
        ([*sound[:5], struct.pack("<q", 25) + elements[8:]], "is not of 24 elements"),
        ([*sound[:5], struct.pack("<q", -1) + elements[8:]], "is not of 24 elements"),
        ([*sound[:5], elements[:-1]], "cut short"),
        ([*sound[:5], elements[:3]], "is not of 24 elements"),
        ([magic, version, machine, tensors, pickled(["7", "8"]), elements], "list of storages"),
        ([magic, version, machine, tensors, pickled([]), elements], "list of storages"),
        ([magic, version, machine, tensors[:-9], keys, elements], ""),
        ([magic, version, machine, remembering + b"."], "remembers more"),
        ([magic, version, machine, pickle.dumps({}, protocol=4)], "does not belong in weights"),
    ):
        path = tmp_path / "forged.pth"
        path.write_bytes(b"".join(forged))
        with pytest.raises(CancerNetError, match="damaged or not a legacy PyTorch") as caught:
            read_tensors(path)
        assert words in str(caught.value)
    for length in range(0, sum(map(len, sound)), 7):
        path.write_bytes(b"".join(sound)[:length])
        with pytest.raises(CancerNetError, match="damaged or not a legacy PyTorch"):
            read_tensors(path)
