"""What a training begins with: data that fit its settings, and a folder of its own."""

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, RunError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import digest
from cancernet.dataset.notices import NoticeKind
from cancernet.planning import begin
from cancernet.planning.begin import check_fit, check_limit, held, limited, shares
from cancernet.planning.plan import Logs, Plan, Resume, State, Training
from cancernet.runs import provenance, run_folder
from cancernet.runs.run_record import FirstWeights, FoldOfRun
from tests.conftest import write_tiny_run


def planned(folder, data, **more):
    return Plan(folder=folder, data=data, config=TrainConfig(), recipe="x", **more)


@pytest.mark.parametrize(
    ("counts", "limit", "expected"),
    [
        ([900, 90, 10], 100, [90, 9, 1]),
        ([1000, 1, 0], 10, [9, 1, 0]),
        ([3, 2, 1], 50, [3, 2, 1]),
        ([5, 5, 5], 3, [1, 1, 1]),
    ],
)
def test_a_limit_keeps_the_shares_and_loses_no_class(counts, limit, expected):
    assert shares(np.array(counts), limit).tolist() == expected


def test_a_limit_is_said_and_the_same_every_time(dataset):
    few = limited(dataset, 4, seed=1)
    assert few.split("training").paths == limited(dataset, 4, seed=1).split("training").paths
    assert few.split("training").paths != limited(dataset, 4, seed=2).split("training").paths
    for name in ("training", "validation", "testing"):
        part, whole = few.split(name), dataset.split(name)
        places = [whole.paths.index(path) for path in part.paths]
        assert len(part.paths) == 4 and places == sorted(set(places))
        assert part.labels.tolist() == whole.labels[places].tolist()
        assert part.patients == [whole.patients[place] for place in places]
        assert set(part.labels) == {0, 1}
        assert (few.counts[name].images, few.counts[name].positives) == (4, sum(part.labels))
        assert few.counts[name].classes.keys() == {"0", "1"}
    assert few.split("testing") is dataset.split("testing")
    assert few.split_kind.startswith("patient; ") and "--limit 4" in few.split_kind
    assert few.fingerprint == dataset.fingerprint and limited(dataset, 0, seed=1) is dataset
    with pytest.raises(CancerNetError, match="--limit 1 is fewer images than the 2 classes"):
        limited(dataset, 1, seed=1)


def test_as_many_images_as_classes_are_the_least_limit(dataset):
    check_limit(dataset, 0)
    check_limit(dataset, 2)
    with pytest.raises(CancerNetError, match="--limit 1 is fewer images than the 2 classes"):
        check_limit(dataset, 1)
    few = limited(dataset, 2, seed=1)
    assert [len(few.split(name).paths) for name in few.parts] == [2, 2, 2]
    assert few.notices[:-1] == dataset.notices
    assert (few.notices[-1].kind, few.notices[-1].count) == (NoticeKind.TRIAL, 2)


def test_settings_for_another_data_set_are_refused(dataset):
    check_fit(dataset, TrainConfig(calibration="isotonic"))
    three = dataclasses.replace(dataset, classes=("a", "b", "c"))
    check_fit(three, TrainConfig())
    with pytest.raises(CancerNetError, match="isotonic is for two classes, but idc has 3"):
        check_fit(three, TrainConfig(calibration="isotonic"))
    with pytest.raises(CancerNetError, match=r"for 'busi'; .*, or add `--dataset idc`$"):
        check_fit(dataset, TrainConfig(dataset="busi"))
    busi = dataclasses.replace(dataset, name="busi")
    with pytest.raises(CancerNetError, match=r"`--recipe busi-densenet121`\)$"):
        check_fit(busi, TrainConfig())
    with pytest.raises(CancerNetError, match=r"'bus' \(did you mean busi\?\); .*`--dataset busi`"):
        check_fit(busi, TrainConfig(dataset="bus"))
    own, found = dataclasses.replace(dataset, name="own", image_size=(50, 90)), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(begin, "first_start", lambda *facts: found.append(facts) or 1 / 0)
        with pytest.raises(ZeroDivisionError):
            check_fit(own, TrainConfig())
    assert found == [("own", 90)]


def test_a_data_set_without_testing_images_is_refused(dataset, monkeypatch):
    nothing = dataset.split("testing").at(np.array([], int))
    lacking = dataclasses.replace(dataset, parts={**dataset.parts, "testing": nothing})
    monkeypatch.setattr(begin, "read_dataset", lambda folder: lacking)
    with pytest.raises(RunError, match="has no testing images; build it again"):
        begin.read_whole(dataset.folder)
    gone = dataclasses.replace(dataset, folder=Path("nowhere"))
    monkeypatch.setattr(begin, "read_dataset", lambda folder: gone)
    with pytest.raises(CancerNetError, match="missing or empty"):
        begin.read_whole(dataset.folder)


