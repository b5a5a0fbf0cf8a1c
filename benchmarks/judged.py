"""Patches of patients left out, as judged: their figures, tables, and paired differences.

The protocol that the figures follow stands at the top of `patients_left_out.py`.
"""

import dataclasses
from collections import defaultdict
from typing import TypedDict

import numpy as np
from scipy.stats import rankdata

DENSE = ("8863", "8864", "8913", "8917", "8918", "8950", "8955", "8975")
DRAWS = 500


@dataclasses.dataclass(frozen=True)
class Judged:
    """Testing patches of one fold and seed, judged in one way.

    Attributes:
        patients: (n,) names.
        truth: (n,) 0 or 1.
        score: (n,) probability of IDC.
        called: (n,) whether the operating point calls it IDC.
        cpu_seconds: of the epochs.
        neighbours: (n,) how many of the eight patches around each were there; None alone.
        commit: of the program that trained the network; empty where nobody needs it.
    """

    patients: np.ndarray
    truth: np.ndarray
    score: np.ndarray
    called: np.ndarray
    cpu_seconds: float
    neighbours: np.ndarray | None = None
    commit: str = ""


Found = dict[str, dict[tuple[int, int], Judged]]
"""Of each row of a table, what was judged, by fold and seed."""


class Figures(TypedDict):
    """Measures of the sparse patients together, and of each dense one by name."""

    sparse: dict[str, float]
    dense: dict[str, dict[str, float]]
    cpu_seconds: float


def figures(judged: Judged, dense: list[str]) -> Figures:
    sparse = ~np.isin(judged.patients, dense)
    return {
        "sparse": measures(judged, np.flatnonzero(sparse)),
        "dense": {
            name: measures(judged, np.flatnonzero(judged.patients == name))
            for name in dense
            if name in judged.patients
        },
        "cpu_seconds": judged.cpu_seconds,
    }


def measures(judged: Judged, rows: np.ndarray) -> dict[str, float]:
    truth, called = judged.truth[rows], judged.called[rows]
    if truth.min() == truth.max():
        return dict.fromkeys(("auc", "balanced_accuracy", "f1"), float("nan"))
    positive, called = truth == 1, called == 1
    above = rankdata(judged.score[rows])[positive].mean() - (positive.sum() + 1) / 2
    hits = float((called & positive).sum())
    sensitivity, specificity = (
        hits / positive.sum(),
        (~called & ~positive).sum() / (~positive).sum(),
    )
    # By hand, since the intervals take them some ten thousand times.
    return {
        "auc": float(above / (~positive).sum()),
        "balanced_accuracy": float((sensitivity + specificity) / 2),
        "f1": 2 * hits / float(positive.sum() + called.sum()),
    }


def print_tables(found: Found, dense: list[str], minus: str | None = None) -> None:
    """Prints the rows, each seed by itself if there are several, differences and calibration."""
    print_table(found, dense)
    if len({seed for runs in found.values() for _, seed in runs}) > 1:
        print()
        print_table(by_seed(found), dense)
    print_differences(found, dense, minus)
    print_calibration(found)


def by_seed(found: Found) -> Found:
    """Returns the rows of each seed by itself; a name says which folds it has, if not all."""
    rows: Found = {}
    for name, runs in found.items():
        folds = {fold for fold, _ in runs}
        for seed in sorted({seed for _, seed in runs}):
            of_seed = {run: judged for run, judged in runs.items() if run[1] == seed}
            own = sorted(fold for fold, _ in of_seed)
            only = "" if len(own) == len(folds) else f", folds {', '.join(map(str, own))}"
            rows[f"{name}, seed {seed}{only}"] = of_seed
    return rows


def print_table(found: Found, dense: list[str]) -> None:
    print(
        "| | sparse: AUC / balanced accuracy / F1 | dense, mean: AUC / balanced accuracy "
        "| dense, worst: AUC / balanced accuracy | CPU s |\n|---|---|---|---|---|"
    )
    for name, runs in found.items():
        by_fold, by_patient = defaultdict(list), defaultdict(list)
        for (fold, _), judged in runs.items():
            one = figures(judged, dense)
            by_fold[fold].append(list(one["sparse"].values()))
            for patient, values in one["dense"].items():
                by_patient[patient].append((values["auc"], values["balanced_accuracy"]))
        # Seeds first: where a seed lacks a fold, the others still weigh the same.
        sparse = np.mean([np.mean(values, axis=0) for values in by_fold.values()], axis=0)
        means = np.array([np.mean(values, axis=0) for values in by_patient.values()])
        cells = [
            name,
            *(" / ".join(f"{value:.3f}" for value in row)
              for row in (sparse, means.mean(axis=0), means.min(axis=0))),
            f"{np.mean([judged.cpu_seconds for judged in runs.values()]):.0f}",
        ]  # fmt: skip
        print(f"| {' | '.join(cells)} |")


