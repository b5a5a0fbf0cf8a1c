"""How pixels are scaled to what a network was trained on, inside graphs and outside."""

from typing import Any

import numpy as np

# ImageNet, RGB, of pixels scaled to 0-1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# ImageNet, in the order blue, green, red, of pixels 0-255.
CAFFE_MEAN = (103.939, 116.779, 123.68)

# name -> (scale, offset): the pixels times the first plus the second, per channel
SCALINGS: dict[str, tuple[Any, Any]] = {
    "unit": (1 / 255, 0.0),
    "tf": (1 / 127.5, -1.0),
    "tf-128": (1 / 128, -1.0),
    "torch": (
        [1 / (255 * deviation) for deviation in IMAGENET_DEVIATION],
        [-mean / dev for mean, dev in zip(IMAGENET_MEAN, IMAGENET_DEVIATION, strict=True)],
    ),
    "caffe": (1.0, [-mean for mean in CAFFE_MEAN]),
}


def prepared(pixels: np.ndarray, rule: str) -> np.ndarray:
    """Brings RGB 0-255, float32 (n, height, width, 3), to what a model was trained on.

    `rule` is one of `SCALINGS`, or "inside": the model does it.
    """
    if rule == "inside":
        return pixels
    scale, offset = SCALINGS[rule]
    if rule == "caffe":
        pixels = pixels[..., ::-1]
    return pixels * np.asarray(scale, np.float32) + np.asarray(offset, np.float32)
