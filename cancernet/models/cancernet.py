"""CancerNet: the small depthwise-separable network of the tutorial."""

import keras

from cancernet.models.registry import register

# (filters, how many separable convolutions) of each block; a pool halves after each.
BLOCKS = ((32, 1), (64, 2), (128, 3))


class CancerNet:
    """The tutorial's way to build the network: `CancerNet.build(48, 48, 3, 2)`."""

    @staticmethod
    def build(width: int, height: int, depth: int, classes: int) -> keras.Sequential:
        """Builds CancerNet.

        1,235,133 parameters at 48x48x3 with 2 classes.

        Args:
            width, height: of the input, pixels, at least 8.
            depth: colour channels.
            classes: number of outputs.

        Returns:
            An uncompiled model. It takes values 0-255 (the scaling to 0-1 is its
            first layer) of shape (n, height, width, depth), or (n, depth, height,
            width) where Keras is set to `channels_first`.
        """
        first = keras.config.image_data_format() == "channels_first"
        channel_axis = 1 if first else -1
        shape = (depth, height, width) if first else (height, width, depth)
        model = keras.Sequential(name="cancernet")
        model.add(keras.Input(shape))
        model.add(keras.layers.Rescaling(1 / 255))
        for filters, depthwise_layers in BLOCKS:
            for _ in range(depthwise_layers):
                model.add(keras.layers.SeparableConv2D(filters, 3, padding="same"))
                model.add(keras.layers.Activation("relu"))
                model.add(keras.layers.BatchNormalization(axis=channel_axis))
            model.add(keras.layers.MaxPooling2D())
            model.add(keras.layers.Dropout(0.25))
        model.add(keras.layers.Flatten())
        model.add(keras.layers.Dense(256))
        model.add(keras.layers.Activation("relu"))
        model.add(keras.layers.BatchNormalization())
        model.add(keras.layers.Dropout(0.5))
        model.add(keras.layers.Dense(classes))
        model.add(keras.layers.Activation("softmax"))
        return model


@register("cancernet")
def build_cancernet(input_shape: tuple[int, int, int], classes: int) -> keras.Model:
    """CancerNet for the registry, which gives shapes as (height, width, depth)."""
    height, width, depth = input_shape
    return CancerNet.build(width=width, height=height, depth=depth, classes=classes)
