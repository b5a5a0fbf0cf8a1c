"""Test-time augmentation inside the graph: an image judged in several orientations at once.

A network that is trained on turned and mirrored images still judges them differently. The mean of
its log odds over the orientations ranks better than any one of them.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import keras

_LEAST = 1e-12  # probability, before its logarithm


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
