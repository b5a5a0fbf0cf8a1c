"""What strangers wrote: only errors that a person is meant to read, and nothing done meanwhile."""

import dataclasses
import hashlib
import json
import os
import resource
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from PIL import Image

from cancernet.base.archives import check_hdf5, check_zip
from cancernet.base.errors import CancerNetError, ImageError, RunError
from cancernet.base.files import write_json, write_text
from cancernet.dataset import build_record, manifest
from cancernet.images.reading import read_rgb
from cancernet.runs import run_folder
from cancernet.runs.run_folder import open_run, write_run_file
from cancernet.scoring.model_file import parts_of, vet
from cancernet.scoring.predictor import Predictor
from tests.conftest import write_tiny_run
from tests.helpers.hostile_parsers import BUILD, CHECKPOINT, KERAS_CONFIG, LAMBDA, PARSERS, zipped
from tests.helpers.hostile_watch import watched

EXAMPLES = 10  # of each parser; benchmarks/fuzz.py tries as many as there is time for


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_hostile_input_ends_in_a_sentence(parser, tmp_path):
    @seed(7)
    @settings(
        max_examples=max(2, int(EXAMPLES * parser.share)),
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(parser.inputs)
    def attempt(value):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}" / "in"
        folder.mkdir(parents=True)
        with watched(folder.parent):
            parser.feed(folder, value)

    attempt()


def test_the_watch_sees_what_it_is_for(tmp_path):
    import pickle
    import subprocess

    (tmp_path / "in").mkdir()

    def outside():
        (tmp_path / "outside").write_text("x")

    for harm in (
        outside,
        lambda: subprocess.run([sys.executable, "--version"], check=True, capture_output=True),
        lambda: pickle.loads(b"cos\ngetcwd\n."),
    ):
        with pytest.raises(AssertionError, match="reading it did"), watched(tmp_path / "in"):
            harm()


