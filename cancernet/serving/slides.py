"""From scored patches to the map of their slide."""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from cancernet.command_line import NOTICE
from cancernet.inference.predictor import Prediction
from cancernet.runs import Run
from cancernet.serving.refusals import Refusal

_PLACE = re.compile(r"(?:^|_)x(?P<x>\d{1,9})_y(?P<y>\d{1,9})(?:_|\.|$)")
_PATIENT = re.compile(r"^(?P<patient>[^_]+)_idx\d+_x\d+_y\d+")


def slide_map(
    run: Run, names: Sequence[str], outcomes: Sequence[Prediction | str]
) -> dict[str, Any]:
    """Puts patches in their places.

    Args:
        run: the run that scored them.
        names: file names; `…_x<X>_y<Y>…` is the patch's upper left corner in pixels.
        outcomes: each file's prediction, or why there is none.

    Returns:
        The fields of `cancernet.serving.answers.SlideMap`.

    Raises:
        Refusal: 422, no patch could be placed, or they are of several patients.
    """
    patches: dict[tuple[int, int], Prediction] = {}
    left_out: list[dict[str, str]] = []
    patients: set[str] = set()
    for name, outcome in zip(names, outcomes, strict=True):
        place = _PLACE.search(name)
        reason = outcome if isinstance(outcome, str) else ""
        if place is None:
            reason = "its name holds no position, such as _x1001_y551_"
        elif not reason and (int(place["x"]), int(place["y"])) in patches:
            reason = "another patch has the same position"
        if reason or place is None or isinstance(outcome, str):
            left_out.append({"name": name, "error": reason})
            continue
        patches[int(place["x"]), int(place["y"])] = outcome
        if found := _PATIENT.match(name):
            patients.add(found["patient"])
    if not patches:
        raise Refusal(
            422,
            "none of the files is a readable patch whose name holds its position "
            "(…_x1001_y551_….png)",
            extra={"results": left_out},
        )
    if len(patients) > 1:
        raise Refusal(
            422, f"the patches are of {len(patients)} patients; send one patient's at a time"
        )
    return {"patient": next(iter(patients), ""), **_figures(run, patches), "left_out": left_out}


def _figures(run: Run, patches: dict[tuple[int, int], Prediction]) -> dict[str, Any]:
    size = patch_size(list(patches))
    xs, ys = zip(*patches, strict=True)
    positive = sum(prediction.positive for prediction in patches.values())
    return {
        "patch_size": size,
        "left": min(xs),
        "top": min(ys),
        "width": max(xs) - min(xs) + size,
        "height": max(ys) - min(ys) + size,
        "patches": [
            {
                "x": x,
                "y": y,
                "probability": prediction.positive_probability,
                "positive": prediction.positive,
            }
            for (x, y), prediction in sorted(patches.items(), key=lambda item: item[0][::-1])
        ],
        "positive_patches": positive,
        "area_fraction": positive / len(patches),
        "patient_score": math.fsum(p.positive_probability for p in patches.values()) / len(patches),
        "operating_point": run.threshold,
        "word": run.positive_words,
        "notice": NOTICE,
    }


def patch_size(places: list[tuple[int, int]], *, default: int = 50) -> int:
    """The distance of neighbouring patches: the smallest step in x or y that occurs."""
    steps = np.concatenate(
        [np.diff(np.unique([place[axis] for place in places])) for axis in (0, 1)]
    )
    return int(steps.min()) if len(steps) else default
