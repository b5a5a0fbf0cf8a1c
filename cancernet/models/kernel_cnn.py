"""The CNN that filters mammograms with a fixed 3x3 kernel, and its three kernels.

Preprocessing inside the graph: filter, then stretch the whole image from its least to its
largest value onto 0-1, as `cv2.filter2D` (border reflect-101, the default),
`cv2.normalize(..., NORM_MINMAX)` over all channels together and 1/255 do. It is made of
`keras.ops`, without a single parameter, so a saved model loads anywhere in safe mode.

The arithmetic is float32 and does not saturate. OpenCV saturates when it filters
`uint8` images; on the float images that an ImageDataGenerator hands over it does not.
"""

import functools

import keras
import numpy as np

from cancernet.models.registry import register

Shape = tuple[int, int, int]

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


def kernel_cnn(
    input_shape: Shape, classes: int, *, kernel: str, hidden_activation: str
) -> keras.Model:
    """Three convolutions and three dense layers; 1,794,168 parameters at 224x224, 8 classes.

    `kernel` is a name of `KERNELS`, `hidden_activation` that of the two hidden dense layers.
    """
    image = keras.Input(input_shape, name="image")
    x = filter_and_stretch(image, kernel)
    for filters in (64, 64, 32):
        x = keras.layers.Conv2D(filters, 3, activation="relu", kernel_initializer="random_normal")(
            x
        )
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    for units in (80, 64):
        x = keras.layers.Dense(
            units, activation=hidden_activation, kernel_initializer="random_normal"
        )(x)
        x = keras.layers.Dropout(0.2)(x)
    x = keras.layers.Dense(
        classes, activation="softmax", kernel_initializer="random_normal", dtype="float32"
    )(x)
    return keras.Model(image, x, name="kernel_cnn")


for _name, _kernel, _activation in (
    ("kernel-cnn", "sharpening", "linear"),  # as published
    ("kernel-cnn-gaussian", "gaussian", "linear"),
    ("kernel-cnn-mean", "mean", "linear"),
    # Without ReLU the dense layers are one linear map.
    ("kernel-cnn-relu", "sharpening", "relu"),
):
    register(_name, kernel=_kernel)(
        functools.partial(kernel_cnn, kernel=_kernel, hidden_activation=_activation)
    )
