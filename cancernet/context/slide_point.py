"""The operating point of a nearly complete slide, found from its own unlabelled scores.

In context, the scores of a slide with tumour fall into two groups. Otsu's threshold (IEEE
Transactions on Systems, Man, and Cybernetics 9, 1979) parts them where the variance between the
groups is greatest. Means over neighbours carry the tumour's scores beyond its outline, so that most
of what lies between the groups is tissue: the slide's operating point lies `raised` above Otsu's
threshold. It is kept within `FURTHEST` of the one that validation chose: it corrects a slide whose
scores lie higher or lower as a whole, while its cost on a slide without tumour stays limited
(benchmarks/README.md, "In context").
"""

import numpy as np

from cancernet.context.context import Context, JudgedPatches
from cancernet.context.neighbours import LEAST_WEIGHT, Places
from cancernet.measures.decisions import log_odds

# With fewer patches, or with sampled ones, the share of tumour is too odd to find the threshold.
LEAST_PATCHES = 450
LEAST_SHARE = 0.5  # of them that have most of their neighbours
FURTHEST = 1.0  # log odds that a slide's operating point may lie from validation's
_WIDEST = 8.0  # log odds beyond which scores count as the same
_BINS = 256


def operating_points(
    context: Context, judged: JudgedPatches, places: Places, *, alone: float, chosen: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the operating point of every patch, (n,), and which are a slide's own, (n,) bool.

    Args:
        context: the context that judged the patches.
        places: (n,) where they lie.
        alone: operating point of a patch without neighbours.
        chosen: operating point in context that validation chose.
    """
    points = np.where(judged.alone, alone, chosen)
    own = np.zeros(len(points), bool)
    if not context.slide_points or len(points) < LEAST_PATCHES:
        return points, own
    for rows in _whole(places, judged.weight):
        among = rows[~judged.alone[rows]]
        points[among] = slide_point(judged.probability[among], chosen, context)
        own[among] = True
    return points, own


def slide_point(probability: np.ndarray, chosen: float, context: Context) -> float:
    """Returns the operating point of a whole slide.

    Args:
        probability: (n,) of its patches in context.
        chosen: operating point in context that validation chose.
    """
    even = context.even
    middle = float(log_odds(np.array(chosen))) - even
    scores = (log_odds(probability) - even).clip(-_WIDEST, _WIDEST)
    counts, edges = np.histogram(scores, _BINS, (-_WIDEST, _WIDEST))
    below, sums = np.cumsum(counts), np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)
    pairs = below * (below[-1] - below)
    between = (sums[-1] * below / below[-1] - sums) ** 2 / np.maximum(pairs, 1)
    between[pairs == 0] = 0
    if not between.any():
        return chosen
    parted = float(edges[1:][np.argmax(between)])
    point = even + min(max(parted + context.raised, middle - FURTHEST), middle + FURTHEST)
    return float(1 / (1 + np.exp(-point)))


def is_whole(weight: np.ndarray) -> bool:
    """Tells whether a slide is nearly complete, by the weights (n,) of its patches' neighbours."""
    return len(weight) >= LEAST_PATCHES and bool(np.mean(weight >= LEAST_WEIGHT) >= LEAST_SHARE)


def _whole(places: Places, weight: np.ndarray) -> list[np.ndarray]:
    """Returns the rows of each nearly complete slide."""
    slides: dict[str, list[int]] = {}
    for row, name in enumerate(np.asarray(places.slides).tolist()):
        if places.columns[row] >= 0:
            slides.setdefault(name, []).append(row)
    found = [np.array(rows) for rows in slides.values()]
    return [rows for rows in found if is_whole(weight[rows])]
