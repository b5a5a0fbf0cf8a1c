"""Batches and the kept pixels: order, content, resuming, and what happens when disks fail."""

import dataclasses
import errno
import gc
import os
import pickle
import shutil
import weakref

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.config import TrainConfig
from cancernet.dataset.manifest import BuiltDataset, Part
from cancernet.runs.run_record import Input
from cancernet.training.data import pixel_cache
from cancernet.training.data.batches import plain_batches, training_batches
from cancernet.training.loop.callbacks import EpochCounts, single_steps

COUNTS = {"training": 23, "validation": 7, "testing": 5}
QUIET = {"rotation": 0.0, "zoom": 0.0, "shift": 0.0, "shear": 0.0,
         "horizontal_flip": False, "vertical_flip": False}  # fmt: skip


@pytest.fixture
def dataset(tmp_path):
    """Noise in green, the number in the split times 10 in red; some are not 50x50."""
    random = np.random.default_rng(4)
    parts = {}
    for split, count in COUNTS.items():
        paths = [f"{split}/{n % 2}/{n}.png" for n in range(count)]
        for n, path in enumerate(paths):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((50, 50 - n % 3, 3), n * 10, np.uint8)
            pixels[..., 1] = random.integers(0, 256, pixels.shape[:2])
            Image.fromarray(pixels).save(tmp_path / path)
        nowhere = np.full(count, -1)
        parts[split] = Part(paths, np.arange(count) % 2, ["p"] * count, nowhere, nowhere)
    return BuiltDataset(
        folder=tmp_path, name="idc", title="", classes=("0", "1"), words=("a", "b"),
        positive=("1",), drawn=True, split_kind="patient", unit="patient", absent={}, counts={},
        leaks=(), notices=(), left_out={}, image_size=(50, 50),
        fingerprint="0123456789abcdef" * 4, parts=parts,
    )  # fmt: skip


def settings(**changes):
    return TrainConfig(**{"batch_size": 4, "image_size": 16, **QUIET, **changes})


