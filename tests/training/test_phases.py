"""First weights from a file; the head first, then the backbone's top; stopped and gone on with."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from cancernet.base.files import sha256_of
from cancernet.dataset.manifest import read_dataset
from cancernet.models import MODELS, build_model
from cancernet.models.pretrained import backbone_part
from cancernet.models.registry import Network
from cancernet.planning.begin import limited
from cancernet.runs import run_folder
from cancernet.training import train
from cancernet.training.loop import fit
from cancernet.training.network import first_network
from tests.helpers.tiny_network import CONFIG, build_tiny
from tests.helpers.training_runs import fitted, trained

# The first test runs as trainings do; for the others the order of things is the point.
UNTRACED = pytest.mark.usefixtures("untraced")


@pytest.fixture
def weights(monkeypatch, tmp_path):
    """Registers the network and writes a file of its backbone's weights."""
    monkeypatch.setitem(MODELS, "tiny", Network(build_tiny, "MobileNet", frozen=True))
    keras.utils.set_random_seed(99)
    path = tmp_path / "brought.weights.h5"
    backbone_part(build_model("tiny", (16, 16, 3), 3)).save_weights(path)
    return path


@pytest.fixture
def config(weights):
    return dataclasses.replace(CONFIG, weights=str(weights))


@pytest.fixture
def dataset(built):
    return limited(read_dataset(built("busi")), CONFIG.limit, seed=CONFIG.seed)


def test_the_head_learns_first_and_then_the_top_alone(dataset, config, tmp_path, capsys):
    brought, record = first_network(config, 3)
    model, state = fitted(dataset, config, tmp_path / "run")
    printed = capsys.readouterr().out
    assert "computed once" in printed and "the last 1 layers of the backbone learn" in printed
    assert [row["learning_rate"] for row in state.history] == pytest.approx([0.05] * 2 + [0.01] * 2)
    assert record.sha256 == sha256_of(tmp_path / "brought.weights.h5")
    assert record.part == "backbone" and record.file == "brought.weights.h5"
    for name, moved in (("first", False), ("normal", False), ("top", True)):
        pairs = zip(
            model.get_layer(name).get_weights(), brought.get_layer(name).get_weights(), strict=True
        )
        assert all(np.array_equal(a, b) for a, b in pairs) != moved, name


@UNTRACED
def test_without_a_second_phase_the_backbone_stays_as_it_was(dataset, config, tmp_path):
    config = dataclasses.replace(config, fine_tune_epochs=0)
    brought, _ = first_network(config, 3)
    model, _ = fitted(dataset, config, tmp_path / "run")
    before, after = backbone_part(brought).get_weights(), backbone_part(model).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    head = [m.get_layer("head_probabilities").get_weights()[0] for m in (brought, model)]
    assert not np.array_equal(*head)


@UNTRACED
def test_stopped_between_the_phases_and_gone_on_with(
    dataset, config, weights, tmp_path, monkeypatch
):
    """Also without the file of the first weights, which a checkpoint makes unnecessary.

    Other moments are in `test_faults_training.py`.
    """
    epoch = 1
    undisturbed, _ = fitted(dataset, config, tmp_path / "whole")

    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, number, logs=None):
            if number == epoch:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fit, "watchers", lambda *_: [Stop()])
        with pytest.raises(fit.StoppedError, match=f"epoch {epoch + 1} of "):
            fitted(dataset, config, tmp_path / "stopped")
    weights.unlink()
    model, state = fitted(dataset, config, tmp_path / "stopped")
    assert state.epochs == 4
    for one, other in zip(model.get_weights(), undisturbed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@UNTRACED
def test_freeze_no_trains_all_of_it(dataset, config, tmp_path):
    config = dataclasses.replace(config, freeze="no", fine_tune_epochs=0, epochs=1)
    brought, _ = first_network(config, 3)
    assert all(layer.trainable for layer in brought.layers)
    model, _ = fitted(dataset, config, tmp_path / "run")
    before, after = (m.get_layer("first").get_weights()[0] for m in (brought, model))
    assert not np.array_equal(before, after)


def test_the_checksum_is_shown_and_stored(built, config, weights, tmp_path, capsys, monkeypatch):
    class EnoughSeenError(Exception):
        """The training itself is another test's."""

    def stop(*_, **__):
        raise EnoughSeenError

    monkeypatch.setattr(train, "open_batches", stop)
    with pytest.raises(EnoughSeenError):
        trained(tmp_path / "run", built("busi"), config)
    digest = sha256_of(weights)
    printed = capsys.readouterr().out
    assert "First weights: brought.weights.h5 for the " in printed
    assert f"SHA-256 {digest}" in printed
    stored = json.loads((tmp_path / "run" / run_folder.RUN_FILE).read_text())["weights"]
    assert stored["sha256"] == digest and stored["file"] == "brought.weights.h5"
