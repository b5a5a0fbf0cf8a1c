"""A run judged with its neighbours: its own testing set, other images, rules, runs side by side."""

import csv
import dataclasses
import json
import math
import sys

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import RunError
from cancernet.base.files import read_json
from cancernet.commands import evaluate
from cancernet.context.context import Context
from cancernet.context.judge import (
    InContext,
    assess_in_context,
    assess_judged,
    places_in,
    pool_in_context,
    put_in_context,
    slides_of,
)
from cancernet.evaluation.compare_runs import compare_sides, read_side
from cancernet.evaluation.evaluate_run import examine
from cancernet.evaluation.evaluation_report import report_content, write_evaluation
from cancernet.evaluation.run_results import read_beside, read_finished
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.measures.assess import TESTING, VALIDATION, ScoreSet
from cancernet.measures.decisions import Rule
from cancernet.measures.metrics import METRICS, binary_metrics
from cancernet.measures.operating_point import choose_operating_point
from cancernet.measures.scored import Classes, Scored, read_scored
from cancernet.report.page import report_page
from cancernet.runs import run_folder
from cancernet.runs.metrics_file import metrics_of, read_metrics, write_metrics
from cancernet.runs.run_record import ContextRecord
from cancernet.scoring.predictor import Predictor
from tests.conftest import write_tiny_run

TWO = {"classes": ("0", "1"), "words": ("no IDC", "IDC"), "positive": ("1",)}
# A square of nine patches, a pair and one alone, in places of 50 pixels.
SQUARE = [(column, row) for row in range(3) for column in range(3)]
PAIR, LONE = [(10, 10), (11, 10)], [(20, 20)]
TOUCHING = [3, 5, 3, 5, 8, 5, 3, 5, 3, 1, 1, 0]


