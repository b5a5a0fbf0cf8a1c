"""From feature maps and gradients to one heat map: the definitions, in NumPy.

Every function takes the feature maps `A` and the gradient of the class's score (before
softmax or sigmoid) with respect to them, both of shape (rows, columns, channels), and
returns float32 of shape (rows, columns), 0 or more.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[np.float32]


def grad_cam(features: Array, gradient: Array) -> Array:
    """Grad-CAM: channels weighted with their mean gradient, summed, negatives cut.

    Selvaraju et al. 2017, equations 1 and 2.
    """
    weights = gradient.mean(axis=(0, 1), dtype=np.float64)
    return _positive((features * weights).sum(axis=-1))


def hirescam(features: Array, gradient: Array) -> Array:
    """HiResCAM: gradient times feature at every place, summed, negatives cut.

    Draelos and Carin 2020. Without the mean, a gradient stays where it belongs: what
    the map shows at a place is what that place adds to the score, to first order.
    """
    return _positive((features * gradient.astype(np.float64)).sum(axis=-1))


def grad_cam_plus_plus(features: Array, gradient: Array) -> Array:
    """Grad-CAM++: like Grad-CAM with weights that count every occurrence of a pattern.

    Chattopadhay et al. 2018, equations 10 and 19 with the exponential of the score as
    the function explained. Its factor exp(score) is common to all weights and left out,
    so large scores cannot overflow.
    """
    slope = gradient.astype(np.float64)
    below = 2 * slope**2 + features.sum(axis=(0, 1), dtype=np.float64) * slope**3
    shares = np.divide(slope**2, below, out=np.zeros_like(below), where=below != 0)
    weights = (shares * np.maximum(slope, 0)).sum(axis=(0, 1))
    return _positive((features * weights).sum(axis=-1))


GRADIENT_METHODS: dict[str, Callable[[Array, Array], Array]] = {
    "grad-cam": grad_cam,
    "hirescam": hirescam,
    "grad-cam++": grad_cam_plus_plus,
}
METHODS = (*GRADIENT_METHODS, "occlusion")


def spread(raw: Array, *, height: int, width: int) -> Array:
    """Brings a raw map to an image's size and to 0-1, its largest value being 1.

    Bilinear, each value at the middle of its cell. A map without positive values is 0
    everywhere.
    """
    cut = np.maximum(np.asarray(raw, np.float32), 0)
    if cut.shape != (height, width):
        image = Image.fromarray(cut).resize((width, height), Image.Resampling.BILINEAR)
        cut = np.maximum(np.asarray(image, np.float32), 0)
    top = cut.max(initial=0)
    return cut / top if top > 0 else np.zeros_like(cut)


def _positive(values: NDArray[np.float64]) -> Array:
    return np.maximum(values, 0).astype(np.float32)
