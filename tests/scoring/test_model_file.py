"""Files of models before they are opened, and the steps around one that is there."""

import dataclasses
import hashlib
import json
import types
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, RunError
from cancernet.images.scalings import prepared
from cancernet.recipe_file import named_settings
from cancernet.scoring import model_file, other_models
from cancernet.scoring.described import ModelDescription
from cancernet.scoring.model_file import _classes, is_model_file, parts_of, vet, whole_file
from cancernet.scoring.other_models import (
    KerasPredictor,
    _input_size,
    check_outputs,
    open_keras_model,
)

DIGEST = hashlib.sha256(b"abcdef").hexdigest()
SHOWN = Path("m.keras")


def in_parts(folder, *numbers, name="m.h5"):
    """Writes `ab`, `cd`, … as parts with these numbers."""
    for place, number in enumerate(numbers):
        content = b"abcdef"[2 * place : 2 * place + 2]
        (folder / f"{name}.part{number}").write_bytes(content)
    return folder / name


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("m.keras", True), ("m.h5", True), ("m.hdf5", True), ("m.h5.part01", True),
        ("m.onnx", False), ("m", False), ("m.part01", False), ("m.h5.part", False),
        ("m.h5.partx", False), (".part1", False),
    ],
)  # fmt: skip
def test_the_name_of_a_model_file(tmp_path, name, is_one):
    assert is_model_file(tmp_path / name) == is_one
    (tmp_path / name).mkdir()
    assert not is_model_file(tmp_path / name)


@pytest.mark.parametrize("numbers", [("1", "2", "3"), ("01", "2", "003"), ("0", "1", "2")])
def test_parts_are_joined_in_the_order_of_their_numbers(tmp_path, numbers):
    whole = in_parts(tmp_path, *numbers)
    (tmp_path / "m.h5.part9").mkdir()
    (tmp_path / "other.h5.part9").touch()
    (tmp_path / "m.h5.part9.txt").touch()
    assert [path.name for path in parts_of(whole)] == [f"m.h5.part{each}" for each in numbers]
    with whole_file(whole, sha256=DIGEST) as joined:
        assert joined.read_bytes() == b"abcdef" and joined.name == "m.h5"


def test_more_than_nine_parts_are_not_in_the_order_of_text(tmp_path):
    for number in range(1, 12):
        (tmp_path / f"m.h5.part{number}").touch()
    assert [path.suffix for path in parts_of(tmp_path / "m.h5")] == [
        f".part{number}" for number in range(1, 12)
    ]
    assert parts_of(tmp_path / "none.h5") == parts_of(tmp_path / "none" / "m.h5") == []


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (("2", "3"), "part 1 of m.h5 is missing from {}, which has 2 parts with numbers up to 3"),
        (("0", "1", "3"), "part 2 of m.h5 is missing from {}, which has 3 parts with numbers up"),
        (("1", "01"), "{} holds part 1 of m.h5 twice"),
        (("1", "9" * 200), "part 2 of m.h5 is missing"),
    ],
)
def test_a_missing_or_repeated_part_is_named(tmp_path, numbers, said):
    with pytest.raises(RunError) as refused:
        parts_of(in_parts(tmp_path, *numbers))
    assert str(refused.value).startswith(said.format(tmp_path))


def test_a_whole_file_is_compared_only_where_a_hash_is_known(tmp_path):
    path = tmp_path / "m.h5"
    path.write_bytes(b"abcdef")
    beside = tmp_path / "m.h5.sha256"
    for content in (None, f"{DIGEST}  m.h5\n", DIGEST.upper()):
        if content is not None:
            beside.write_text(content)
        with whole_file(path, sha256=None) as found:
            assert found == path
    path.write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(RunError) as refused, whole_file(path, sha256=None):
        pass
    assert str(refused.value).startswith(
        f"{path} is not the expected file: its SHA-256 begins with {found[:12]}, not {DIGEST[:12]};"
    )
    with whole_file(path, sha256=found) as given:  # what is given goes before what lies there
        assert given == path
    for content, words in (("", "m.h5.sha256 is not a SHA-256"), (b"\xff", "cannot be read")):
        beside.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(RunError, match=words), whole_file(path, sha256=None):
            pass
    long = DIGEST + "0"
    with pytest.raises(RunError, match=r"^--sha256 is not a"), whole_file(path, sha256=long):
        pass


