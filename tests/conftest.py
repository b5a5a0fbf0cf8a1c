"""What the tests share: the real images, when they are there, and small drawn ones."""

import dataclasses
import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import numpy as np
import pytest
from PIL import Image

from cancernet.base.files import LockedError, lock

# How long an example takes says what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")
# `pytest --hypothesis-profile many`: for a property that is worth an hour once.
hypothesis.settings.register_profile("many", deadline=None, max_examples=2000)
# For tools/mutation/mutate.py: the first example that fails is enough, and every run has the same.
hypothesis.settings.register_profile(
    "mutation",
    deadline=None,
    derandomize=True,
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
)

if "PYTEST_XDIST_WORKER" in os.environ:
    # The tests are spread over the processors already; more threads each would only wait.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


# Begun first: what forks, while a process is small (with TensorFlow it grows to 3 GB, and a fork
# copies the page tables), then long files (at the end, one worker would wait for the other).
FIRST = ("building/", "catalog/", "commands/test_build", "dataset/test_m", "lookalike/", "sample/",
         "slides/", "faults/test_faults.py", "test_pipeline", "golden/", "test_what", "test_re",
         "training/", "models/", "faults/", "browser/", "explaining/", "tuning/",
         "serving/test_serving_process")  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts first what `FIRST` names."""
    items.sort(key=lambda item: [not item.nodeid.startswith(f"tests/{name}") for name in FIRST])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Gives each file to one worker, in the order of collection; those with a browser together."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            together = "tests/browser/"  # another file in between would end browser and servers
            return together if nodeid.startswith(together) else super()._split_scope(nodeid)

    config.option.loadscopereorder = False
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


gc.disable()  # until all tests are imported: to look for garbage takes a seventh of that time


def pytest_collection_finish() -> None:
    """Exempts what is imported from garbage collection: walking it takes 0.3 s every time."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; the test is skipped where there is none."""
    folder = os.environ.get("CANCERNET_REAL_DATA")
    if not folder:
        pytest.skip("CANCERNET_REAL_DATA is not set: no real images here")
    return Path(folder)


