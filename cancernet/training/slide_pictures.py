"""Slide maps of testing patients, from the probabilities that evaluation has already."""

import sys
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.images import read_rgb
from cancernet.base.notice import NOTICE
from cancernet.dataset.manifest import NO_POSITION, BuiltDataset
from cancernet.measures import scored as scores
from cancernet.report.content import SlidePicture
from cancernet.slides.cells import check_grid
from cancernet.slides.drawing import save_picture
from cancernet.slides.mosaic import Mosaic, SlideMap
from cancernet.training.complete import Finished

MOST = 6  # maps in a report; more would make it slow to open


def write_slide_pictures(
    folder: Path, finished: Finished, dataset: BuiltDataset, *, footer: str
) -> list[SlidePicture]:
    """Writes `slide-<patient>.png` of the testing patients with the most patches.

    Of a data set whose file names carry no places nothing is written.

    Args:
        folder: the figures folder.
        finished: the testing images' probabilities and the operating point.
        dataset: where the images are.
        footer: what must be known of the data; empty when nothing.

    Returns:
        The pictures for the report, at most `MOST`.
    """
    part = dataset.split("testing")
    patients = np.array(part.patients)
    placed = part.x != NO_POSITION
    names, counts = np.unique(patients[placed], return_counts=True)
    chosen = sorted(names[np.argsort(-counts, kind="stable")][:MOST].tolist())
    word = finished.assessment.positive_word
    pictures = []
    for name in chosen:
        rows = np.flatnonzero(placed & (patients == name))
        try:
            check_grid(_boxes(dataset, rows))
        except CancerNetError as error:  # a picture is not worth the run
            print(f"No slide map of patient {name}: {error}", file=sys.stderr)
            continue
        slide = _slide(finished, dataset, str(name), rows)
        path = folder / f"slide-{name}.png"
        save_picture(slide, path, word=word, footer=f"{footer} {NOTICE}".strip())
        figures = slide.figures
        pictures.append(
            SlidePicture(
                path=path,
                caption=(
                    f"Patient {name}, {figures.patches:,} patches: {word} labelled in "
                    f"{100 * figures.true_area_fraction:.1f} % of the area, called in "
                    f"{100 * figures.area_fraction:.1f} %."
                ),
                patients=len(names),
            )
        )
    return pictures


def _boxes(dataset: BuiltDataset, rows: np.ndarray) -> np.ndarray:
    """Left, top, width and height of testing patches, (patches, 4), as most images are."""
    part = dataset.split("testing")
    sizes = np.broadcast_to(dataset.image_size, (len(rows), 2))
    return np.column_stack([part.x[rows], part.y[rows], sizes]).astype(np.int64)


def _slide(finished: Finished, dataset: BuiltDataset, name: str, rows: np.ndarray) -> SlideMap:
    part, testing = dataset.split("testing"), finished.testing
    columns = finished.assessment.positive_indices
    score = scores.positive_score(testing.probabilities, columns)
    truth = scores.positive_truth(testing, columns)
    width, height = dataset.image_size
    mosaic = Mosaic(
        name,
        left=int(part.x[rows].min()),
        top=int(part.y[rows].min()),
        right=int(part.x[rows].max()) + width,
        bottom=int(part.y[rows].max()) + height,
    )
    for row in rows.tolist():
        try:
            pixels = np.asarray(read_rgb(dataset.folder / part.paths[row]))
        except ImageError:  # it was read a minute ago; a picture is not worth the run
            mosaic.failed += 1
            continue
        x, y = int(part.x[row]), int(part.y[row])
        mosaic.paste(x, y, pixels)
        mosaic.add((x, y, pixels.shape[1], pixels.shape[0]), float(score[row]), int(truth[row]))
    return mosaic.slide_map(finished.assessment.operating_point.threshold)
