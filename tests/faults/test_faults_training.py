"""Faults while pixels are kept, a network is trained, and its run is written out.

Killed at named moments: what lies on the disk then is enough to go on to the same numbers.

A process that is killed leaves the disk as it was at that moment. So one training is run
to its end, its folder is copied at every moment at which a file gets its name, and each
copy is what a SIGKILL there would have left. `benchmarks/random_kills.py` kills for real.
"""

import csv
import dataclasses
import datetime
import errno
import json
import os
import re
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, RunError
from cancernet.dataset.manifest import MANIFEST, read_dataset
from cancernet.measures.assess import ScoreSet
from cancernet.models import MODELS
from cancernet.models.registry import Network
from cancernet.planning.begin import held, limited
from cancernet.planning.resume import plan_to_resume
from cancernet.report.figures.drawings import FIGURES
from cancernet.runs import run_folder, status
from cancernet.runs.run_record import Input
from cancernet.training import train
from cancernet.training.data import pixel_cache
from cancernet.training.loop.checkpoint import LATEST, PREVIOUS
from tests.helpers.building_trees import build_it, make_tree
from tests.helpers.fault_makers import JumpingClock, files_end_at, mode
from tests.helpers.tiny_network import CONFIG, build_tiny
from tests.helpers.training_runs import fitted, trained


class Moments:
    """Copies a folder before and after every rename in it."""

    def __init__(self, patch, folder, copies):
        self.names, self.folder, self.copies = [], folder, copies
        original = os.replace

        def replace(source, target):
            self._copy(f"before {Path(target).name}")
            original(source, target)
            self._copy(f"after {Path(target).name}")

        patch.setattr(os, "replace", replace)

    def _copy(self, name):
        count = sum(other.startswith(f"{name} ") for other in self.names) + 1
        self.names.append(f"{name} {count}")
        shutil.copytree(self.folder, self.copies / self.names[-1])


@pytest.fixture(scope="module")
def tiny():
    """A network of a few steps, run step by step: to trace it for every training takes longer."""
    import tensorflow as tf

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "tiny", Network(build_tiny, "MobileNet", frozen=True))
        tf.config.run_functions_eagerly(True)
        yield
        tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def data(built):
    return built("busi")


def without_times(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


@pytest.fixture(scope="module")
def undisturbed(tiny, data, tmp_path_factory):
    """Weights and history of a training in two phases, and copies of its folder on the way."""
    folder = tmp_path_factory.mktemp("killed")
    dataset = limited(read_dataset(data), CONFIG.limit, seed=CONFIG.seed)
    (folder / "run").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        moments = Moments(patch, folder / "run", folder / "copies")
        model, state = fitted(dataset, CONFIG, folder / "run")
    return dataset, model.get_weights(), state, moments


@pytest.mark.parametrize(
    ("moment", "epochs"),
    [
        ("after best-0001.npz 1", 0),  # the best weights are there, and no checkpoint
        ("after previous.npz 1", 1),  # between the two renames of a checkpoint
        ("after best-0003.npz 1", 2),  # the same in the first epoch of the second phase
        ("after previous.npz 3", 3),
        ("after latest.npz 4", 4),
    ],
)
def test_a_training_killed_at_a_moment_ends_with_the_same_bits(
    moment, epochs, undisturbed, tmp_path, capsys
):
    dataset, weights, whole, moments = undisturbed
    shutil.copytree(moments.copies / moment, tmp_path / "run")
    checkpoint = tmp_path / "run" / run_folder.CHECKPOINT
    assert (checkpoint / LATEST).exists() or epochs == 0 or (checkpoint / PREVIOUS).exists()
    model, state = fitted(dataset, CONFIG, tmp_path / "run")
    assert "damaged" not in capsys.readouterr().err
    assert without_times(state.history) == without_times(whole.history)
    assert (state.best_epoch, state.waited) == (whole.best_epoch, whole.waited)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    # Two, and one more where there was no epoch left to tidy up.
    assert len(list(checkpoint.glob("best-*.npz"))) <= 2 + (epochs == 4)


def test_the_best_weights_of_the_checkpoint_before_are_kept(undisturbed, tmp_path, capsys):
    """The newest checkpoint is damaged: the one before speaks of other best weights."""
    dataset, weights, _, moments = undisturbed
    shutil.copytree(moments.copies / "after latest.npz 4", tmp_path / "run")
    (tmp_path / "run" / run_folder.CHECKPOINT / LATEST).write_bytes(b"damaged")
    model, state = fitted(dataset, CONFIG, tmp_path / "run")
    assert "latest.npz is damaged; resuming from the one before" in capsys.readouterr().err
    assert state.best_epoch == 4
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)