@pytest.fixture
def build(tmp_path, monkeypatch, capsys):
    """Runs build_dataset.py in a folder of its own; returns exit code, stdout, stderr."""
    import build_dataset

    monkeypatch.chdir(tmp_path)

    def call(*flags):
        monkeypatch.setattr(sys, "argv", ["build_dataset.py", *map(str, flags)])
        with pytest.raises(SystemExit) as left:
            build_dataset.run(build_dataset.main)
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return call


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the pictures of a report empty: for tests of its words, which so take a tenth."""
    from cancernet.report.figures import drawings

    def figure_files(figure, name, kinds=("png", "svg")):
        return {f"{name}.svg": b"<svg/>"} if "svg" in kinds else {f"{name}.png": b""}

    monkeypatch.setattr(drawings, "figure_files", figure_files)


@pytest.fixture
def patch_image() -> Image.Image:
    """A 50x50 RGB image with a gradient and noise."""
    rng = np.random.default_rng(3)
    ramp = np.linspace(40, 215, 50)
    pixels = np.stack(
        [ramp[None, :] + 0 * ramp[:, None], ramp[:, None] + 0 * ramp, np.full((50, 50), 128.0)], 2
    )
    return Image.fromarray((pixels + rng.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8))


def write_tiny_onnx(path: Path, classes: int = 2, scale: float = 0.02) -> None:
    """A network by hand: softmax of a linear map of the mean colour; needs no TensorFlow."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = np.zeros((3, classes), np.float32)
    weights[0, 0], weights[2, 1] = scale, scale  # red speaks for class 0, blue for class 1
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weights"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probability"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 48, 48, 3])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", classes])],
        [
            numpy_helper.from_array(np.array([1, 2], np.int64), "axes"),
            numpy_helper.from_array(weights, "weights"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    save(model, path)


POINT = {
    "threshold": 0.4, "rule": "fixed threshold 0.4", "rule_name": "fixed", "sensitivity": 0.9,
    "specificity": None, "images": 20, "patients": 2, "note": "", "chosen_on": None,
}  # fmt: skip


def write_tiny_run(folder: Path, *, finished: str = "2026-01-01T00:00:00+00:00") -> Path:
    """A finished run around the network by hand."""
    from cancernet.runs import run_folder

    folder.mkdir(parents=True)
    write_tiny_onnx(folder / run_folder.MODEL_ONNX)
    run_folder.write_run_file(
        folder,
        {
            "format": 1,
            "status": "finished",
            "finished": finished,
            "created": finished,
            "classes": ["0", "1"],
            "words": ["no IDC", "IDC"],
            "positive": ["1"],
            "input": {"width": 48, "height": 48, "interpolation": "bilinear"},
            "operating_point": POINT,
            "dataset": {"drawn": True, "leak": "", "name": "idc"},
            "files": run_folder.vouch_for(folder, [run_folder.MODEL_ONNX]),
        },
    )
    return folder


def give_three_classes(folder: Path) -> Path:
    """Lets a run tell three classes; a blue image is called positive, and most probably is not."""
    from cancernet.runs import run_folder

    write_tiny_onnx(folder / run_folder.MODEL_ONNX, classes=3)
    content = json.loads((folder / run_folder.RUN_FILE).read_text())
    content |= {"classes": ["a", "b", "c"], "words": ["A", "B", "C"], "positive": ["c", "a"]}
    content["operating_point"] = {**POINT, "threshold": 0.02}
    content["files"] = run_folder.vouch_for(folder, [run_folder.MODEL_ONNX])
    run_folder.write_run_file(folder, content)
    return folder


CONTEXT = {
    "gain": 0.8, "offset": 0.3, "slides": 4, "side": 50,
    "operating_point": {**POINT, "threshold": 0.6},
}  # fmt: skip


def give_context(folder: Path) -> Path:
    """Lets a run judge patches with their neighbours; its own operating point stays."""
    from cancernet.base.records import from_json
    from cancernet.runs import run_folder
    from cancernet.runs.run_record import ContextRecord

    record = run_folder.read_run_file(folder)
    context = from_json(ContextRecord, CONTEXT)
    run_folder.write_run_file(folder, dataclasses.replace(record, context=context))
    return folder


@pytest.fixture
def tiny_run(tmp_path: Path) -> Path:
    """A finished run folder that predicts by colour."""
    return write_tiny_run(tmp_path / "output" / "tiny")


@pytest.fixture
def untraced() -> Iterator[None]:
    """TensorFlow runs step by step: a graph of a large network costs more than a few steps."""
    import keras
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
    keras.utils.clear_session()


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deep networks have few layers a block, wide ones few units: every kind of layer is there."""
    import keras
    from keras.src.applications import densenet, efficientnet, efficientnet_v2, vgg16

    from cancernet.models import efficientnet_lite0, mammogram_cnns

    dense, first = densenet.DenseNet, efficientnet.EfficientNet
    second = efficientnet_v2.EfficientNetV2

    def dense_net(blocks, *arguments, **options):
        return dense([1] * len(blocks), *arguments, **options)

    def narrow(filters, *arguments, **options):
        return keras.layers.Conv2D(filters // 8, *arguments, **options)

    def efficient_net(width, depth, *arguments, **options):
        return first(width, 0.1, *arguments, **options)

    def efficient_net_v2(**options):
        return second(**{**options, "depth_coefficient": 0.1})

    stages = tuple((1, *stage[1:]) for stage in efficientnet_lite0.STAGES)
    monkeypatch.setattr(efficientnet_lite0, "STAGES", stages)
    units = tuple((channels, 2) for channels, _ in mammogram_cnns.STAGES)
    monkeypatch.setattr(mammogram_cnns, "STAGES", units)
    monkeypatch.setattr(mammogram_cnns, "ALEXNET_DENSE", (64, 64, 32))
    layers = SimpleNamespace(**{**vars(vgg16.layers), "Conv2D": narrow})
    monkeypatch.setattr(vgg16, "layers", layers)
    monkeypatch.setattr(densenet, "DenseNet", dense_net)
    monkeypatch.setattr(efficientnet, "EfficientNet", efficient_net)
    monkeypatch.setattr(efficientnet_v2, "EfficientNetV2", efficient_net_v2)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Draws and builds the sample of a data set, once for all workers; gives the built folder.

    No test may change it.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "built"
    folder.mkdir(exist_ok=True)

    def sample(name: str) -> Path:
        done = folder / f"{name}.done"
        while not done.exists():
            try:
                with lock(folder / f"{name}.lock"):
                    if not done.exists():
                        draw_and_build(name, folder)
                        done.touch()
            except LockedError:
                time.sleep(0.1)
        return folder / name

    return sample


def draw_and_build(name: str, folder: Path) -> None:
    """Draws a small sample of a data set and builds it; what an error left behind goes first."""
    from cancernet.building.build import build
    from cancernet.building.settings import BuildSettings
    from cancernet.sample.layouts import draw_sample

    original = folder / f"{name}-original"
    shutil.rmtree(original, ignore_errors=True)
    draw_sample(name, original, patients=8 if name == "idc" else None)
    build(BuildSettings(dataset=name, source=original, output=folder / name, validation_split=0.25))
