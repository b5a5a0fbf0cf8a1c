"""Which arithmetic the training uses: found out from the processor or the GPU.

Weights, softmax and loss are float32 whatever is chosen; only what flows between the
layers is halved. It pays where the hardware multiplies 16-bit numbers: GPUs, and
processors with the AVX512-BF16 or AMX instructions.
"""

from cancernet.base.errors import CancerNetError
from cancernet.base.processor import BFLOAT16_FLAGS, processor_flags

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


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
    return "float32", "the GPU has no 16-bit tensor cores that are known"


def for_processor(flags: frozenset[str]) -> tuple[str, str]:
    """Chooses by the processor's instructions, as /proc/cpuinfo names them."""
    for flag in BFLOAT16_FLAGS:
        if flag in flags:
            return "mixed_bfloat16", f"the processor has the instructions {flag}"
    return "float32", "the processor is not known to have bfloat16 instructions"
