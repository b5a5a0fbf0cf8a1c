"""Patches that were uploaded, put in their places on a slide."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.words import NOTICE
from cancernet.runs.run_folder import Run
from cancernet.scoring.prediction import Failure, Prediction
from cancernet.serving.answers import MapFacts, Patch, SlideMap, Unreadable
from cancernet.serving.problems import Refusal
from cancernet.serving.scorer import size_of
from cancernet.serving.uploads import Upload
from cancernet.slides.cells import check_grid
from cancernet.slides.geojson import as_geojson
from cancernet.slides.scoring import EXAMPLE, read_place
from cancernet.slides.slide_map import Mosaic
from cancernet.slides.slide_map import SlideMap as Map


def slide_map(
    run: Run, uploads: Sequence[Upload], outcomes: Sequence[Prediction | Failure]
) -> SlideMap:
    """Puts patches in the places that their names say, with the outcome of each.

    Raises:
        Refusal: 422, no patch could be placed, they are of several patients, or they do not
            lie on one grid.
    """
    patches: dict[tuple[int, int], Patch] = {}
    patients: set[str] = set()
    left_out: list[Unreadable] = []
    for upload, outcome in zip(uploads, outcomes, strict=True):
        place = read_place(Path(upload.name))
        if place is None:
            reason = f"its name gives no position, as {EXAMPLE} does"
        elif isinstance(outcome, Failure):
            reason = outcome.error
        elif (place.y, place.x) in patches:
            reason = "another patch has the same place"
        else:
            width, height = size_of(upload.content)
            patients.add(place.patient)
            patches[place.y, place.x] = Patch(
                name=upload.name,
                x=place.x,
                y=place.y,
                width=width,
                height=height,
                probability=outcome.positive_probability,
                positive=outcome.positive_probability >= run.threshold,
                unlike_training=outcome.unlike_training,
            )
            continue
        left_out.append(Unreadable(name=upload.name, error=reason))
    if not patches:
        raise Refusal(
            422,
            "none of the files is a readable patch whose name gives its position, as "
            f"{EXAMPLE} does",
            results=left_out,
        )
    if len(patients) > 1:
        raise Refusal(
            422, f"the patches are of {len(patients)} patients; send those of one patient at a time"
        )
    return _answer(run, patients.pop(), [patches[corner] for corner in sorted(patches)], left_out)


def _answer(run: Run, patient: str, patches: list[Patch], left_out: list[Unreadable]) -> SlideMap:
    boxes = [(patch.x, patch.y, patch.width, patch.height) for patch in patches]
    corners = np.array(boxes)
    try:
        check_grid(corners)
    except CancerNetError as error:
        raise Refusal(422, str(error)) from None
    left, top = corners[:, :2].min(axis=0).tolist()
    right, bottom = (corners[:, :2] + corners[:, 2:]).max(axis=0).tolist()
    mosaic = Mosaic(patient, left=left, top=top, right=right, bottom=bottom)
    for box, patch in zip(boxes, patches, strict=True):
        mosaic.add(box, patch.probability, unlike=patch.unlike_training)
    slide, context = mosaic.slide_map(run.threshold), run.record.context
    if context is not None:
        slide = slide.in_context(context)
    return SlideMap(
        patient=patient,
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        step=step_of(corners),
        patches=_in_context(patches, slide),
        alone=_facts(slide.context.alone, run) if slide.context else None,
        word=run.positive_words,
        unlike_training=slide.unlike,
        left_out=left_out,
        **dict(_facts(slide, run)),
        notice=NOTICE,
    )


def _facts(slide: Map, run: Run) -> MapFacts:
    return MapFacts(
        positive_patches=slide.figures.positive_patches,
        area_fraction=slide.figures.area_fraction,
        score=slide.figures.score,
        operating_point=slide.threshold,
        slide_point=slide.context.slide_point if slide.context else None,
        geojson=as_geojson(slide, run.positive_words),
    )


def _in_context(patches: list[Patch], slide: Map) -> list[Patch]:
    """Returns the patches as a map judges them; those judged alone are unchanged."""
    if slide.context is None:
        return patches
    found = zip(
        patches,
        slide.probabilities.tolist(),
        slide.positive.tolist(),
        slide.context.neighbours.tolist(),
        slide.context.lone.tolist(),
        strict=True,
    )
    return [
        patch
        if lone
        else patch.model_copy(
            update={
                "probability": probability,
                "positive": positive,
                "neighbours": neighbours,
                "alone_probability": patch.probability,
            }
        )
        for patch, probability, positive, neighbours, lone in found
    ]


def step_of(boxes: np.ndarray) -> int:
    """Returns the distance between neighbouring patches: the smallest step in x or y."""
    steps = np.concatenate([np.diff(np.unique(boxes[:, axis])) for axis in (0, 1)])
    return int(steps.min()) if len(steps) else int(boxes[0, 2:].max())
