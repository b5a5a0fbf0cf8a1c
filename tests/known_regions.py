"""Drawn images whose class sits in one known quadrant, for every network the same way.

Every quadrant holds a disc with rings as strong as any other's. In class 1 the rings of
one disc, chosen by lot, are green and magenta instead of black and white. So the class
sits in that quadrant and nowhere else, and contrast or edges alone do not point to it.

Most registered networks would take hours to train here. Their convolutions keep random
numbers (batch normalization is given the statistics of the images), and a linear
read-out without offset, the same at every place, is fitted to the channels that come into
the first dense layer; hidden dense layers hand it on as its positive and negative part.
Without an offset the rest must speak against class 1, so only that disc can speak for it.
"""

import keras
import numpy as np

from cancernet.explaining.network import OpenNetwork

RIDGE = 1e-3


def draw(count: int, size: int, *, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns images uint8 (n, size, size, 3), classes (n,), and regions bool (n, size, size)."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, size // 8 + 1, size // 8 + 1, 1)).repeat(8, 1).repeat(8, 2)
    ground = 150 + 6 * coarse[:, :size, :size] + rng.normal(0, 6, (count, size, size, 3))
    classes = np.arange(count) % 2
    regions = np.zeros((count, size, size), bool)
    half = size // 2
    y, x = np.mgrid[0:size, 0:size]
    for index in range(count):
        chosen = rng.integers(4)
        for quadrant in range(4):
            top, left = half * (quadrant // 2), half * (quadrant % 2)
            middle = rng.uniform(0.42, 0.58, 2) * half + (top, left)
            away = np.hypot(y - middle[0], x - middle[1])
            disc = away < rng.uniform(0.3, 0.4) * half
            rings = 70 * np.sign(np.sin(away * 2 * np.pi / 6))
            is_class = classes[index] == 1 and quadrant == chosen
            ground[index][disc] += np.stack([rings, -rings if is_class else rings, rings], -1)[disc]
            if quadrant == chosen:
                regions[index, top : top + half, left : left + half] = True
    return ground.clip(0, 255).astype(np.uint8), classes, regions


def fit_read_out(model: keras.Model, images: np.ndarray, classes: np.ndarray) -> None:
    """Fits the head of a classifier of two classes by ridge regression, in place."""
    use_statistics_of(model, images)
    head = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    features = keras.Model(model.inputs, head[0].input).predict(
        images.astype(np.float32), verbose=0, batch_size=16
    )
    cells = features.shape[1] // channels_behind(model)
    features = features.reshape(len(images), cells, -1).mean(axis=1, dtype=np.float64)
    scale = features.std() + 1e-30
    features /= scale
    target = np.where(classes == 1, 1.0, -1.0)
    kernel = features @ features.T
    shares = np.linalg.solve(
        kernel + RIDGE * np.trace(kernel) / len(kernel) * np.eye(len(kernel)), target
    )
    weights = np.tile(shares @ features, cells) / (scale * cells)
    incoming = np.stack([weights, -weights], axis=1)
    for layer in head[:-1]:
        set_dense(layer, incoming)
        incoming = np.eye(2)
    # One unit says class 1 by itself; of two the second does.
    last = np.array([[-1.0, 1.0], [1.0, -1.0]])
    if len(head) == 1:
        last = np.stack([-weights, weights], axis=1)
    set_dense(head[-1], last if head[-1].units > 1 else last[:, 1:])


def channels_behind(model: keras.Model) -> int:
    """Returns how many channels the maps have that the head flattens or averages."""
    kinds = (keras.layers.Flatten, keras.layers.GlobalAveragePooling2D)
    return next(x for x in reversed(model.layers) if isinstance(x, kinds)).input.shape[-1]


def set_dense(layer: keras.layers.Dense, block: np.ndarray) -> None:
    """Gives a dense layer these weights in its corner and nothing elsewhere."""
    kernel, bias = (np.zeros(weight.shape, np.float32) for weight in layer.get_weights())
    kernel[: block.shape[0], : block.shape[1]] = block
    layer.set_weights([kernel, bias])


def use_statistics_of(model: keras.Model, images: np.ndarray) -> None:
    """Gives batch normalization the mean and variance of these images, layer after layer.

    Random numbers alone would let the signal of a deep network die out.
    """
    normalizations = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    explained = OpenNetwork(model).step(None).layer
    before = [(x.momentum, x.trainable) for x in normalizations]
    for layer in normalizations:
        layer.momentum, layer.trainable = 0.0, True
    model(images[:32].astype(np.float32), training=True)
    for layer, (momentum, trainable) in zip(normalizations, before, strict=True):
        layer.momentum, layer.trainable = momentum, trainable
    for layer in normalizations:
        is_behind = model.layers.index(layer) > model.layers.index(explained)
        if is_behind:  # an offset there would let the ground speak for a class
            layer.moving_mean.assign(np.zeros(layer.moving_mean.shape))
        if len(layer.input.shape) == 2:  # behind a dense layer, which is yet to be fitted
            layer.moving_variance.assign(np.ones(layer.moving_variance.shape))


def shuffle_weights(model: keras.Model, *, seed: int) -> None:
    """Deals every weight tensor's numbers out anew (Adebayo et al. 2018)."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.permutation(weight.ravel()).reshape(weight.shape) for weight in model.get_weights()]
    )


def shuffle_read_out(model: keras.Model, *, seed: int) -> None:
    """The same where the head was fitted by `fit_read_out`.

    Dealing out a head of which a handful of numbers are not 0 would cut the score off from
    the maps. So the read-out keeps its form and is tied to other features by lot.
    """
    rng = np.random.default_rng(seed)
    head = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    kept = [layer.get_weights() for layer in head]
    shuffle_weights(model, seed=seed)
    kernel, bias = kept[0]
    kept[0] = [rng.permutation(kernel, axis=0), bias]
    for layer, weights in zip(head, kept, strict=True):
        layer.set_weights(weights)


def share_inside(maps: np.ndarray, regions: np.ndarray) -> float:
    """Mean share of the maps' mass in their regions; a map of nothing counts as chance."""
    mass = maps.sum(axis=(1, 2))
    inside = (maps * regions).sum(axis=(1, 2))
    chance = regions.mean(axis=(1, 2))
    return float(np.divide(inside, mass, out=chance, where=mass > 0).mean())