def print_differences(found: Found, dense: list[str], minus: str | None = None) -> None:
    """Prints every other row minus this one, or the first: paired by fold, seed and patient."""
    minus = minus or next(iter(found))
    print(
        f"\n| minus {minus} | sparse AUC | sparse balanced accuracy | dense AUC "
        "| dense balanced accuracy |\n|---|---|---|---|---|"
    )
    for name in found:
        if name == minus:
            continue
        cells = [
            cell
            for group in ("sparse", "dense")
            for cell in intervals(found[name], found[minus], dense, group)
        ]
        print(f"| {name} | {' | '.join(cells)} |")


def print_calibration(found: Found) -> None:
    """Prints, for every row in context, how the score is calibrated by number of neighbours."""
    for name, runs in found.items():
        judged = [one for one in runs.values() if one.neighbours is not None]
        if not judged:
            continue
        neighbours, score, truth = (
            np.concatenate([getattr(one, field) for one in judged])
            for field in ("neighbours", "score", "truth")
        )
        print(f"\n| {name}: neighbours | patches | mean score | share of IDC | Brier score |")
        print("|---|---|---|---|---|")
        for least, most in ((0, 0), (1, 3), (4, 7), (8, 8)):
            rows = (neighbours >= least) & (neighbours <= most)
            cells = (score[rows].mean(), truth[rows].mean(), ((score - truth)[rows] ** 2).mean())
            title = f"{least}" if least == most else f"{least} to {most}"
            print(f"| {title} | {rows.sum():,} | {' | '.join(f'{cell:.3f}' for cell in cells)} |")


def intervals(
    one: dict[tuple[int, int], Judged],
    other: dict[tuple[int, int], Judged],
    dense: list[str],
    group: str,
) -> list[str]:
    """Mean paired differences of AUC and balanced accuracy, each with its 95 % interval."""
    own_seeds: dict[int, list[int]] = defaultdict(list)
    for fold, seed in sorted(set(one) & set(other)):
        own_seeds[fold].append(seed)
    seeds = sorted({seed for some in own_seeds.values() for seed in some})
    patches = {
        (fold, str(name)): np.flatnonzero(one[fold, own[0]].patients == name)
        for fold, own in own_seeds.items()
        for name in np.unique(one[fold, own[0]].patients)
        if (name in dense) == (group == "dense")
    }
    together = drawn_dense if group == "dense" else drawn_sparse
    random = np.random.default_rng(1)
    draws = []
    for draw in range(DRAWS + 1):
        drawn_seeds = seeds if draw == 0 else random.choice(seeds, len(seeds)).tolist()
        differences = []
        for fold, rows in together(patches, random if draw else None):
            of_fold = [seed for seed in drawn_seeds if seed in own_seeds[fold]] or own_seeds[fold]
            pairs = [(one[fold, seed], other[fold, seed]) for seed in of_fold]
            minus = [np.subtract(compared(a, rows), compared(b, rows)) for a, b in pairs]
            differences.append(np.mean(minus, axis=0))
        draws.append(np.nanmean(differences, axis=0))
    low, high = np.nanquantile(draws[1:], (0.025, 0.975), axis=0)
    return [
        f"{mean:+.3f} [{least:+.3f}, {most:+.3f}]"
        for mean, least, most in zip(draws[0], low, high, strict=True)
    ]


def compared(judged: Judged, rows: np.ndarray) -> tuple[float, float]:
    found = measures(judged, rows)
    return found["auc"], found["balanced_accuracy"]


Patches = dict[tuple[int, str], np.ndarray]
"""Of each fold and patient tested there, the rows of the patches."""


def drawn_sparse(
    patches: Patches, random: np.random.Generator | None
) -> list[tuple[int, np.ndarray]]:
    """Returns folds and the patches pooled there, of patients drawn within the fold."""
    found = []
    for fold in dict.fromkeys(fold for fold, _ in patches):
        names = [name for of, name in patches if of == fold]
        if random is not None:
            names = random.choice(names, len(names)).tolist()
        found.append((fold, np.concatenate([patches[fold, name] for name in names])))
    return found


def drawn_dense(
    patches: Patches, random: np.random.Generator | None
) -> list[tuple[int, np.ndarray]]:
    """Returns folds and the patches of one patient each, drawn over all folds.

    A fold tests one or two dense patients: drawn within it, they would hardly vary.
    """
    units = list(patches)
    if random is not None:
        units = [units[number] for number in random.integers(len(units), size=len(units))]
    return [(fold, patches[fold, name]) for fold, name in units]
