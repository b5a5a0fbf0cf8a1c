"""Going on with a training: what must be the same, what may be insisted on, what is found."""

import dataclasses
import json
from pathlib import Path

import pytest

from cancernet.base.errors import RunError
from cancernet.base.files import write_json
from cancernet.config import TrainConfig
from cancernet.cross_validation.plan import fold_dataset, plan_folds
from cancernet.evaluation.run_results import read_besides
from cancernet.planning import begin, resume
from cancernet.planning.plan import Logs, Plan, Resume, Training
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import FirstWeights, FoldOfRun


def begun(folder, dataset, config):
    plan = Plan(folder=folder, data=dataset, config=config, recipe="x", command="x")
    begin.begin(Training(folder, dataset, config), plan, FirstWeights(source="none"))
    return folder


@pytest.fixture
def run(dataset, tmp_path):
    return begun(tmp_path / "run", dataset, TrainConfig())


def go_on(run, dataset, given, *, insist=False):
    """Resumes as far as run.json; returns the settings and its content."""
    plan = resume.plan_to_resume(run, resume=Resume(given=given, insist=insist))
    return plan.config, resume.resumed(Training(run, dataset, plan.config), plan.resume)


def test_other_settings_or_data_are_refused(dataset, run):
    with pytest.raises(RunError, match="--epochs 40, not 5"):
        go_on(run, dataset, {"epochs": 5})
    other = dataclasses.replace(dataset, fingerprint="other")
    with pytest.raises(RunError, match="other data"):
        go_on(run, other, {})
    config, content = go_on(run, other, {"epochs": 5}, insist=True)
    assert config.epochs == 5 and content.dataset.fingerprint == "other"
    assert ["--epochs 40, not 5" in one for one in content.differences] == [False, True]
    # What was let through once is how the run goes on from there.
    assert go_on(run, other, {})[0].epochs == 5


def test_another_version_is_refused(dataset, run, monkeypatch):
    versions = provenance.versions()
    monkeypatch.setattr(provenance, "versions", lambda: {**versions, "keras": "99"})
    with pytest.raises(RunError, match=f"keras {versions['keras']}, now it is 99"):
        go_on(run, dataset, {})
    monkeypatch.setattr(provenance, "versions", lambda: versions)
    monkeypatch.setattr(provenance, "commit", lambda: "f" * 40)
    with pytest.raises(RunError, match="now it is ffffffffffff"):
        go_on(run, dataset, {})
    go_on(run, dataset, {}, insist=True)


@pytest.mark.parametrize(
    "given", [{"image_size": 64}, {"interpolation": "nearest"}, {"model": "simple-cnn"}]
)
def test_another_network_is_refused_whoever_insists(dataset, run, given):
    before = (run / run_folder.RUN_FILE).read_bytes()
    with pytest.raises(RunError, match="another network"):
        go_on(run, dataset, given, insist=True)
    with pytest.raises(RunError, match="the classes 0, 1, not a, b"):
        go_on(run, dataclasses.replace(dataset, classes=("a", "b")), {}, insist=True)
    assert (run / run_folder.RUN_FILE).read_bytes() == before


def test_a_plan_to_resume_is_that_of_the_record(dataset, run, tmp_path):
    plan = resume.plan_to_resume(run)
    assert (plan.folder, plan.data, plan.config) == (run, dataset.folder, TrainConfig())
    assert (plan.logs, plan.resume) == (Logs(), Resume())
    asked = Resume(given={"epochs": 3})
    plan = resume.plan_to_resume(run, Path("x"), asked, recipe="x", logs=Logs(mlflow=True))
    assert (plan.data, plan.resume, plan.logs) == (Path("x"), asked, Logs(mlflow=True))
    assert plan.config.epochs == TrainConfig().epochs  # refused later, in a sentence
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="nothing was begun in"):
        resume.plan_to_resume(tmp_path / "empty")


def test_settings_of_another_version_are_named(run):
    record = run_folder.read_run_file(run)
    config = {name: value for name, value in record.config.items() if name != "seed"}
    for other, names in ((config | {"magic": 1}, "magic, seed"), (config, "seed")):
        with pytest.raises(RunError, match=rf"settings differ \({names}\)"):
            resume.read_config(dataclasses.replace(record, config=other), run)
    with pytest.raises(RunError, match=f"the settings of {run}: .*epochs"):
        resume.read_config(
            dataclasses.replace(record, config={**record.config, "epochs": "many"}), run
        )


def test_a_finished_training_has_no_checkpoint_left(dataset, run):
    record = dataclasses.replace(run_folder.read_run_file(run), status="finished")
    run_folder.write_run_file(run, record)
    training = Training(run, dataset, TrainConfig())
    training.checkpoint.mkdir()
    with pytest.raises(RunError, match="is finished; there is nothing to resume"):
        resume.resumed(training, Resume())
    assert not training.checkpoint.exists()
    training.checkpoint.mkdir()
    with pytest.raises(RunError, match="is finished; there is nothing to resume"):
        resume.plan_to_resume(run)  # which comes first, before TensorFlow loads
    assert not training.checkpoint.exists()


def test_another_recipe_is_refused(dataset, run):
    with pytest.raises(RunError, match="began with --recipe x, not mammography-alexnet"):
        resume.plan_to_resume(run, recipe="mammography-alexnet")


def test_the_newest_may_be_a_cross_validation(dataset, tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "OUTPUT", tmp_path)
    with pytest.raises(RunError, match="no unfinished training"):
        resume.newest_unfinished()
    for name, record, created in (
        ("one", run_folder.RUN_FILE, "2026-01-01"),
        ("folds", run_folder.CROSS_VALIDATION, "2026-01-02"),
        ("done", run_folder.CROSS_VALIDATION, "2026-01-03"),
        ("damaged", run_folder.CROSS_VALIDATION, "2026-01-04"),
    ):
        (tmp_path / name).mkdir()
        status = "finished" if name == "done" else "training"
        write_json(tmp_path / name / record, {"status": status, "created": created})
    (tmp_path / "damaged" / run_folder.CROSS_VALIDATION).write_text("{")
    assert resume.newest_unfinished() == tmp_path / "folds"


def test_a_fold_is_gone_on_with_by_the_whole(dataset, tmp_path):
    fold = fold_dataset(dataset, plan_folds(dataset, "2", seed=7)[0])
    place = tmp_path / "folds" / "fold-01"
    begun(place, fold, TrainConfig())
    assert run_folder.read_run_file(place).dataset.whole == dataset.fingerprint
    assert run_folder.whole_of(place) == place
    write_json(tmp_path / "folds" / run_folder.CROSS_VALIDATION, {})
    assert run_folder.whole_of(place) == tmp_path / "folds"
    one = FoldOfRun(number=1, of=2, testing=("t",), validation=())
    record = run_folder.read_run_file(place)
    run_folder.write_run_file(place, dataclasses.replace(record, fold=one))
    for call in (run_folder.open_run, resume.plan_to_resume):
        with pytest.raises(RunError, match=f"--resume --run {tmp_path / 'folds'}`"):
            call(place)


def test_what_was_to_stand_beside_and_is_gone_is_said(tmp_path):
    beside, missing = read_besides([str(tmp_path / "gone")])
    assert beside == [] and "gone" in missing[0] and "left out" in missing[0]
    assert json.dumps(missing)
