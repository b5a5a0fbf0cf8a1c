"""What patients left out are judged with, in `benchmarks/`."""

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module", autouse=True)
def _importable():
    sys.path.insert(0, str(BENCHMARKS))
    yield
    sys.path.remove(str(BENCHMARKS))


def judged(seed, patches=60, *, neighbours=None, better=0.0):
    """Patches of six patients; the scores of class 1 are higher, and rounded, so that some tie."""
    from judged import Judged

    random = np.random.default_rng(seed)
    truth = random.integers(0, 2, patches)
    log_odds = np.round(random.normal((1 + better) * (2 * truth - 1), 1.5), 1)
    return Judged(
        patients=np.array([f"p{row % 6}" for row in range(patches)]),
        truth=truth,
        score=1 / (1 + np.exp(-log_odds)),
        called=(log_odds > 0.3).astype(int),
        cpu_seconds=12.5,
        neighbours=neighbours,
        commit="abc",
    )


@pytest.mark.parametrize(
    ("truth", "score", "best"),
    [
        ([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1], 1.0),
        ([1, 0, 0], [0.5, 0.5, 0.1], 0.75),  # equal scores are called alike
        ([1, 0, 1, 0], [0.5, 0.5, 0.5, 0.5], 0.5),
    ],
)
def test_best_balanced_accuracy_in_hindsight(truth, score, best):
    from context_forms import best_balanced_accuracy

    assert best_balanced_accuracy(np.array(truth), np.array(score)) == best


def test_measures_are_those_of_scikit_learn():
    from judged import measures

    one = judged(1)
    rows = np.arange(50)
    found = measures(one, rows)
    truth, called = one.truth[rows], one.called[rows]
    assert found["auc"] == pytest.approx(roc_auc_score(truth, one.score[rows]))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, called))
    assert found["f1"] == pytest.approx(f1_score(truth, called))


def test_figures_of_one_class_are_undefined():
    from judged import measures

    one = judged(1)
    assert all(np.isnan(value) for value in measures(one, np.flatnonzero(one.truth == 1)).values())


def test_sparse_patients_are_pooled_and_dense_ones_judged_by_themselves():
    from judged import figures, measures

    one = judged(2)
    found = figures(one, ["p0", "p9"])
    assert found["sparse"] == measures(one, np.flatnonzero(one.patients != "p0"))
    assert found["dense"] == {"p0": measures(one, np.flatnonzero(one.patients == "p0"))}


def test_a_difference_is_that_of_the_same_patients():
    from judged import intervals

    better = {
        (fold, seed): judged(10 * fold + seed, better=1.0) for fold in (0, 1) for seed in (1, 2)
    }
    same = {(fold, seed): judged(10 * fold + seed) for fold in (0, 1) for seed in (1, 2)}
    assert intervals(same, same, ["p0"], "dense") == ["+0.000 [+0.000, +0.000]"] * 2
    for cell in intervals(better, same, ["p0"], "sparse"):
        mean, least, most = numbers(cell)
        assert 0 < least < mean < most


def numbers(cell):
    return map(float, cell.replace("[", "").replace("]", "").replace(",", "").split())


def test_dense_patients_are_drawn_over_all_folds():
    """Of one in each fold, drawn within it, there would be no interval."""
    from judged import intervals

    better = {(fold, 1): judged(10 * fold, better=1.0) for fold in (0, 1)}
    same = {(fold, 1): judged(10 * fold) for fold in (0, 1)}
    gains = [
        intervals({run: better[run]}, {run: same[run]}, ["p0"], "dense")[0].split()[0]
        for run in same
    ]
    _, *limits = numbers(intervals(better, same, ["p0"], "dense")[0])
    assert limits == sorted(map(float, gains)) and limits[0] < limits[1]


def test_a_seed_that_lacks_a_fold_weighs_no_fold_less(capsys):
    from judged import by_seed, intervals, measures, print_table

    better = {
        (0, 1): judged(1, better=1.0),
        (1, 1): judged(2, better=1.0),
        (1, 2): judged(3, better=1.0),
    }
    same = {(0, 1): judged(1), (1, 1): judged(2), (1, 2): judged(3)}
    rows = np.flatnonzero(same[0, 1].patients != "p0")
    gains = {
        run: measures(better[run], rows)["auc"] - measures(same[run], rows)["auc"] for run in same
    }
    expected = (gains[0, 1] + (gains[1, 1] + gains[1, 2]) / 2) / 2
    assert intervals(better, same, ["p0"], "sparse")[0].startswith(f"{expected:+.3f}")
    assert list(by_seed({"a": same})) == ["a, seed 1", "a, seed 2, folds 1"]
    print_table({"a": same}, ["p0"])
    sparse = [measures(judged, rows)["auc"] for judged in same.values()]
    mean = (sparse[0] + (sparse[1] + sparse[2]) / 2) / 2
    assert f"| a | {mean:.3f} / " in capsys.readouterr().out


def test_kept_scores_give_the_same_figures(tmp_path):
    from judged import figures
    from kept_scores import keep, kept_files, read

    neighbours = np.arange(60) % 9
    ways = {"alone": judged(3), "in context": judged(3, neighbours=neighbours, better=0.5)}
    other = {"alone": judged(4), "in context": judged(4, neighbours=neighbours)}
    keep(tmp_path, "idc-cancernet", 1, 2, ways)
    keep(tmp_path, "idc-cancernet", 0, 2, other)
    keep(tmp_path, "idc-cancernet-fast", 0, 1, {"alone": judged(5)})
    files = kept_files(tmp_path)
    assert {recipe: list(seeds) for recipe, seeds in files.items()} == {
        "idc-cancernet": [2],
        "idc-cancernet-fast": [1],
    }
    found = read(files["idc-cancernet"][2])
    assert list(found) == [0, 1]
    for way, before in ways.items():
        after = found[1][way]
        assert figures(after, ["p0"]) == figures(before, ["p0"])
        assert after.score == pytest.approx(before.score, abs=1e-3)
        assert (after.patients == before.patients).all() and after.commit == "abc"
    assert (found[1]["in context"].neighbours == neighbours).all()
    assert found[1]["alone"].neighbours is None
    assert list(read(files["idc-cancernet-fast"][1])[0]) == ["alone"]
    keep(tmp_path, "idc-cancernet", 1, 2, other)
    replaced = read(files["idc-cancernet"][2])
    assert figures(replaced[1]["alone"], ["p0"]) == figures(other["alone"], ["p0"])


def test_scores_of_other_patches_are_not_compared(tmp_path, monkeypatch):
    import kept_scores

    kept_scores.keep(tmp_path, "idc-cancernet", 0, 1, {"alone": judged(3)})
    kept_scores.keep(tmp_path, "idc-cancernet-fast", 0, 1, {"alone": judged(4)})
    monkeypatch.setattr(sys, "argv", ["kept_scores.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="were judged on other patches"):
        kept_scores.main()
