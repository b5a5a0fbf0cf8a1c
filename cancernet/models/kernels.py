"""The three 3x3 kernels of the mammogram CNN, as preprocessing inside the graph.

Filter, then stretch the whole image from its least to its largest value onto 0-1:
`cv2.filter2D` (border reflect-101, the default), `cv2.normalize(..., NORM_MINMAX)`
over all channels together, and 1/255, in one step. Made of `keras.ops`, so a saved
model loads anywhere in safe mode, and without a single parameter.

The arithmetic is float32 and does not saturate. OpenCV saturates when it filters
`uint8` images; on the float images an ImageDataGenerator hands over it does not.
"""

import keras
import numpy as np

# As published. "sharpening" is called Laplacian there, but its sum is 1, not 0:
# it adds the Laplacian to the image.
KERNELS: dict[str, np.ndarray] = {
    "gaussian": np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16,
    "mean": np.full((3, 3), 1, np.float32) / 9,
    "sharpening": np.array([[-1, -1, -1], [-1, 9, -1], [-1, -1, -1]], np.float32),
}


def filter_image(image: keras.KerasTensor, kernel: str) -> keras.KerasTensor:
    """Filters each channel, reflecting at the edge; the range is not limited.

    Args:
        image: 0-255, shape (n, height, width, channels), at least 2x2 pixels.
        kernel: a name of `KERNELS`.

    Returns:
        Of the same shape.
    """
    channels = image.shape[-1]
    weights = np.repeat(KERNELS[kernel][:, :, None, None], channels, axis=2)
    edge = ((0, 0), (1, 1), (1, 1), (0, 0))
    padded = keras.ops.pad(image, edge, mode="reflect")
    return keras.ops.depthwise_conv(padded, weights, padding="valid")


def filter_and_stretch(image: keras.KerasTensor, kernel: str) -> keras.KerasTensor:
    """Filters each channel and stretches each image as a whole to 0-1.

    An image whose filtered values differ by less than one grey level is flat and
    comes out near 0 rather than as magnified rounding errors.

    Args:
        image: 0-255, shape (n, height, width, channels), at least 2x2 pixels.
        kernel: a name of `KERNELS`.

    Returns:
        0-1, of the same shape.
    """
    filtered = filter_image(image, kernel)
    whole_image = {"axis": (1, 2, 3), "keepdims": True}
    least = keras.ops.amin(filtered, **whole_image)
    spread = keras.ops.amax(filtered, **whole_image) - least
    return (filtered - least) / keras.ops.maximum(spread, 1.0)


def filtered_pictures(pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Filters one image with every kernel, for the picture that compares them.

    Args:
        pixels: 0-255, shape (height, width, 3).

    Returns:
        Kernel name to what the network sees, float32 0-1, shape (height, width, 3).
    """
    batch = np.asarray(pixels, np.float32)[None]
    return {name: np.asarray(filter_and_stretch(batch, name))[0] for name in KERNELS}
