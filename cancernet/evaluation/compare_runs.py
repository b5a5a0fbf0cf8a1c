"""Compares two runs on the same testing images, as text, as JSON and as a page."""

import dataclasses
from pathlib import Path

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import read_json, sha256_of
from cancernet.base.records import as_json, from_json
from cancernet.base.words import NOTICE, images_of
from cancernet.context.judge import InContext
from cancernet.evaluation.run_results import (
    EVALUATION,
    PREDICTIONS,
    SEED,
    EvaluationRecord,
    fold_scores,
    in_context,
    pooled_in_context,
    read_finished,
)
from cancernet.evaluation.trained_on import leak_of
from cancernet.measures.assess import TESTING, ScoreSet, pool
from cancernet.measures.comparison import Comparison, compare
from cancernet.measures.metrics import METRICS
from cancernet.measures.patients import patient_rows
from cancernet.measures.remarks import figure_name
from cancernet.measures.scored import Scored, read_scored
from cancernet.report.content import DRAWN
from cancernet.report.page import alerts
from cancernet.report.rendering import number, render
from cancernet.runs import run_folder
from cancernet.runs.run_folder import read_finished_folds
from cancernet.runs.run_record import CROSS_VALIDATION

WORDS = {name: figure_name(name) for name in METRICS} | {"brier": "Brier score (0 is best)"}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison: a finished run, or an evaluation of one on other data.

    Attributes:
        scores: as it judges, in context where it does.
        alone: of each patch alone.
    """

    name: str
    scores: ScoreSet
    alone: ScoreSet
    drawn: bool
    leak: str
    fingerprint: str
    content: str
    seed: int

    @property
    def in_context(self) -> bool:
        """Whether it judges patches with their neighbours."""
        return self.scores is not self.alone

    @property
    def testing(self) -> Scored:
        """The images that are compared."""
        return self.scores.scored[TESTING]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Compared:
    """How two sides differ: as they judge and, where one judges in context, patches alone."""

    own: Comparison
    alone: Comparison | None = None


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
        **_ways(finished.scores, in_context(finished.scores, finished.run.record.context)),
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
    scores = ScoreSet(
        classes=classes,
        words=classes,
        positive=record.positive,
        scored={TESTING: scored},
        operating_point=record.operating_point,
        calibration=record.calibration,
    )
    return Side(
        name=f"{record.run} on {record.data}",
        **_ways(scores, in_context(scores, record.context)),
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
    return Side(
        name=folder.resolve().name,
        **_ways(pool([fold_scores(fold) for fold in folds]), pooled_in_context(folds)),
        drawn=folds[0].run.drawn,
        leak=leak_of(folds[0].run),
        fingerprint=record.dataset.fingerprint,
        content="",
        seed=folds[0].seed,
    )


def _ways(alone: ScoreSet, around: InContext | None) -> dict[str, ScoreSet]:
    return {"alone": alone, "scores": around.scores if around else alone}


def compare_sides(first: Side, second: Side) -> Compared:
    """Compares two sides, paired by patient, as they judge and each patch alone.

    Raises:
        CancerNetError: they were not tested on the same images.
    """
    one, other = first.scores, second.scores
    if one.classes != other.classes or one.positive != other.positive:
        raise CancerNetError(
            f"{first.name} and {second.name} do not have the same classes, so there is nothing "
            "to compare"
        )
    if not _same_images(first, second):
        raise CancerNetError(
            f"{first.name} and {second.name} were not tested on the same images (the contents of "
            "their testing sets differ); evaluate both on one data set with --run and --data"
        )
    own = _compare(one, other, first.seed)
    if not (first.in_context or second.in_context):
        return Compared(own=own)
    return Compared(own=own, alone=_compare(first.alone, second.alone, first.seed))


def _compare(one: ScoreSet, other: ScoreSet, seed: int) -> Comparison:
    return compare(
        one.scored[TESTING],
        other.scored[TESTING],
        one,
        thresholds=(one.threshold(), other.threshold()),
        seed=seed,
    )


def _same_images(first: Side, second: Side) -> bool:
    if first.content and second.content:
        return first.content == second.content
    return bool(first.fingerprint) and first.fingerprint == second.fingerprint


def _tables(compared: Compared, first: Side, second: Side) -> dict[str, Comparison]:
    """Returns the comparisons by title."""
    if compared.alone is None:
        return {"Figures": compared.own}
    how = ["in context" if side.in_context else "each patch alone" for side in (first, second)]
    mixed = f"As the runs judge: A {how[0]}, B {how[1]}"
    same = "In context, with the neighbours on the slide"
    return {same if how[0] == how[1] else mixed: compared.own, "Each patch alone": compared.alone}


def as_text(compared: Compared, first: Side, second: Side) -> str:
    """Returns the comparison as text for a screen."""
    found = compared.own
    lines = [
        f"A: {first.name}",
        f"B: {second.name}",
        f"The same {images_of(len(first.testing.paths), found.patients)} in testing; "
        "95 % intervals of B - A resample patients, the same for both.",
        "",
    ]
    for title, each in _tables(compared, first, second).items():
        lines += [*([title] if compared.alone else []), *_table(each), ""]
    lines += [f"Note: {note}" for note in found.notes]
    for side in (first, second):
        lines += [f"warning: {side.name}: {side.leak}"] if side.leak else []
    return "\n".join(lines).rstrip()


def _table(found: Comparison) -> list[str]:
    width = max(map(len, WORDS.values()))
    lines = [f"  {'':{width}}  {'A':>9}  {'B':>9}  {'B - A':>9}"]
    for name, words in WORDS.items():
        low, high = found.limits[name]
        interval = "" if low != low else f"  [{low:+.3f}, {high:+.3f}]"
        difference = found.difference[name]
        shown = "undefined" if difference != difference else f"{difference:+.3f}"
        lines.append(
            f"  {words:{width}}  {number(found.first[name]):>9}  {number(found.second[name]):>9}"
            f"  {shown:>9}{interval}"
        )
    return lines


def as_dict(compared: Compared, first: Side, second: Side) -> dict[str, object]:
    """Returns the content of `comparison.json`."""
    return {
        "first_run": first.name,
        "second_run": second.name,
        "images": len(first.testing.paths),
        **as_json(compared.own),
        **({"alone": as_json(compared.alone)} if compared.alone else {}),
        "drawn": first.drawn or second.drawn,
        "leaks": [side.leak for side in (first, second)],
        "made": run_folder.now(),
    }


def page(compared: Compared, first: Side, second: Side) -> str:
    """Returns the comparison as one HTML document that fetches nothing."""
    found = compared.own
    drawn = first.drawn or second.drawn
    notes = [*found.notes, *(f"{side.name}: {side.leak}" for side in (first, second) if side.leak)]
    return render(
        "comparison.html.j2",
        title=f"{second.name} against {first.name}",
        notice=NOTICE,
        alerts=alerts(drawn=drawn, leaking=bool(first.leak or second.leak)),
        notes=[DRAWN, *notes] if drawn else notes,
        first=first,
        second=second,
        found=found,
        tables=_tables(compared, first, second),
        images=len(first.testing.paths),
        words=WORDS,
        patients=_patients(first, second),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientPair:
    """One patient: how many images, and the accuracy of either run on them."""

    patient: str
    images: int
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first


def _patients(first: Side, second: Side) -> list[PatientPair]:
    """The patients of both, the greatest difference first."""
    others = {row.patient: row.accuracy for row in patient_rows(second.scores.calls())}
    rows = [
        PatientPair(
            patient=row.patient, images=row.images, first=row.accuracy, second=others[row.patient]
        )
        for row in patient_rows(first.scores.calls())
    ]
    return sorted(rows, key=lambda row: -abs(row.difference))
