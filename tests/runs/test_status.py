"""How far a training is: every line of the answer, from logs that somebody may have changed."""

import dataclasses
import datetime
import json

import pytest

from cancernet.base.errors import RunError
from cancernet.base.files import lock
from cancernet.runs import run_folder, status
from cancernet.runs.run_record import FINISHED, TRAINING
from tests.conftest import write_tiny_run

BEGIN = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def begun(tmp_path):
    """Makes the run folder of an unfinished training with these settings."""

    def make(**config):
        folder = write_tiny_run(tmp_path / "run")
        record = run_folder.read_run_file(folder)
        run_folder.write_run_file(
            folder, dataclasses.replace(record, status=TRAINING, config=config)
        )
        return folder

    return make


def log(folder, minutes, first=1, **measures):
    """Writes a line for each epoch, so many minutes after the beginning."""
    times = [(BEGIN + datetime.timedelta(minutes=each)).isoformat() for each in minutes]
    lines = [
        json.dumps({"time": time, "event": "epoch", "epoch": epoch, **measures})
        for epoch, time in enumerate(times, start=first)
    ]
    (folder / run_folder.LOG).write_text("\n".join(lines))


def test_a_training_at_work_is_timed_by_the_median_of_its_last_five_steps(begun):
    folder = begun(epochs=10, fine_tune_epochs=2)
    # The steps take 9, 9, 5 and then 1, 1, 1, 3 and 3 minutes.
    log(folder, [0, 9, 18, 23, 24, 25, 26, 29, 32], loss=0.123456, learning_rate=1e-5, steps=7)
    with lock(folder / run_folder.LOCK):
        said = status.describe_status(folder)
    assert said.splitlines() == [
        f"{folder}: at work now",
        "epoch 9 of 12 is complete",
        "about 0:03:00 of training left, then the evaluation",
        "last epoch: loss 0.1235, learning_rate 1e-05",
    ]


def test_a_stopped_training_has_no_time_left(begun):
    folder = begun(epochs=5)
    log(folder, [0, 1], loss=0.5)
    assert status.describe_status(folder).splitlines() == [
        f"{folder}: stopped before its end; go on with "
        f"`python train_model.py --resume --run {folder}`",
        "epoch 2 of 5 is complete",
        "last epoch: loss 0.5",
    ]


def test_before_the_first_epoch(begun):
    folder = begun(epochs=5)
    with lock(folder / run_folder.LOCK):
        said = status.describe_status(folder)
    assert said == f"{folder}: at work now\nno epoch of 5 is complete"


def test_a_finished_training(begun):
    folder = begun(epochs=1)
    record = dataclasses.replace(run_folder.read_run_file(folder), status=FINISHED)
    run_folder.write_run_file(folder, record)
    log(folder, [0], loss=0.5)
    said = status.describe_status(folder)
    assert said == f"{folder}: finished 2026-01-01T00:00:00+00:00\nlast epoch: loss 0.5"
    run_folder.write_run_file(folder, dataclasses.replace(record, finished=None))
    assert status.describe_status(folder).startswith(f"{folder}: finished \n")


@pytest.mark.parametrize(
    ("minutes", "left"),
    [
        ([0, 2], "0:06:00"),
        ([0, 2, 1, 3], "0:02:00"),  # the clock was set back once
        ([0, 1, 2, 3, 4, 5], "0:00:00"),  # more epochs than the record has now
    ],
)
def test_the_time_left(begun, minutes, left):
    folder = begun(epochs=5)
    log(folder, minutes)
    with lock(folder / run_folder.LOCK):
        assert f"\nabout {left} of training left" in status.describe_status(folder)


@pytest.mark.parametrize("time", ["", "yesterday", "2026-01-01T00:09:00", "2026-01-01T00:00:00Z"])
def test_no_time_is_said_where_the_log_does_not_tell(begun, time):
    folder = begun(epochs=5)
    log(folder, [0])
    with open(folder / run_folder.LOG, "a") as file:
        file.write("\n" + json.dumps({"epoch": 2, "time": time}))
    with lock(folder / run_folder.LOCK):
        said = status.describe_status(folder)
    assert "epoch 2 of 5" in said and "left" not in said


def test_only_lines_that_tell_of_an_epoch_count(tmp_path):
    most = status.MOST_EPOCHS
    lines = [
        '{"epoch": 1, "loss": 0.9}', "", "[]", '{"loss": 1}', '{"epoch": "3"}', '{"epoch": 0}',
        '{"epoch": -1}', f'{{"epoch": {most}}}', f'{{"epoch": {most - 1}}}',
        '{"epoch": 1, "loss": 0.5}', '{"epoch": 2,',
    ]  # fmt: skip
    (tmp_path / "log.jsonl").write_bytes("\n".join(lines).encode() + b'\n\xff\n{"epoch": 4}')
    found = status.epoch_lines(tmp_path / "log.jsonl")
    assert list(found) == [1, most - 1, 4] and found[1].others == {"loss": 0.5}
    assert status.epoch_lines(tmp_path / "none") == {}


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"epochs": "5"},
        {"epochs": True},
        {"epochs": 5, "fine_tune_epochs": 0.5},
        {"epochs": -1},
        {"epochs": status.MOST_EPOCHS - 1, "fine_tune_epochs": 1},
    ],
    ids=str,
)
def test_a_record_without_a_number_of_epochs_is_refused(begun, config):
    folder = begun(**config)
    with pytest.raises(RunError, match=r"run\.json does not say how many epochs there are"):
        status.describe_status(folder)


@pytest.mark.parametrize("epochs", [0, status.MOST_EPOCHS - 1])
def test_a_number_of_epochs_at_its_limit_is_said(begun, epochs):
    assert f"no epoch of {epochs} is" in status.describe_status(begun(epochs=epochs))
