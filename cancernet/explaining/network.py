"""A network unrolled: the output of every layer, and the scores before softmax or sigmoid.

Models inside models are unrolled, whatever their depth, so that a layer is found by
its name and its gradient reaches it. Weights are shared with the network given.
"""

import collections
import dataclasses
from collections.abc import Iterator
from typing import Any

import keras

from cancernet.base.errors import CancerNetError
from cancernet.models.keras_internals import run_through_graph

# Behind a convolution they add no pattern; the maps before them are finer.
_PASSED_OVER = (
    keras.layers.MaxPooling2D,
    keras.layers.AveragePooling2D,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.GaussianDropout,
    keras.layers.BatchNormalization,
    keras.layers.Identity,
)
_UNCHANGED = (keras.layers.Dropout, keras.layers.Identity)
_SQUASHING = ("softmax", "sigmoid")


@dataclasses.dataclass(frozen=True)
class Step:
    """One layer's work on one image: the layer, what goes in, what comes out."""

    layer: Any
    inputs: tuple[Any, ...]
    output: Any

    @property
    def name(self) -> str:
        """The layer's name."""
        return str(self.layer.name)

    @property
    def has_extent(self) -> bool:
        """Whether its output is feature maps of more than 1x1."""
        shape = tuple(self.output.shape)
        return len(shape) == 4 and shape[1:3] != (1, 1)


