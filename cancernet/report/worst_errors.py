"""The wrong calls that the network was surest of, with their pictures in the page."""

import base64
import dataclasses
import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import ImageError
from cancernet.base.images import read_rgb
from cancernet.measures import scored as scores
from cancernet.measures.scored import Scored
from cancernet.report import html as pieces
from cancernet.report.content import ReportContent
from cancernet.report.html import decimal

EACH = 8
LONGEST_SIDE = 160  # pixels; a page must stay small enough to send


@dataclasses.dataclass(frozen=True, kw_only=True)
class WrongCall:
    """One image on the wrong side of the operating point.

    Attributes:
        path: as the data set names it.
        patient: whose it is.
        score: probability of positive, 0-1.
        positive: whether it is in truth.
    """

    path: str
    patient: str
    score: float
    positive: bool


def worst_errors(content: ReportContent) -> str:
    """Missed positives with the lowest scores and false alarms with the highest, as pictures."""
    if content.image_folder is None:
        return ""
    assessment = content.assessment
    missed, alarms = surest_wrong(content.testing, assessment.positive_indices, content.threshold)
    if not missed and not alarms:
        return pieces.section(
            "Worst errors", pieces.paragraph("No testing image was called wrong.")
        )
    parts = []
    for title, wrong in (
        (f"{assessment.positive_word}, called {assessment.negative_word}", missed),
        (f"{assessment.negative_word}, called {assessment.positive_word}", alarms),
    ):
        heading = f"{title}: the {len(wrong)} surest, at most {-(-EACH // 2)} a patient"
        parts.append(f"<h3>{pieces.text(heading)}</h3>" if wrong else "")
        parts.append(_grid(wrong, content.image_folder, content.heat_map))
    sentence = (
        "The wrong calls the network was surest of. Some may be wrong labels; only a pathologist "
        "or radiologist can tell."
    )
    return pieces.section("Worst errors", *parts, pieces.paragraph(sentence, muted=True))


def surest_wrong(
    testing: Scored, positive: list[int], threshold: object, each: int = EACH
) -> tuple[list[WrongCall], list[WrongCall]]:
    """Returns missed positives by rising score and false alarms by falling score.

    Args:
        testing: scored images.
        positive: columns of the positive classes.
        threshold: positive iff score >= threshold; one, or (images,) one for each.
        each: at most so many of either, and at most half of them of one patient.
    """
    truth = scores.positive_truth(testing, positive).astype(bool)
    score = scores.positive_score(testing.probabilities, positive)
    called = score >= np.asarray(threshold)
    missed = np.flatnonzero(truth & ~called)
    alarms = np.flatnonzero(~truth & called)
    missed = missed[np.argsort(score[missed], kind="stable")]
    alarms = alarms[np.argsort(-score[alarms], kind="stable")]

    def calls(places: np.ndarray) -> list[WrongCall]:
        return [
            WrongCall(
                path=testing.paths[place],
                patient=testing.patients[place],
                score=float(score[place]),
                positive=bool(truth[place]),
            )
            for place in _few_a_patient(places, testing.patients, each)
        ]

    return calls(missed), calls(alarms)


def _few_a_patient(places: np.ndarray, patients: Sequence[str], each: int) -> list[int]:
    """The first `each` places, but no more than half of them of one patient."""
    kept: list[int] = []
    taken: Counter[str] = Counter()
    for place in places.tolist():
        taken[patients[place]] += 1
        if taken[patients[place]] <= -(-each // 2):
            kept.append(place)
        if len(kept) == each:
            break
    return kept


def picture(path: Path) -> str:
    """Returns an image as a PNG data address, at most `LONGEST_SIDE` pixels; "" if unreadable."""
    try:
        image = read_rgb(path)
    except ImageError:
        return ""
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _score(value: float) -> str:
    """Three decimals, but never 1.000 or 0.000 for what is neither."""
    if 0.9995 <= value < 1:
        return "above 0.9995"
    return "below 0.0005" if 0 < value < 0.0005 else decimal(value)


def _grid(
    wrong: list[WrongCall], folder: Path, heat_map: Callable[[str], Path | None] | None
) -> str:
    cells = []
    for call in wrong:
        shown = [picture(folder / call.path)]
        heat = heat_map(call.path) if heat_map is not None else None
        shown += [picture(heat)] if heat is not None else []
        images = "".join(
            f'<img alt="{pieces.text(Path(call.path).name)}" src="{address}">'
            for address in shown
            if address
        )
        cells.append(
            f"<figure>{images}<figcaption>patient {pieces.text(call.patient)}, score "
            f"{_score(call.score)}</figcaption></figure>"
        )
    return f'<div class="patches">{"".join(cells)}</div>' if cells else ""
