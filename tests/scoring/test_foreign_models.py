"""Models of others: joined with a hash, vetted, loaded in safe mode, scored."""

import dataclasses
import hashlib
import itertools
import json
import types
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import json_text
from cancernet.images.scalings import prepared
from cancernet.scoring.described import ModelDescription
from cancernet.scoring.model_file import is_model_file, parts_of, vet, whole_file
from cancernet.scoring.other_models import _input_size, _refuse_unscaled, open_keras_model
from cancernet.scoring.prediction import Failure
from cancernet.scoring.words import NO_POINT, as_text

SIZE = 8


def network(outputs=3, activation="softmax", **options):
    keras.utils.set_random_seed(4)
    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(outputs, activation=activation, **options),
        ]
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """One network in both formats, and an image."""
    folder = tmp_path_factory.mktemp("models")
    model = network()
    model.compile("adam", "categorical_crossentropy")
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.save_weights(folder / "only.weights.h5")
    pixels = np.random.default_rng(2).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "scan.png")
    return folder, model, pixels


BUSI = ModelDescription(dataset="busi", preprocessing="unit")


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
def test_a_model_file_gives_the_models_own_numbers(models, name):
    folder, model, pixels = models
    expected = model.predict(pixels[None] / np.float32(255), verbose=0)[0]
    with open_keras_model(folder / name, BUSI) as predictor:
        found = predictor.predict(folder / "scan.png")
    assert list(found.probabilities) == ["benign", "malignant", "normal"]
    assert list(found.probabilities.values()) == pytest.approx(expected, abs=1e-6)
    assert found.label == ["benign", "malignant", "normal"][int(expected.argmax())]
    assert found.positive is None and found.operating_point is None
    assert NO_POINT in as_text(found, predictor.run)
    line = json.loads(json_text(found))
    assert line["operating_point"] is None and line["positive"] is None


def test_many_images_are_scored_as_one_is(models):
    scan = models[0] / "scan.png"
    with open_keras_model(models[0] / "model.keras", BUSI) as predictor:
        alone = predictor.predict(scan)
        found = list(predictor.predict_many([scan] * 20 + [models[0] / "none.png"]))
    assert [each.probabilities for each in found[:20]] == [alone.probabilities] * 20
    assert isinstance(found[20], Failure)


def test_a_sigmoid_gives_the_second_class_and_is_not_called_at_a_half(models, tmp_path):
    network(1, "sigmoid", bias_initializer=keras.initializers.Constant(2.0)).save(
        tmp_path / "one.keras"
    )
    with open_keras_model(
        tmp_path / "one.keras", ModelDescription(dataset="ultrasound", preprocessing="unit")
    ) as it:
        found = it.predict(models[0] / "scan.png")
    assert list(found.probabilities) == ["benign", "malignant"]
    assert found.probabilities["malignant"] > 0.5 and found.label == "malignant"
    assert sum(found.probabilities.values()) == pytest.approx(1) and found.positive is None


@pytest.mark.parametrize("rule", ["unit", "tf", "torch", "caffe"])
def test_preprocessing_is_that_of_the_networks(rule):
    from cancernet.models.preprocessing import preprocess

    pixels = np.random.default_rng(1).uniform(0, 255, (2, 4, 5, 3)).astype(np.float32)
    image = keras.Input((4, 5, 3))
    expected = keras.Model(image, preprocess(image, rule)).predict(pixels, verbose=0)
    assert prepared(pixels, rule) == pytest.approx(expected, abs=1e-4)
    assert prepared(pixels, "inside") is pixels


@pytest.mark.parametrize(
    ("name", "said", "words"),
    [
        ("model.h5", {"image_size": 9}, "8x8 pixels"),
        ("model.h5", {"sha256": "0" * 64}, "not the expected file"),
        ("model.h5", {"sha256": "zz"}, "64 hexadecimal"),
        ("only.weights.h5", {}, "no network"),
        ("scan.png.h5", {}, "no model file"),
        ("none.keras", {}, "no model file"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(models, name, said, words):
    description = dataclasses.replace(BUSI, **said)
    with (
        pytest.raises(CancerNetError, match=words),
        open_keras_model(models[0] / name, description),
    ):
        pass


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, r"--classes A B .*name the data set with --dataset\) and --preprocessing"),
        ({"preprocessing": "unit"}, "what its outputs mean; add --classes"),
        ({"dataset": "busi"}, "how its pixels were prepared; add --preprocessing unit"),
        ({"dataset": "idc", "preprocessing": "unit"}, "do not fit 2 classes"),
        ({"classes": ("a", "b", "c"), "positive": ("d",), "preprocessing": "unit"}, "has d, not"),
        ({"classes": ("a", "b", "c"), "dataset": "busi"}, "both name the classes"),
        ({"positive": ("b",), "dataset": "busi"}, "--positive goes with --classes"),
        ({"classes": ("a", "b", "c"), "positive": ("b",), "recipe": "idc-cancernet"}, "scale its"),
    ],
)
def test_what_nobody_said_of_a_model_is_asked_for(models, said, words):
    """The last: a network that scales nothing is not one that a recipe made."""
    said = ModelDescription(**{**said, "image_size": SIZE if "recipe" in said else None})
    with pytest.raises(CancerNetError, match=words), open_keras_model(models[0] / "model.h5", said):
        pass