def test_what_can_be_refused_is_refused_before_tensorflow_is_loaded(dataset, tmp_path, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    used = tmp_path / "used"
    used.mkdir()
    (used / "other").touch()
    monkeypatch.setattr(begin, "read_dataset", {dataset.folder: dataset}.get)
    opened = begin.with_open_data(planned(tmp_path / "new", dataset.folder))
    assert opened.data is dataset and opened.recipe == "x"
    config = TrainConfig(limit=6, seed=5)
    parts = begin.open_dataset(dataset.folder, config).parts
    assert parts["training"].paths == limited(dataset, 6, seed=5).parts["training"].paths
    with pytest.raises(RunError, match="other files"):
        begin.with_open_data(planned(used, dataset))
    # To resume what is at work would be refused as well.
    with held(used), pytest.raises(RunError, match="another process is training in"):
        begin.with_open_data(planned(used, dataset))
    assert begin.with_open_data(planned(used, dataset, resume=Resume())).data is dataset
    for name in ("TF_CONFIG", "SLURM_PROCID"):  # another worker began the run there
        with monkeypatch.context() as patch:
            patch.setenv(name, "0")
            assert begin.with_open_data(planned(used, dataset)).data is dataset
    for weights in ("none", "imagenet", str(used / "other")):
        plan = planned(tmp_path / "new", dataset)
        begin.with_open_data(dataclasses.replace(plan, config=TrainConfig(weights=weights)))
    gone = dataclasses.replace(plan, config=TrainConfig(weights="gone.h5"))
    with pytest.raises(CancerNetError, match=r"there is no weights file gone\.h5"):
        begin.with_open_data(gone)
    monkeypatch.setattr("cancernet.networks.packaged_weights", lambda: None)
    lite0 = TrainConfig(model="efficientnet-lite0", weights="imagenet")
    with pytest.raises(CancerNetError, match="come as a package that is not installed"):
        begin.with_open_data(dataclasses.replace(plan, config=lite0))
    begin.with_open_data(dataclasses.replace(gone, resume=Resume()))


def test_mlflow_needs_three_packages(monkeypatch):
    there = {"mlflow", "sqlalchemy", "alembic"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in there else None)
    Logs(mlflow=True).check()
    for name in sorted(there):
        there.remove(name)
        with pytest.raises(CancerNetError, match=f"--mlflow needs the package {name}; install"):
            Logs(mlflow=True).check()
        there.add(name)
    there.clear()
    Logs().check()


def test_a_folder_that_is_used_is_refused_by_what_it_holds(tmp_path):
    begin.refuse_used(tmp_path / "new")
    folder = tmp_path / "run"
    folder.mkdir()
    begin.refuse_used(folder)
    for name in (run_folder.LOCK, ".run.01234567.part.json"):  # a start that was killed
        (folder / name).touch()
    begin.refuse_used(folder)
    (tmp_path / "file").touch()
    for call in (begin.refuse_used, lambda place: held(place).__enter__()):
        with pytest.raises(RunError, match="file is a file; name a folder for --run"):
            call(tmp_path / "file")
    (folder / "figures").mkdir()
    with pytest.raises(RunError, match="holds other files; name a new or empty folder"):
        begin.refuse_used(folder)
    run = write_tiny_run(tmp_path / "finished")
    with pytest.raises(RunError, match="holds a finished run"):
        begin.refuse_used(run)
    record = dataclasses.replace(run_folder.read_run_file(run), status="training")
    run_folder.write_run_file(run, record)
    with pytest.raises(RunError, match=f"unfinished training; resume it .* --run {run}`"):
        begin.refuse_used(run)


def test_a_new_run_has_the_first_free_number(tmp_path, monkeypatch):
    monkeypatch.setattr(begin, "OUTPUT", tmp_path)
    assert begin.new_folder("a") == tmp_path / "a-001"
    for number in (1, 2, 4):
        (tmp_path / f"a-{number:03}").mkdir()
    config = TrainConfig(dataset="busi")
    plan = begin.new_plan(config, recipe="a", data=None, folder=None, command="c")
    assert (plan.folder, plan.data) == (tmp_path / "a-003", begin.DATASETS / "busi")
    assert (plan.config, plan.recipe, plan.command) == (config, "a", "c")
    named = begin.new_plan(config, recipe="a", data=Path("d"), folder=Path("f"))
    assert (named.data, named.folder) == (Path("d"), Path("f"))


def test_what_a_killed_process_was_writing_is_removed_from_a_held_folder(tmp_path):
    folder = tmp_path / "deep" / "run"
    with held(folder), pytest.raises(RunError, match="another process"), held(folder):
        pass
    places = [folder, folder / "figures", folder / run_folder.CHECKPOINT]
    for place in places:
        place.mkdir(exist_ok=True)
        (place / ".a.01234567.part.png").touch()
        (place / "a.png").touch()
    with held(folder):
        assert [sorted(path.name for path in place.glob("*a*.png")) for place in places] == [
            ["a.png"]
        ] * 3


def test_the_first_record_of_a_run_says_what_it_is_trained_with(dataset, tmp_path):
    config = TrainConfig(image_size=32, interpolation="nearest")
    fold = FoldOfRun(number=2, of=3, testing=("t",), validation=("e",))
    plan = planned(tmp_path / "a" / "run", dataset, command="c", beside=(Path("b"),), fold=fold)
    counts = limited(dataset, 4, seed=1).counts
    deep = dataclasses.replace(dataset, bits=12, left_out={"why": 3}, unit="source", counts=counts)
    training = Training(plan.folder, deep, config)
    record = begin.begin(training, plan, FirstWeights(source="none"))
    written = run_folder.read_run_file(plan.folder)
    assert dataclasses.replace(written, checksum=None) == record and not record.is_finished
    assert (record.command, record.recipe, record.beside) == ("c", "x", ("b",))
    assert record.config == dataclasses.asdict(config) and record.fold == fold
    assert (record.versions, record.machine) == (provenance.versions(), provenance.machine())
    assert (record.classes, record.words) == (dataset.classes, dataset.words)
    assert record.positive == dataset.positive and record.weights.source == "none"
    taken = record.input
    assert (taken.width, taken.height, taken.bits, taken.interpolation) == (32, 32, 12, "nearest")
    facts = record.dataset
    assert (facts.name, facts.title, facts.folder) == (deep.name, deep.title, str(deep.folder))
    assert (facts.fingerprint, facts.whole, facts.drawn) == (deep.fingerprint, "", True)
    assert (facts.split, facts.unit, facts.leaks) == (deep.split_kind, deep.unit, deep.leaks)
    assert (facts.counts, facts.image_size) == (deep.counts, deep.image_size)
    assert facts.left_out == {"why": 3}
    assert facts.testing_content == digest(f"{'0' * 64} {label} t" for label in (0, 0, 1, 1))
    assert facts.patients["testing"] == tuple(sorted({*deep.split("testing").patients}))
    with pytest.raises(RunError, match="unfinished"):
        begin.begin(training, plan, None)


def test_a_plan_has_the_epochs_of_its_images():
    plan = dataclasses.replace(planned(Path("run"), Path("data")), command="c")
    config = TrainConfig(images_seen=100, epochs=40)
    found = dataclasses.replace(plan, config=config).for_images(10)
    assert found.config == config.for_images(10) != config and found.command == "c"


def test_the_positive_classes_are_known_by_their_places(dataset):
    three = dataclasses.replace(dataset, classes=("a", "b", "c"), positive=("c", "b"))
    assert Training(Path("x"), three, TrainConfig()).positive == [2, 1]


def test_a_phase_begins_after_the_last_complete_epoch():
    state = State(history=[{}, {}], waited=3, plateau_waited=2, best_epoch=1)
    state.begin_phase(1)
    assert (state.phase, state.phase_start, state.best_epoch) == (1, 2, 1)
    assert (state.waited, state.plateau_waited) == (0, 0)
    for name in ("best_epoch", "waited", "plateau_waited", "phase", "phase_start"):
        with pytest.raises(ValueError, match="damaged"):
            State(**{name: -1})
    with pytest.raises(ValueError, match="damaged"):
        State(phase=2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Settings of idc-cancernet"),
        (
            {"model": "tiny-resnet", "cache": False, "quarter_turns": True},
            "Settings of idc-cancernet, with --model tiny-resnet, --no-cache, --quarter-turns",
        ),
    ],
)
def test_a_training_says_whose_settings_it_has(given, said):
    plan = Plan(
        folder=Path("run"), data=Path("set"), config=TrainConfig(), recipe="idc-cancernet",
        given=given,
    )  # fmt: skip
    assert plan.settings_words() == said
    assert dataclasses.replace(plan, recipe="").settings_words() == ""
