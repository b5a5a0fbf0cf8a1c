"""What a report shows of data and network beside the figures: counts, samples, layers."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layer:
    """One layer of a network; of its parameters, `trainable` learn.

    `kind` is e.g. `Conv2D`, `output` its shape without the batch, e.g. (24, 24, 64), and
    `derivation` how the parameters add up, e.g. "3×3×3×64 + 64".
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    trainable: int
    derivation: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitFigures:
    """Loss and accuracy of the final model on one split.

    Attributes:
        images: how many were scored.
        of: how many there are; more than `images` when a part was drawn at random.
        loss: mean cross entropy, natural logarithm, unweighted.
        accuracy: share whose most probable class is right, 0-1.
    """

    split: str
    images: int
    of: int
    loss: float
    accuracy: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """A testing image, uint8 (height, width, 3), and what was said of it; classes in words."""

    pixels: np.ndarray
    truth: str
    predicted: str
    probability: float
    right: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class KernelViews:
    """One training image as each kernel leaves it.

    Attributes:
        used: the kernel of this network.
        original: uint8 (height, width, 3).
        filtered: kernel -> float32 (height, width, 3), not limited to 0-255.
        stretched: kernel -> float32 0-1, what the network sees.
        coefficients: kernel -> float32 (3, 3).
    """

    used: str
    original: np.ndarray
    filtered: Mapping[str, np.ndarray]
    stretched: Mapping[str, np.ndarray]
    coefficients: Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Portrait:
    """What a report shows of the data and the network of one run.

    Attributes:
        counts: split -> images of each class, in class order.
        samples: class in words -> training images, uint8 (height, width, 3).
        layers: of the network, in order.
        summary: the network as Keras prints it.
        splits: loss and accuracy of training, validation and testing.
        examples: testing images drawn at random, wrong ones first.
        wrong: testing images that were called wrongly, of all.
        kernels: when the network filters its input, else None.
    """

    counts: Mapping[str, Sequence[int]]
    samples: Mapping[str, Sequence[np.ndarray]]
    layers: Sequence[Layer]
    summary: str
    splits: Sequence[SplitFigures]
    examples: Sequence[Example]
    wrong: int
    kernels: KernelViews | None = None
