"""The log of a run, its status from another process, TensorBoard's scalars, the doctor."""

import dataclasses
import json
import math
import os
import sys
from types import SimpleNamespace

import pytest

from cancernet import __main__ as command
from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import lock
from cancernet.commands import doctor, predict
from cancernet.commands.command_line import typed_command
from cancernet.config import TrainConfig
from cancernet.planning.plan import Logs, Training
from cancernet.runs import run_folder, status
from cancernet.runs.run_record import TRAINING
from tests.conftest import write_tiny_run


def begun(folder, **more):
    write_tiny_run(folder)
    record = run_folder.read_run_file(folder)
    record = dataclasses.replace(record, status=TRAINING, **{"config": {"epochs": 5}, **more})
    run_folder.write_run_file(folder, record)
    return folder


def log(folder, *lines):
    (folder / run_folder.LOG).write_text("".join(f"{line}\n" for line in lines))


def epoch(number, minute, **measures):
    return json.dumps(
        {"time": f"2026-01-01T00:{minute:02d}:00+00:00", "event": "epoch", "epoch": number}
        | measures
    )


def test_status_of_a_training_that_another_process_holds(tmp_path):
    folder = begun(tmp_path / "run")
    log(folder, epoch(1, 0, loss=0.9), epoch(2, 2, loss=0.8), epoch(3, 4, loss=0.7))
    with lock(folder / run_folder.LOCK):
        said = status.describe_status(folder)
    assert "at work now" in said and "epoch 3 of 5 is complete" in said
    assert "about 0:04:00 of training left" in said and "loss 0.7" in said


def test_status_of_a_stopped_training_names_the_command_and_no_time(tmp_path):
    folder = begun(tmp_path / "run")
    log(folder, epoch(1, 0, loss=0.9), epoch(2, 2, loss=0.8))
    said = status.describe_status(folder)
    assert f"--resume --run {folder}" in said and "left" not in said


def test_status_reads_past_half_a_line_and_takes_the_later_of_a_repeated_epoch(tmp_path):
    folder = begun(tmp_path / "run")
    log(folder, epoch(1, 0, loss=0.9), '{"time": "2026-', "[]", epoch(1, 3, loss=0.5))
    assert status.epoch_lines(folder / run_folder.LOG)[1].others["loss"] == 0.5
    assert "epoch 1 of 5" in status.describe_status(folder)


def test_status_before_the_first_epoch_and_without_a_run(tmp_path):
    assert "no epoch of 5" in status.describe_status(begun(tmp_path / "run"))
    with pytest.raises(RunError, match="no run folder"):
        status.describe_status(tmp_path / "none")


def test_asking_for_the_status_does_not_keep_a_training_out(tmp_path):
    from cancernet.base.files import is_locked

    path = tmp_path / "lock"
    assert not is_locked(path) and not path.exists()
    with lock(path):
        assert is_locked(path)
    assert not is_locked(path)


def test_every_epoch_is_a_line_of_strict_json_and_a_scalar(tmp_path):
    import tensorflow as tf

    from cancernet.training.loop.watchers import watchers

    folder = begun(tmp_path / "run")
    for watcher in watchers(Training(folder, None, None), Logs(tensorboard=tmp_path / "board")):
        watcher.set_params({"epochs": 2})
        watcher.on_train_begin()
        watcher.on_epoch_end(0, {"loss": 0.5, "val_auc": float("nan")})
        watcher.on_train_end()
    lines = [json.loads(line) for line in (folder / run_folder.LOG).read_text().splitlines()]
    assert [line["event"] for line in lines] == ["begin", "epoch", "end"]
    assert lines[1] == {**lines[1], "epoch": 1, "epochs": 2, "loss": 0.5, "val_auc": None}
    (events,) = (tmp_path / "board" / "run").iterdir()
    tags = [
        (event.step, value.tag)
        for record in tf.data.TFRecordDataset(str(events)).as_numpy_iterator()
        if (event := tf.compat.v1.Event.FromString(record)).summary
        for value in event.summary.value
    ]
    assert tags == [(1, "loss"), (1, "val_auc")]


def test_mlflow_s_local_store_has_settings_and_epochs_of_a_training_and_its_rest(
    tmp_path, monkeypatch
):
    why = 'MLflow is not in `dev`, because it brings 18 packages: pip install -e ".[mlflow]"'
    pytest.importorskip("mlflow", reason=why)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    from mlflow import MlflowClient

    from cancernet.training.loop.watchers import MLflowMeasures

    data = SimpleNamespace(fingerprint="1234")
    training = Training(begun(tmp_path / "run"), data, TrainConfig(epochs=2))
    training.checkpoint.mkdir()
    for epoch in range(2):  # the second is another process: that of --resume
        watcher = MLflowMeasures(training)
        watcher.on_train_begin()
        watcher.on_epoch_end(epoch, {"loss": 0.5 - epoch / 8, "val_auc": float("nan")})
        watcher.on_train_end()
    client = MlflowClient("sqlite:///output/mlflow/mlflow.db")
    [run] = client.search_runs([client.get_experiment_by_name("cancernet").experiment_id])
    assert (run.info.run_name, run.info.status, run.data.tags["data"]) == (
        "run",
        "FINISHED",
        "1234",
    )
    assert run.data.params["epochs"] == "2" and run.data.params["model"] == "cancernet"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 0.5), (2, 0.375)]
    assert math.isnan(run.data.metrics["val_auc"])
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_training_goes_on_without_a_store_that_fails(tmp_path, monkeypatch, caplog):
    from cancernet.training.loop import watchers

    monkeypatch.setattr(watchers.MLflowMeasures, "_open", lambda _: 1 / 0)
    watcher = watchers.MLflowMeasures(Training(tmp_path, None, TrainConfig()))
    watcher.on_train_begin()
    watcher.on_epoch_end(0, {"loss": 0.5})
    watcher.on_train_end()
    assert [record.getMessage() for record in caplog.records] == [
        "MLflow logs no further: division by zero"
    ]