def test_parts_beside_the_whole_file_are_named_by_their_own_name(tmp_path):
    whole = in_parts(tmp_path, "1", "2", "3")
    whole.write_bytes(b"whole")
    with whole_file(tmp_path / "m.h5.part2", sha256=DIGEST) as joined:
        assert joined.read_bytes() == b"abcdef"
    for name, words in (
        ("m.h5.part2", r"m\.h5 comes in 3 parts, .* in a file m\.h5\.sha256"),
        ("none.h5", r"there is no model file .*none\.h5"),
    ):
        with pytest.raises(RunError, match=words), whole_file(tmp_path / name, sha256=None):
            pass


def test_parts_that_change_between_two_readings_are_noticed(tmp_path, monkeypatch):
    whole = in_parts(tmp_path, "1", "2", "3")
    hashed = model_file._hash_of_parts

    def change_after(parts):
        digest = hashed(parts)
        parts[0].write_bytes(b"xx")
        return digest

    monkeypatch.setattr(model_file, "_hash_of_parts", change_after)
    with pytest.raises(RunError, match="not the expected file"), whole_file(whole, sha256=DIGEST):
        pass


def zipped(path, config, **more):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        for name, content in more.items():
            archive.writestr(name, content)
    return path


def hdf5(path, config=None):
    with h5py.File(path, "w") as file:
        if config is not None:
            file.attrs["model_config"] = config
    return path


PLAIN = {
    "class_name": "Sequential", "module": "keras",
    "config": {"layers": [
        {"class_name": "Dense", "module": "keras.layers"},
        {"class_name": "Add", "module": "keras.src.ops.numpy"},
        {"class_name": "Policy", "module": "tensorflow.python.keras.dtype_policies"},
        {"class_name": "Old", "config": [1, None, "x"]}, {"class_name": 3}, {"class_name": "A",
         "module": 5},
    ]},
    "compile_config": {"class_name": "Evil", "module": "os"},
}  # fmt: skip


@pytest.mark.parametrize("form", ["keras", "h5", "h5 of bytes"])
def test_plain_layers_are_let_through(tmp_path, form):
    text = json.dumps(PLAIN)
    made = {
        "keras": lambda path: zipped(path, PLAIN),
        "h5": lambda path: hdf5(path, text),
        "h5 of bytes": lambda path: hdf5(path, text.encode()),
    }[form]
    assert vet(made(tmp_path / "m")) == PLAIN


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        ({"class_name": "Lambda"}, "Lambda"),
        ({"class_name": "Lambda", "module": "keras.layers"}, "Lambda"),
        ({"class_name": "Dense", "module": "os"}, "Dense of os"),
        ({"class_name": "Dense", "module": "keras"}, ""),
        ({"class_name": "Dense", "module": "tensorflow"}, "Dense of tensorflow"),
        ({"class_name": "Dense", "module": "keras.utils"}, "Dense of keras.utils"),
        ({"class_name": "Dense", "module": "mine.layers"}, "Dense of mine.layers"),
        ({"class_name": "Dense", "module": "keras.src.layers.core"}, ""),
        ({"class_name": "Dense", "module": "layers"}, "Dense of layers"),
        ([[{"deep": {"class_name": "TFSMLayer"}}]], "TFSMLayer"),
    ],
)
def test_what_is_not_of_keras_is_named(tmp_path, layer, named):
    path = zipped(tmp_path / "m.keras", {"class_name": "Sequential", "config": layer})
    if not named:
        vet(path)
        return
    with pytest.raises(RunError) as refused:
        vet(path)
    assert str(refused.value).startswith(f"{path} holds {named}, which may run code")


def test_every_class_is_given_with_its_module():
    assert sorted(_classes(PLAIN), key=str) == [
        ("A", None), ("Add", "keras.src.ops.numpy"), ("Dense", "keras.layers"), ("Old", None),
        ("Policy", "tensorflow.python.keras.dtype_policies"), ("Sequential", "keras"),
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["keras", "h5"])
def test_a_configuration_at_its_limit_is_read(tmp_path, monkeypatch, form):
    text = json.dumps(PLAIN)
    path = zipped(tmp_path / "m", PLAIN) if form == "keras" else hdf5(tmp_path / "m", text)
    monkeypatch.setattr(model_file, "LARGEST_CONFIG", len(text))
    vet(path)
    monkeypatch.setattr(model_file, "LARGEST_CONFIG", len(text) - 1)
    with pytest.raises(RunError, match=r"is damaged or not a Keras model .*far too large"):
        vet(path)


def test_what_holds_no_network_is_refused(tmp_path):
    with pytest.raises(RunError, match="holds weights but no network"):
        vet(hdf5(tmp_path / "w.h5"))
    with pytest.raises(RunError, match="its configuration is not a JSON object"):
        vet(zipped(tmp_path / "list.keras", []))
    with pytest.raises(RunError, match="is damaged or not a Keras model"):
        vet(zipped(tmp_path / "cut.keras", b"{"))


