"""A slide map whose patches are judged with their neighbours."""

import dataclasses

import numpy as np

from cancernet.context.surroundings import Places
from cancernet.runs.run_record import ContextRecord
from cancernet.slides.slide_map import MapContext, SlideMap


def map_in_context(slide: SlideMap, context: ContextRecord, *, side: int) -> SlideMap:
    """Returns a map of patches alone as one of patches in context.

    `side` is that of a whole patch in pixels of the slide, in which places are counted.
    """
    columns, rows = (slide.boxes[:, :2] // side).T
    slides = np.zeros(len(slide.boxes), np.int64)  # all of them are of one slide
    judged = context.judge(slide.probabilities, Places(slides, columns, rows))
    return dataclasses.replace(
        slide,
        probabilities=judged.probability,
        threshold=context.operating_point.threshold,
        context=MapContext(alone=slide, neighbours=judged.neighbours, lone=judged.alone),
    )