def numbers(batch):
    """Which images a batch holds, read off their red value."""
    return (batch[0][:, 8, 8, 0] // 10).tolist()


def epoch(batches):
    batches.on_epoch_begin()
    return [batches[i] for i in range(len(batches))]


def shown(batches):
    """The numbers of one epoch's images, in order."""
    return [number for batch in epoch(batches) for number in numbers(batch)]


def same(one, other):
    return len(one) == len(other) and all(
        np.array_equal(a, b)
        for x, y in zip(one, other, strict=True)
        for a, b in zip(x, y, strict=True)
    )


def test_plain_batches_keep_the_order(dataset):
    batches = plain_batches(dataset, "validation", settings())
    assert len(batches) == 2
    assert numbers(batches[0]) + numbers(batches[1]) == list(range(7))
    images, labels = batches[1]
    assert images.dtype == np.uint8 and images.shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(labels, np.eye(2)[[0, 1, 0]])
    assert labels.dtype == np.float32


def test_every_epoch_shows_every_image_once_in_another_order(dataset):
    batches = training_batches(dataset, settings())
    epochs = [shown(batches) for _ in range(3)]
    assert all(sorted(seen) == list(range(23)) for seen in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != list(range(23))


def test_labels_and_weights_belong_to_their_images(dataset):
    for images, labels, weights in epoch(training_batches(dataset, settings())):
        expected = (images[:, 8, 8, 0] // 10) % 2
        np.testing.assert_array_equal(labels.argmax(axis=1), expected)
        np.testing.assert_allclose(weights, np.where(expected == 1, 12 / 11, 1), rtol=1e-6)


def test_content_depends_on_seed_epoch_and_batch_alone(dataset):
    config = settings(rotation=20.0, color_jitter=0.2, mixup=0.4)
    whole = [epoch(batches) for batches in [training_batches(dataset, config)] for _ in range(3)]
    resumed = training_batches(dataset, config)
    resumed.next_epoch = 2
    assert same(epoch(resumed), whole[2])
    resumed.next_epoch = 1
    resumed.on_epoch_begin()
    backwards = [resumed[i] for i in reversed(range(len(resumed)))]
    assert same(backwards[::-1], whole[1])
    assert not same(whole[0], whole[1])
    other_seed = epoch(training_batches(dataset, dataclasses.replace(config, seed=8)))
    assert not same(other_seed, whole[0])


def test_every_epoch_and_batch_draws_changes_of_its_own(dataset):
    pixels = np.tile(
        np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8), (23, 1, 1, 1)
    )
    batches = training_batches(dataset, settings(rotation=90.0)).holding(pixels)
    first, second = epoch(batches), epoch(batches)
    seen = {batch[0].tobytes() for batch in first[:5] + second[:5]}
    assert len(seen) == 10
    assert len({image.tobytes() for image in first[0][0]}) == 4


def test_fit_sees_the_same_as_a_loop(dataset):
    import keras

    batches = training_batches(dataset, settings(rotation=20.0))
    expected = [epoch(batches) for _ in range(2)]
    seen = []

    class Watch(keras.Model):
        def train_step(self, data):
            seen.append(tuple(array.numpy() for array in data))
            return {"nothing": keras.ops.zeros(())}

        def call(self, images):
            return images

    model = Watch()
    model.compile(run_eagerly=True)
    batches.next_epoch = 0
    batches.fit(model, epochs=2, verbose=0)
    assert same(seen, expected[0] + expected[1])
    # Or the end of `fit` waits at times for a thread that tunes.
    assert batches.stream().options().autotune.enabled is False


def test_a_stream_that_was_read_keeps_no_images(dataset):
    """TensorFlow keeps what the stream calls, in cross-validation that of every fold."""
    batches = training_batches(dataset, settings())
    assert len(list(batches.stream())) == len(batches)
    images = weakref.ref(batches)
    del batches
    gc.collect()
    assert images() is None


def test_several_steps_at_once_are_the_same_steps(dataset):
    """Also when the epoch does not end with a whole group of steps."""
    import keras

    found = []
    for at_once in (1, 4):
        keras.utils.set_random_seed(3)
        layers = keras.layers
        model = keras.Sequential([layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)])
        batches = training_batches(dataset, settings(rotation=20.0))
        assert len(batches) % 4, "the last group is not whole"
        counts = EpochCounts(2)
        model.compile("sgd", "mse", metrics=[counts], steps_per_execution=at_once)
        batches.fit(model, epochs=2, verbose=0)
        history = model.history.history
        with single_steps(model):
            scores = model.predict(batches, verbose=0)
        assert model.steps_per_execution == at_once
        found.append((history["loss"], scores, np.array(counts.table), *model.get_weights()))
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_kept_pixels_are_the_decoded_ones(real_or_drawn, monkeypatch):
    monkeypatch.setattr(pixel_cache, "CHUNK", 4)  # more pieces than are under way at once
    first = set()
    for interpolation in ("nearest", "bilinear", "bicubic"):
        decoded, kept = (
            pixel_cache.open_pixels(
                real_or_drawn, "training", square(16, interpolation), cache=cache
            )
            for cache in (False, True)
        )
        assert isinstance(decoded, pixel_cache.DecodedPixels) and isinstance(kept, np.memmap)
        places = np.arange(len(decoded))[::-1]
        np.testing.assert_array_equal(kept[places], decoded[places])
        first.add(kept[0].tobytes())
    assert len(first) == 3
    assert len(list((real_or_drawn.folder / pixel_cache.FOLDER).iterdir())) == 3


@pytest.fixture(params=["drawn", "real"])
def real_or_drawn(request, dataset, tmp_path):
    if request.param == "drawn":
        return dataset
    source = request.getfixturevalue("real_data") / "idc"
    files = sorted(source.glob("8863/*/*.png"))[:40] + sorted(source.glob("9175/*/*.png"))
    paths = [f"real/{n}.png" for n, _ in enumerate(files)]
    (tmp_path / "real").mkdir()
    for path, file in zip(paths, files, strict=True):
        shutil.copyfile(file, tmp_path / path)
    nowhere = np.full(len(files), -1)
    part = Part(paths, np.zeros(len(files), int), ["p"] * len(files), nowhere, nowhere)
    return dataclasses.replace(dataset, parts={"training": part})


def square(side, interpolation):
    return Input(width=side, height=side, interpolation=interpolation)


def opened(dataset):
    return pixel_cache.open_pixels(dataset, "training", square(16, "bilinear"), cache=True)


def kept_file(dataset):
    (path,) = (dataset.folder / pixel_cache.FOLDER).glob("training-*.npy")
    return path


def test_kept_pixels_are_used_again(dataset, monkeypatch):
    opened(dataset)
    monkeypatch.setattr(pixel_cache, "prepare", None)
    assert len(opened(dataset)) == 23


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return (os.mkdir, (str(self.folder),))


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "objects", "pickle"])
def test_kept_pixels_that_do_not_fit_are_made_again(dataset, tmp_path, damage):
    expected = np.array(opened(dataset))
    path = kept_file(dataset)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "other":
        np.save(path, expected[:-1])
    elif damage == "objects":
        np.save(path, np.array([Trap(tmp_path / "trap")], dtype=object), allow_pickle=True)
    else:
        path.write_bytes(pickle.dumps(Trap(tmp_path / "trap")))
    np.testing.assert_array_equal(opened(dataset), expected)
    assert not (tmp_path / "trap").exists()