def test_what_scales_counts_before_the_first_weights_and_wherever_the_image_goes():
    image, layers = keras.Input((SIZE, SIZE, 3)), keras.layers
    padded = keras.Model(image, layers.Conv2D(2, 3)(layers.ZeroPadding2D()(image)))
    later = keras.Sequential([image, layers.Conv2D(2, 3), layers.Rescaling(1 / 255)])
    for model in (padded, keras.Sequential([image, padded]), later):
        with pytest.raises(RunError, match="does not scale its pixels"):
            _refuse_unscaled(model, Path("x.keras"))
    divided = keras.Model(image, layers.Conv2D(2, 3)(image / 255))
    scaled = [layers.Resizing(4, 4), layers.Rescaling(1 / 255), layers.Conv2D(2, 3)]
    for model in (divided, keras.Sequential([image, keras.Sequential(scaled)])):
        _refuse_unscaled(model, Path("x.keras"))


@pytest.mark.parametrize("content", [b"", b"not a model", b"PK\x03\x04broken"])
@pytest.mark.parametrize("name", ["x.keras", "x.h5"])
def test_a_damaged_file_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=r"damaged|Keras"), open_keras_model(tmp_path / name, BUSI):
        pass


def altered(models, target: Path, change) -> Path:
    """The `.keras` file with another configuration."""
    with zipfile.ZipFile(models[0] / "model.keras") as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config["config"]["layers"])
                content = json.dumps(config).encode()
            new.writestr(name, content)
    return target


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        ("Lambda", "keras.layers"),
        ("TextVectorization", "keras.layers"),
        ("TorchModuleWrapper", "keras.layers"),
        ("system", "os"),
        ("get_file", "keras.utils"),
        ("Mine", "my_layers"),
    ],
)
def test_code_in_a_file_is_never_reached(models, tmp_path, kind, module):
    def change(layers):
        layers[1] = {"class_name": kind, "module": module, "config": {}, "registered_name": kind}

    path = altered(models, tmp_path / "evil.keras", change)
    with pytest.raises(RunError, match="not opened"), open_keras_model(path, BUSI):
        pass


def test_a_lambda_in_an_old_file_is_refused_too(models, tmp_path):
    path = tmp_path / "evil.h5"
    path.write_bytes((models[0] / "model.h5").read_bytes())
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"][1] = {"class_name": "Lambda", "config": {"function": ["x"]}}
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(RunError, match="Lambda"):
        vet(path)


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_a_network_far_larger_than_its_file_is_refused(models, tmp_path, form):
    """Before there is room made for it: the numbers would fill 16 GB."""

    def widen(layers):
        layers[-1]["config"]["units"] = 10**9

    path = tmp_path / f"wide.{form}"
    if form == "keras":
        altered(models, path, widen)
    else:
        path.write_bytes((models[0] / "model.h5").read_bytes())
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            widen(config["config"]["layers"])
            file.attrs["model_config"] = json.dumps(config)
    with (
        pytest.raises(RunError, match=r"network of 5,000,000,\d+ weights"),
        open_keras_model(path, BUSI),
    ):
        pass


def test_a_network_of_ours_passes_the_vetting(tmp_path):
    """One with operations of Keras inside its graph."""
    from cancernet.models import build_model

    build_model("kernel-cnn", (32, 32, 3), 8).save(tmp_path / "own.keras")
    vet(tmp_path / "own.keras")


def in_parts(folder: Path, model: Path, sizes=(1000, 1000)) -> str:
    content = model.read_bytes()
    cuts = [0, *np.cumsum(sizes).tolist(), len(content)]
    for number, (start, end) in enumerate(itertools.pairwise(cuts), start=1):
        (folder / f"model.h5.part{number:02d}").write_bytes(content[start:end])
    return hashlib.sha256(content).hexdigest()


def test_parts_are_joined_only_with_their_hash(models, tmp_path):
    digest = in_parts(tmp_path, models[0] / "model.h5")
    before = sorted(tmp_path.iterdir())
    for named in ("model.h5", "model.h5.part01"):
        assert is_model_file(tmp_path / named)
        for digits, words in (
            (None, "3 parts, which are joined only"),
            ("f" * 64, "not the expected file"),
        ):
            with (
                pytest.raises(RunError, match=words),
                whole_file(tmp_path / named, sha256=digits),
            ):
                pass
        with whole_file(tmp_path / named, sha256=digest.upper()) as joined:
            assert joined.read_bytes() == (models[0] / "model.h5").read_bytes()
            assert tmp_path not in joined.parents
        assert not joined.exists()
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "model.h5.sha256").write_text(f"{digest}  model.h5\n")
    with open_keras_model(tmp_path / "model.h5", BUSI) as predictor:
        assert predictor.predict(models[0] / "scan.png").probability > 0
    (tmp_path / "model.h5.part02").unlink()
    with pytest.raises(RunError, match=r"part 2 of model\.h5 is missing"):
        parts_of(tmp_path / "model.h5")


def test_a_figure_has_the_prediction_for_its_title(tiny_run, tmp_path, patch_image):
    from cancernet.runs.run_folder import open_run
    from cancernet.scoring.output import check_target, write_figure
    from cancernet.scoring.predictor import Predictor

    patch_image.save(tmp_path / "patch.png")
    run = open_run(tiny_run)
    prediction = Predictor(run).predict(tmp_path / "patch.png")
    write_figure(tmp_path / "titled.svg", prediction, run, notice="Not for diagnosis.")
    text = (tmp_path / "titled.svg").read_text()
    assert f"<!-- {prediction.word}: probability" in text
    assert "Not for diagnosis." in text and "operating point 0.400" in text
    with pytest.raises(CancerNetError, match="--figure"):
        check_target(tmp_path / "titled.doc")


@pytest.mark.parametrize(("side", "stated"), [(4097, None), (None, -5)])
def test_a_side_that_no_input_has_is_refused_in_a_sentence(side, stated):
    model = types.SimpleNamespace(input_shape=(None, side, side, 3))
    with pytest.raises(RunError, match="each side must be 1 to 4096"):
        _input_size(model, Path("model.h5"), stated)