@pytest.mark.parametrize(("asked", "refused"), [(2**24, False), (2**24 + 1, True)])
def test_a_network_may_ask_for_what_is_harmless(tmp_path, monkeypatch, asked, refused):
    path = zipped(tmp_path / "m.keras", PLAIN)
    monkeypatch.setattr(model_file, "_count_weights", lambda config: asked if config == 1 else 0)
    if not refused:
        model_file.refuse_larger_than_its_weights(path, SHOWN, 1)
        return
    with pytest.raises(RunError) as said:
        model_file.refuse_larger_than_its_weights(path, SHOWN, 1)
    size = path.stat().st_size
    held = len(json.dumps(PLAIN)) // 2
    assert held != size // 2 and str(said.value).startswith(
        f"m.keras describes a network of 16,777,217 weights but can hold {held:,} at most"
    )


def test_a_network_may_ask_for_what_its_file_can_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "HARMLESS", 0)
    for path, bytes_held in (
        (zipped(tmp_path / "m.keras", b"{}", weights=b"x" * 99), 101),
        (hdf5(tmp_path / "m.h5"), None),
    ):
        most = (bytes_held or path.stat().st_size) // 2
        monkeypatch.setattr(model_file, "_count_weights", lambda config, most=most: most)
        model_file.refuse_larger_than_its_weights(path, SHOWN, {})
        monkeypatch.setattr(model_file, "_count_weights", lambda config, most=most: most + 1)
        with pytest.raises(RunError, match=f"can hold {most:,} at most"):
            model_file.refuse_larger_than_its_weights(path, SHOWN, {})


def test_a_recipe_says_what_nothing_else_does():
    said = ModelDescription(dataset="busi", image_size=9, interpolation="nearest")
    assert said.with_recipe() is said
    name = any_recipe()
    config = named_settings(name)
    assert ModelDescription(recipe=name).with_recipe() == ModelDescription(
        dataset=config.dataset, recipe=name, image_size=config.image_size,
        interpolation=config.interpolation, preprocessing="inside",
    )  # fmt: skip
    all_said = ModelDescription(
        dataset="busi", recipe=name, image_size=9, interpolation="nearest", preprocessing="unit",
        sha256="0",
    )  # fmt: skip
    assert all_said.with_recipe() == all_said


def any_recipe():
    from cancernet.recipes import RECIPES

    return next(iter(RECIPES))


def fake(answers):
    """A predictor around a model that gives these answers and remembers what it was given."""
    model = types.SimpleNamespace(given=[])

    def predict_on_batch(pixels):
        model.given.append(pixels)
        return np.asarray(answers, np.float32)

    model.predict_on_batch = predict_on_batch
    run = types.SimpleNamespace(folder=SHOWN)
    return KerasPredictor(run, model, "unit"), model


def test_one_unit_is_the_probability_of_the_second_class():
    it, model = fake([[0.25], [1.0]])
    pixels = np.full((2, 4, 4, 3), 51, np.uint8)
    assert it._run_model(pixels).tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert model.given[0].dtype == np.float32 and model.given[0][0, 0, 0, 0] == pytest.approx(0.2)
    assert it._threads == 1


def test_rows_that_nearly_add_up_are_made_to():
    it, _ = fake([[0.3, 0.7005], [0.5, 0.4995]])
    found = it._run_model(np.zeros((2, 4, 4, 3), np.uint8))
    assert found.dtype == np.float64 and found.sum(axis=1) == pytest.approx([1, 1], abs=1e-12)
    assert found[0] == pytest.approx(np.array([0.3, 0.7005]) / 1.0005)


@pytest.mark.parametrize(
    "answers",
    [
        [[0.3, 0.702]], [[0.3, 0.698]], [[-0.0001, 1.0001]], [[1.5, -0.5]], [[0.5, 0.5], [2, 3]],
        [[float("nan"), 0.5]], [[1.1]], [[0.2, 0.3, 0.4]],
    ],
)  # fmt: skip
def test_what_is_no_probability_is_refused(answers):
    it, _ = fake(answers)
    with pytest.raises(RunError, match=r"the outputs of m\.keras are not probabilities \(from "):
        it._run_model(np.zeros((len(answers), 4, 4, 3), np.uint8))


