"""The search: what may vary, a study that survives being stopped."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.config import TrainConfig
from cancernet.dataset.folds import patient_folds
from cancernet.recipe_file import read_recipe, write_recipe
from cancernet.tuning.search import Search
from cancernet.tuning.space import parse_search
from tests.helpers.strict_json import check_json_files

pytest.importorskip("optuna")
import itertools

import optuna

from cancernet.commands import tune
from cancernet.planning.plan import State
from cancernet.tuning import results
from cancernet.tuning import search as searches
from cancernet.tuning import study as studies
from tests.helpers.numbered_images import numbered_images


@pytest.fixture
def dataset(tmp_path):
    return numbered_images(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate", "NAME=VALUES"),
        ("speed=1..2", "unknown setting 'speed'"),
        ("seed=1..9", "luck"),
        ("dataset=idc,busi", "given by --data"),
        ("batch_size=16", "two values"),
        ("batch_size=16,16", "all different"),
        ("batch_size=16,many", "whole number"),
        ("batch_size=0,16", "at least 1"),
        ("learning_rate=1e-1..1e-4", "first end"),
        ("learning_rate=1e-4..1:lin", "only :log"),
        ("learning_rate=1..1e999", "cannot be"),
        ("rotation=0..20:log", "above 0"),
        ("momentum=0..1", "below 1"),
        ("optimizer=adam,magic", "choose from"),
        ("optimizer=adam..sgd", "list the values"),
        ("cache=true,false", "not the result"),
    ],
)
def test_a_search_that_cannot_be_is_refused(text, words):
    with pytest.raises(CancerNetError, match=words):
        parse_search([text])


def test_dimensions_are_read_by_the_kind_of_their_setting():
    texts = ["learning-rate=1e-4..1e-1:log", "batch_size=16,32", "epochs=2..4"]
    rate, size, epochs, flip = parse_search([*texts, "vertical_flip=true,false"])
    assert (rate.name, rate.low, rate.high, rate.log) == ("learning_rate", 1e-4, 0.1, True)
    assert size.choices == (16, 32) and flip.choices == (True, False)
    assert isinstance(epochs.low, int) and isinstance(rate.low, float)
    assert rate.holds(0.1) and not rate.holds(0.2) and not size.holds(64)
    with pytest.raises(CancerNetError, match="twice"):
        parse_search(["epochs=1..2", "epochs=3..4"])


def test_a_recipe_file_comes_back_as_it_was(tmp_path):
    config = TrainConfig(learning_rate=0.004, epochs=3, optimizer="adamw", vertical_flip=False)
    write_recipe(tmp_path / "best.json", config, found={"trial": 3})
    assert read_recipe(tmp_path / "best.json") == config


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"epochs": 0}, "--epochs"),
        ({"epochs": 2.5}, "whole number"),
        ({"epochs": True}, "whole number"),
        ({"learning_rate": "fast"}, "a number"),
        ({"learning_rate": float("nan")}, "--learning-rate"),
        ({"vertical_flip": 1}, "true or false"),
        ({"speed": 3}, "no setting 'speed'"),
    ],
)
def test_a_recipe_file_keeps_to_the_bounds(tmp_path, settings, words):
    path = tmp_path / "x.json"
    write_recipe(path, TrainConfig(), found={})
    content = json.loads(path.read_text())
    content["settings"].update(settings)
    path.write_text(json.dumps(content))
    with pytest.raises(CancerNetError, match=words) as caught:
        read_recipe(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", '{"settings": {}}', '{"kind": "cancernet recipe"}'])
def test_what_is_no_recipe_is_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(CancerNetError, match=r"x\.json"):
        read_recipe(tmp_path / "x.json")
    with pytest.raises(CancerNetError, match="there is no recipe file"):
        read_recipe(tmp_path / "y.json")


def fake_fit(stop_at=None):
    """A training whose value is known: best at a rate of 0.01, worse with larger batches."""
    calls = []

    def fit(training, batches, *, after_epoch):
        config = training.config
        calls.append(config)
        state = State()
        for epoch in range(1, config.epochs + 1):
            if stop_at is not None and len(calls) == stop_at:
                raise KeyboardInterrupt
            miss = abs(np.log10(config.learning_rate) + 2) / 4 + config.batch_size / 1000
            state.history.append({"val_auc": 0.9 - miss - 0.1 / epoch})
            state.best_epoch = epoch
            after_epoch(state)
        return None, state

    return fit


def wanted(place, **changes):
    search = Search(
        place=place,
        base=TrainConfig(epochs=2),
        dimensions=parse_search(["learning_rate=1e-4..1e-1:log", "batch_size=16,32,64"]),
        trials=7,
        folds=2,
        measure="val_auc",
    )
    return dataclasses.replace(search, **changes)


def searched(search, dataset):
    tune.search(search, dataset, patient_folds(dataset, search.folds, seed=search.base.seed))


def rows_of(place):
    study = optuna.load_study(study_name=studies.NAME, storage=place.address)
    return study, results.trial_rows(study)


def test_a_stopped_study_goes_on_to_what_it_would_have_been(dataset, tmp_path, monkeypatch, capsys):
    whole = studies.study_place(str(tmp_path / "whole.db"), tmp_path)
    monkeypatch.setattr(searches, "fit", fake_fit())
    save_figure = results.save_figure
    monkeypatch.setattr(results, "save_figure", lambda figure, path: None)  # for speed
    searched(wanted(whole), dataset)
    expected = [(r.state, r.value, r.values) for r in rows_of(whole)[1]]
    assert len(expected) == 7 and {"done", "pruned"} == {state for state, _, _ in expected}
    # The recipe's own settings come first.
    assert expected[0][2] == {"learning_rate": 0.01, "batch_size": 32}

    place = studies.study_place(str(tmp_path / "stopped.db"), tmp_path)
    monkeypatch.setattr(searches, "fit", fake_fit(stop_at=8))
    with pytest.raises(tune.StoppedError, match="3 of 7 trials are kept"):
        searched(wanted(place), dataset)
    # A process that was killed leaves a trial that still says it is running.
    search = wanted(place)
    folds = patient_folds(dataset, search.folds, seed=search.base.seed)
    identity = search.identity(dataset, folds)
    study = studies.open_study(place, maximize=True, identity=identity, first={})
    search.dimensions[0].suggest(study.ask())
    monkeypatch.setattr(searches, "fit", fake_fit())
    searched(wanted(place), dataset)
    study, rows = rows_of(place)
    assert [row.state for row in rows].count("cut off") == 2
    assert not study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    assert [(r.state, r.value, r.values) for r in rows if r.state != "cut off"] == expected
    monkeypatch.setattr(results, "save_figure", save_figure)
    searched(wanted(place), dataset)  # nothing left to do
    assert len(rows_of(place)[1]) == len(rows)

    best = max(rows, key=lambda row: row.value if row.state == "done" else -1)
    recipe = read_recipe(place.results / "best-recipe.json")
    assert recipe == dataclasses.replace(TrainConfig(epochs=2), **best.values)
    assert check_json_files(tmp_path) == {"best-recipe.json"}
    found = json.loads((place.results / "best-recipe.json").read_text())["found"]
    assert len(found["each fold"]) == found["folds"]
    assert np.mean(found["each fold"]) == pytest.approx(best.value)
    assert {"trials.csv", "trials.png", "trials.svg"} <= {p.name for p in place.results.iterdir()}
    assert not (place.results / "unfinished").exists()
    printed = capsys.readouterr().out
    assert "train_model.py --recipe" in printed and "cut off" in printed

    with pytest.raises(CancerNetError, match="began with --search"):
        searched(wanted(place, dimensions=parse_search(["epochs=1..2"])), dataset)
    with pytest.raises(CancerNetError, match="began with folds 2, not 3"):
        searched(wanted(place, folds=3), dataset)
    with studies.held(place), pytest.raises(CancerNetError, match="another process"):
        searched(wanted(place), dataset)


def study_of(dataset, folder, monkeypatch, fit):
    """A place for a study of these data, whose trainings are stood in for."""
    monkeypatch.setattr(searches, "fit", fit)
    monkeypatch.setattr(results, "save_figure", lambda figure, path: None)  # for speed
    return studies.study_place(str(folder / "x.db"), folder)


def test_a_training_that_diverges_is_pruned_and_an_error_is_told(dataset, tmp_path, monkeypatch):
    def diverge(training, batches, *, after_epoch):
        after_epoch(State(history=[{"val_auc": float("nan")}], best_epoch=1))

    def refuse(training, batches, *, after_epoch):
        raise CancerNetError("an image cannot be read")

    place = study_of(dataset, tmp_path, monkeypatch, diverge)
    searched(wanted(place, trials=2), dataset)
    rows = rows_of(place)[1]
    assert [row.state for row in rows] == ["pruned", "pruned"]
    assert rows[0].note == "val_auc became undefined"
    assert not (place.results / "best-recipe.json").exists()
    monkeypatch.setattr(searches, "fit", refuse)
    with pytest.raises(CancerNetError, match="cannot be read"):
        searched(wanted(place, trials=3), dataset)
    assert rows_of(place)[1][-1].state == "failed"


def test_a_combination_that_cannot_be_trained_is_one_trial(dataset, tmp_path, monkeypatch):
    refused = []

    def fit(training, batches, *, after_epoch):
        if training.config.batch_size == 32 or refused == ["all"]:
            raise SettingsError("too small an image for this network")
        state = State(history=[{"val_auc": 0.7}], best_epoch=1)
        after_epoch(state)
        return None, state

    place = study_of(dataset, tmp_path, monkeypatch, fit)
    searched(wanted(place, trials=4), dataset)
    rows = rows_of(place)[1]
    assert {row.state for row in rows} == {"done", "pruned"} and len(rows) == 4
    assert "too small an image for this network" in {row.note for row in rows}
    refused.append("all")
    with pytest.raises(CancerNetError, match=r"3 trials in a row.*too small"):
        searched(wanted(place, trials=20), dataset)
    assert len(rows_of(place)[1]) <= 7


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("study.txt", "cannot be opened"),
        ("postgresql://me:secret@localhost/x", r"\[postgresql\]|cannot be opened"),
        ("nonsense://me:secret@nowhere/x", "cannot be opened"),
    ],
)
def test_a_study_that_cannot_be_had_is_a_sentence_without_the_password(tmp_path, address, words):
    if "://" not in address:
        address = str(tmp_path / address)
        Path(address).write_text("this is no database, and too long to be an empty one\n" * 20)
    place = studies.study_place(address, tmp_path / "results")
    with pytest.raises(CancerNetError, match=words) as caught:
        studies.open_study(place, maximize=True, identity={}, first={})
    assert "secret" not in str(caught.value) and "secret" not in place.shown


def test_machines_that_begin_a_study_at_the_same_moment(tmp_path, monkeypatch):
    """PostgreSQL answered the second of two with a duplicate key while the tables were made."""
    from sqlalchemy.exc import IntegrityError

    place = studies.study_place("postgresql://me@node/x", tmp_path / "results")
    assert place.address.startswith("postgresql+psycopg://")
    storage, tries = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 's.db'}"), []

    def taken(place):
        tries.append(place)
        if len(tries) < 3:
            raise IntegrityError("CREATE TABLE studies", None, Exception("duplicate key"))
        return storage

    monkeypatch.setattr(studies, "_storage", taken)
    monkeypatch.setattr(studies.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(studies, "_repeat_cut_off", lambda study, alone: None)
    study = studies.open_study(place, maximize=True, identity={"data": "x"}, first={})
    assert len(tries) == 3 and study.study_name == studies.NAME


def test_what_one_machine_began_another_goes_on_with(dataset, tmp_path, monkeypatch):
    """The way of a study on a server, with an address that needs none."""
    monkeypatch.setattr(results, "save_figure", lambda figure, path: None)
    monkeypatch.setattr(searches, "fit", fake_fit())
    address = f"sqlite:///{tmp_path / 'shared.db'}"
    first, second = (
        studies.StudyPlace(address=address, shown="x", results=tmp_path / name, file=None)
        for name in ("first", "second")
    )
    searched(wanted(first, trials=2), dataset)
    study, _ = rows_of(first)
    study.ask()  # of a machine that is still at it, so nobody may count it as cut off
    searched(wanted(second, trials=3), dataset)
    assert [row.state for row in rows_of(second)[1]] == ["done", "done", "running", "done"]
    assert (tmp_path / "second" / "best-recipe.json").exists()


def test_no_tick_label_touches_the_next(tmp_path):
    place = studies.study_place(str(tmp_path / "a.db"), tmp_path)
    texts = ["learning_rate=1e-3..2e-2:log", "images_seen=100000..900000"]
    texts.append("batch_size=" + ",".join(str(2**power) for power in range(4, 14)))
    search = wanted(place, dimensions=parse_search(texts))
    values = {"learning_rate": 0.01, "images_seen": 500000, "batch_size": 64}
    rows = [
        results.TrialRow(
            number=number,
            state=results.TrialState.DONE,
            value=0.8,
            values=values | {"learning_rate": rate},
            seconds=1.0,
            note="",
            best=False,
        )
        for number, rate in enumerate((1e-3, 2e-2))
    ]
    figure = results.draw_trials(rows, search)
    figure.draw_without_rendering()
    for axes in figure.axes[1:]:
        low, high = axes.get_xlim()
        ticks = zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
        seen = [label for place, label in ticks if low <= place <= high]
        assert len(seen) > 1 and not any(label.get_text() for label in axes.get_xminorticklabels())
        # What is turned may overlap as boxes, not as lines of text.
        boxes = [label.get_window_extent() for label in seen if not label.get_rotation()]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert {label.get_rotation() for label in figure.axes[3].get_xticklabels()} == {40}