def test_a_package_that_mlflow_needs_is_missed_before_the_training(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "alembic" else 1)
    with pytest.raises(CancerNetError, match=r'needs the package alembic; .*".\[mlflow\]"'):
        Logs(mlflow=True).check()
    Logs().check()


def by_name(found):
    return {check.name: check for check in found}


def test_the_doctor_finds_nothing_wrong_here(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    found = list(doctor.checks())
    assert doctor.print_checks(iter(found))
    assert by_name(found)["packages for everything"].verdict == doctor.OK
    assert "cores" in by_name(found)["processor"].says
    assert len(capsys.readouterr().out.splitlines()) == len(found)


def test_the_doctor_names_what_is_missing_or_out_of_range(tmp_path, monkeypatch, capsys):
    (tmp_path / "requirements.txt").write_text("numpy>=99\nno-such-package>=1  # why\n")
    extras = '[project]\nname = "it"\n[project.optional-dependencies]\n'
    extras += 'some = ["it[other]", "no-such-package>=1"]\n'
    extras += """other = ["no-such-package>=1; sys_platform == 'beos'"]\n"""
    (tmp_path / "pyproject.toml").write_text(extras)
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(doctor, "_graphics", lambda: doctor.Check("GPU", doctor.NOTE, "none"))
    found = list(doctor.checks())
    wrong = [check.says for check in found if check.verdict == doctor.WRONG]
    assert "no-such-package" in wrong[0] and "pip install -r requirements.txt" in wrong[0]
    assert "numpy" in wrong[1] and ">=99" in wrong[1]
    some = by_name(found)["packages for some"]
    assert some.verdict == doctor.NOTE and 'pip install -e ".[some]"' in some.says
    assert by_name(found)["packages for other"].verdict == doctor.OK
    assert not doctor.print_checks(iter(found))


def test_the_doctor_of_a_wheel_reads_what_the_package_says_of_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    found = by_name(doctor._packages())
    assert found["packages for everything"].verdict == doctor.OK
    assert "tensorflow" in found["packages for everything"].says
    assert {"packages for serve", "packages for tune"} <= found.keys()
    assert "fastapi" in found["packages for serve"].says
    assert "fastapi" not in found["packages for app"].says
    monkeypatch.setattr(doctor, "PROGRAM", "no-such-package")
    assert [check.verdict for check in doctor._packages()] == [doctor.NOTE]


def test_the_doctor_misses_no_tensorflow_where_only_the_server_is_installed(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("tensorflow>=2\n")
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    monkeypatch.setattr(doctor, "version_of", {"fastapi": "1", "uvicorn": "1"}.get)
    found = by_name(doctor.checks())
    assert doctor.print_checks(iter(found.values()))
    for name in ("packages for everything", "GPU"):
        assert found[name].verdict == doctor.NOTE
        assert found[name].says.startswith("not needed to serve: ")
    monkeypatch.setattr(doctor, "version_of", {"numpy": "2"}.get)
    wrong = [check.name for check in doctor.checks() if check.verdict == doctor.WRONG]
    assert wrong == ["packages for everything", "GPU"]


def test_the_doctor_tells_a_tested_set(tmp_path, monkeypatch):
    (tmp_path / "constraints").mkdir()
    pins = tmp_path / "constraints" / "mine.txt"
    monkeypatch.setattr(doctor, "ROOT", tmp_path)
    pins.write_text(f"numpy=={doctor.version_of('numpy')}\n")
    assert doctor._tested_set().verdict == doctor.OK
    pins.write_text(f"numpy=={doctor.version_of('numpy')}\nno-such-package==1\n")
    assert doctor._tested_set().verdict == doctor.OK
    pins.write_text("numpy==0.1\nno-such-package==1\n")
    check = doctor._tested_set()
    assert check.verdict == doctor.NOTE and "closest to mine.txt, except numpy:" in check.says


def test_the_doctor_says_where_it_may_not_write(tmp_path, monkeypatch):
    def refuse(**_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", refuse)
    check = doctor._folder(tmp_path)
    assert check.verdict == doctor.WRONG and "Permission denied" in check.says


def test_the_command_wants_a_known_word(monkeypatch, capsys):
    for typed in (["nurse"], []):
        monkeypatch.setattr(sys, "argv", ["cancernet", *typed])
        with pytest.raises(SystemExit) as left:
            command.main()
        assert left.value.code == 2 and "see `cancernet --help`" in capsys.readouterr().err


def test_the_command_does_what_the_script_does_and_says_its_own_name(monkeypatch):
    flags = ["x.png", "--run", "no such"]
    monkeypatch.setattr(sys, "argv", ["/bin/cancernet", "predict", *flags])
    with pytest.raises(RunError, match="train one with `cancernet train`"):
        command.main()
    assert typed_command() == "cancernet predict x.png --run 'no such'"
    monkeypatch.setattr(sys, "argv", ["/here/predict.py", *flags])
    assert typed_command() == "python predict.py x.png --run 'no such'"
    with pytest.raises(RunError, match=r"train one with `python train_model.py`"):
        predict.main()
