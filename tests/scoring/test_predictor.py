"""From pixels to a prediction and its words, with the small network by hand."""

import dataclasses
import json
import math
import threading
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, ImageError, RunError
from cancernet.base.files import json_text
from cancernet.images.reading import to_array
from cancernet.runs import run_folder
from cancernet.runs.run_record import Input
from cancernet.scoring import distributed, predictor
from cancernet.scoring.prediction import Failure, Prediction, Score, interpret
from cancernet.scoring.predictor import Predictor
from tests.conftest import write_tiny_onnx


def changed(folder, **entries):
    """Writes the record of a run with other entries."""
    content = json.loads((folder / run_folder.RUN_FILE).read_text())
    entries["files"] = run_folder.vouch_for(folder, [run_folder.MODEL_ONNX])
    run_folder.write_run_file(folder, {**content, **entries})
    return run_folder.open_run(folder)


def red(path, value=200, size=(48, 48)):
    Image.new("RGB", size, (value, 0, 0)).save(path)
    return path


@pytest.fixture
def three(tiny_run):
    """A run of three classes, of which the first and the last are positive."""
    write_tiny_onnx(tiny_run / run_folder.MODEL_ONNX, classes=3)
    return changed(
        tiny_run, classes=["a", "b", "c"], words=["A", "B", "C"], positive=["c", "a"],
        operating_point=None,
    )  # fmt: skip


def called(it, row):
    return interpret(it.run, "x", Score(np.array(row)), it.run.threshold)


def test_one_prediction_has_all_its_entries(tiny_run, tmp_path):
    found = Predictor(run_folder.open_run(tiny_run)).predict(red(tmp_path / "a.png"))
    odds = math.exp(0.02 * 200)
    sure, other = pytest.approx(odds / (1 + odds)), pytest.approx(1 / (1 + odds))
    assert found == Prediction(
        path=str(tmp_path / "a.png"), label="0", word="no IDC", probability=sure,
        probabilities={"0": sure, "1": other}, positive_probability=other, positive=False,
        operating_point=0.4, call="0",
    )  # fmt: skip


def test_the_name_of_what_is_scored(tiny_run, tmp_path):
    it = Predictor(run_folder.open_run(tiny_run))
    content = red(tmp_path / "a.png").read_bytes()
    assert it.predict(content).path == "image" and it.predict(content, name="x").path == "x"
    assert it.predict(tmp_path / "a.png").path == str(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("row", "label", "positive"),
    [([0.6, 0.4], "1", True), ([0.61, 0.39], "0", False), ([0.2, 0.8], "1", True)],
)
def test_two_classes_are_called_at_the_operating_point(tiny_run, row, label, positive):
    found = called(Predictor(run_folder.open_run(tiny_run)), row)
    assert (found.label, found.call, found.positive) == (label, label, positive)
    assert found.probability == row[int(label)] and found.word == ["no IDC", "IDC"][int(label)]


def test_the_first_class_may_be_the_positive_one(tiny_run):
    it = Predictor(changed(tiny_run, positive=["0"]))
    assert it.run.positive_columns == [0]
    calls = [called(it, row) for row in ([0.4, 0.6], [0.39, 0.61])]
    assert [(call.label, call.positive) for call in calls] == [("0", True), ("1", False)]


def test_of_three_classes_the_most_probable_is_the_label(three):
    it = Predictor(three)
    assert it.run.positive_columns == [2, 0]
    found = called(it, [0.3, 0.45, 0.25])
    assert (found.label, found.word, found.probability) == ("b", "B", 0.45)
    assert found.positive_probability == pytest.approx(0.55)
    assert found.positive is None and found.operating_point is None and found.call is None
    score = Score(np.array([0.3, 0.45, 0.25]))
    calls = [interpret(three, "x", score, point) for point in (0.55, 0.56)]
    assert [(each.label, each.call) for each in calls] == [("b", "positive"), ("b", "negative")]
    assert json_text({"call": calls[0].call}) == '{"call": "positive"}'


def test_two_classes_without_a_point_are_called_by_the_larger(tiny_run):
    it = Predictor(changed(tiny_run, operating_point=None))
    found = called(it, [0.55, 0.45])
    assert (found.label, found.positive, found.operating_point) == ("0", None, None)
    assert found.call is None