def test_a_pipe_and_a_device_are_no_images(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    answers = []

    def read():
        for name in ("pipe.png", "zero.png", "a\0b.png", "long" * 100):
            try:
                read_rgb(tmp_path / name)
            except ImageError as error:
                answers.append(str(error))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(10)
    assert [answer[:9] for answer in answers] == [
        "this is a",
        "this is a",
        "there is ",
        "the file ",
    ]


def _grown(work) -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    work()
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def _refused(work, words: str) -> None:
    with pytest.raises(CancerNetError, match=words):
        work()


@pytest.fixture(scope="module")
def bomb(tmp_path_factory) -> Path:
    """An archive of 100 MB in 100 kB: a checkpoint, and a model in `.keras`."""
    path = tmp_path_factory.mktemp("bomb") / "latest.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("config.json", json.dumps(KERAS_CONFIG))
        with archive.open("model.weights.h5", "w") as member:
            for _ in range(100):
                member.write(bytes(1 << 20))
    return path


def test_a_zip_bomb_is_not_unpacked(bomb):
    from cancernet.training.loop.checkpoint import load_state, load_weights

    def all_ways():
        _refused(lambda: vet(bomb), "swell")
        _refused(lambda: load_weights(bomb), "swell")
        _refused(lambda: load_state(bomb.parent), "no checkpoint that can be read")

    assert _grown(all_ways) < 50e6


def test_what_a_model_archive_may_not_hold(tmp_path):
    good = {"config.json": json.dumps(KERAS_CONFIG).encode(), "metadata.json": b"{}"}
    path = tmp_path / "model.keras"
    path.write_bytes(zipped(good))
    vet(path)
    for name in ("../../outside", "/tmp/outside", "assets/..\\..\\outside", "C:/outside"):
        path.write_bytes(zipped({**good, name: b"x"}))
        _refused(lambda: vet(path), "leads out")
    for layer in (LAMBDA, {"module": "os", "class_name": "system"}, {"class_name": "TFSMLayer"}):
        config = {**KERAS_CONFIG, "config": {"layers": [layer]}}
        path.write_bytes(zipped({**good, "config.json": json.dumps(config).encode()}))
        _refused(lambda: vet(path), "not opened")


def test_what_an_hdf5_file_may_not_hold(tmp_path):
    import h5py

    def written(fill) -> Path:
        path = tmp_path / "model.h5"
        path.unlink(missing_ok=True)
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(KERAS_CONFIG)
            fill(file)
        return path

    def ring(file):
        file.create_group("a")["b"] = file["/"]
        file["c"] = h5py.SoftLink("/nowhere")
        file["d"] = np.zeros((3, 2), np.float32)

    vet(written(ring))
    check_hdf5(written(lambda file: file.create_dataset("a", (1000, 1000), "f4")))
    layout = h5py.VirtualLayout((2,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (2,))
    harms = {
        "swell": lambda file: file.create_dataset("a", (10**7, 10**7), "f4", chunks=(100, 100)),
        "link to another file": lambda file: file.update({"a": h5py.ExternalLink("/etc/x", "/")}),
        "lies in another file": lambda file: file.create_dataset(
            "a", (2,), "f4", external=[("/etc/passwd", 0, 8)]
        ),
        "array 'v' lies in": lambda file: file.create_virtual_dataset("v", layout),
    }
    for words, fill in harms.items():
        _refused(lambda fill=fill: vet(written(fill)), words)


def test_a_pickle_in_a_checkpoint_is_not_opened(tmp_path):
    from cancernet.training.loop.checkpoint import LATEST, load_state, load_weights

    class Harm:
        def __reduce__(self):
            return Path.write_text, (tmp_path / "harm", "x")

    state = np.frombuffer(json.dumps(CHECKPOINT).encode(), np.uint8)
    np.savez(tmp_path / LATEST, state=state)
    assert load_state(tmp_path).best_epoch == 1
    np.savez(tmp_path / LATEST, state=state, v00000=np.array([Harm()], object))
    with watched(tmp_path / "nothing"):
        _refused(lambda: load_state(tmp_path), "no checkpoint")
        _refused(lambda: load_weights(tmp_path / LATEST), "cannot be read")
    assert not (tmp_path / "harm").exists()


def _onnx(path: Path, *, shape=("n", 48, 48, 3), outputs=2, operator="ReduceMean") -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    axes = numpy_helper.from_array(np.array([1, 2], np.int64), "axes")
    weights = numpy_helper.from_array(np.full((3, 2), 0.1, np.float32), "weights")
    nodes = [helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0)]
    if operator == "Expand":  # 4 TB, when it is run
        large = numpy_helper.from_array(np.array([10**6, 10**6, 1], np.int64), "large")
        nodes += [
            helper.make_node("Expand", ["mean", "large"], ["huge"]),
            helper.make_node("ReduceMean", ["huge", "zero"], ["mean2"], keepdims=0),
        ]
    nodes.append(
        helper.make_node("MatMul", ["mean2" if operator == "Expand" else "mean", "weights"], ["p"])
    )
    initializers = [axes, weights]
    if operator == "Expand":
        initializers += [large, numpy_helper.from_array(np.array([0], np.int64), "zero")]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["m", outputs])],
        initializers,
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def _replaced(run: Path) -> Path:
    """Lets run.json vouch for whatever the model is now, as whoever made it would."""
    content = json.loads((run / run_folder.RUN_FILE).read_text())
    write_run_file(run, {**content, "files": run_folder.vouch_for(run, [run_folder.MODEL_ONNX])})
    return run


@pytest.mark.parametrize(
    "options", [{"shape": ("n", 48)}, {"shape": ("n", 10**6, 10**6, 3)}, {"shape": ("n", 8, 8, 3)}]
)
def test_a_model_that_takes_something_else(tiny_run, options):
    _onnx(tiny_run / run_folder.MODEL_ONNX, **options)
    with pytest.raises(RunError, match=r"RGB images of 48x48|cannot be loaded|can be loaded"):
        Predictor(open_run(_replaced(tiny_run)))


def test_a_model_that_fails_at_its_work(tiny_run):
    _onnx(tiny_run / run_folder.MODEL_ONNX, operator="Expand")
    predictor = Predictor(open_run(_replaced(tiny_run)), threads=1)
    with pytest.raises(RunError, match=r"cannot score|answers"):
        predictor.probabilities(np.zeros((1, 48, 48, 3), np.uint8))