def split_of(name: str, patients: tuple[str, ...], *, seed: int) -> Scored:
    """For every patient twelve patches with places, half of them positive."""
    generator = np.random.default_rng(seed)
    rows = [(who, *place) for who in patients for place in [*SQUARE, *PAIR, *LONE]]
    truth = np.tile([0, 1], len(rows) // 2)
    score = 1 / (1 + np.exp(-generator.normal(2.0 * truth - 1, 1.2)))
    return Scored(
        paths=[
            f"{name}/{label}/{who}_idx5_x{50 * column + 1}_y{50 * row + 1}_class{label}.png"
            for (who, column, row), label in zip(rows, truth.tolist(), strict=True)
        ],
        patients=[who for who, *_ in rows],
        truth=truth,
        probabilities=np.stack([1 - score, score], axis=1),
    )


def alone_of(seed: int, tested: tuple[str, ...] = ("9001", "9002", "9003")) -> ScoreSet:
    validation = split_of(VALIDATION, ("8001", "8002", "8003"), seed=seed)
    return ScoreSet(
        **TWO,
        scored={VALIDATION: validation, TESTING: split_of(TESTING, tested, seed=seed + 1)},
        operating_point=choose_operating_point(Classes(**TWO).calls_of(validation)),
    )


def put(alone: ScoreSet, *, gain: float = 1.0, offset: float = 0.2) -> InContext:
    context = Context(gain=gain, offset=offset, slides=3, trained_on=2)
    return put_in_context(alone, context, Rule(), side=50)


def run_in_context(folder, *, seed: int = 1, with_context: bool = True):
    """A finished run as a training leaves it, but for the network, which judges by colour."""
    write_tiny_run(folder)
    alone = alone_of(seed)
    found = put(alone)
    judged, context = assess_judged(found if with_context else alone, seed=7)
    for name, split in (("predictions", TESTING), ("validation_predictions", VALIDATION)):
        more = context.columns(split) if context else None
        judged.write(folder / f"{name}.csv", split, more)
    record = run_folder.read_run_file(folder)
    context = ContextRecord(
        **vars(found.contexts[0]), side=50, operating_point=found.scores.operating_point
    )
    names = [run_folder.MODEL_ONNX, "predictions.csv", "validation_predictions.csv"]
    record = dataclasses.replace(
        record,
        operating_point=alone.operating_point,
        context=context if with_context else None,
        dataset=dataclasses.replace(record.dataset, drawn=False, fingerprint="ab"),
        files=run_folder.vouch_for(folder, names),
    )
    run_folder.write_run_file(folder, record)
    return folder


@pytest.fixture
def run(tmp_path):
    return run_in_context(tmp_path / "output" / "one")


def test_the_slide_of_a_patch():
    paths = ["testing/0/8_idx5_x1_y1_class0.png", "0/8_idx5_x1_y1_class0.png", "0/other.png"]
    assert slides_of(paths, ["8", "8", "8"]) == ["testing/8", "8", "8"]
    # Without known patients the path stands for one; the name may say whose slide it is.
    assert slides_of(paths, paths) == ["testing/8", "8", "0/other.png"]
    assert slides_of(["8_idx5_x1_y1_class0.png"], ["9"]) == ["9"]


def test_calls_and_calibration_by_number_of_neighbours_by_hand():
    found = put(alone_of(1))
    assert found.touching[TESTING].tolist() == TOUCHING * 3
    judged = assess_in_context(found, seed=7)
    calls = found.scores.calls()
    groups = [[11], [0, 2, 6, 8, 9, 10], [1, 3, 5, 7], [4]]
    for row, group in zip(judged.by_neighbours, groups, strict=True):
        chosen = [12 * patient + place for patient in range(3) for place in group]
        truth, called = calls.truth[chosen], calls.called[chosen]
        assert (row.images, row.positives) == (len(chosen), int(truth.sum()))
        assert row.expected == pytest.approx(calls.score[chosen].mean())
        assert row.observed == pytest.approx(truth.mean())
        if not truth.any():
            assert math.isnan(row.sensitivity)
        else:
            assert row.sensitivity == pytest.approx(called[truth == 1].mean())
    # A lone patch is judged at the operating point of patches alone.
    thresholds = found.scores.threshold().reshape(3, 12)
    assert (thresholds[:, 11] == found.alone.operating_point.threshold).all()
    assert (thresholds[:, :11] == found.scores.operating_point.threshold).all()


def test_the_difference_is_that_of_the_figures():
    found = put(alone_of(1))
    assessment, judged = assess_judged(found, seed=7)
    one, other = binary_metrics(found.alone.calls()), assessment.testing
    assert judged.alone.testing == one
    for name in METRICS:
        assert judged.difference.difference[name] == pytest.approx(other[name] - one[name])
        low, high = judged.difference.limits[name]
        assert math.isnan(low) or low <= judged.difference.difference[name] <= high


def test_folds_keep_their_own_context_and_operating_point():
    folds = {
        "fold-01": put(alone_of(1)),
        "fold-02": put(alone_of(5, ("9004", "9005", "9006")), gain=0.4, offset=-0.3),
    }
    pooled = pool_in_context(folds)
    assessment, judged = assess_judged(pooled, seed=7)
    assert [each.gain for each in judged.contexts] == [1.0, 0.4]
    for split in (TESTING, VALIDATION):
        parts = [fold.scores.threshold(split) for fold in folds.values()]
        np.testing.assert_array_equal(pooled.scores.threshold(split), np.concatenate(parts))
        assert pooled.touching[split].tolist() == TOUCHING * 6
    called = np.concatenate([fold.scores.calls().called for fold in folds.values()])
    np.testing.assert_array_equal(pooled.scores.calls().called, called)
    assert sum(row.images for row in judged.by_neighbours) == 72
    written = metrics_of(assessment, judged, pooled.folds)
    for way, name in ((written, "scores"), (written.alone, "alone")):
        assert [fold.operating_point.threshold for fold in way.folds] == [
            getattr(fold, name).operating_point.threshold for fold in folds.values()
        ]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("undrawn")
def test_the_own_testing_set_gives_the_stored_figures_again(run, tmp_path):
    judged = assess_judged(put(alone_of(1)), seed=7)
    finished = read_finished(run)
    found = examine(finished, EvaluationSettings())
    write_evaluation(tmp_path, finished, found, EvaluationSettings(), command="x")
    assert rows_of(tmp_path / "predictions.csv") == rows_of(run / "predictions.csv")
    write_metrics(tmp_path / "other", metrics_of(*judged))
    again, expected = read_metrics(tmp_path), read_metrics(tmp_path / "other")
    for name in ("validation", "testing", "operating_point", "alone", "by_neighbours"):
        assert getattr(again, name) == getattr(expected, name), name
    assert again.testing != again.alone.testing
    page = (tmp_path / "report.html").read_text()
    for words in ("In context", "fitted on 3 whole slides, 2 of which the network was trained on",
                  "By number of neighbours", "<small>each patch by itself: "):  # fmt: skip
        assert words in page, words


@pytest.mark.usefixtures("undrawn")
def test_what_stands_beside_says_how_it_was_judged(run, tmp_path):
    plain = run_in_context(tmp_path / "plain" / "one", with_context=False)
    for folder in (run, plain):
        finished = read_finished(folder)
        found = examine(finished, EvaluationSettings())
        write_metrics(folder, metrics_of(found.assessment, found.context))
    beside = [read_beside(folder) for folder in (run, plain)]
    alone = read_metrics(run).alone.testing
    assert [one.in_context for one in beside] == [True, False]
    assert beside[1].metrics == alone != beside[0].metrics
    settings = EvaluationSettings(rule="fixed", threshold=0.61)
    finished = read_finished(run)
    found = examine(finished, settings)
    content = report_content(finished, found, settings, "x")
    assert content.beside[0].metrics == beside[0].metrics
    row = "<tr><td>judged</td><td>in context</td><td>in context</td><td>each patch alone</td></tr>"
    assert row in report_page(dataclasses.replace(content, beside=[*content.beside, beside[1]]))


def test_files_from_before_the_contract_end_in_a_sentence(run):
    table, metrics = run / "predictions.csv", run / "metrics.json"
    heading, rows = table.read_text().split("\n", 1)
    table.write_text(heading.replace("alone_", "other_") + "\n" + rows)
    with pytest.raises(RunError, match="it has no columns alone_probability_<class>"):
        read_scored(table)
    found = examine(read_finished(run_in_context(run.with_name("new"))), EvaluationSettings())
    write_metrics(run, metrics_of(found.assessment))
    metrics.write_text(metrics.read_text().replace("{", '{"context": {},', 1))
    with pytest.raises(RunError, match="`context` was written before the first version"):
        read_metrics(run)


@pytest.mark.usefixtures("undrawn")
def test_alone_everything_is_as_without_context(run, tmp_path):
    """The same figures, files and columns as of a run that has no context."""
    plain = run_in_context(tmp_path / "plain" / "one", with_context=False)
    written = []
    for folder, settings in ((run, EvaluationSettings(alone=True)), (plain, EvaluationSettings())):
        finished = read_finished(folder)
        found = examine(finished, settings)
        assert found.context is None
        target = tmp_path / f"evaluation-{len(written)}"
        target.mkdir()
        write_evaluation(target, finished, found, settings, command="x")
        written.append(target)
    for name in ("metrics.json", "predictions.csv"):
        one, other = ((target / name).read_bytes() for target in written)
        assert one == other
    assert "In context" not in (written[0] / "report.html").read_text()
    assert "context" not in read_json(written[0] / "evaluation.json")


def test_another_rule_chooses_both_operating_points_on_validation(run):
    finished = read_finished(run)
    found = examine(finished, EvaluationSettings(rule="sensitivity", target_sensitivity=0.7))
    rule = Rule("sensitivity", target_sensitivity=0.7)
    around = put(alone_of(1)).scores
    for assessment, scores in ((found.assessment, around), (found.context.alone, finished.scores)):
        point = choose_operating_point(scores.calls(VALIDATION), rule)
        assert assessment.operating_point == point
    fixed = examine(finished, EvaluationSettings(rule="fixed", threshold=0.61))
    assert set(fixed.assessment.threshold().tolist()) == {0.61}


@pytest.fixture
def clinic(tmp_path):
    """Class folders: the square of one patient, and a lone patch of another."""
    generator = np.random.default_rng(3)
    for number, (column, row) in enumerate([*SQUARE, (40, 40)]):
        label = number % 2
        colour = [int(c) for c in generator.integers(0, 120, 3)]
        colour[2 if label else 0] += 60
        folder = tmp_path / "clinic" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        who = 77 if number < 9 else 78
        name = f"{who}_idx5_x{50 * column + 1}_y{50 * row + 1}_class{label}.png"
        Image.new("RGB", (50, 50), tuple(colour)).save(folder / name)
    return tmp_path / "clinic"


@pytest.mark.usefixtures("undrawn")
def test_an_external_folder_in_context(run, clinic, monkeypatch, capsys):
    arguments = ["evaluate_model.py", "--run", str(run), "--data", str(clinic)]
    monkeypatch.setattr(sys, "argv", arguments)
    assert evaluate.main() == 0
    printed = capsys.readouterr().out
    assert "In context: every patch judged with its neighbours" in printed
    assert max(map(len, printed[printed.index("In context:") :].splitlines()[:18])) <= 80
    folder = run / "evaluations" / "clinic"
    rows = rows_of(folder / "predictions.csv")
    predictor = Predictor(run_folder.open_run(run))
    alone = [predictor.predict(clinic / row["path"]).probabilities["1"] for row in rows]
    places = places_in(
        Scored(
            paths=[row["path"] for row in rows],
            patients=[row["patient"] for row in rows],
            truth=np.array([int(row["label"]) for row in rows]),
            probabilities=np.stack([1 - np.array(alone), alone], axis=1),
        ),
        50,
    )
    context = run_folder.read_run_file(run).context
    expected = context.judge(np.array(alone), places).probability
    points = {True: context.operating_point, False: read_finished(run).scores.operating_point}
    for row, lone, around in zip(rows, alone, expected, strict=True):
        assert float(row["alone_probability_1"]) == lone
        assert int(row["alone_predicted"]) == (lone >= points[False].threshold)
        assert float(row["probability_1"]) == pytest.approx(around, abs=1e-12)
        amid = int(row["neighbours"]) > 0
        assert amid == (row["patient"] == "77")
        assert int(row["predicted"]) == (around >= points[amid].threshold)
    # What the folder holds is enough to judge it again.
    side = read_side(folder)
    np.testing.assert_array_equal(
        side.scores.scored[TESTING].probabilities[:, 1],
        [float(row["probability_1"]) for row in rows],
    )
    np.testing.assert_array_equal(side.alone.scored[TESTING].probabilities[:, 1], alone)


@pytest.mark.usefixtures("undrawn")
def test_a_table_without_patients_finds_neighbours_by_name(run, clinic):
    table = clinic / "labels.csv"
    paths = sorted(path.relative_to(clinic).as_posix() for path in clinic.rglob("*.png"))
    table.write_text("".join(f"{path},{path[0]}\n" for path in ("path", *paths)).replace(
        "path,p", "path,label"))  # fmt: skip
    found = examine(read_finished(run), EvaluationSettings(data=table))
    assert sorted(found.context.touching[TESTING].tolist()) == sorted([*TOUCHING[:9], 0])


def test_images_without_places_have_no_context(run, clinic):
    for number, path in enumerate(sorted(clinic.rglob("*.png"))):
        path.rename(path.with_name(f"{number}.png"))
    assert examine(read_finished(run), EvaluationSettings(data=clinic)).context is None


def test_two_runs_are_compared_alone_and_in_context(run, tmp_path, monkeypatch, capsys):
    other = run_in_context(tmp_path / "output" / "other", seed=1)
    plain = run_in_context(tmp_path / "output" / "plain", with_context=False)
    same = compare_sides(read_side(run), read_side(other))
    assert same.own.difference["roc_auc"] == same.alone.difference["roc_auc"] == 0
    figures = read_side(run).scores.figures()
    assert same.own.first["roc_auc"] == pytest.approx(figures.roc_auc)
    mixed = compare_sides(read_side(run), read_side(plain))
    assert mixed.own.first == same.own.first and mixed.own.second == mixed.alone.second
    assert compare_sides(read_side(plain), read_side(plain)).alone is None
    for pair, expected in (
        ((run, other), "In context, with the neighbours on the slide"),
        ((run, plain), "As the runs judge: A in context, B each patch alone"),
        ((plain, plain), ""),
    ):
        target = tmp_path / f"comparison-{len(expected)}"
        arguments = ["evaluate_model.py", "--compare", *map(str, pair), "--output", str(target)]
        monkeypatch.setattr(sys, "argv", arguments)
        assert evaluate.main() == 0
        for text in (capsys.readouterr().out, (target / "comparison.html").read_text()):
            assert expected in text and ("Each patch alone" in text) == bool(expected)
        found = json.loads((target / "comparison.json").read_text())
        assert ("alone" in found) == bool(expected)
