"""From scored patches to the map of their slide."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cancernet.base.errors import CancerNetError
from cancernet.base.notice import NOTICE
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Prediction
from cancernet.serving.decoding import size_of
from cancernet.serving.http.refusals import Refusal
from cancernet.serving.http.uploads import Upload
from cancernet.slides.cells import check_grid
from cancernet.slides.geojson import as_geojson
from cancernet.slides.mosaic import Mosaic, SlideMap
from cancernet.slides.positions import Place, read_place

EXAMPLE = "8863_idx5_x1001_y1051_class0.png"


def slide_map(
    run: Run, uploads: Sequence[Upload], outcomes: Sequence[Prediction | str]
) -> dict[str, Any]:
    """Puts patches in their places.

    Args:
        run: the run that scored them.
        uploads: the patches; their names say whose they are and where.
        outcomes: each file's prediction, or why there is none.

    Returns:
        The fields of `cancernet.serving.answers.SlideMap`.

    Raises:
        Refusal: 422, no patch could be placed, they are of several patients, or lie anyhow.
    """
    placed: dict[tuple[int, int], tuple[Place, Upload, Prediction]] = {}
    left_out: list[dict[str, str]] = []
    for upload, outcome in zip(uploads, outcomes, strict=True):
        place = read_place(Path(upload.name))
        if place is None:
            reason = f"its name holds no place, as {EXAMPLE} does"
        elif isinstance(outcome, str):
            reason = outcome
        elif (place.x, place.y) in placed:
            reason = "another patch has the same place"
        else:
            placed[place.x, place.y] = (place, upload, outcome)
            continue
        left_out.append({"name": upload.name, "error": reason})
    if not placed:
        raise Refusal(
            422,
            f"none of the files is a readable patch whose name holds its place, as {EXAMPLE} does",
            extra={"results": left_out},
        )
    patients = {place.patient for place, _, _ in placed.values()}
    if len(patients) > 1:
        raise Refusal(
            422, f"the patches are of {len(patients)} patients; send one patient's at a time"
        )
    return {**_answer(run, _put_together(run, list(placed.values()))), "left_out": left_out}


def _put_together(run: Run, placed: list[tuple[Place, Upload, Prediction]]) -> SlideMap:
    places = [place for place, _, _ in placed]
    sizes = [size_of(upload.content) for _, upload, _ in placed]
    mosaic = Mosaic(
        places[0].patient,
        left=min(place.x for place in places),
        top=min(place.y for place in places),
        right=max(place.x + width for place, (width, _) in zip(places, sizes, strict=True)),
        bottom=max(place.y + height for place, (_, height) in zip(places, sizes, strict=True)),
    )
    for (place, _, prediction), size in zip(placed, sizes, strict=True):
        mosaic.add((place.x, place.y, *size), prediction.positive_probability)
    slide = mosaic.slide_map(run.threshold)
    try:
        check_grid(slide.boxes)
    except CancerNetError as error:
        raise Refusal(422, str(error)) from None
    return slide


def _answer(run: Run, slide: SlideMap) -> dict[str, Any]:
    figures = slide.figures
    rows = zip(
        slide.boxes.tolist(), slide.probabilities.tolist(), slide.positive.tolist(), strict=True
    )
    right, bottom = (slide.boxes[:, :2] + slide.boxes[:, 2:]).max(axis=0).tolist()
    return {
        "patient": slide.name,
        "left": slide.origin[0],
        "top": slide.origin[1],
        "width": right - slide.origin[0],
        "height": bottom - slide.origin[1],
        "step": step_of(slide.boxes),
        "patches": [
            dict(zip(("x", "y", "width", "height"), box, strict=True))
            | {"probability": probability, "positive": positive}
            for box, probability, positive in sorted(rows, key=lambda row: (row[0][1], row[0][0]))
        ],
        "positive_patches": figures.positive_patches,
        "area_fraction": figures.area_fraction,
        "score": figures.score,
        "operating_point": run.threshold,
        "word": run.positive_words,
        "geojson": as_geojson(slide, run.positive_words),
        "notice": NOTICE,
    }


def step_of(boxes: np.ndarray) -> int:
    """The distance of neighbouring patches: the smallest step in x or y that occurs."""
    steps = np.concatenate([np.diff(np.unique(boxes[:, axis])) for axis in (0, 1)])
    return int(steps.min()) if len(steps) else int(boxes[0, 2:].max())
