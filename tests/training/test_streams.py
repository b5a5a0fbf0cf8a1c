"""The stock stream: what it draws, what it refuses, and that it resumes to the bit."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError, SettingsError
from cancernet.config import STOCK, TrainConfig
from cancernet.dataset.manifest import read_dataset
from cancernet.measures.scored import Scored
from cancernet.planning.begin import limited
from cancernet.training.data.augmentation import draw_matrices
from cancernet.training.data.batches import (
    class_weights,
    image_data_generator,
    patient_chances,
    random_changes,
    training_batches,
)
from cancernet.training.data.streams import StockBatches, class_folders
from cancernet.training.train import calibrated
from tests.helpers.training_runs import fitted
from tests.training.test_augmentation import matrix_of

UNCHANGED = {"rotation": 0.0, "zoom": 0.0, "shift": 0.0, "shear": 0.0,
             "horizontal_flip": False, "vertical_flip": False}  # fmt: skip


def settings(**changes):
    return TrainConfig(**{"stream": STOCK, "model": "simple-cnn", "batch_size": 16,
                          "image_size": 16, "epochs": 3, "limit": 60, **changes})  # fmt: skip


@pytest.fixture(scope="module")
def dataset(built):
    return limited(read_dataset(built("idc")), 60, seed=1)


def test_both_streams_give_the_same_images(dataset):
    config = settings(**UNCHANGED, interpolation="nearest")
    stock = StockBatches(dataset, config)
    fast = training_batches(dataset, dataclasses.replace(config, stream="fast"))
    fast.on_epoch_begin()
    stock.begin_epoch()

    def pairs(batches):
        found = [batches[number][:2] for number in range(len(batches))]
        images, labels = (np.concatenate(each) for each in zip(*found, strict=True))
        order = np.lexsort(images.reshape(len(images), -1).T)
        return images[order], labels[order]

    for one, other in zip(pairs(stock.iterator), pairs(fast), strict=True):
        np.testing.assert_array_equal(one, other)


def test_changes_have_the_means_variances_and_ranges_of_the_stock_generator():
    generator = image_data_generator(TrainConfig())
    size, count = (48, 48), 4000
    stock = np.stack(
        [matrix_of(generator.get_random_transform((*size, 3), seed=s), size) for s in range(count)]
    ).reshape(count, 6)
    ranges = random_changes(generator, TrainConfig())
    ours = draw_matrices(count, size, ranges, np.random.default_rng(1)).reshape(count, 6)
    spread = stock.std(axis=0)
    # Means and variances of 4,000 draws each; 4 standard errors of the difference.
    np.testing.assert_array_less(abs(ours.mean(0) - stock.mean(0)), 4 * spread * (2 / count) ** 0.5)
    np.testing.assert_allclose(ours.var(axis=0), stock.var(axis=0), rtol=0.15)
    for end in (np.min, np.max):
        np.testing.assert_allclose(end(ours, axis=0), end(stock, axis=0), rtol=0.05, atol=0.05)


@pytest.mark.usefixtures("untraced")
def test_a_resumed_training_is_the_same_to_the_bit(dataset, tmp_path, capsys):
    whole, _ = fitted(dataset, settings(), tmp_path / "whole")

    assert "Epoch 3/3" in capsys.readouterr().out

    class Enough(Exception):
        pass

    def stop(state):
        if state.epochs == 2:
            raise Enough

    with pytest.raises(Enough):
        fitted(dataset, settings(), tmp_path / "resumed", after_epoch=stop)
    assert "Epoch" not in capsys.readouterr().out  # who takes each epoch shows it: a search
    resumed, state = fitted(dataset, settings(), tmp_path / "resumed")
    assert state.epochs == 3
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_built_data_set_is_read_where_it_lies(built):
    whole = read_dataset(built("idc"))
    assert class_folders(whole) == (whole.folder / "training", None)


def test_links_stand_in_for_other_images_and_go_again(dataset):
    folder, links = class_folders(dataset)
    assert sum(path.is_file() for path in folder.glob("*/*")) == 60
    links.cleanup()
    assert not folder.exists()


def test_images_that_keras_passes_over_are_not_lost_silently(dataset, tmp_path):
    part = dataset.parts["training"]
    odd = tmp_path / "0.image"
    odd.write_bytes((dataset.folder / part.paths[0]).read_bytes())
    paths = [str(odd), *part.paths[1:]]
    changed = {**dataset.parts, "training": dataclasses.replace(part, paths=paths)}
    with pytest.raises(CancerNetError, match="59 of the 60 training images"):
        StockBatches(dataclasses.replace(dataset, parts=changed), settings())


@pytest.mark.parametrize("change", [{"mixup": 0.4}, {"quarter_turns": True},
                                    {"color_jitter": 0.2}, {"stain_jitter": 0.2}])  # fmt: skip
def test_changes_of_our_own_are_refused(change):
    with pytest.raises(SettingsError, match="ImageDataGenerator"):
        settings(**change)


def test_other_arithmetic_is_refused():
    with pytest.raises(SettingsError, match="float32"):
        settings(precision="bfloat16")


def test_patients_are_drawn_by_their_chance():
    dataset = SimpleNamespace(
        split=lambda name: SimpleNamespace(patients=["many"] * 90 + ["few"] * 10)
    )
    assert patient_chances(dataset, 0.0) is None
    for balance, share in ((1.0, 0.5), (0.5, 90**0.5 / (90**0.5 + 10**0.5))):
        chances = patient_chances(dataset, balance)
        assert chances.sum() == pytest.approx(1)
        assert chances[:90].sum() == pytest.approx(share)


def test_class_weights_and_shares_follow_what_is_drawn():
    """Half of the draws are of each patient: 1/2 + 1/4 of class 0, 1/4 of class 1."""
    training = SimpleNamespace(
        labels=np.array([0] * 95 + [1] * 5), patients=["many"] * 90 + ["few"] * 10
    )
    dataset = SimpleNamespace(classes=["0", "1"], split=lambda name: training)
    of_one_class = Scored(
        paths=["a"], patients=["p"], truth=np.array([0]), probabilities=np.array([[0.25, 0.75]])
    )
    for balance, weights, shares in ((1.0, [1, 3], (0.75, 0.25)), (0.0, [1, 19], (0.95, 0.05))):
        config = TrainConfig(patient_balance=balance)
        np.testing.assert_allclose(class_weights(dataset, config), weights)
        asked = SimpleNamespace(dataset=dataset, config=config, positive=[1])
        _, calibration = calibrated(of_one_class, asked)
        assert calibration.shares == pytest.approx(shares)
        assert calibration.even([1]) == pytest.approx(shares[1])
    assert list(class_weights(dataset, config.changed({"class_weights": False}))) == [1, 1]


def test_an_epoch_draws_as_many_images_as_there_are(dataset):
    config = dataclasses.replace(settings(), stream="fast", patient_balance=1.0, **UNCHANGED)
    batches = training_batches(dataset, config)
    batches.on_epoch_begin()
    first = [batches[number][0] for number in range(len(batches))]
    assert sum(map(len, first)) == 60
    batches.next_epoch = 0
    batches.on_epoch_begin()
    for number, images in enumerate(first):
        np.testing.assert_array_equal(batches[number][0], images)


@pytest.mark.parametrize(
    ("images", "epochs"), [(1000, 20), (20_000, 3), (9_000, 3), (6_000, 4), (10, 200)]
)
def test_epochs_follow_from_the_images_seen(images, epochs):
    config = TrainConfig(images_seen=20_000 if images != 6_000 else 24_000)
    assert config.for_images(images).epochs == epochs


def test_epochs_by_themselves_are_the_length():
    config = TrainConfig(images_seen=20_000)
    assert config.changed({"epochs": 7}).for_images(1000).epochs == 7
    assert config.changed({"epochs": 7, "images_seen": 5000}).for_images(1000).epochs == 5
    assert config.changed({"seed": 3}).for_images(1000).epochs == 20
