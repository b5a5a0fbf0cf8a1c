"""From scored patches to the map of their slide."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.words import NOTICE
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Failure, Prediction
from cancernet.serving.answers import Patch, SlideMap, Unreadable
from cancernet.serving.problems import Refusal
from cancernet.serving.scorer import size_of
from cancernet.serving.uploads import Upload
from cancernet.slides.cells import check_grid
from cancernet.slides.output import as_geojson
from cancernet.slides.scoring import EXAMPLE, read_place
from cancernet.slides.slide_map import Mosaic


def slide_map(
    run: Run, uploads: Sequence[Upload], outcomes: Sequence[Prediction | Failure]
) -> SlideMap:
    """Puts scored patches in their places.

    Args:
        run: the run that scored them.
        uploads: the patches; their names say whose they are and where.
        outcomes: of each file.

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
            reason = f"its name holds no place, as {EXAMPLE} does"
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
            )
            continue
        left_out.append(Unreadable(name=upload.name, error=reason))
    if not patches:
        raise Refusal(
            422,
            f"none of the files is a readable patch whose name holds its place, as {EXAMPLE} does",
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
        mosaic.add(box, patch.probability)
    slide = mosaic.slide_map(run.threshold)
    return SlideMap(
        patient=patient,
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        step=step_of(corners),
        patches=patches,
        positive_patches=slide.figures.positive_patches,
        area_fraction=slide.figures.area_fraction,
        score=slide.figures.score,
        operating_point=run.threshold,
        word=run.positive_words,
        geojson=as_geojson(slide, run.positive_words),
        left_out=left_out,
        notice=NOTICE,
    )


def step_of(boxes: np.ndarray) -> int:
    """The distance of neighbouring patches: the smallest step in x or y that occurs."""
    steps = np.concatenate([np.diff(np.unique(boxes[:, axis])) for axis in (0, 1)])
    return int(steps.min()) if len(steps) else int(boxes[0, 2:].max())