def test_images_are_scaled_to_the_input_as_the_run_says(tmp_path, tiny_run, patch_image):
    it = Predictor(run_folder.open_run(tiny_run))
    patch_image.save(tmp_path / "a.png")
    expected = to_array(patch_image, width=48, height=48, interpolation="bilinear")
    assert np.array_equal(it.prepare(tmp_path / "a.png").pixels, expected)
    high = Input(width=20, height=30, interpolation="nearest")
    it.run = dataclasses.replace(it.run, record=dataclasses.replace(it.run.record, input=high))
    expected = to_array(patch_image, width=20, height=30, interpolation="nearest")
    assert np.array_equal(it.prepare(patch_image).pixels, expected)
    assert it.prepare(patch_image).size == (50, 50)
    with pytest.raises(ImageError, match="no such file"):
        it.prepare(tmp_path / "none.png")


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("count", [0, 1, 16, 17, 40])
def test_any_number_of_prepared_images_is_scored_in_order(tiny_run, threads, count):
    it = Predictor(run_folder.open_run(tiny_run), threads=threads)
    pixels = np.zeros((count, 48, 48, 3), np.uint8)
    pixels[..., 2] = np.arange(count)[:, None, None] * 4
    found = it.probabilities(pixels)
    expected = 1 / (1 + np.exp(-0.02 * 4 * np.arange(count)))
    assert found.shape == (count, 2) and found[:, 1] == pytest.approx(expected, abs=1e-6)


def test_many_files_are_scored_in_order_and_the_bad_ones_named(tiny_run, tmp_path):
    paths = [red(tmp_path / f"{n:03d}.png", n) for n in range(2 * predictor.GROUP + 7)]
    paths[17].write_bytes(b"")
    for threads in (0, 1):
        it = Predictor(run_folder.open_run(tiny_run), threads=threads)
        found = list(it.predict_many(iter(paths)))
        assert [each.path for each in found] == [str(path) for path in paths]
        assert found[17] == Failure(str(paths[17]), "the file is empty (0 bytes)")
        assert all(found[n] == it.predict(paths[n]) for n in (0, 16, 18, 64, 134))
    assert list(it.predict_many([])) == []
    assert [type(each) for each in it.predict_many([paths[17]])] == [Failure]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, []), (1, [1]), (4, [4]), (5, [4, 1]), (81, [44, 37]), (130, [64, 64, 2])],
)
def test_a_few_images_are_work_for_every_thread(count, sizes):
    groups = list(predictor._groups(iter(range(count)), most=64, threads=2))
    assert [len(group) for group in groups] == sizes
    assert [image for group in groups for image in group] == list(range(count))


def test_a_group_holds_the_content_of_no_large_file(tmp_path):
    """64 mammograms at once, on every core, would fill the memory."""
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    large, small = tmp_path / "large.png", red(tmp_path / "small.png", 1)
    Image.fromarray(noise).save(large)
    assert predictor._png_content(large) is large
    assert predictor._png_content(small) == small.read_bytes()


def test_who_stops_waits_for_nothing_that_is_not_begun():
    done = []

    def work(number):
        time.sleep(0.1 if number else 0)
        done.append(number)

    results = predictor._in_threads(work, range(50), threads=2)
    next(results)
    results.close()
    assert len(done) < 7  # which were submitted


def test_threads_take_few_items_in_advance():
    taken, names = [], set()

    def items():
        for number in range(50):
            taken.append(number)
            yield number

    def work(number):
        names.add(threading.current_thread().name)
        return number * 2

    results = predictor._in_threads(work, items(), threads=2)
    assert next(results) == 0 and 2 <= len(taken) <= 8
    assert list(results) == [2 * number for number in range(1, 50)]
    assert threading.main_thread().name not in names
    names.clear()
    assert list(predictor._in_threads(work, items(), threads=1)) == list(range(0, 100, 2))
    assert list(predictor._in_threads(work, [4], threads=2)) == [8]
    assert names == {threading.main_thread().name}
    taken.clear()
    alone = predictor._in_threads(work, items(), threads=1)
    assert next(alone) == 0 and len(taken) == 1


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        (["n", 48, 48, 3], ["n", 3], r"model\.onnx has 3 outputs, but run\.json names 2 classes"),
        (["n", 32, 48, 3], ["n", 2], "does not take RGB images of 48x48 pixels"),
        (["n", 48, 32, 3], ["n", 2], "does not take RGB"),
        (["n", 48, 48, 1], ["n", 2], "does not take RGB"),
        (["n", 48, 48], ["n", 2], "does not take RGB"),
        (["n", 48, 48, 3], [], "does not take RGB"),
        (["n", "h", "w", 3], ["n", 2], ""),
    ],
)
def test_a_model_must_take_and_give_what_the_record_says(tiny_run, inputs, outputs, words):
    write_shapes(tiny_run / run_folder.MODEL_ONNX, inputs, outputs)
    run = changed(tiny_run)
    if not words:
        assert Predictor(run)._input == "image"
        return
    with pytest.raises(RunError, match=words):
        Predictor(run)


