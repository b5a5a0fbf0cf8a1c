"""Scoring on several processes: the answers of one process, also when a worker dies."""

import csv
import logging
import os
import signal
import sys

import pytest
from PIL import Image

from cancernet.auditing.audit import as_json, audit
from cancernet.base import parallel
from cancernet.base.errors import CancerNetError
from cancernet.commands import predict
from cancernet.lookalike import pictures
from cancernet.runs.run_folder import open_run
from cancernet.scoring import distributed
from cancernet.scoring.predictor import Predictor
from tests.auditing.test_audit import write_set
from tests.conftest import write_tiny_run

COUNT = 150


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return open_run(write_tiny_run(tmp_path_factory.mktemp("spread") / "run"))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    for n in range(COUNT):
        Image.new("RGB", (48, 48), (n, 40, 150 - n)).save(folder / f"{n:03d}.png")
    (folder / "077.png").write_bytes(b"no image")
    return folder


@pytest.fixture(scope="module")
def local(run):
    with distributed.SpreadPredictor(run, workers=2) as predictor:
        yield predictor


@pytest.fixture
def small_tasks(monkeypatch):
    monkeypatch.setattr(distributed, "BATCHES_A_TASK", 1)
    monkeypatch.setattr(distributed, "BATCH_SIZE", 10)


def test_workers_listen_on_this_machine_only(local):
    assert local.cluster.local.scheduler_address.startswith("tcp://127.0.0.1:")
    assert all(
        address.startswith("tcp://127.0.0.1:") for address in local.cluster.client.nthreads()
    )


def test_what_workers_log_is_not_printed(local):
    """A heartbeat that fails while the workers end would be a traceback after a sound table."""
    shown = local.cluster.client.run(logging.getLogger("distributed").isEnabledFor, logging.ERROR)
    assert len(shown) == 2 and not any(shown.values())


def test_the_answers_and_their_order_are_those_of_one_process(run, images, local, small_tasks):
    paths = sorted(images.iterdir())
    expected = list(Predictor(run).predict_many(paths))
    assert list(local.predict_many(paths)) == expected
    assert sum(hasattr(answer, "error") for answer in expected) == 1


def test_every_image_once_when_a_worker_is_killed(run, images, local, small_tasks):
    paths = sorted(images.iterdir())
    answers = []
    for answer in local.predict_many(paths):
        answers.append(answer)
        if len(answers) == 5:
            os.kill(next(iter(local.cluster.local.workers.values())).pid, signal.SIGKILL)
    assert answers == list(Predictor(run).predict_many(paths))


def test_an_audit_on_the_workers_finds_what_one_process_finds(local, tmp_path, monkeypatch):
    """Copies, planted, across chunks and workers; one of them is killed on the way."""
    folder = write_set(tmp_path / "set")
    first, *_, last = sorted(folder.rglob("*.png"))
    last.write_bytes(first.read_bytes())
    (first.parent / "cut.png").write_bytes(first.read_bytes()[:100])
    expected = as_json(audit(folder))
    monkeypatch.setattr(pictures, "CHUNK", 7)
    os.kill(next(iter(local.cluster.local.workers.values())).pid, signal.SIGKILL)
    assert as_json(audit(folder, cluster=local.cluster)) == expected
    assert expected["leaks"]


def test_another_run_on_the_worker_is_refused(run, images):
    with pytest.raises(CancerNetError, match="on a worker holds another run"):
        distributed.score(str(run.folder), "0" * 64, images, ["000.png"])


def test_a_scheduler_is_used_by_the_script(run, images, local, tmp_path, monkeypatch, capsys):
    table = tmp_path / "answers.csv"
    address = local.cluster.local.scheduler_address
    flags = ["--run", str(run.folder), "--csv", str(table), "--scheduler", address]
    monkeypatch.setattr(sys, "argv", ["predict.py", str(images), *flags])
    assert predict.main() == 1
    with open(table, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in sorted(images.iterdir())]
    assert rows[77]["error"] and "077.png" in capsys.readouterr().err


def test_a_scheduler_that_is_not_there_is_one_sentence(run, monkeypatch):
    monkeypatch.setattr(parallel, "CONNECT_SECONDS", 0.2)
    with pytest.raises(CancerNetError, match="no Dask scheduler answers at tcp"):
        distributed.SpreadPredictor(run, scheduler="tcp://127.0.0.1:9")


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--workers", "-1"], "at least 1"), (["--workers", "2", "--scheduler", "x"], "choose one")],
)
def test_bad_flags(flags, said, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["predict.py", "a.png", *flags])
    with pytest.raises(CancerNetError, match=said):
        predict.main()
