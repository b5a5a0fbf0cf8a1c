"""What happens to RGB 0-255 before a network's first weight, inside its graph.

A backbone trained on ImageNet answers rightly only to the numbers it was trained on,
so each keeps its own rule (as in `keras.applications`). Built of Keras's own
layers and operations: a saved model needs no code of ours to be loaded.
"""

from typing import Any

import keras

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


def preprocess(image: keras.KerasTensor, rule: str) -> keras.KerasTensor:
    """Adds the preprocessing of a rule to a graph.

    Args:
        image: RGB, 0-255, shape (n, height, width, 3).
        rule: "unit" (to 0-1), "tf" (to -1..1), "tf-128" (by 128 instead of 127.5),
            "torch" (ImageNet mean and deviation), or "caffe" (blue-green-red minus the
            ImageNet mean, not scaled).

    Returns:
        The input of the network proper, of the same shape, in float32 whatever the
        arithmetic of the rest.
    """
    scale, offset = SCALINGS[rule]
    if rule == "caffe":
        image = keras.ops.flip(image, axis=-1)
    return keras.layers.Rescaling(scale, offset, dtype="float32", name=f"preprocess_{rule}")(image)
