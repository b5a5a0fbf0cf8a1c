"""Heat maps held to their definitions, computed again from scratch."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, RunError
from cancernet.explaining import METHODS, Explainer, colours, overlay
from cancernet.explaining.explainer import ExplanationFolder
from cancernet.explaining.gradients import Gradients
from cancernet.explaining.maps import GRADIENT_METHODS, occlusion, spread
from cancernet.models import build_model
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Predictor
from tests.conftest import write_tiny_run

ROOT = Path(__file__).parents[2]


def nested() -> keras.Model:
    """A backbone as a model within a model within a Sequential, one sigmoid, as tutorials do."""
    inner = keras.Sequential(
        [keras.Input((20, 20, 3)), keras.layers.Conv2D(6, 3, activation="relu", name="deep")]
    )
    image = keras.Input((20, 20, 3))
    pooled = keras.layers.MaxPooling2D()(inner(image))
    return keras.Sequential(
        [
            keras.Input((20, 20, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.Model(image, pooled),
            keras.layers.Flatten(),
            keras.layers.Dense(9, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def network(name: str) -> keras.Model:
    """A network whose biases and statistics are no zeros and ones, so that none is forgotten."""
    keras.utils.set_random_seed(5)
    if name == "nested":
        model = nested()
    else:
        size, classes = (32, 2) if name == "vgg16-dense-head" else (20, 3)
        model = build_model(name, (size, size, 3), classes)
    rng = np.random.default_rng(6)
    for layer in model.layers:
        if isinstance(layer, (keras.layers.BatchNormalization, keras.layers.Dense)):
            layer.set_weights(
                [
                    w + rng.uniform(0.01, 0.2, w.shape).astype(np.float32)
                    for w in layer.get_weights()
                ]
            )
    return model


def pixels(size: int = 20, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3)).astype(np.uint8)


def tail(model: keras.Model, after: str) -> list:
    """The layers behind one, for networks that are chains there."""
    flat = []
    for layer in model.layers:
        flat += layer.layers if isinstance(layer, keras.Model) else [layer]
    flat = [inner for layer in flat for inner in getattr(layer, "layers", [layer])]
    return flat[[layer.name for layer in flat].index(after) + 1 :]


def numpy_gradient(features: np.ndarray, layers: list, class_index: int) -> tuple:
    """Score and its gradient with respect to features (rows, columns, channels), by hand."""
    value, backward = features.astype(np.float64), []
    for layer in layers:
        kind = type(layer).__name__
        if kind == "MaxPooling2D":
            rows, columns, channels = value.shape
            r, c = rows // 2, columns // 2
            blocks = value[: 2 * r, : 2 * c].reshape(r, 2, c, 2, channels)
            # Of equals the first in reading order gets the gradient, as in TensorFlow.
            windows = blocks.transpose(0, 2, 4, 1, 3).reshape(r, c, channels, 4)
            best = np.eye(4)[windows.argmax(axis=-1)].reshape(r, c, channels, 2, 2)
            best = best.transpose(0, 3, 1, 4, 2)

            def unpool(g, best=best, shape=value.shape):
                whole = np.zeros(shape)
                r, _, c, _, channels = best.shape
                whole[: 2 * r, : 2 * c] = (best * g[:, None, :, None, :]).reshape(
                    2 * r, 2 * c, channels
                )
                return whole

            value = blocks.max(axis=(1, 3))
            backward.append(unpool)
        elif kind == "BatchNormalization":
            gamma, beta, mean, variance = layer.get_weights()
            factor = gamma.astype(np.float64) / np.sqrt(variance + layer.epsilon)
            value = (value - mean) * factor + beta
            backward.append(lambda g, factor=factor: g * factor)
        elif kind == "Flatten":
            backward.append(lambda g, shape=value.shape: g.reshape(shape))
            value = value.ravel()
        elif kind == "Dense":
            kernel, bias = (w.astype(np.float64) for w in layer.get_weights())
            value = value @ kernel + bias
            backward.append(lambda g, kernel=kernel: kernel @ g)
            if layer.activation is keras.activations.relu:
                backward.append(lambda g, on=value > 0: g * on)
                value = np.maximum(value, 0)
        elif kind == "Activation" and layer.activation is keras.activations.relu:
            backward.append(lambda g, on=value > 0: g * on)
            value = np.maximum(value, 0)
        else:
            assert kind in ("Dropout", "Activation", "Rescaling", "Concatenate"), kind
            if kind == "Rescaling":  # the pair behind one sigmoid: done
                break
    if len(value) == 1:
        value = np.array([-value[0], value[0]])
        backward.append(lambda g: np.array([g[1] - g[0]]))
    gradient = np.eye(len(value))[class_index]
    for step in reversed(backward):
        gradient = step(gradient)
    return value, gradient


def by_definition(method: str, features: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    rows, columns, channels = features.shape
    total = np.zeros((rows, columns))
    for k in range(channels):
        a, g = features[..., k].astype(np.float64), gradient[..., k]
        if method == "hirescam":
            total += g * a
            continue
        weight = sum(g[i, j] for i in range(rows) for j in range(columns)) / (rows * columns)
        if method == "grad-cam++":
            weight = 0.0
            for i in range(rows):
                for j in range(columns):
                    if g[i, j] > 0:
                        weight += g[i, j] ** 3 / (2 * g[i, j] ** 2 + a.sum() * g[i, j] ** 3)
        total += weight * a
    return np.maximum(total, 0)


# network -> the layer that is found without being named
DEFAULT = {
    "cancernet": "activation",
    "simple-cnn": "conv2d",
    "vgg16-dense-head": "block5_conv3",
    "nested": "deep",
}


@pytest.mark.parametrize("name", DEFAULT)
def test_maps_agree_with_a_computation_from_scratch(name: str) -> None:
    model = network(name)
    gradients = Gradients(model)
    layer = gradients.layer_name(None)
    assert layer.startswith(DEFAULT[name])
    image = pixels(model.input_shape[1])
    for class_index in (0, 1):
        features, found, scores = gradients.at(image, class_index)
        expected_scores, gradient = numpy_gradient(features, tail(model, layer), class_index)
        np.testing.assert_allclose(scores, expected_scores, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found, gradient, atol=1e-5 * np.abs(gradient).max())
        for method, function in GRADIENT_METHODS.items():
            expected = by_definition(method, features, gradient)
            largest = max(expected.max(), 1e-30)
            np.testing.assert_allclose(
                function(features, found) / largest, expected / largest, atol=1e-5
            )
    # The scores are the network's own: its last squashing gives its answer.
    answer = np.asarray(model(image[None].astype(np.float32), training=False))[0]
    if answer.shape == (3,):
        odds = np.exp(scores - scores.max())
        np.testing.assert_allclose(odds / odds.sum(), answer, atol=1e-6)
    else:
        np.testing.assert_allclose(1 / (1 + np.exp(-scores[1])), answer[-1], atol=1e-6)


def test_feature_maps_are_those_of_a_convolution_by_hand() -> None:
    model = network("simple-cnn")
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D))
    kernel, bias = first.get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(pixels() / 255.0, (3, 3), axis=(0, 1))
    expected = np.maximum(np.einsum("yxcij,ijck->yxk", windows, kernel) + bias, 0)
    features, gradient, _ = Gradients(model).at(pixels(), 0, layer=first.name)
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert gradient.shape == expected.shape


def test_gradient_of_an_early_layer_agrees_with_the_layers_run_one_by_one() -> None:
    import tensorflow as tf

    model = network("cancernet")
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.SeparableConv2D)]
    place = model.layers.index(convolutions[2])
    features, found, _ = Gradients(model).at(pixels(), 1, layer=convolutions[2].name)
    maps = tf.constant(features[None])
    with tf.GradientTape() as tape:
        tape.watch(maps)
        value = maps
        for layer in model.layers[place + 1 : -1]:  # the last is the softmax
            value = layer(value, training=False)
        score = value[0, 1]
    expected = np.asarray(tape.gradient(score, maps))[0]
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_repeated_names_and_half_precision_are_brought_to_plain_float32() -> None:
    def half() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(3, 3, padding="same", name="twice", dtype="mixed_float16"),
            ]
        )

    model = keras.Sequential(
        [keras.Input((8, 8, 3)), half(), half(), keras.layers.Flatten(), keras.layers.Dense(2),
         keras.layers.Softmax()]
    )  # fmt: skip
    features, gradient, scores = Gradients(model).at(pixels(8), 0)
    assert features.dtype == gradient.dtype == np.float32
    answer = np.asarray(model(pixels(8)[None].astype(np.float32)))[0]
    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(), answer, atol=5e-3)


def test_an_unknown_ending_is_refused_and_a_linear_one_is_the_score() -> None:
    image = keras.Input((6, 6, 3))
    maps = keras.layers.Conv2D(2, 3)(image)
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    scores = Gradients(keras.Model(image, keras.layers.Dense(2)(pooled))).at(pixels(6), 0)[2]
    assert scores.shape == (2,)
    odd = keras.Model(image, keras.layers.Dense(2, activation="tanh")(pooled))
    with pytest.raises(CancerNetError, match=r"ends in Dense.*occlusion"):
        Gradients(odd)


def test_layers_are_named_when_one_is_not_known() -> None:
    gradients = Gradients(network("nested"))
    with pytest.raises(CancerNetError, match=r"no layer 'x'; layers with feature maps: .*deep"):
        gradients.at(pixels(), 0, layer="x")
    with pytest.raises(CancerNetError, match="not feature maps"):
        gradients.at(pixels(), 0, layer=_flat(gradients))


def _flat(gradients: Gradients) -> str:
    return next(s.name for s in gradients._network.steps if "flatten" in s.name)


def test_a_zero_map_stays_zero() -> None:
    for method, function in GRADIENT_METHODS.items():
        raw = function(np.zeros((3, 3, 2), np.float32), np.ones((3, 3, 2), np.float32))
        values = spread(raw, height=12, width=12)
        assert values.shape == (12, 12) and not values.any(), method
        raw = function(np.ones((3, 3, 2), np.float32), np.full((3, 3, 2), -1, np.float32))
        assert not raw.any()
    image = pixels(12)
    np.testing.assert_array_equal(overlay(image, np.zeros((12, 12), np.float32)), image)


def test_a_map_is_spread_with_values_in_the_middle_of_cells() -> None:
    values = spread(np.array([[0, 2], [0, 0]], np.float32), height=8, width=8)
    assert values.max() == 1 and values[:2, 6:].min() == 1
    assert values[0, 4] < values[0, 5] < 1 and not values[6:].any()
    assert colours(values).shape == (8, 8, 3)
    assert colours(np.ones((1, 1), np.float32)).sum() > colours(np.zeros((1, 1), np.float32)).sum()


def test_occlusion_finds_what_the_answer_rests_on() -> None:
    """A model that looks at one spot only: outside the windows over it nothing falls."""

    def model(batch: np.ndarray) -> np.ndarray:
        score = batch[:, 8:12, 14:18].astype(float).mean(axis=(1, 2, 3)) / 25 - 5
        p = 1 / (1 + np.exp(-score))
        return np.stack([1 - p, p], axis=1)

    image = np.full((24, 24, 3), 40, np.uint8)
    image[8:12, 14:18] = 250
    raw = occlusion(image, 1, probabilities=model, window=4, stride=2)
    top = np.unravel_index(raw.argmax(), raw.shape)
    assert 8 <= top[0] < 12 and 14 <= top[1] < 18
    assert np.abs(raw[:4]).max() == 0 and np.abs(raw[:, :8]).max() == 0
    np.testing.assert_allclose(occlusion(image, 0, probabilities=model, window=4, stride=2), -raw)


# The command, on a run whose network is small.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> run_folder.Run:
    folder = write_tiny_run(tmp_path_factory.mktemp("output") / "small")
    keras.utils.set_random_seed(2)
    build_model("simple-cnn", (48, 48, 3), 2).save(folder / run_folder.MODEL_KERAS)
    content = json.loads((folder / run_folder.RUN_FILE).read_text())
    content["files"] = run_folder.vouch_for(folder, [run_folder.MODEL_ONNX, run_folder.MODEL_KERAS])
    run_folder.write_run_file(folder, content)
    return run_folder.open_run(folder)


@pytest.mark.parametrize("method", METHODS)
def test_files_of_an_explanation(run: run_folder.Run, tmp_path: Path, method: str) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Image.fromarray(pixels(50)).save(tmp_path / folder / "patch ü.png")
    target = ExplanationFolder(tmp_path / "why", run, method=method, class_name="IDC")
    predictor = Predictor(run)
    for folder in ("a", "b"):
        target.explain(predictor.predict(tmp_path / folder / "patch ü.png"))
    lines = (tmp_path / "why" / "explanations.jsonl").read_text().splitlines()
    first, second = map(json.loads, lines)
    assert first["raw"] == "patch ü-raw.npy" and second["raw"] == "patch ü-2-raw.npy"
    assert first["class"] == "1" and first["word"] == "IDC" and first["method"] == method
    raw = np.load(tmp_path / "why" / first["raw"], allow_pickle=False)
    assert list(raw.shape) == first["shape"] and np.isfinite(raw).all()
    assert first["zero"] == (not (raw > 0).any())
    assert Image.open(tmp_path / "why" / first["overlay"]).size == (400, 400)
    assert "not where disease is" in target.summary()
    with pytest.raises(CancerNetError, match="not empty"):
        ExplanationFolder(tmp_path / "why", run, method=method)


def test_wrong_options_are_refused_before_anything_is_written(
    run: run_folder.Run, tmp_path: Path
) -> None:
    for options, message in (
        ({"method": "grad-cam", "layer": "none"}, "no layer 'none'"),
        ({"method": "occlusion", "layer": "conv"}, "no layer; leave"),
        ({"method": "grad-cam", "class_name": "3"}, r"no class '3'.*1 \(IDC\)"),
    ):
        with pytest.raises(CancerNetError, match=message):
            ExplanationFolder(tmp_path / "why", run, **options)
        assert not (tmp_path / "why").exists()
    with pytest.raises(CancerNetError, match="unknown method"):
        Explainer(run).explain(pixels(48), 0, method="guess")


def test_an_altered_keras_model_is_not_loaded(tmp_path: Path) -> None:
    folder = write_tiny_run(tmp_path / "run")
    (folder / run_folder.MODEL_KERAS).write_bytes(b"x")
    with pytest.raises(RunError, match=r"model\.keras was altered"):
        Explainer(run_folder.open_run(folder)).explain(pixels(48), 0)


def test_occlusion_from_the_command_line_loads_no_tensorflow(
    run: run_folder.Run, tmp_path: Path
) -> None:
    Image.fromarray(pixels(50)).save(tmp_path / "patch.png")
    code = (
        "import runpy, sys, atexit\n"
        "atexit.register(lambda: print('HEAVY', sorted({'tensorflow', 'keras', 'matplotlib'}"
        " & set(sys.modules))))\n"
        f"sys.argv = ['predict.py', {str(tmp_path / 'patch.png')!r}, '--run', {str(run.folder)!r},"
        f" '--explain', {str(tmp_path / 'why')!r}, '--method', 'occlusion']\n"
        f"runpy.run_path({str(ROOT / 'predict.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert "HEAVY []" in done.stdout and "1 image explained by occlusion" in done.stdout, (
        done.stderr
    )


def test_only_two_files_know_tensorflow() -> None:
    knowing = {
        path.name
        for path in (ROOT / "cancernet" / "explaining").glob("*.py")
        if {"import keras", "import tensorflow as tf"}
        & {line.split("  #")[0] for line in path.read_text().splitlines()}
    }
    assert knowing == {"gradients.py", "network.py"}
