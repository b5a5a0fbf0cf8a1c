"""The registry of networks: a plain dict that a decorator fills.

A builder takes the input shape (height, width, 3) and the number of classes and
returns an uncompiled `keras.Model` that takes RGB values 0-255 and gives one
probability per class. Preprocessing belongs inside the graph.
"""

from collections.abc import Callable

import keras

from cancernet.errors import CancerNetError

Builder = Callable[[tuple[int, int, int], int], keras.Model]

MODELS: dict[str, Builder] = {}


def register(name: str) -> Callable[[Builder], Builder]:
    """Enters a builder under a name; a name that is taken is a programming error."""

    def enter(builder: Builder) -> Builder:
        if name in MODELS:
            raise ValueError(f"a network named {name!r} is registered already")
        MODELS[name] = builder
        return builder

    return enter


def build_model(
    name: str, input_shape: tuple[int, int, int], classes: int, weights: str | None = None
) -> keras.Model:
    """Builds a network by name, with fresh weights or with those of a file.

    Args:
        name: a registered name, e.g. "cancernet".
        input_shape: (height, width, 3), pixels.
        classes: number of outputs, at least 2.
        weights: path of a `.weights.h5` or `.keras` file of the same network.

    Returns:
        An uncompiled model: float RGB 0-255 of shape (n, height, width, 3) to
        probabilities of shape (n, classes).

    Raises:
        CancerNetError: unknown name, too few classes, or weights that do not fit.
    """
    if name not in MODELS:
        raise CancerNetError(f"unknown network {name!r}; known are {', '.join(sorted(MODELS))}")
    if classes < 2:
        raise CancerNetError(f"a classifier needs at least 2 classes, not {classes}")
    model = MODELS[name](input_shape, classes)
    if weights is not None:
        load_weights(model, weights)
    return model


def load_weights(model: keras.Model, path: str) -> None:
    """Loads weights from a file into a model, never running code from the file.

    Raises:
        CancerNetError: the file is missing, damaged or of another network.
    """
    try:
        model.load_weights(path)
    except FileNotFoundError:
        raise CancerNetError(f"there is no weights file {path}") from None
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CancerNetError(f"the weights in {path} do not fit this network: {reason}") from None