def test_pixels_are_prepared_by_the_published_rules():
    pixels = np.array([[[[0, 127.5, 255]]]], np.float32)
    assert prepared(pixels, "unit").ravel().tolist() == [0, 0.5, 1]
    assert prepared(pixels, "tf").ravel().tolist() == pytest.approx([-1, 0, 1])
    # Blue, green, red without the mean of ImageNet.
    caffe = prepared(pixels, "caffe").ravel().tolist()
    assert caffe == pytest.approx([255 - 103.939, 127.5 - 116.779, -123.68], abs=1e-4)
    assert prepared(pixels, "unit").dtype == np.float32 and prepared(pixels, "inside") is pixels


@pytest.mark.parametrize(
    ("shape", "said", "size"),
    [
        ((None, 8, 6, 3), None, (8, 6)),
        ((None, 8, 8, 3), 8, (8, 8)),
        ((None, None, None, 3), 9, (9, 9)),
        ((None, None, 9, None), 9, (9, 9)),
        ((None, 1, 4096, 3), None, (1, 4096)),
        ((None, 8, 6, 3), 8, "takes images of 6x8 pixels, not 8x8; leave --image-size out"),
        ((None, None, 6, 3), 8, "takes images of 6x8 pixels, not 8x8"),
        ((None, 8, None, 3), None, "takes images of any size; give the size with --image-size"),
        ((None, None, 8, 3), None, "takes images of any size"),
        ((None, 4097, 8, 3), None, "takes images of 8x4097 pixels; each side must be 1 to 4096"),
        ((None, 8, 4097, 3), None, "takes images of 4097x8 pixels; each side must be"),
        (
            (None, 8, 8, 1),
            None,
            "does not take RGB images: its input has the shape (None, 8, 8, 1)",
        ),
        ((None, 8, 8), None, "does not take RGB images"),
        ([(None, 8, 8, 3)], None, "does not take RGB images"),
        ([1, 2, 3, 3], None, "does not take RGB images"),
    ],
)
def test_the_size_of_the_input(shape, said, size):
    model = types.SimpleNamespace(input_shape=shape)
    if not isinstance(size, str):
        assert _input_size(model, SHOWN, said) == size
        return
    with pytest.raises(RunError) as refused:
        _input_size(model, SHOWN, said)
    assert str(refused.value).startswith(f"m.keras {size}")


@pytest.mark.parametrize(
    ("shape", "classes", "fits"),
    [
        ((None, 2), 2, True), ((None, 3), 3, True), ((None, 1), 2, True), ((None, 1), 3, False),
        ((None, 3), 2, False), ((None, 2), 1, False), ((None, 4, 2), 2, False), ((2,), 2, False),
        ([(None, 2)], 2, False), ([None, 2], 2, False),
    ],
)  # fmt: skip
def test_the_outputs_fit_the_classes(shape, classes, fits):
    if fits:
        check_outputs(shape, SHOWN, classes)
        return
    with pytest.raises(RunError) as refused:
        check_outputs(shape, SHOWN, classes)
    assert str(refused.value).startswith(
        f"m.keras has outputs of the shape {shape}, which do not fit {classes} classes; "
    )


def test_a_model_stands_for_a_run_with_the_facts_of_its_description(tmp_path, monkeypatch):
    path = tmp_path / "m.h5"
    path.write_bytes(b"abcdef")
    model = types.SimpleNamespace(input_shape=(None, 8, 6, 3), output_shape=(None, 3))
    loaded = []
    monkeypatch.setattr(
        other_models,
        "load_model",
        lambda path, shown, weights: loaded.append((path, shown)) or model,
    )
    said = ModelDescription(dataset="busi", preprocessing="unit")
    with open_keras_model(path, said) as it:
        run = it.run
    assert loaded == [(path, path)] and it.preprocessing == "unit" and it._model is model
    assert run.folder == path and run.classes == ("benign", "malignant", "normal")
    assert len(run.words) == 3 and run.positive == ("malignant",)
    taken = run.record.input
    assert (taken.width, taken.height, taken.interpolation) == (6, 8, "bilinear")
    assert run.record.is_finished and not run.drawn and run.leak == ""
    assert run.record.checksum == f"{DIGEST} {run.classes} 8x6 bilinear unit"
    with open_keras_model(path, dataclasses.replace(said, interpolation="nearest")) as it:
        assert it.run.record.input.interpolation == "nearest"
        assert it.run.record.checksum == f"{DIGEST} {run.classes} 8x6 nearest unit"
    for missing, words in (("dataset", "what its outputs mean; add --classes A B"),
                           ("preprocessing", "how its pixels were prepared; add")):  # fmt: skip
        lacking = dataclasses.replace(said, **{missing: None})
        with pytest.raises(CancerNetError, match=words), open_keras_model(path, lacking):
            pass