class OpenNetwork:
    """A classifier of one image input, unrolled.

    Attributes:
        image: the symbolic input.
        steps: every layer in the order of work.
        scores: the symbolic scores of the classes before softmax or sigmoid.
    """

    def __init__(self, model: keras.Model) -> None:
        """Unrolls a Sequential or Functional model and all models inside it.

        Raises:
            CancerNetError: a model of another kind, or with an unknown last layer.
        """
        model = _plain(model)
        self.image = keras.Input(model.input_shape[1:], name="explained_image")
        self.steps: list[Step] = []
        self._output = self._through(model, self.image)
        self._made_by = {id(step.output): step for step in self.steps}
        self.scores = self._scores()

    def step(self, layer: str | None) -> Step:
        """Finds a layer by name; without one, the last feature maps that have extent.

        The search for the last looks past pooling, dropout and batch normalization. Of a
        layer used several times the last use counts.

        Raises:
            CancerNetError: no such layer, or its output is no map.
        """
        extended = [step for step in self.steps if step.has_extent]
        if layer is None:
            if not extended:
                raise CancerNetError("the network has no layer with spatial extent to explain")
            return self._finest(extended[-1])
        for step in reversed(self.steps):
            if step.name != layer:
                continue
            if step.has_extent:
                return step
            raise CancerNetError(
                f"the layer {layer!r} gives {tuple(step.output.shape[1:])}, not feature maps of "
                f"more than 1x1; the last layer that does is {extended[-1].name!r}"
            )
        names = list(dict.fromkeys(step.name for step in extended))
        shown = ", ".join(names if len(names) <= 24 else [*names[:4], "...", *names[-16:]])
        raise CancerNetError(
            f"the network has no layer {layer!r}; layers with feature maps: {shown}"
        )

    def probe(self, step: Step) -> keras.Model:
        """Returns the model from the image to the layer's output and the scores."""
        return keras.Model(self.image, [step.output, self.scores])

    def _through(self, model: keras.Model, tensor: Any) -> Any:
        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                tensor = self._call(layer, tensor)
            return tensor
        walk = run_through_graph(model)
        if walk is None or not hasattr(model, "operations"):
            raise CancerNetError(
                f"the network {model.name!r} is neither Sequential nor Functional, so its layers "
                "cannot be found; use --method occlusion"
            )
        return walk(tensor, call_fn=self._call)

    def _call(self, layer: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(layer, keras.Model):
            return self._through(layer, arguments[0])
        output = layer(*arguments, **named)
        if not isinstance(layer, keras.layers.InputLayer):
            self.steps.append(Step(layer, tuple(keras.tree.flatten(arguments)), output))
        return output

    def _finest(self, step: Step) -> Step:
        while isinstance(step.layer, _PASSED_OVER):
            before = self._made_by.get(id(step.inputs[0]))
            if before is None or not before.has_extent:
                break
            step = before
        return step

    def _scores(self) -> Any:
        last = self._last_of_weight(self._output)
        scores = self._one_sigmoid_for_two(last)
        if scores is None:
            scores = self._before_squashing(last)
        if scores is None:
            if getattr(last.layer, "activation", None) is not keras.activations.linear:
                raise CancerNetError(
                    f"the network ends in {type(last.layer).__name__} {last.name!r}, and its score "
                    "before softmax or sigmoid is not known; use --method occlusion"
                )
            scores = last.output
        if scores.shape[-1] == 1:
            # One unit for two classes: what supports one opposes the other.
            scores = keras.ops.concatenate([-scores, scores], axis=-1)
        return scores

    def _last_of_weight(self, tensor: Any) -> Step:
        step = self._made_by[id(tensor)]
        while isinstance(step.layer, _UNCHANGED) or (
            isinstance(step.layer, keras.layers.Activation)
            and step.layer.activation is keras.activations.linear
        ):
            step = self._made_by[id(step.inputs[0])]
        return step

    def _one_sigmoid_for_two(self, step: Step) -> Any:
        """The score behind [1 - p, p] of one sigmoid unit p; None for another ending."""
        if not isinstance(step.layer, keras.layers.Concatenate) or len(step.inputs) != 2:
            return None
        rest, p = step.inputs
        complement, unit = self._made_by.get(id(rest)), self._made_by.get(id(p))
        if unit is None or complement is None or complement.inputs[0] is not p:
            return None
        config = complement.layer.get_config()
        if not isinstance(complement.layer, keras.layers.Rescaling) or (
            (config["scale"], config["offset"]) != (-1.0, 1.0)
        ):
            return None
        return self._before_squashing(unit)

    def _before_squashing(self, step: Step) -> Any:
        """What a softmax or sigmoid got, or None where the step is neither."""
        if type(step.layer).__name__.lower() in _SQUASHING:  # a layer or an operation
            return step.inputs[0]
        activation = getattr(step.layer, "activation", None)
        if getattr(activation, "__name__", "") not in _SQUASHING:
            return None
        if isinstance(step.layer, keras.layers.Activation):
            return step.inputs[0]
        config = {**step.layer.get_config(), "activation": "linear", "dtype": "float32"}
        twin = type(step.layer).from_config({**config, "name": f"{step.name}_score"})
        scores = twin(*step.inputs)
        twin.set_weights(step.layer.get_weights())
        return scores


def _plain(model: keras.Model) -> keras.Model:
    """Returns a model that computes in float32 and whose layers have a name each.

    Gradients of 16 bits would vanish or overflow. A model of this kind is returned itself.
    """
    parts = list(_parts(model))
    taken = collections.Counter(part.name for part in parts)
    is_exact = all(getattr(part, "compute_dtype", None) in ("float32", None) for part in parts)
    if is_exact and max(taken.values(), default=1) == 1:
        return model
    used: collections.Counter[str] = collections.Counter()

    def copy(layer: Any) -> Any:
        config = layer.get_config()
        if isinstance(layer, keras.layers.Layer):
            used[layer.name] += 1
            config["dtype"] = "float32"
            if used[layer.name] > 1:
                config["name"] = f"{layer.name}_{used[layer.name]}"
        return type(layer).from_config(config)

    twin = keras.models.clone_model(model, clone_function=copy, recursive=True)
    twin.set_weights(model.get_weights())
    return twin


def _parts(model: keras.Model) -> Iterator[Any]:
    """Gives every layer and operation, those of models inside too."""
    inside = model.layers if isinstance(model, keras.Sequential) else model.operations
    for part in inside:
        if isinstance(part, keras.Model):
            yield from _parts(part)
        elif not isinstance(part, keras.layers.InputLayer):
            yield part
