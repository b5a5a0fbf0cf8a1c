"""Preprocessing inside a network's graph: from RGB 0-255 to what its first layer takes.

A backbone trained on ImageNet answers rightly only to the numbers it was trained on,
so each keeps its own rule (as in `keras.applications`). The kernel CNN filters its images
and stretches them to 0-1, as `cv2.filter2D` (border reflect-101, the default),
`cv2.normalize(..., NORM_MINMAX)` over all channels together and 1/255 do; in float32,
without OpenCV's saturation of `uint8` images. All of it is built of Keras's own layers and
operations: a saved model needs no code of ours to be loaded.
"""

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
