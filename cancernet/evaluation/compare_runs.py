"""Two runs on the same testing images: read, paired, told as text and as a page."""

import dataclasses
from pathlib import Path
from typing import Any

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import read_json, sha256_of
from cancernet.base.records import from_json
from cancernet.base.words import images_of
from cancernet.evaluation.evaluation_record import EVALUATION, EvaluationRecord
from cancernet.evaluation.run_results import PREDICTIONS, SEED, fold_scores, read_finished
from cancernet.evaluation.trained_on import leak_of
from cancernet.measures.classes import Classes
from cancernet.measures.pooled import pool
from cancernet.measures.resampling.paired_comparison import Comparison, compare
from cancernet.measures.scored import Scored, positive_indices, read_scored
from cancernet.report.formatting import number
from cancernet.runs import run_folder
from cancernet.runs.run_record import CROSS_VALIDATION, read_finished_folds

WORDS = {
    "accuracy": "accuracy",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "balanced_accuracy": "balanced accuracy",
    "precision": "precision",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "roc_auc": "AUC",
    "pr_auc": "average precision",
    "brier": "Brier score (0 is best)",
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison: a finished run, or an evaluation of one on other data."""

    name: str
    scored: Scored
    threshold: Any
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    drawn: bool
    leak: str
    fingerprint: str
    content: str
    seed: int


def read_side(folder: Path) -> Side:
    """Reads a run, a cross-validation, or a folder that `evaluate_model.py --run` wrote.

    Raises:
        CancerNetError: neither, or altered.
    """
    folder = Path(folder)
    if (folder / EVALUATION).is_file():
        return _read_evaluation(folder)
    if (folder / CROSS_VALIDATION).is_file():
        return _read_folds(folder)
    finished = read_finished(folder)
    facts = finished.run.record.dataset
    return Side(
        name=finished.run.name,
        scored=finished.testing,
        threshold=finished.point.threshold,
        classes=finished.run.classes,
        positive=finished.run.positive,
        drawn=finished.run.drawn,
        leak=leak_of(finished.run),
        fingerprint=facts.fingerprint,
        content=facts.testing_content,
        seed=finished.seed,
    )


def _read_evaluation(folder: Path) -> Side:
    try:
        record = from_json(EvaluationRecord, read_json(folder / EVALUATION))
        altered = sha256_of(folder / PREDICTIONS) != record.predictions
    except (OSError, ValueError) as error:
        raise RunError(f"{folder / EVALUATION} is damaged ({error}); evaluate again") from None
    if altered:
        raise RunError(f"{folder / PREDICTIONS} was altered; evaluate again")
    scored, classes = read_scored(folder / PREDICTIONS)
    return Side(
        name=f"{record.run} on {record.data}",
        scored=scored,
        threshold=record.operating_point.threshold,
        classes=classes,
        positive=record.positive,
        drawn=record.drawn,
        leak=record.leak,
        fingerprint=record.fingerprint,
        content=record.content,
        seed=SEED,
    )


def _read_folds(folder: Path) -> Side:
    """All folds together: every image as the fold saw it that had left its patient out."""
    record = read_finished_folds(folder)
    folds = [read_finished(folder / fold.name) for fold in record.folds]
    run = folds[0].run
    pooled = pool(
        [fold_scores(fold) for fold in folds],
        Classes(classes=run.classes, words=run.words, positive=run.positive),
        seed=SEED,
        resamples=2,  # only the scores are wanted here
    )
    return Side(
        name=folder.resolve().name,
        scored=pooled.testing,
        threshold=pooled.thresholds,
        classes=run.classes,
        positive=run.positive,
        drawn=run.drawn,
        leak=leak_of(run),
        fingerprint=record.dataset.fingerprint,
        content="",
        seed=folds[0].seed,
    )


def compare_sides(first: Side, second: Side) -> Comparison:
    """Compares two sides, paired by patient.

    Raises:
        CancerNetError: they were not tested on the same images.
    """
    if first.classes != second.classes or first.positive != second.positive:
        raise CancerNetError(
            f"{first.name} and {second.name} do not have the same classes, so there is nothing "
            "to compare"
        )
    if not _same_images(first, second):
        raise CancerNetError(
            f"{first.name} and {second.name} were not tested on the same images (the contents of "
            "their testing sets differ); evaluate both on one data set with --run and --data"
        )
    return compare(
        first.scored,
        second.scored,
        positive=positive_indices(first.classes, first.positive),
        thresholds=(first.threshold, second.threshold),
        seed=first.seed,
    )


def as_text(found: Comparison, first: Side, second: Side) -> str:
    """Returns the comparison as text for a screen."""
    width = max(map(len, WORDS.values()))
    lines = [
        f"A: {first.name}",
        f"B: {second.name}",
        f"The same {images_of(len(first.scored.paths), found.patients)} in testing; "
        "95 % intervals of B - A resample patients, the same for both.",
        "",
        f"  {'':{width}}  {'A':>9}  {'B':>9}  {'B - A':>9}",
    ]
    for name, words in WORDS.items():
        low, high = found.limits[name]
        interval = "" if low != low else f"  [{low:+.3f}, {high:+.3f}]"
        difference = found.difference[name]
        shown = "undefined" if difference != difference else f"{difference:+.3f}"
        lines.append(
            f"  {words:{width}}  {number(found.first[name]):>9}  {number(found.second[name]):>9}"
            f"  {shown:>9}{interval}"
        )
    lines += ["", *(f"Note: {note}" for note in found.notes)]
    for side in (first, second):
        lines += [f"WARNING: {side.name}: {side.leak}"] if side.leak else []
    return "\n".join(lines).rstrip()


def as_dict(found: Comparison, first: Side, second: Side) -> dict[str, object]:
    """Returns the content of `comparison.json`."""
    return {
        "first_run": first.name,
        "second_run": second.name,
        "images": len(first.scored.paths),
        **dataclasses.asdict(found),
        "drawn": first.drawn or second.drawn,
        "leaks": [side.leak for side in (first, second)],
        "made": run_folder.now(),
    }


def _same_images(first: Side, second: Side) -> bool:
    if first.content and second.content:
        return first.content == second.content
    return bool(first.fingerprint) and first.fingerprint == second.fingerprint
