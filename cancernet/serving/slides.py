"""From scored patches to the map of their slide."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.words import NOTICE
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Failure, Prediction
from cancernet.serving.answers import Patch, SlideMap, Unreadable
from cancernet.serving.decoding import size_of
from cancernet.serving.http.refusals import Refusal
from cancernet.serving.http.uploads import Upload
from cancernet.slides import slide_map as mosaic
from cancernet.slides.cells import check_grid
from cancernet.slides.output import as_geojson
from cancernet.slides.scoring import EXAMPLE, Place, read_place
from cancernet.slides.slide_map import Box


@dataclasses.dataclass(frozen=True)
class _Placed:
    """A scored patch and its place."""

    place: Place
    name: str
    box: Box
    prediction: Prediction


def slide_map(
    run: Run, uploads: Sequence[Upload], outcomes: Sequence[Prediction | Failure]
) -> SlideMap:
    """Puts patches in their places.

    Args:
        run: the run that scored them.
        uploads: the patches; their names say whose they are and where.
        outcomes: of each file.

    Raises:
        Refusal: 422, no patch could be placed, they are of several patients, or they do not
            lie on one grid.
    """
    patches: dict[tuple[int, int], _Placed] = {}
    left_out: list[Unreadable] = []
    for upload, outcome in zip(uploads, outcomes, strict=True):
        place = read_place(Path(upload.name))
        if place is None:
            reason = f"its name holds no place, as {EXAMPLE} does"
        elif isinstance(outcome, Failure):
            reason = outcome.error
        elif (place.x, place.y) in patches:
            reason = "another patch has the same place"
        else:
            box = (place.x, place.y, *size_of(upload.content))
            patches[place.x, place.y] = _Placed(place, upload.name, box, outcome)
            continue
        left_out.append(Unreadable(name=upload.name, error=reason))
    if not patches:
        raise Refusal(
            422,
            f"none of the files is a readable patch whose name holds its place, as {EXAMPLE} does",
            results=left_out,
        )
    patients = {patch.place.patient for patch in patches.values()}
    if len(patients) > 1:
        raise Refusal(
            422, f"the patches are of {len(patients)} patients; send those of one patient at a time"
        )
    placed = sorted(patches.values(), key=lambda patch: (patch.place.y, patch.place.x))
    return _answer(run, _scored_map(run, placed), placed, left_out)


def _scored_map(run: Run, placed: Sequence[_Placed]) -> mosaic.SlideMap:
    boxes = np.array([patch.box for patch in placed])
    try:
        check_grid(boxes)
    except CancerNetError as error:
        raise Refusal(422, str(error)) from None
    left, top = boxes[:, :2].min(axis=0).tolist()
    right, bottom = (boxes[:, :2] + boxes[:, 2:]).max(axis=0).tolist()
    slide = mosaic.Mosaic(placed[0].place.patient, left=left, top=top, right=right, bottom=bottom)
    for patch in placed:
        slide.add(patch.box, patch.prediction.positive_probability)
    return slide.slide_map(run.threshold)


def _answer(
    run: Run, slide: mosaic.SlideMap, placed: Sequence[_Placed], left_out: list[Unreadable]
) -> SlideMap:
    figures = slide.figures
    right, bottom = (slide.boxes[:, :2] + slide.boxes[:, 2:]).max(axis=0).tolist()
    return SlideMap(
        patient=slide.name,
        left=slide.origin[0],
        top=slide.origin[1],
        width=right - slide.origin[0],
        height=bottom - slide.origin[1],
        step=step_of(slide.boxes),
        patches=[
            Patch(
                name=patch.name,
                **dict(zip(("x", "y", "width", "height"), patch.box, strict=True)),
                probability=patch.prediction.positive_probability,
                positive=bool(positive),
            )
            for patch, positive in zip(placed, slide.positive, strict=True)
        ],
        positive_patches=figures.positive_patches,
        area_fraction=figures.area_fraction,
        score=figures.score,
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