def test_another_manifest_makes_and_replaces_the_pixels(dataset):
    opened(dataset)
    old = kept_file(dataset)
    opened(dataclasses.replace(dataset, fingerprint="f" * 64))
    assert kept_file(dataset) != old and not old.exists()


def test_nothing_is_kept_where_it_is_not_wanted(dataset):
    training_batches(dataset, settings(cache=False))
    assert not (dataset.folder / pixel_cache.FOLDER).exists()


@pytest.mark.parametrize("trouble", ["full", "fills up", "read-only"])
def test_training_goes_on_without_room(dataset, monkeypatch, caplog, trouble):
    if trouble == "full":
        usage = shutil.disk_usage(dataset.folder)._replace(free=1000)
        monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda path: usage)
    elif trouble == "fills up":

        def refuse(*arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(pixel_cache.np.lib.format, "write_array_header_1_0", refuse)
    else:
        # Also where the tests run as root, whom no permission stops.
        (dataset.folder / pixel_cache.FOLDER).write_text("a file in the way")
    batches = training_batches(dataset, settings())
    assert sorted(shown(batches)) == list(range(23))
    assert "decoded in every epoch" in caplog.text
    folder = dataset.folder / pixel_cache.FOLDER
    assert not folder.is_dir() or not list(folder.iterdir())


@pytest.mark.parametrize("cache", [True, False])
def test_a_damaged_image_is_named(dataset, cache):
    (dataset.folder / "training/1/7.png").write_bytes(b"not an image")
    with pytest.raises(CancerNetError, match=r"training/1/7\.png.*not a PNG"):
        epoch(training_batches(dataset, settings(cache=cache)))
    folder = dataset.folder / pixel_cache.FOLDER
    assert not folder.exists() or not list(folder.iterdir())


def test_a_damaged_image_is_named_from_within_fit(dataset):
    import keras

    (dataset.folder / "training/1/7.png").write_bytes(b"not an image")
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    model.compile(loss="mse")
    batches = training_batches(dataset, settings(cache=False))
    with pytest.raises(CancerNetError, match=r"training/1/7\.png.*not a PNG"):
        batches.fit(model, verbose=0)
    with pytest.raises(ZeroDivisionError), batches.own_errors():
        raise ZeroDivisionError