def results(run):
    content = json.loads((run / "metrics.json").read_text())
    content.pop("training")
    with open(run / "history.csv", newline="") as file:
        history = without_times(csv.DictReader(file))
    predictions = (run / "predictions.csv").read_bytes()
    return json.dumps(content), history, predictions


def write_one_picture(finished, *_):
    folder = finished.training.folder
    (folder / FIGURES).mkdir(exist_ok=True)
    (folder / FIGURES / "picture.png").write_bytes(b"")


@pytest.fixture(scope="module")
def finished(tiny, data, tmp_path_factory):
    """A whole run from its first file to its last, and copies on the way."""
    folder = tmp_path_factory.mktemp("finished")
    config = dataclasses.replace(CONFIG, fine_tune_epochs=0, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "write_pictures_and_report", write_one_picture)
        moments = Moments(patch, folder / "run", folder / "copies")
        trained(folder / "run", data, config)
    return results(folder / "run"), moments, config


@pytest.mark.parametrize("moment", ["before model.onnx 1", "before run.json 2"])
def test_killed_while_it_is_written_out(moment, finished, tmp_path, monkeypatch):
    wanted, moments, _ = finished
    monkeypatch.setattr(train, "write_pictures_and_report", write_one_picture)
    run = tmp_path / "run"
    shutil.copytree(moments.copies / moment, run)
    assert any(".part" in path.name for path in run.iterdir())
    with pytest.raises(RunError, match=r"not finished; go on with .*--resume"):
        run_folder.open_run(run)
    train.train(plan_to_resume(run))
    assert results(run) == wanted
    assert run_folder.open_run(
        run, check=(run_folder.MODEL_KERAS, run_folder.MODEL_ONNX)
    ).record.weights
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]


def test_a_process_beside_that_is_killed_says_how_to_go_on(finished, tmp_path):
    """What is drawn beside a training dies: the epochs stay, and the same command finishes."""
    run = tmp_path / "run"
    shutil.copytree(finished[1].copies / "before model.onnx 1", run)

    def start(*_, **__):
        def killed():
            raise ChildProcessError("a process beside the training was killed")

        return killed

    with pytest.raises(RunError, match=r"beside the training was killed: `.*--resume --run"):
        train.train(plan_to_resume(run), start=start)
    assert not run_folder.read_run_file(run).is_finished


def test_killed_before_there_was_a_run(finished, data, tmp_path, monkeypatch):
    _, moments, config = finished
    monkeypatch.setattr(train, "open_batches", lambda *_: 1 / 0)
    run = tmp_path / "run"
    shutil.copytree(moments.copies / "before run.json 1", run)
    assert [path.name for path in run.iterdir() if ".part" in path.name]
    with pytest.raises(RunError, match=r"nothing was begun .* without --resume"):
        train.train(plan_to_resume(run))
    with pytest.raises(ZeroDivisionError):
        trained(run, data, config)
    assert [path.name for path in run.iterdir()] == [run_folder.RUN_FILE]


def test_killed_after_the_last_file(finished, tmp_path):
    _, moments, _ = finished
    run = tmp_path / "run"
    shutil.copytree(moments.copies / "after run.json 2", run)
    assert run_folder.open_run(run) and (run / run_folder.CHECKPOINT).exists()
    with pytest.raises(RunError, match="finished; there is nothing to resume"):
        train.train(plan_to_resume(run))
    assert not (run / run_folder.CHECKPOINT).exists()