@pytest.mark.parametrize("place", ["relative", "absolute", "above"])
def test_a_model_cannot_pull_in_another_file(tiny_run, tmp_path, monkeypatch, place):
    import onnx

    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(24))
    monkeypatch.chdir(tmp_path)
    model = onnx.load(tiny_run / run_folder.MODEL_ONNX)
    tensor = next(t for t in model.graph.initializer if t.name == "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    where = {"relative": "secret.bin", "absolute": str(secret), "above": "../../secret.bin"}[place]
    tensor.external_data.add(key="location", value=where)
    (tiny_run / run_folder.MODEL_ONNX).write_bytes(model.SerializeToString())
    (tiny_run / "secret.bin").write_bytes(bytes(24))
    with pytest.raises(RunError, match="not a model that can be loaded"):
        Predictor(open_run(_replaced(tiny_run)))


def test_names_of_255_bytes_and_names_that_are_no_text(tmp_path):
    for name in ("あ" * 83 + ".json", "a" * 250 + ".json", os.fsdecode(b"\xff\xfe.json")):
        write_text(tmp_path / name, "{}")
        assert (tmp_path / name).read_text() == "{}"
    write_json(tmp_path / "x.json", {"folder": os.fsdecode(b"\xff"), "é": float("nan")})
    assert json.loads((tmp_path / "x.json").read_text())["folder"] == "\udcff"
    run = write_tiny_run(tmp_path / "runs" / "odd")
    record = run_folder.read_run_file(run)
    write_run_file(run, dataclasses.replace(record, command=os.fsdecode(b"b\xff")))
    assert run_folder.read_run_file(run).command == "b\udcff"


NAMES = (
    b"\xff.png", b"li\nne.png", "e\u0301.png".encode(), b"-rf.png", b"a" * 251 + b".png",
    "\u3042".encode() * 83 + b".png", b"$\\frac{$.png", b"p" * 220 + b"_idx5_x0_y0.png",
    b"\xff_idx5_x0_y0_class0.png", b"q_idx5_x" + b"9" * 30 + b"_y0.png",
    b"q_idx5_x999999999_y999999999.png",
)  # fmt: skip


def test_predictions_of_images_with_odd_names(tiny_run, tmp_path, patch_image):
    import csv

    from cancernet.base.files import json_text
    from cancernet.commands.slides import map_slides
    from cancernet.scoring.inputs import Inputs
    from cancernet.scoring.output import CsvFile, write_figure
    from cancernet.scoring.words import as_text

    (tmp_path / "images").mkdir()
    for name in NAMES:
        patch_image.save(tmp_path / "images" / os.fsdecode(name))
    run = open_run(tiny_run)
    predictor = Predictor(run, threads=1)
    table = CsvFile(tmp_path / "all.csv", run)
    found = list(table.write(predictor.predict_many(Inputs([tmp_path / "images"]))))
    assert len(found) == len(NAMES)
    with open(tmp_path / "all.csv", errors="surrogateescape", newline="") as file:
        assert {os.fsencode(Path(row["path"]).name) for row in csv.DictReader(file)} == set(NAMES)
    for number, each in enumerate(found):
        assert Path(json.loads(json_text(each))["path"]).name in map(os.fsdecode, NAMES)
        assert "probability" in as_text(each, run)
        if number % 5 == 0:
            write_figure(tmp_path / f"{number}.png", each, run, notice="Not for diagnosis.")
    with watched(tmp_path):
        done, failed = map_slides(run, [tmp_path / "images"], output=tmp_path / "maps", side=None)
    assert (done, failed) == (3, 0) and len(list((tmp_path / "maps").iterdir())) == 3 * 3 + 1


@pytest.mark.parametrize("path", ["../a.png", "/etc/passwd", "training/../../a.png", ""])
def test_a_manifest_names_no_file_outside_its_folder(tmp_path, path):
    row = f"{path},s,p,0,training,{'0' * 64},1,2"
    table = f"{','.join(manifest.COLUMNS)}\r\n{row}\r\n".encode()
    facts = {**BUILD, "fingerprint": hashlib.sha256(table).hexdigest()}
    (tmp_path / manifest.MANIFEST).write_bytes(table)
    write_json(tmp_path / build_record.BUILD, facts)
    _refused(lambda: manifest.read_dataset(tmp_path), "leads out of the data set")


def test_a_part_of_a_model_with_a_number_of_200_digits(tmp_path):
    for number in ("1", "9" * 200):
        (tmp_path / f"model.h5.part{number}").write_bytes(b"x")
    with pytest.raises(RunError, match=r"part 2 of model\.h5 is missing"):
        parts_of(tmp_path / "model.h5")


def test_an_archive_that_packs_well_is_opened(tmp_path):
    """A model never trained is mostly zeros; small or not bomb-like files must pass."""
    path = tmp_path / "a.npz"
    np.savez_compressed(path, a=np.zeros(10**6, np.float32))
    check_zip(path)
    Image.new("RGB", (900, 900)).save(tmp_path / "plain.png")
    assert read_rgb(tmp_path / "plain.png").size == (900, 900)
