"""Drawn images whose class sits in one known quadrant, and networks trained on them.

Every quadrant holds a disc with rings as strong as any other's. In class 1 the rings of
one disc, chosen by lot, are green and magenta instead of black and white. So the class
sits in that quadrant and nowhere else, and contrast or edges alone do not point to it.

A network learns this in some tens of steps, all of its weights, from numbers drawn at
random; random convolutions under a fitted head would say how maps are computed and
nothing of what a trained network of that kind looks at.
"""

import dataclasses

import keras
import numpy as np

from cancernet.explaining.gradients import Gradients
from cancernet.explaining.maps import GRADIENT_METHODS, spread
from cancernet.models import build_model, unfreeze_all

CHANCE, LEAST, STRAYED = 0.25, 0.5, 0.4
DEALS = (3, 4, 5)  # seeds; one network of random numbers may happen to look at the odd disc
AT_A_GLANCE = 10  # steps that are looked at together
FEWEST_STEPS = 25


@dataclasses.dataclass(frozen=True)
class Task:
    """How a network is trained on the drawn images.

    Attributes:
        size: side of the images, pixels, so that a quadrant is larger than what one cell
            of the maps effectively sees.
        rate: Adam's learning rate; deep ones without normalization need a small one.
        batch: images a step.
        steps: at most so many.
        after: the registered network that is trained first, from which the layers of the same
            names are taken; or "". Dense layers with dropout on a deep network are made for
            trained layers below them, and from random numbers do not learn in hundreds of steps.
    """

    size: int = 128
    rate: float = 1e-3
    batch: int = 16
    steps: int = 300
    after: str = ""


SMALL = Task(48, batch=32)
PLAIN_AND_DEEP = Task(rate=1e-4, batch=8)
ON_VGG16 = dataclasses.replace(PLAIN_AND_DEEP, steps=60, after="vgg16")
ON_DENSENET121 = Task(rate=3e-4, steps=60, after="densenet121")
# Maps of 2x2, which these do not smear; the wider, the smaller the steps they bear.
CONVNEXT = Task(64, rate=3e-4)
WIDE_CONVNEXT = Task(64, rate=1e-4)
# A cell of the last maps sees less of a larger image: size and images a step.
LARGER = {
    (192, 8): ["ResNet152"],
    (224, 8): [
        *("InceptionV3", "InceptionResNetV2", "MobileNetV3Small", "MobileNetV3Large"),
        *("NASNetMobile", "EfficientNetB1"),
        *(f"EfficientNetV2B{number}" for number in range(4)),
    ],
    (256, 8): ["EfficientNetV2S", "EfficientNetB0", "EfficientNetB2"],
    (288, 4): ["NASNetLarge", "EfficientNetV2M"],
    (320, 4): ["EfficientNetB3", "EfficientNetB4", "EfficientNetV2L"],
    (384, 4): ["EfficientNetB5", "EfficientNetB6", "EfficientNetB7"],
}
BACKBONES = {
    "VGG16": PLAIN_AND_DEEP,
    "VGG19": PLAIN_AND_DEEP,
    "ConvNeXtSmall": CONVNEXT,
    "ConvNeXtBase": CONVNEXT,
    "ConvNeXtLarge": WIDE_CONVNEXT,
    "ConvNeXtXLarge": WIDE_CONVNEXT,
    **{name: Task(size, batch=batch) for (size, batch), names in LARGER.items() for name in names},
}
TASKS = {
    "cancernet": Task(48, rate=2e-3, batch=32),
    "simple-cnn": Task(48, rate=2e-3, batch=32),
    "kernel-cnn": SMALL,
    "kernel-cnn-relu": SMALL,
    "kernel-cnn-gaussian": SMALL,
    "kernel-cnn-mean": SMALL,
    "vgg16": PLAIN_AND_DEEP,
    "vgg16-dense-head": ON_VGG16,
    "vgg16-dense-head-unit": ON_VGG16,
    "densenet121-dense-head": ON_DENSENET121,
    "densenet121-dense-head-unit": ON_DENSENET121,
    "alexnet": Task(131, rate=1e-4),
    "efficientnetv2b0": Task(192, batch=8),
    **{f"backbone:{name}": task for name, task in BACKBONES.items()},
}


def task_of(name: str) -> Task:
    """How a registered network is trained."""
    return TASKS.get(name, Task())


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


def judge(name: str, *, seed: int = 7) -> dict:
    """Trains a registered network on its task and judges its maps; see `judge_maps`."""
    keras.utils.set_random_seed(seed)
    model, steps = trained(name)
    return {"steps": steps, **judge_maps(model)}


def trained(name: str) -> tuple[keras.Model, int]:
    """Builds and trains a registered network, all of its weights; returns it and the steps."""
    task = task_of(name)
    model = build_model(name, (task.size, task.size, 3), 2)
    unfreeze_all(model)
    steps = 0
    if task.after:
        below, steps = trained(task.after)
        take_layers(model, below)
    return model, steps + train(model, task)


def take_layers(model: keras.Model, other: keras.Model) -> None:
    """Gives a model the weights of another's layers of the same names, but for the last ones."""
    theirs = {layer.name: layer.get_weights() for layer in other.layers}
    for layer in model.layers:
        found = theirs.get(layer.name, [])
        if found and [w.shape for w in found] == [tuple(w.shape) for w in layer.weights]:
            layer.set_weights(found)


