"""The accelerated twin of a network: same graph and weights, cheaper operations.

The builders make plain Keras models, and plain Keras models are saved. Only the
epochs run on the twin:

    twin = accelerate(plain, precision="mixed_bfloat16")
    twin.compile(...); twin.fit(...)
    plain.set_weights(twin.get_weights())

Batch normalization and dropout have cheaper forms here, with the configuration, weights and
meaning of Keras's. They live only while a network trains; what is saved holds the plain ones.
Weights, softmax and loss are float32 whatever the precision; only what flows between the
layers is halved. It pays where the hardware multiplies 16-bit numbers: GPUs, and
processors with the AVX512-BF16 or AMX instructions.
"""

from typing import Any

import keras
import tensorflow as tf

from cancernet.base.errors import CancerNetError
from cancernet.base.processor import BFLOAT16_FLAGS, processor_flags

CHANNELS_LAST = (-1, 3)


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` on TensorFlow's fused operation.

    Keras composes the layer from a dozen passes over the activations; the fused operation
    needs three. Statistics are float32 also where activations are 16-bit. Inputs of shape
    (n, h, w, c) and (n, c) take the fast way; any other rank, axis, mask, renorm or
    synchronization takes Keras's.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Normalizes; in training by the batch, else by the moving statistics."""
        if mask is not None or not self._is_fusible(inputs):
            return super().call(inputs, training=training, mask=mask)
        channels = inputs.shape[-1]
        use_batch = bool(training) and self.trainable
        images = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, [-1, 1, 1, channels])
        nothing = tf.zeros([0], tf.float32)
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=images,
            scale=tf.ones([channels]) if self.gamma is None else self.gamma.value,
            offset=tf.zeros([channels]) if self.beta is None else self.beta.value,
            mean=nothing if use_batch else self.moving_mean.value,
            variance=nothing if use_batch else self.moving_variance.value,
            epsilon=self.epsilon,
            is_training=use_batch,
        )
        if use_batch:
            self._move_statistics(mean, variance, tf.size(inputs) // channels)
        return outputs if inputs.shape.rank == 4 else tf.reshape(outputs, [-1, channels])

    def _is_fusible(self, inputs: Any) -> bool:
        if self.renorm or self.synchronized or self.moving_mean.dtype != "float32":
            return False
        if inputs.dtype not in (tf.float32, tf.bfloat16, tf.float16):
            return False
        rank = inputs.shape.rank
        return (rank == 4 and self.axis in CHANNELS_LAST) or (rank == 2 and self.axis in (-1, 1))

    def _move_statistics(self, mean: Any, variance: Any, count: Any) -> None:
        # The operation gives the unbiased variance (divided by count - 1, at least 1);
        # Keras keeps the biased one.
        count = tf.cast(count, tf.float32)
        biased = variance * (tf.maximum(count - 1.0, 1.0) / count)
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, biased)):
            moving.assign(moving.value * self.momentum + batch * (1.0 - self.momentum))


class ByteDropout(keras.layers.Dropout):
    """`keras.layers.Dropout` that draws 8 random bits an element instead of a float.

    A rate that is not a multiple of 1/256 gets 16 bits and is rounded to a multiple of
    1/65536; the scale follows the rounded rate. The bits come from TensorFlow's
    counter-based generator, keyed by the layer's own Keras seed variable: the same seed
    gives the same masks, and restoring the variable continues them.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drops in training; returns the input otherwise."""
        if not training or self.rate == 0:
            return inputs
        bits = 8 if float(self.rate * 256).is_integer() else 16
        dropped = round(self.rate * 2**bits)
        if dropped == 2**bits:
            return tf.zeros_like(inputs)
        integers = self._random_integers(self._mask_shape(inputs), bits)
        kept = tf.cast(integers >= tf.constant(dropped, integers.dtype), inputs.dtype)
        scale = tf.constant(1 / (1 - dropped / 2**bits), inputs.dtype)
        return inputs * (kept * scale)

    def _mask_shape(self, inputs: Any) -> Any:
        shape = tf.shape(inputs)
        if self.noise_shape is None:
            return shape
        return tf.stack([shape[i] if n is None else n for i, n in enumerate(self.noise_shape)])

    def _random_integers(self, shape: Any, bits: int) -> Any:
        kind = {8: tf.uint8, 16: tf.uint16}[bits]
        words_of = 32 // bits
        rows, place = 1, 0
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            # Of the mask of the whole batch, this replica takes the rows it has of the images.
            rows, place = context.num_replicas_in_sync, context.replica_id_in_sync_group
        own, shape = shape, tf.concat([shape[:1] * rows, shape[1:]], 0)
        count = tf.reduce_prod(shape)
        words = tf.random.stateless_uniform(
            [(count + words_of - 1) // words_of],
            seed=tf.cast(self.seed_generator.next(), tf.int64),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
        )
        whole = tf.reshape(tf.reshape(tf.bitcast(words, kind), [-1])[:count], shape)
        return whole if rows == 1 else whole[place::rows][: own[0]]


REPLACED: dict[type[keras.layers.Layer], type[keras.layers.Layer]] = {
    keras.layers.BatchNormalization: FusedBatchNormalization,
    keras.layers.Dropout: ByteDropout,
}
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}
IMAGES_AT_ONCE = 256
# They take the image as it is; 8 significant bits would round it before the network.
PREPROCESSING = (keras.layers.Rescaling, keras.layers.Normalization, keras.layers.Resizing)


def accelerate(
    model: keras.Model,
    *,
    precision: str,
    batch_norm_momentum: float | None = None,
    convolution_dropout: float = 1.0,
    synchronized: bool = False,
    stock: bool = False,
) -> keras.Model:
    """Makes the twin, with a copy of the model's weights.

    The first layers that scale the image and the last layer with weights, with what
    follows it (the softmax), compute in float32; all weights are float32.

    Args:
        model: a built Sequential or Functional model, also with such models inside;
            its layers compute in float32.
        precision: Keras dtype policy for the layers between: `float32`,
            `mixed_bfloat16` or `mixed_float16`.
        batch_norm_momentum: of the moving statistics; None keeps each layer's own. Short
            trainings need less than Keras's 0.99.
        convolution_dropout: factor on the rates of dropout on feature maps, 0-1.
        synchronized: batch statistics are taken over all replicas of a strategy, which
            only Keras's own batch normalization can.
        stock: every layer stays Keras's own.

    Returns:
        An uncompiled model; `get_weights()` of the two have the same order and shapes.
    """
    exact = {id(layer) for layer in head(model)}
    # On a processor its gradient takes three to seven times as long in 16 bits.
    slow = () if tf.config.list_physical_devices("GPU") else (keras.layers.DepthwiseConv2D,)
    whole = (*PREPROCESSING, *slow)

    def clone(layer: Any) -> Any:
        kind = type(layer) if stock else REPLACED.get(type(layer), type(layer))
        config = layer.get_config()
        keeps = id(layer) in exact or isinstance(layer, whole)
        if isinstance(layer, keras.layers.Layer) and not keeps:
            config["dtype"] = precision
        if batch_norm_momentum and isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = batch_norm_momentum
        if isinstance(layer, keras.layers.Dropout) and len(layer.input.shape) == 4:
            config["rate"] *= convolution_dropout
        if synchronized and isinstance(layer, keras.layers.BatchNormalization):
            config["synchronized"] = True
        return kind.from_config(config)

    twin = keras.models.clone_model(model, clone_function=clone, recursive=True)
    twin.set_weights(model.get_weights())
    if precision == "mixed_float16":
        # `compile` looks here whether the loss must be scaled against underflow.
        twin.dtype_policy = precision
    return twin


def steps_at_once(batch_size: int) -> int:
    """Returns how many steps TensorFlow runs before Python is asked again.

    Between two steps Keras spends 2 ms: 6 % of a step of 32 small images.
    """
    return max(1, IMAGES_AT_ONCE // batch_size)


def head(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the last layer that has weights and all layers after it."""
    found: list[keras.layers.Layer] = []
    for layer in reversed(model.layers):
        if isinstance(layer, keras.Model):
            return found + head(layer)
        found.append(layer)
        if layer.weights:
            break
    return found


def choose_precision(precision: str) -> tuple[str, str]:
    """Chooses the Keras dtype policy for `--precision`; the second text is why.

    Raises:
        CancerNetError: an unknown name.
    """
    if precision in POLICIES:
        return POLICIES[precision], "as asked for"
    if precision != "auto":
        raise CancerNetError(
            f"unknown precision {precision!r}; choose from auto, {', '.join(POLICIES)}"
        )
    graphics = tf.config.list_physical_devices("GPU")
    if graphics:
        details = [tf.config.experimental.get_device_details(device) for device in graphics]
        return for_graphics([tuple(d.get("compute_capability") or (0, 0)) for d in details])
    return for_processor(processor_flags())


def for_graphics(capabilities: list[tuple[int, ...]]) -> tuple[str, str]:
    """Chooses by the weakest GPU's CUDA compute capability; (0, 0) where it is unknown.

    bfloat16 is in NVIDIA's tensor cores from 8.0, float16 from 7.0.
    """
    weakest = min(capabilities)
    number = ".".join(map(str, weakest[:2]))
    if weakest >= (8, 0):
        return "mixed_bfloat16", f"the GPU has compute capability {number}"
    if weakest >= (7, 0):
        return "mixed_float16", f"the GPU has compute capability {number}, too old for bfloat16"
    return "float32", "the GPU is not known to have 16-bit tensor cores"


def for_processor(flags: frozenset[str]) -> tuple[str, str]:
    """Chooses by the processor's instructions, as /proc/cpuinfo names them."""
    for flag in BFLOAT16_FLAGS:
        if flag in flags:
            return "mixed_bfloat16", f"the processor has the instructions {flag}"
    return "float32", "the processor is not known to have bfloat16 instructions"
