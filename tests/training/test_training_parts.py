"""Checkpoint, callbacks, optimizer and export, each on its own with small networks."""

import csv
import dataclasses
import math
from types import SimpleNamespace

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from cancernet.base.errors import RunError, SettingsError
from cancernet.config import TrainConfig
from cancernet.dataset.notices import Notice, NoticeKind
from cancernet.evaluation.run_results import history_of
from cancernet.measures.class_measures import validation_measures
from cancernet.measures.remarks import Kind, remark
from cancernet.runs.run_folder import HISTORY
from cancernet.training import export
from cancernet.training.export import AT_ONCE, write_verified
from cancernet.training.loop import checkpoint as checkpoints
from cancernet.training.loop import fit
from cancernet.training.loop.callbacks import ValidateAndCheckpoint, write_history
from cancernet.training.loop.optimizers import averaged_weights, make_optimizer, make_schedule
from cancernet.training.report import noticed_once
from tests.helpers.evaluation_examples import assessed


def small_model(**config):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    settings = TrainConfig(**{"optimizer": "adam", "schedule": "constant", **config})
    model.compile(
        optimizer=make_optimizer(settings, steps_per_epoch=4), loss="categorical_crossentropy"
    )
    return model


def test_a_step_is_traced_once(data):
    """TensorFlow would trace it again if the first trace had made a variable."""
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2, activation="softmax")])
    fit._compile(model, TrainConfig(), 2, fit.EpochCounts(2))
    traced, step = [], model.train_step
    model.train_step = lambda batch: traced.append(batch) or step(batch)
    model.fit(*data, verbose=0)
    assert len(traced) == 1


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(64, 6)).astype(np.float32)
    return x, np.eye(2, dtype=np.float32)[(x[:, 0] > 0).astype(int)]


def test_a_checkpoint_brings_back_every_variable(tmp_path, data):
    model = small_model()
    model.fit(*data, epochs=2, verbose=0)
    state = checkpoints.State(history=[{"epoch": 1.0}], best_value=0.5, best_epoch=1, seconds=2.0)
    checkpoints.save_checkpoint(tmp_path, model, state)
    expected = [
        keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]
    ]
    other = small_model()
    restored, warning = checkpoints.load_checkpoint(tmp_path, other)
    found = [keras.ops.convert_to_numpy(v) for v in [*other.variables, *other.optimizer.variables]]
    assert restored == state and warning == ""
    assert len(found) == len(expected)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_a_damaged_checkpoint_is_said_and_the_one_before_used(tmp_path, data):
    model = small_model()
    for epoch in (1, 2):
        state = checkpoints.State(history=[{"epoch": 1.0}] * epoch)
        checkpoints.save_checkpoint(tmp_path, model, state)
    latest = tmp_path / checkpoints.LATEST
    content = bytearray(latest.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)  # more than the gaps between its members
    latest.write_bytes(content)
    restored, warning = checkpoints.load_checkpoint(tmp_path, small_model())
    assert restored.epochs == 1 and "damaged" in warning
    (tmp_path / checkpoints.PREVIOUS).unlink()
    with pytest.raises(RunError, match="no checkpoint"):
        checkpoints.load_checkpoint(tmp_path, small_model())


def test_a_checkpoint_of_another_network_is_refused(tmp_path, data):
    checkpoints.save_checkpoint(tmp_path, small_model(), checkpoints.State())
    other = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    other.compile(optimizer="adam", loss="mse")
    with pytest.raises(RunError, match="another network"):
        checkpoints.load_checkpoint(tmp_path, other)


class Told:
    """Validation that is told what it finds."""

    loss = math.nan

    def measures(self, model):
        return {"val_loss": self.loss, "val_auc": 0.5}


def keeper_for(folder, model, **config):
    keeper = ValidateAndCheckpoint(
        config=TrainConfig(**config),
        folder=folder / "checkpoint",
        state=checkpoints.State(),
        validation=Told(),
    )
    (folder / "checkpoint").mkdir()
    keeper.set_model(model)
    return keeper


def run_epochs(keeper, values):
    """Feeds the keeper validation losses; tells after which epoch it stopped the training."""
    keeper.model.stop_training = False
    for epoch, value in enumerate(values):
        keeper._validation.loss = value
        keeper.on_epoch_begin(epoch)
        keeper.on_epoch_end(epoch, {"loss": 1.0})
        if keeper.model.stop_training:
            return epoch + 1
    return None


def test_the_best_epoch_is_kept_and_the_patience_ends_the_training(tmp_path):
    keeper = keeper_for(tmp_path, small_model(), patience=2)
    assert run_epochs(keeper, [0.9, 0.5, 0.6, math.nan, 0.1]) == 4
    assert keeper.state.best_epoch == 2 and keeper.state.best_value == 0.5
    with open(tmp_path / "history.csv", newline="") as file:
        assert [row["val_loss"] for row in csv.DictReader(file)] == ["0.9", "0.5", "0.6", "nan"]


