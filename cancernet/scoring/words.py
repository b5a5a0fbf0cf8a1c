"""A prediction in words: the call first, then what it rests on."""

from typing import TYPE_CHECKING

import numpy as np

from cancernet.base.words import NAMED_LIKE_MASK, UNLIKE, counted, score_text
from cancernet.images.formats import say_oddities
from cancernet.runs.run_folder import Run
from cancernet.scoring.prediction import Prediction, PredictionInContext, Side
from cancernet.scoring.predictor import Predictor

if TYPE_CHECKING:
    from cancernet.scoring.other_models import ModelAlone

NO_POINT = "no operating point: 0.5 was not chosen on data"


def as_text(prediction: Prediction, run: Run) -> str:
    """Returns one prediction for a person: the call, the operating point, the class."""
    headline = call_word(prediction)
    if not is_of_sides(prediction) and prediction.label != prediction.word:
        headline += f" (class {prediction.label})"
    lines = [f"{prediction.path}: {headline}"]
    lines += [f"  {line}" for line in grounds_of(prediction, run)]
    lines += [f"  warning: {warning}" for warning in warnings_of(prediction)]
    if prediction.operating_point is None:
        named = zip(run.words, prediction.probabilities.values(), strict=True)
        lines.append("  " + ", ".join(f"{word} {score_text(value)}" for word, value in named))
    return "\n".join(lines)


def grounds_of(prediction: Prediction, run: Run) -> list[str]:
    """Says what a call rests on: the operating point first; the class and neighbours, if any."""
    lines = [point_text(prediction, run)]
    if is_of_sides(prediction):
        lines.append(_class_text(prediction, run))
    if isinstance(prediction, PredictionInContext):
        lines.append(_context_text(prediction, run))
    return lines


def warnings_of(prediction: Prediction) -> list[str]:
    """Says what the image is that makes its answer worth nothing."""
    told = {UNLIKE: prediction.unlike_training, NAMED_LIKE_MASK: prediction.named_like_mask}
    return [warning for warning, holds in told.items() if holds]


def is_of_sides(prediction: Prediction) -> bool:
    """Tells whether the call is a side, so that the most probable class is named as well."""
    return isinstance(prediction.call, Side)


def call_word(prediction: Prediction) -> str:
    """Returns the call for a reader: of two classes its word, of more the side.

    Without an operating point there is no call, and the most probable class takes its place.
    """
    return prediction.call if isinstance(prediction.call, Side) else prediction.word


def _class_text(prediction: Prediction, run: Run) -> str:
    """Names the most probable class of several, and says if the call is on the other side."""
    score = score_text(prediction.probability)
    said = f"most probable class: {prediction.word} {score}"
    if (prediction.label in run.positive) != prediction.positive:
        said += f", although the call is {prediction.call}"
    return said


def _context_text(prediction: PredictionInContext, run: Run) -> str:
    """Says with how many neighbours a patch was judged, and what it would be alone."""
    if prediction.neighbours is None:
        return "alone: its name gives no position on a slide"
    if not prediction.in_context:
        return "alone: there are no patches around it"
    further = "" if prediction.neighbours else ", but with patches further away"
    score = score_text(prediction.alone_probabilities[run.positive[0]])
    return (
        f"judged with {prediction.neighbours} of 8 neighbours{further}; alone: probability {score}"
    )


def point_text(prediction: Prediction, run: Run) -> str:
    """Says on which side of the operating point the positive classes' probability falls."""
    score, threshold = prediction.positive_probability, prediction.operating_point
    opening = f"probability of {run.positive_words} {'in context ' * prediction.in_context}"
    if threshold is None:
        return f"{opening}{score_text(score)}, {NO_POINT}"
    side = "at or above" if prediction.positive else "below"
    shown, point = score_text(score), score_text(threshold)
    if shown == point:  # the digits that tell two float32 apart
        shown, point = (
            np.format_float_positional(each, precision=9, fractional=False, trim="-")
            for each in (score, threshold)
        )
    own = isinstance(prediction, PredictionInContext) and prediction.slide_point
    return f"{opening}{shown}, {side} the operating point {point}{' of this slide' if own else ''}"


_PIXELS = {
    "inside": "0-255, which the model itself prepares",
    "unit": "0-1",
    "tf": "-1 to 1",
    "torch": "by the mean and deviation of ImageNet",
    "caffe": "0-255 less the mean of ImageNet, blue first",
}


def assumed_text(model: "ModelAlone") -> str:
    """Says what a model was taken for, since its file does not say so."""
    run, input_ = model.run, model.run.record.input
    return (
        f"{run.folder} does not say how to use it, so the flags decide: its outputs are "
        f"{', '.join(run.classes)} in this order (positive: {', '.join(run.positive)}); it takes "
        f"RGB images of {input_.width}x{input_.height} pixels ({input_.interpolation}), with "
        f"values {_PIXELS[model.preprocessing]}"
    )


def masks_skipped(masks: int) -> str:
    """Says how many masks in folders were not scored."""
    return f"{counted(masks, 'mask')} skipped, recognised by name"


def reading_notes(predictor: Predictor) -> list[str]:
    """Says what had to be chosen to read the images so far: a page, a depth of the values."""
    notes = say_oddities(dict.fromkeys(predictor.oddities, "some images"))
    if predictor.guessed_depths:
        depths = ", ".join(map(str, sorted(predictor.guessed_depths)))
        notes.append(
            f"images of more than 8 bits do not say how many they use; {depths} bits were "
            "assumed, which hold their largest values"
        )
    return notes
