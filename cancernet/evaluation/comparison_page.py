"""The page of a comparison: two runs, one testing set, paired by patient."""

import dataclasses
import math

from cancernet.base.words import NOTICE
from cancernet.evaluation.compare_runs import WORDS, Side
from cancernet.measures.patients import patient_rows
from cancernet.measures.resampling.paired_comparison import Comparison
from cancernet.measures.scored import positive_indices, positive_score, positive_truth
from cancernet.report.content import DRAWN
from cancernet.report.page import alerts
from cancernet.report.rendering import render


@dataclasses.dataclass(frozen=True, kw_only=True)
class PatientRow:
    """One patient: how many images, and the accuracy of either run on them."""

    patient: str
    images: int
    first: float
    second: float

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.second - self.first


def page(found: Comparison, first: Side, second: Side) -> str:
    """Returns one HTML document that fetches nothing."""
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
        images=len(first.scored.paths),
        words=WORDS,
        patients=_patients(first, second),
    )


def _patients(first: Side, second: Side) -> list[PatientRow]:
    """The patients of both, the greatest difference first."""
    accuracies = _accuracies(second)
    rows = [
        PatientRow(patient=patient, images=images, first=accuracy, second=accuracies[patient][1])
        for patient, (images, accuracy) in _accuracies(first).items()
    ]
    return sorted(rows, key=lambda row: -math.fabs(row.difference))


def _accuracies(side: Side) -> dict[str, tuple[int, float]]:
    columns = positive_indices(side.classes, side.positive)
    rows = patient_rows(
        positive_truth(side.scored, columns),
        positive_score(side.scored.probabilities, columns),
        side.threshold,
        side.scored.patients,
    )
    return {row["patient"]: (row["images"], row["accuracy"]) for row in rows}