def judge_maps(model: keras.Model, *, explained: int = 24) -> dict:
    """Explains new images, shuffles the network's weights, explains again.

    Returns:
        `right` (share of new images told rightly), `size`, `layer`, `maps` (rows, columns),
        the share of every gradient method's mass inside, and `shuffled`: the same of
        Grad-CAM with shuffled weights, the mean over all maps of three deals and both
        classes; NaN, no pass, where there are fewer such maps than images.
    """
    size = model.input_shape[1]
    images, classes, regions = draw(2 * explained, size, seed=500)
    answers = model.predict(images.astype(np.float32), verbose=0, batch_size=16).argmax(axis=1)
    images, regions = images[classes == 1], regions[classes == 1]
    gradients = Gradients(model)
    return {
        "right": float((answers == classes).mean()),
        "size": size,
        "layer": gradients.layer_name(None),
        **shares(gradients, images, regions),
        "shuffled": shuffled_share(model, gradients, images, regions),
    }


def passes(row: dict) -> bool:
    """Whether the maps lie in the region, and not when the weights were shuffled."""
    return row["right"] >= 0.9 and row["grad-cam"] >= LEAST and row["shuffled"] <= STRAYED


def train(model: keras.Model, task: Task, *, seed: int = 1000) -> int:
    """Trains on new images every step until ten steps were right; returns the steps."""
    model.compile(
        optimizer=keras.optimizers.Adam(task.rate, clipnorm=1.0),
        loss="categorical_crossentropy",
        jit_compile=False,
    )
    model.optimizer.build(model.trainable_variables)  # or a step would be traced twice
    losses: list[float] = []
    for step in range(task.steps):
        images, classes, _ = draw(task.batch, task.size, seed=seed + step)
        losses.append(float(model.train_on_batch(images.astype(np.float32), np.eye(2)[classes])))
        model.reset_metrics()
        if step >= FEWEST_STEPS and max(losses[-AT_A_GLANCE:]) < 0.1:
            break
    settle(model, task)
    return len(losses)


def settle(model: keras.Model, task: Task, *, images: int = 64) -> None:
    """Gives batch normalization the mean statistics of these many images.

    Moving averages of momentum 0.99 have forgotten their first values after some hundreds
    of steps, and here are only tens. In batches, because all of a large network's feature
    maps are held at once.
    """
    normalizations = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    before = [layer.momentum for layer in normalizations]
    for number in range(images // task.batch if normalizations else 0):
        for layer in normalizations:
            layer.momentum = number / (number + 1)  # the mean of all batches so far
        batch = draw(task.batch, task.size, seed=number)[0]
        model(batch.astype(np.float32), training=True)
    for layer, momentum in zip(normalizations, before, strict=True):
        layer.momentum = momentum


def shares(
    gradients: Gradients, images: np.ndarray, regions: np.ndarray, class_index: int = 1
) -> dict:
    """Share of every gradient method's mass in the right quadrant, and the maps' size."""
    pairs = [gradients.at(image, class_index)[:2] for image in images]
    side = images.shape[1]
    found: dict = {"maps": pairs[0][0].shape[:2]}
    for name, method in GRADIENT_METHODS.items():
        maps = [spread(method(*pair), height=side, width=side) for pair in pairs]
        found[name] = share_inside(np.stack(maps), regions)
    found["zero"] = sum(not GRADIENT_METHODS["grad-cam"](*pair).any() for pair in pairs)
    return found


def shuffled_share(
    model: keras.Model, gradients: Gradients, images: np.ndarray, regions: np.ndarray
) -> float:
    """Mean share of Grad-CAM's mass inside with shuffled weights; see `judge_maps`.

    Shuffling keeps a weight tensor's mean. Where that is below 0 and what comes in is all
    positive (a dense layer behind ReLU), no unit may answer to any image. Numbers drawn
    anew, the other way of Adebayo et al., then take the place of the shuffled ones.
    """
    weights = model.get_weights()
    for randomise in (shuffle_weights, draw_weights_anew):
        found: list[float] = []
        for seed in DEALS:
            model.set_weights(weights)
            randomise(model, seed=seed)  # and so what `gradients` differentiates
            for class_index in (0, 1):  # either may be the one with nothing in its favour
                found += shares_of_maps(gradients, images, regions, class_index)
        if len(found) >= len(images):
            return float(np.mean(found))
    return float("nan")


def shares_of_maps(
    gradients: Gradients, images: np.ndarray, regions: np.ndarray, class_index: int
) -> list[float]:
    """Share of Grad-CAM's mass inside, of every image that has a map at all."""
    side, found = images.shape[1], []
    for image, region in zip(images, regions, strict=True):
        raw = GRADIENT_METHODS["grad-cam"](*gradients.at(image, class_index)[:2])
        if raw.any():
            large = spread(raw, height=side, width=side)
            found.append(float(large[region].sum() / large.sum()))
    return found


def draw_weights_anew(model: keras.Model, *, seed: int) -> None:
    """Gives every weight a first value again, as its initializer draws it."""
    keras.utils.set_random_seed(seed)
    model.set_weights(keras.models.clone_model(model).get_weights())


def shuffle_weights(model: keras.Model, *, seed: int) -> None:
    """Deals every weight tensor's numbers out anew (Adebayo et al. 2018)."""
    rng = np.random.default_rng(seed)
    model.set_weights(
        [rng.permutation(weight.ravel()).reshape(weight.shape) for weight in model.get_weights()]
    )


def share_inside(maps: np.ndarray, regions: np.ndarray) -> float:
    """Mean share of the maps' mass in their regions; a map of nothing counts as chance."""
    mass = maps.sum(axis=(1, 2))
    inside = (maps * regions).sum(axis=(1, 2))
    chance = regions.mean(axis=(1, 2))
    return float(np.divide(inside, mass, out=chance, where=mass > 0).mean())
