"""Turns configurations of Keras 2 into those of today's Keras.

Keras 2 (TensorFlow 2.3 to 2.15, and tf_keras) wrote keys that today's layers do not take, such as
`groups: 1` on separable convolutions. A key that holds its default means nothing and is dropped;
otherwise the network cannot be rebuilt as it was, and the error names the key.
"""

import copy
import functools
import inspect
import warnings
from typing import Any

import keras

from cancernet.base.errors import RunError

# Keys that the constructors take without naming them.
_ALIASES = {("LeakyReLU", "alpha"), ("LSTM", "implementation"), ("GRU", "implementation"),
            ("LSTMCell", "implementation"), ("GRUCell", "implementation"),
            ("Embedding", "input_length"), ("InputLayer", "batch_input_shape")}  # fmt: skip
_DEFAULTS = {"groups": 1, "time_major": False, "softmax_robust_masking": False}
# Keys about training only, or about a kernel that separable convolutions do not have.
_IDLE = {"trainable", "rng_type", "kernel_initializer", "kernel_regularizer", "kernel_constraint"}
_GRAPHS = ("Functional", "Model")
_ROOMS = ("layers", "models", "initializers", "regularizers", "constraints", "activations")


def modernized(config: Any) -> Any:
    """Returns a vetted configuration as today's Keras reads it; equal where it already does.

    Raises:
        RunError: a layer has a setting that today's layers do not have.
    """
    if isinstance(config, list):
        return [modernized(item) for item in config]
    if not isinstance(config, dict):
        return config
    if config.get("class_name") == "Policy" and isinstance(config.get("config"), dict):
        return config["config"].get("name")  # a dtype policy, which its name says too
    config = {
        key: value if key == "compile_config" else modernized(value)
        for key, value in config.items()
    }
    kind, settings = config.get("class_name"), config.get("config")
    if not isinstance(kind, str):
        return config
    if _is_of_keras_2(config.get("module")):
        config |= {"module": _module_of(kind), "registered_name": None}
    if isinstance(settings, dict):
        known = _keys_of(kind)
        config["config"] = {
            key: value
            for key, value in _respelled(kind, settings).items()
            if not known or not _is_gone(kind, key, value, known)
        }
    return config


def _respelled(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings of a layer with today's names and forms."""
    if kind in _GRAPHS:
        settings = _counted_as_today(settings)
        # One input or output is no list of one, for another layer would be given the list.
        one = {key: settings[key][0] for key in ("input_layers", "output_layers")
               if _is_list_of_one(settings.get(key))}  # fmt: skip
        return {**settings, **one}
    axis = settings.get("axis")
    if kind == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        settings = {**settings, "axis": axis[0]}
    if kind != "InputLayer" and isinstance(settings.get("batch_input_shape"), list):
        settings = {**settings, "input_shape": settings["batch_input_shape"][1:]}
        del settings["batch_input_shape"]
    return settings


def _counted_as_today(settings: dict[str, Any]) -> dict[str, Any]:
    """Returns a graph whose Sequential networks are called for the first time by their first call.

    Keras 2 counted the making of one as a call. Its graphs name calls in lists, today's in objects.
    """
    layers = [each for each in settings.get("layers") or [] if isinstance(each, dict)]
    inner = {each.get("name") for each in layers if each.get("class_name") == "Sequential"}
    nodes = [node for each in layers for node in each.get("inbound_nodes") or []]
    if not inner or not all(isinstance(node, list) for node in nodes):
        return settings

    def counted(item: Any) -> Any:
        if not isinstance(item, list):
            return item
        named = len(item) > 2 and isinstance(item[0], str) and item[0] in inner
        if named and isinstance(item[1], int) and item[1] > 0:
            return [item[0], item[1] - 1, *item[2:]]
        return [counted(each) for each in item]

    return {
        **settings,
        "layers": [
            {**each, "inbound_nodes": counted(each["inbound_nodes"])}
            if isinstance(each, dict) and "inbound_nodes" in each
            else each
            for each in settings["layers"]
        ],
        "output_layers": counted(settings.get("output_layers")),
    }


def _is_of_keras_2(module: Any) -> bool:
    steps = module.split(".") if isinstance(module, str) else ["keras"]
    return steps[0] != "keras" or "engine" in steps


def network_of(config: dict[str, Any]) -> Any:
    """Makes the network of a vetted configuration; Keras raises whatever its parts raise."""
    # A copy, since Keras takes entries out; without the optimizer, which would allocate memory.
    config = copy.deepcopy({key: value for key, value in config.items() if key != "compile_config"})
    kind = str(config["class_name"])
    if "module" not in config:  # the form of an HDF5 file
        kind = "Functional" if kind in _GRAPHS else kind
        config = {**config, "module": _module_of(kind), "class_name": kind}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments that Keras 2 called otherwise
        return keras.saving.deserialize_keras_object(config, safe_mode=True)


def _module_of(kind: str) -> str:
    if kind == "Functional":
        return "keras.src.models.functional"
    room = next((room for room in _ROOMS if hasattr(getattr(keras, room), kind)), "layers")
    return f"keras.{room}"


def _is_list_of_one(layers: Any) -> bool:
    return isinstance(layers, list) and len(layers) == 1 and isinstance(layers[0], list)


@functools.cache
def _keys_of(kind: str) -> frozenset[str]:
    """Returns the keys that the configuration of a layer may have; none for anything else."""
    layer = getattr(keras.layers, kind, None)
    if not inspect.isclass(layer):
        return frozenset()
    keys = {"input_shape"}
    for maker in (vars(each)["__init__"] for each in layer.__mro__ if "__init__" in vars(each)):
        arguments = inspect.signature(maker).parameters
        keys |= set(arguments)
        if all(each.kind is not each.VAR_KEYWORD for each in arguments.values()):
            break  # what it does not name does not get any further
    return frozenset(keys)


def _is_gone(kind: str, key: str, value: Any, known: frozenset[str]) -> bool:
    """Tells whether a key can be dropped; raises RunError for one without a meaning today."""
    if key in known or (kind, key) in _ALIASES:
        return False
    if key in _IDLE or value is None or (key in _DEFAULTS and value == _DEFAULTS[key]):
        return True
    raise RunError(
        f"its layer {kind} has {key}={value!r:.80}, which Keras {keras.__version__} does not know"
    )
