"""The accelerated twin of a network: same graph and weights, cheaper operations.

The builders make plain Keras models, and plain Keras models are saved. Only the
epochs run on the twin:

    twin = accelerate(plain, precision="mixed_bfloat16")
    twin.compile(...); twin.fit(...)
    plain.set_weights(twin.get_weights())

Weights, softmax and loss are float32 whatever the precision; only what flows between the
layers is halved. It pays where the hardware multiplies 16-bit numbers: GPUs, and
processors with the AVX512-BF16 or AMX instructions.
"""

from typing import Any

import keras

from cancernet.base.errors import CancerNetError
from cancernet.base.parallel import BFLOAT16_FLAGS, processor_flags
from cancernet.training.fast.layers import ByteDropout, FusedBatchNormalization

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
    synchronized: bool = False,
) -> keras.Model:
    """Makes the twin, with a copy of the model's weights.

    The first layers that scale the image and the last layer with weights, with what
    follows it (the softmax), compute in float32; all weights are float32.

    Args:
        model: a built Sequential or Functional model, also with such models inside;
            its layers compute in float32.
        precision: Keras dtype policy for the layers between: `float32`,
            `mixed_bfloat16` or `mixed_float16`.
        batch_norm_momentum: how slowly the moving statistics follow the batches; None
            keeps each layer's own. Short trainings need less than Keras's 0.99.
        synchronized: batch statistics are taken over all replicas of a strategy, which
            only Keras's own batch normalization can.

    Returns:
        An uncompiled model; `get_weights()` of the two have the same order and shapes.
    """
    exact = {id(layer) for layer in head(model)}

    def clone(layer: Any) -> Any:
        kind = REPLACED.get(type(layer), type(layer))
        config = layer.get_config()
        keeps = id(layer) in exact or isinstance(layer, PREPROCESSING)
        if isinstance(layer, keras.layers.Layer) and not keeps:
            config["dtype"] = precision
        if batch_norm_momentum and isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = batch_norm_momentum
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

    Between two steps Keras spends 2 ms, as much as 6 % of a step of 32 small images and
    nothing beside one of 256. The steps are the same, one after the other.
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
    """Chooses the Keras dtype policy for a training.

    Args:
        precision: `auto`, `float32`, `bfloat16` or `float16`.

    Returns:
        The policy's name (`float32`, `mixed_bfloat16`, `mixed_float16`), and why, as
        the end of a sentence.

    Raises:
        CancerNetError: an unknown name.
    """
    if precision in POLICIES:
        return POLICIES[precision], "as asked for"
    if precision != "auto":
        raise CancerNetError(
            f"unknown precision {precision!r}; choose from auto, {', '.join(POLICIES)}"
        )
    import tensorflow as tf

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