def test_the_last_epoch_can_be_the_one_that_is_kept(tmp_path):
    keeper = keeper_for(tmp_path, small_model(), monitor="last")
    assert run_epochs(keeper, [0.5, 0.6, math.nan]) is None
    assert keeper.state.best_epoch == 3


def test_higher_is_better_for_auc(tmp_path):
    keeper = keeper_for(tmp_path, small_model(), monitor="val_auc")
    keeper.state.best_epoch, keeper.state.best_value = 1, 0.7
    assert keeper.is_best(0.8) and not keeper.is_best(0.7) and not keeper.is_best(math.nan)


def test_a_plateau_lowers_the_rate_once_each_time(tmp_path):
    model = small_model(plateau_factor=0.5, schedule="constant", learning_rate=0.08)
    keeper = keeper_for(
        tmp_path, model, plateau_factor=0.5, plateau_patience=2, schedule="constant"
    )
    run_epochs(keeper, [1.0, 1.1, 1.2, 1.3, 1.4])
    assert float(model.optimizer.learning_rate) == pytest.approx(0.02)
    rates = [row["learning_rate"] for row in keeper.state.history]
    assert rates == pytest.approx([0.08, 0.08, 0.08, 0.04, 0.04])


def test_scores_that_are_no_numbers_have_no_accuracy():
    found = validation_measures(np.array([0, 0, 1]), np.full((3, 2), np.nan), [1])
    assert all(math.isnan(value) for value in found.values()) and "val_f1" in found


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"monitor": "last", "patience": 1}, "--patience.*--monitor val_loss"),
        ({"monitor": "last", "plateau_factor": 0.1}, "--plateau-factor.*--monitor val_loss"),
        ({"plateau_factor": 0.1, "schedule": "cosine"}, "--schedule constant"),
    ],
)
def test_settings_without_effect_are_refused(settings, words):
    with pytest.raises(SettingsError, match=words):
        TrainConfig(**settings)


def test_epochs_with_other_columns_go_into_one_report(tmp_path):
    """A training begun alone and gone on with by several workers."""
    write_history(tmp_path / HISTORY, [{"epoch": 1.0, "precision": 0.5}, {"epoch": 2.0}])
    found = history_of(tmp_path)
    assert found["epoch"] == [1.0, 2.0]
    assert found["precision"][0] == 0.5 and math.isnan(found["precision"][1])


def test_validation_measures_by_hand():
    truth = np.array([0, 1, 1, 0])
    scores = np.array([[0.8, 0.2], [0.4, 0.6], [0.9, 0.1], [0.7, 0.3]])
    found = validation_measures(truth, scores, [1])
    assert found["val_loss"] == pytest.approx(-np.log([0.8, 0.6, 0.1, 0.7]).mean())
    expected = (-np.log([0.8, 0.7]).mean() - np.log([0.6, 0.1]).mean()) / 2
    assert found["val_balanced_loss"] == pytest.approx(expected)
    assert found["val_accuracy"] == 0.75
    assert found["val_auc"] == 0.5  # of the four pairs, 0.6 wins twice and 0.1 loses twice


def test_validation_measures_that_are_undefined():
    one_class = validation_measures(np.array([1, 1]), np.full((2, 2), 0.5), [1])
    assert math.isnan(one_class["val_auc"]) and one_class["val_loss"] > 0
    broken = validation_measures(np.array([0, 1]), np.full((2, 2), np.nan), [1])
    assert math.isnan(broken["val_loss"]) and math.isnan(broken["val_auc"])