def write_shapes(path, inputs, outputs, kind=onnx.TensorProto.FLOAT):
    """A network of one node that gives whatever is declared."""
    shape = [1 if isinstance(side, str) else side for side in outputs]
    value = onnx.numpy_helper.from_array(np.full(shape, 0.5, np.float32))
    node = onnx.helper.make_node("Constant", [], ["out"], value=value)
    graph = onnx.helper.make_graph(
        [node],
        "shapes",
        [onnx.helper.make_tensor_value_info("image", kind, inputs)],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, outputs)],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=9), path)


def test_a_model_of_other_numbers_is_refused(tiny_run):
    write_shapes(
        tiny_run / run_folder.MODEL_ONNX, ["n", 48, 48, 3], ["n", 2], onnx.TensorProto.UINT8
    )
    with pytest.raises(RunError, match="does not take RGB"):
        Predictor(changed(tiny_run))


def test_a_model_that_answers_for_another_number_of_images_is_refused(tiny_run):
    write_shapes(tiny_run / run_folder.MODEL_ONNX, ["n", 48, 48, 3], ["n", 2])
    it = Predictor(changed(tiny_run))
    assert it.probabilities(np.zeros((1, 48, 48, 3), np.uint8)).tolist() == [[0.5, 0.5]]
    with pytest.raises(RunError, match=r"gives outputs of shape \(1, 2\) for 2 images"):
        it.probabilities(np.zeros((2, 48, 48, 3), np.uint8))
    with pytest.raises(RunError, match=r"model\.onnx cannot score images: "):
        it.probabilities(np.zeros((1, 48, 47, 3), np.uint8))


def test_a_model_that_cannot_be_loaded_or_read_is_refused(tiny_run):
    path = tiny_run / run_folder.MODEL_ONNX
    path.write_bytes(b"no model")
    with pytest.raises(RunError, match=r"model\.onnx is not a model that can be loaded: "):
        Predictor(changed(tiny_run))
    run = changed(tiny_run)
    path.unlink()
    with pytest.raises(RunError) as refused:
        Predictor(run)
    assert str(refused.value) == f"{path} cannot be read (No such file or directory)"


def test_a_model_is_opened_by_its_path_only_where_that_is_safe(tiny_run, tmp_path):
    sound = tiny_run / run_folder.MODEL_ONNX
    odd = tmp_path / "odd\nname.onnx"
    odd.write_bytes(sound.read_bytes())
    assert predictor._model(sound) == str(sound)
    assert predictor._model(odd) == sound.read_bytes()
    (tmp_path / "begins.onnx").write_bytes(b"location...")
    assert predictor._model(tmp_path / "begins.onnx") == b"location..."


class Here:
    """A cluster that does the tasks itself, at once."""

    def __init__(self, *, scheduler, workers):
        self.named = scheduler, workers
        self.closed = False

    def __exit__(self, *_):
        self.closed = True

    def in_order(self, function, tasks, *, doing):
        for task in tasks:
            self.said = doing(task)
            yield task, function(task)


def test_workers_get_whole_batches_and_paths_that_mean_the_same(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "Cluster", Here)
    monkeypatch.setattr(distributed, "BATCHES_A_TASK", 2)
    for n in range(40):
        red(tmp_path / f"{n:02d}.png", n)
    monkeypatch.chdir(tmp_path)
    run = run_folder.open_run(Path("output/tiny"))
    paths = [Path(f"{n:02d}.png") for n in range(40)]
    with distributed.SpreadPredictor(run, scheduler="tcp://a:1", workers=3) as spread:
        assert spread.cluster.named == ("tcp://a:1", 3) and spread.run is run
        found = list(spread.predict_many(paths))
        assert found == list(Predictor(run).predict_many(paths))
        assert spread.cluster.said.startswith("score 32.png and the images after it")
        assert not spread.cluster.closed
    assert spread.cluster.closed
    with pytest.raises(CancerNetError) as refused:
        distributed.score(str(run.folder), "0" * 64, tmp_path, ["00.png"])
    assert "holds another run" in str(refused.value)
    loaded = distributed._predictor(str(run.folder), run.record.checksum)
    assert loaded is distributed._predictor(str(run.folder), run.record.checksum)
    assert loaded._threads == 1


def test_values_of_more_than_8_bits_are_read_as_in_the_runs_data(tiny_run, tmp_path):
    values = np.random.default_rng(1).integers(0, 900, (50, 50)).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    run = run_folder.open_run(tiny_run)
    alone = Predictor(run)
    assert alone.prepare(tmp_path / "deep.png").pixels.max() > 200 and alone.guessed_depths == {10}
    taken = dataclasses.replace(run.record.input, bits=12)
    record = dataclasses.replace(run.record, input=taken)
    twelve = Predictor(dataclasses.replace(run, record=record))
    assert twelve.prepare(tmp_path / "deep.png").pixels.max() < 60 and not twelve.guessed_depths
