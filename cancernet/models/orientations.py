"""Test-time augmentation inside the graph: an image judged in several orientations at once.

A network that is trained on turned and mirrored images still judges them differently. The mean of
its log odds over the orientations ranks better than any one of them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import keras

Turn = Callable[[Any], Any]
_LEAST = 1e-12  # probability, before its logarithm


def _as_it_is(image: Any) -> Any:
    return image


def _transposed(image: Any) -> Any:
    return keras.ops.transpose(image, (0, 2, 1, 3))


def _upside_down(image: Any) -> Any:
    return keras.ops.flip(image, axis=1)


def _mirrored(image: Any) -> Any:
    return keras.ops.flip(image, axis=2)


def _half_turn(image: Any) -> Any:
    return _upside_down(_mirrored(image))


def _quarter_turn(image: Any) -> Any:
    return _upside_down(_transposed(image))


_TURNS = (_as_it_is, _quarter_turn, _half_turn, lambda image: _half_turn(_quarter_turn(image)))
# The names are those of `TEST_TIME_AUGMENTATIONS` in config.py. The image as it is comes first:
# its feature maps are those that a heat map shows.
ORIENTATIONS: Mapping[str, tuple[Turn, ...]] = {
    "none": (_as_it_is,),
    "mirror": (_as_it_is, _mirrored),
    "turn": (_as_it_is, _quarter_turn),
    "quarter-turns": _TURNS,
    "symmetries": (*_TURNS, *(lambda image, turn=turn: _mirrored(turn(image)) for turn in _TURNS)),
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
    turns = ORIENTATIONS[kind]
    if len(turns) == 1:
        return network
    image = keras.Input(network.input_shape[1:], name="image", dtype="float32")
    turned = keras.ops.concatenate([turn(image) for turn in turns], axis=0)
    answers = keras.ops.maximum(network.call(turned), _LEAST)
    each = keras.ops.reshape(answers, (len(turns), -1, network.output_shape[-1]))
    mean = keras.ops.mean(keras.ops.log(each), axis=0)
    return keras.Model(image, keras.ops.softmax(mean, axis=-1), name=network.name)