def test_two_trainings_into_one_folder(finished, data, tmp_path, monkeypatch):
    """The second is refused before it has written anything, also where nothing is there yet."""
    _, _, config = finished
    run = tmp_path / "run"
    with held(run), pytest.raises(RunError, match="another process is training in"):
        trained(run, data, config)
    assert not (run / run_folder.RUN_FILE).exists()
    shutil.rmtree(run)
    monkeypatch.setattr(train, "open_batches", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        trained(run, data, config)
    before = (run / run_folder.RUN_FILE).read_bytes()
    with held(run), pytest.raises(RunError, match="another process is training in"):
        train.train(plan_to_resume(run))
    assert (run / run_folder.RUN_FILE).read_bytes() == before


STAGES = {
    "training": (train, "fit", "after run.json 1"),
    "exporting": (train, "export", "after latest.npz 1"),
    "writing predictions": (ScoreSet, "write", "after latest.npz 1"),
    "sealing": (train, "seal", "after latest.npz 1"),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_is_full_or_may_not_be_written(stage, fault, finished, tmp_path, monkeypatch):
    wanted, moments, _ = finished
    place, name, moment = STAGES[stage]
    monkeypatch.setattr(train, "write_pictures_and_report", write_one_picture)
    run = tmp_path / "run"
    shutil.copytree(moments.copies / moment, run)
    original = getattr(place, name)

    def troubled(*arguments, **options):
        with files_end_at(600) if fault == "full" else mode(run, 0o555):
            return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(place, name, troubled)
        said = {"full": "the disk is full", "read-only": "permission denied"}[fault]
        with pytest.raises(RunError, match=f"{said}.*--resume --run {run}"):
            train.train(plan_to_resume(run))
    assert run_folder.read_run_file(run).status == "training"
    assert not [path.name for path in run.rglob("*.part*")]
    if stage in ("training", "sealing"):  # the rest of the way is the same for all
        train.train(plan_to_resume(run))
        assert results(run) == wanted


@pytest.mark.parametrize("split", ["training", "validation"])
def test_an_image_vanishes_between_two_epochs(split, tiny, data, tmp_path):
    """Where the images are decoded anew in every epoch."""
    shutil.copytree(data, tmp_path / "data")
    dataset = limited(read_dataset(tmp_path / "data"), CONFIG.limit, seed=CONFIG.seed)
    config = dataclasses.replace(CONFIG, rotation=10.0, fine_tune_epochs=0)
    run = tmp_path / "run"
    run.mkdir()
    image = dataset.folder / dataset.split(split).paths[3]
    hidden = tmp_path / "hidden"

    def hide(state):
        if not hidden.exists():
            image.rename(hidden)

    with pytest.raises(CancerNetError, match=re.escape(image.name)):
        fitted(dataset, config, run, after_epoch=hide)
    hidden.rename(image)
    _, state = fitted(dataset, config, run)
    assert state.epochs == 2 and len(state.history) == 2


def test_a_training_whose_clock_jumps(undisturbed, tmp_path, monkeypatch):
    dataset, weights, whole, _ = undisturbed
    clock = JumpingClock()
    monkeypatch.setattr(time, "time", clock.time)
    past = datetime.datetime.fromtimestamp
    monkeypatch.setattr(run_folder, "now", lambda: past(clock.time(), datetime.UTC).isoformat())
    (tmp_path / "run").mkdir()
    model, state = fitted(dataset, CONFIG, tmp_path / "run")
    assert without_times(state.history) == without_times(whole.history)
    for one, other in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(one, other)
    lines = status.epoch_lines(tmp_path / "run" / run_folder.LOG)
    assert status._time_left(lines, 9) is None


# The file of pixels


@pytest.fixture
def cached(tmp_path):
    build_it(make_tree(tmp_path / "source"), tmp_path / "idc")
    return read_dataset(tmp_path / "idc")


def kept(dataset):
    scaling = Input(width=10, height=10, interpolation="nearest")
    return pixel_cache.open_pixels(dataset, "training", scaling, cache=True)


def test_caching_after_a_kill(cached):
    """Half a file under the name of an unfinished one, gigabytes with the whole of IDC."""
    folder = cached.folder / pixel_cache.FOLDER
    folder.mkdir()
    (folder / ".training-10.0a1b2c3d.part.npy").write_bytes(b"half")
    assert isinstance(kept(cached), np.memmap)
    assert [path.suffix for path in folder.iterdir()] == [".npy"]
    assert not list(folder.glob(".*"))


def test_caching_on_a_disk_that_fills_up_or_may_not_be_written(cached, caplog):
    folder = cached.folder / pixel_cache.FOLDER
    with files_end_at(2000):
        decoded = kept(cached)[np.arange(3)]
    assert "decoded in every epoch: they cannot be kept (File too large)" in caplog.text
    assert not list(folder.iterdir())
    with mode(folder, 0o555):
        kept(cached)
    assert "(Permission denied)" in caplog.text
    assert np.array_equal(kept(cached)[np.arange(3)], decoded)
    assert (cached.folder / MANIFEST).exists() and len(list(folder.iterdir())) == 1


def test_caching_what_another_has_cached_meanwhile(cached, monkeypatch, caplog):
    """The third of three tidies up what the second, without the lock, is writing."""
    write = pixel_cache.write_cache

    def write_and_lose(*given, **named):
        write(*given, **named)
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(pixel_cache, "write_cache", write_and_lose)
    assert isinstance(kept(cached), np.memmap)
    assert not caplog.records


def test_caching_twice_at_once(cached):
    found = []
    threads = [threading.Thread(target=lambda: found.append(kept(cached))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(found[0], each) for each in found) and len(found) == 4
    assert len(list((cached.folder / pixel_cache.FOLDER).iterdir())) == 1