def test_averaged_weights_are_the_exponential_average(data):
    model = small_model(weight_averaging=0.9)
    averages = None
    for _ in range(5):
        model.train_on_batch(*data)
        now = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
        # The average begins with the weights after the first step, not with the random start.
        averages = averages or now
        averages = [0.9 * a + 0.1 * n for a, n in zip(averages, now, strict=True)]
    with averaged_weights(model):
        inside = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    after = [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(inside, averages, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(after, now, strict=True))


def test_the_tutorials_decay():
    schedule = make_schedule(TrainConfig(epochs=40, learning_rate=0.01), steps_per_epoch=10)
    for step in (0, 1, 500):
        assert float(schedule(step)) == pytest.approx(0.01 / (1 + step * 0.01 / 40))


def test_cosine_rises_and_falls_to_zero():
    config = TrainConfig(schedule="cosine", learning_rate=0.1, epochs=10, warmup_epochs=2)
    schedule = make_schedule(config, steps_per_epoch=5)
    rates = [float(schedule(step)) for step in range(51)]
    assert rates[0] == 0 and rates[10] == pytest.approx(0.1) and rates[50] == pytest.approx(0)
    assert rates[30] == pytest.approx(0.05)


@pytest.mark.parametrize("name", ["adagrad", "adam", "adamw", "sgd"])
def test_every_optimizer_learns(name, data):
    model = small_model(optimizer=name, learning_rate=0.05, clip_value=0.5)
    before = model.evaluate(*data, verbose=0)
    model.fit(*data, epochs=15, verbose=0)
    assert model.evaluate(*data, verbose=0) < before


def test_export_agrees_and_refuses_what_does_not(tmp_path, monkeypatch):
    keras.utils.set_random_seed(2)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Flatten(),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.layers[2].moving_mean.assign([0.1, 0.2, 0.3, 0.4])
    pixels = np.random.default_rng(0).integers(0, 256, (2 * AT_ONCE + 1, 8, 8, 3), dtype=np.uint8)
    seen = []
    run = onnxruntime.InferenceSession.run

    def watched(session, outputs, given):
        seen.append(len(given["image"]))
        return run(session, outputs, given)

    monkeypatch.setattr("onnxruntime.InferenceSession.run", watched)
    difference = write_verified(model, "none", tmp_path / "m.keras", tmp_path / "m.onnx", pixels)
    assert 0 <= difference < 1e-6
    assert seen == [AT_ONCE, AT_ONCE, 1]  # all at once would fill the memory
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.keras", "m.onnx"]
    operations = {node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node}
    assert "BatchNormalization" in operations  # a product and a sum take longer
    broken = keras.models.clone_model(model)
    broken.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(RunError, match=r"diverged.*--learning-rate"):
        write_verified(broken, "none", tmp_path / "b.keras", tmp_path / "b.onnx", pixels)
    assert not (tmp_path / "b.onnx").exists()
    monkeypatch.setattr("cancernet.training.export.TOLERANCE", -1.0)
    with pytest.raises(RunError, match="differs from the Keras model"):
        write_verified(model, "none", tmp_path / "n.keras", tmp_path / "n.onnx", pixels)
    assert not (tmp_path / "n.onnx").exists()


def test_large_kernels_go_round_the_conversion_and_are_in_the_file(tmp_path, monkeypatch):
    """What is converted is small; what is written is whole, in one file of one input."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(image)
    x = keras.layers.Dense(40, activation="relu")(x)
    x = keras.layers.Dropout(0.5)(x)
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
    model.layers[-1].bias.assign([0.1, -0.2, 0.3])
    converted = []
    put_back = export._put_back
    monkeypatch.setattr(
        export,
        "_put_back",
        lambda graph, kernels: (converted.append(graph.ByteSize()), put_back(graph, kernels)),
    )
    traced = export.trace(model, large=192 * 40)
    export.write_onnx(traced, tmp_path / "m.onnx")
    kernel_bytes = 192 * 40 * 4
    assert converted[0] < kernel_bytes < (tmp_path / "m.onnx").stat().st_size
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]
    session = onnxruntime.InferenceSession(
        (tmp_path / "m.onnx").read_bytes(), providers=["CPUExecutionProvider"]
    )
    [only] = session.get_inputs()
    pixels = np.random.default_rng(1).uniform(0, 1, (7, 8, 8, 3)).astype(np.float32)
    expected = np.asarray(model(pixels, training=False))
    assert np.allclose(session.run(None, {only.name: pixels})[0], expected, atol=1e-6)
    assert np.allclose(traced.probabilities(pixels), expected, atol=1e-6)
    assert list(export.large_kernels(model, 192 * 40)) == ["large_kernel_0"]
    assert not export.large_kernels(model, 192 * 40 + 1)


@pytest.mark.parametrize("named", [("c",), ("b", "c")])
def test_a_remark_that_only_repeats_notices_is_not_in_the_report(named):
    _, _, found = assessed(3)
    untested = remark(Kind.CLASSES_WITHOUT_IMAGES, names=named)
    found = dataclasses.replace(found, remarks=(*found.remarks, untested))
    notices = (
        Notice(kind=NoticeKind.FEW_UNITS, classes=("c (C)",), splits=("training",)),
        Notice(kind=NoticeKind.FEW_UNITS, classes=("a (A)",), splits=("training", "testing")),
        Notice(kind=NoticeKind.NO_IMAGES, classes=("b (B)",), split="validation"),
    )
    called = ["a (A)", "b (B)", "c (C)"].__getitem__
    dataset = SimpleNamespace(classes=("a", "b", "c"), called=called, notices=notices)
    others = [one for one in found.remarks if one != untested]
    kept = list(noticed_once(found, dataset).remarks)
    assert kept == (others if named == ("c",) else [*others, untested])
