"""Preprocessing inside a network's graph: from RGB 0-255 to what its first layer takes.

A backbone trained on ImageNet answers rightly only to the numbers it was trained on,
so each keeps its own rule (as in `keras.applications`). The kernel CNN filters its images
and stretches them to 0-1, as `cv2.filter2D` (border reflect-101, the default),
`cv2.normalize(..., NORM_MINMAX)` over all channels together and 1/255 do; in float32,
without OpenCV's saturation of `uint8` images. All of it is built of Keras's own layers and
operations: a saved model needs no code of ours to be loaded.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from cancernet.images.scalings import SCALINGS


def preprocess(image: keras.KerasTensor, rule: str) -> keras.KerasTensor:
    """Adds the preprocessing of a rule to a graph.

    Args:
        image: RGB, 0-255, shape (n, height, width, 3).
        rule: "unit" (to 0-1), "tf" (to -1..1), "tf-128" (by 128 instead of 127.5),
            "torch" (ImageNet mean and deviation), or "caffe" (blue-green-red minus the
            ImageNet mean, not scaled).

    Returns:
        Of the same shape, in float32 whatever the arithmetic of the rest.
    """
    scale, offset = SCALINGS[rule]
    if rule == "caffe":
        image = keras.ops.flip(image, axis=-1)
    return keras.layers.Rescaling(scale, offset, dtype="float32", name=f"preprocess_{rule}")(image)


_LEAST = 1e-12  # probability, before its logarithm

# As published. "sharpening" is called Laplacian there, but its sum is 1, not 0:
# it adds the Laplacian to the image.
KERNELS: dict[str, np.ndarray] = {
    "gaussian": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16,
    "mean": np.full((3, 3), 1, np.float32) / 9,
    "sharpening": np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32),
}


def filter_image(image: keras.KerasTensor, kernel: str) -> keras.KerasTensor:
    """Filters each channel with one of `KERNELS`, reflecting at the edge, without saturation.

    Takes and returns shape (n, height, width, channels), at least 2x2 pixels.
    """
    channels = image.shape[-1]
    weights = np.repeat(KERNELS[kernel][:, :, None, None], channels, axis=2)
    edge = ((0, 0), (1, 1), (1, 1), (0, 0))
    padded = keras.ops.pad(image, edge, mode="reflect")
    return keras.ops.depthwise_conv(padded, weights, padding="valid")


def filter_and_stretch(image: keras.KerasTensor, kernel: str) -> keras.KerasTensor:
    """Filters each channel and stretches each image as a whole to 0-1.

    An image whose filtered values differ by less than one grey level is flat and
    comes out near 0 rather than as magnified rounding errors. See `filter_image`.
    """
    filtered = filter_image(image, kernel)
    whole_image = {"axis": (1, 2, 3), "keepdims": True}
    least = keras.ops.amin(filtered, **whole_image)
    spread = keras.ops.amax(filtered, **whole_image) - least
    return (filtered - least) / keras.ops.maximum(spread, 1.0)


class Orientation(NamedTuple):
    """What is done to an image, in this order."""

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    def of(self, images: Any) -> Any:
        """Returns images (n, side, side, 3) in this orientation."""
        if self.transposed:
            images = keras.ops.transpose(images, (0, 2, 1, 3))
        axes = [axis for axis, flipped in ((1, self.upside_down), (2, self.mirrored)) if flipped]
        return keras.ops.flip(images, axis=axes) if axes else images


_AS_IT_IS, _MIRRORED = Orientation(), Orientation(mirrored=True)
_TURNS = (
    _AS_IT_IS,
    Orientation(transposed=True, upside_down=True),  # by 90 degrees, as `numpy.rot90` turns
    Orientation(upside_down=True, mirrored=True),
    Orientation(transposed=True, mirrored=True),
)
# The names are those of `TEST_TIME_AUGMENTATIONS` in config.py. The image as it is comes first:
# its feature maps are those that a heat map shows.
ORIENTATIONS: Mapping[str, tuple[Orientation, ...]] = {
    "none": (_AS_IT_IS,),
    "mirror": (_AS_IT_IS, _MIRRORED),
    "turn": _TURNS[:2],
    "quarter-turns": _TURNS,
    "symmetries": (*_TURNS, *(turn._replace(mirrored=not turn.mirrored) for turn in _TURNS)),
}


def in_orientations(network: keras.Model, kind: str) -> keras.Model:
    """Returns a network that averages what the given one says of an image's orientations.

    A network that is trained on turned and mirrored images still judges them differently. The mean
    of its log odds over the orientations ranks better than any one of them.

    Args:
        network: takes square images (n, side, side, 3), gives probabilities (n, classes) that sum
            to 1. Its layers and weights are shared.
        kind: a key of `ORIENTATIONS`; for "none" the network itself is returned.

    Returns:
        A model of the same inputs and outputs. Its probabilities are the geometric means over the
        orientations, made to sum to 1; of two classes, that is the mean of their log odds.
    """
    orientations = ORIENTATIONS[kind]
    if len(orientations) == 1:
        return network
    image = keras.Input(network.input_shape[1:], name="image", dtype="float32")
    turned = keras.ops.concatenate([each.of(image) for each in orientations], axis=0)
    answers = keras.ops.maximum(network.call(turned), _LEAST)
    each = keras.ops.reshape(answers, (len(orientations), -1, network.output_shape[-1]))
    mean = keras.ops.mean(keras.ops.log(each), axis=0)
    return keras.Model(image, keras.ops.softmax(mean, axis=-1), name=network.name)
