"""Images/s of a training, files on disk to updated weights, beside Keras's own stream and layers.

    python benchmarks/training_throughput.py datasets/idc [--recipe idc-cancernet-tutorial]
        [--batch-sizes 32 64 128 256] [--images 4096] [--rounds 5] [--parts] [--json FILE]

Both sides train the recipe's network with its augmentation and optimizer on the same images,
epoch by epoch in turn, after one epoch that is not counted: `--stream stock`, as the tutorial
does (without what ImageDataGenerator cannot change in an image), and the fast stream on the
accelerated layers. Also measured, in the same rounds: the rate
of matrix multiplication, from which follows how fast the network's convolutions and dense layers
alone could go. `--parts` adds at the first batch size what each part of the difference brings,
and the tutorial written in plain Keras, without this project (for the tutorial's recipe).
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import plain_keras
import tensorflow as tf
from measured import ROOT, write

sys.path.insert(0, str(ROOT))

from cancernet.config import FAST, NOT_STOCK, STOCK, TrainConfig
from cancernet.dataset.manifest import BuiltDataset, Part, read_dataset
from cancernet.models import build_model
from cancernet.recipes import recipe
from cancernet.training.data.batches import training_batches
from cancernet.training.data.streams import StockBatches
from cancernet.training.loop.acceleration import accelerate, choose_precision, steps_at_once
from cancernet.training.loop.optimizers import make_optimizer

MATRIX = 2048
TUTORIAL = "idc-cancernet-tutorial"
YARDSTICK, OURS = f"--stream {STOCK}", "CancerNet"


@dataclasses.dataclass(frozen=True)
class Pace:
    """One epoch: images a second of wall time, and processor microseconds an image."""

    images_per_second: float
    cpu_microseconds: float


Side = Callable[[], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a built data set")
    parser.add_argument("--recipe", default=TUTORIAL)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--images", type=int, default=4096, help="training images an epoch")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--parts", action="store_true", help="also what each part brings")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    policy, reason = choose_precision(arguments.precision)
    print(f"Arithmetic: {policy} ({reason})")
    paces: dict[str, list[Pace]] = {}
    rates: dict[str, list[float]] = {"float32": [], policy.removeprefix("mixed_"): []}
    with tempfile.TemporaryDirectory() as temporary:
        dataset = some_images(read_dataset(arguments.data), arguments.images, Path(temporary))
        config = settings(dataset, arguments.recipe, arguments.batch_sizes[0])
        decoding = decode_once(dataset, config)
        for size in arguments.batch_sizes:
            config = dataclasses.replace(config, batch_size=size)
            sides = make_sides(dataset, config, policy)
            if arguments.parts and size == arguments.batch_sizes[0]:
                sides |= make_parts(dataset, config, policy)
            paces |= measure(sides, dataset.images, arguments.rounds, rates)
            keras.backend.clear_session()
    print_table(paces, arguments.batch_sizes)
    limits, reached = print_limit(network_of(dataset, config), paces, rates, policy)
    print(f"\nDecoding once, before the first epoch: {decoding:,.0f} images/s")
    write(
        arguments.json,
        {
            "devices": [device.name for device in tf.config.list_physical_devices()],
            "recipe": arguments.recipe,
            "policy": policy,
            "images": dataset.images,
            "decoding_images_per_second": decoding,
            "matrix_multiplication": {k: [r / 1e9 for r in v] for k, v in rates.items()},
            "limits": limits,
            "reached": reached,
            "paces": {name: [vars(pace) for pace in found] for name, found in paces.items()},
        },
    )


@dataclasses.dataclass(frozen=True)
class Images:
    """The same training images twice: as folders for Keras, as a built data set for us."""

    folder: Path
    built: BuiltDataset
    images: int


def some_images(dataset: BuiltDataset, count: int, temporary: Path) -> Images:
    """Links images drawn from the training split, again where there are fewer, into a folder."""
    part = dataset.split("training")
    order = np.random.default_rng(plain_keras.SEED).permutation(len(part.paths))
    chosen = np.resize(order, count)
    paths = []
    for number, place in enumerate(chosen):
        source = (dataset.folder / part.paths[place]).resolve()
        label = dataset.classes[part.labels[place]]
        target = temporary / "training" / label / f"{number:06d}{source.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
        paths.append(str(target.relative_to(temporary)))
    nowhere = np.full(len(chosen), -1)
    used = Part(paths, part.labels[chosen], [""] * len(chosen), nowhere, nowhere)
    built = dataclasses.replace(dataset, folder=temporary, parts={"training": used})
    return Images(temporary / "training", built, len(chosen))


def decode_once(dataset: Images, config: TrainConfig) -> float:
    """Writes the kept pixels and returns images/s."""
    started = time.perf_counter()
    training_batches(dataset.built, config)
    return dataset.images / (time.perf_counter() - started)


def settings(dataset: Images, name: str, batch_size: int) -> TrainConfig:
    """Returns the settings of a recipe for these images, on the fast stream."""
    return dataclasses.replace(
        recipe(name), dataset=dataset.built.name, batch_size=batch_size, stream=FAST
    )


def network_of(dataset: Images, config: TrainConfig) -> keras.Model:
    side = config.image_size
    return build_model(config.model, (side, side, 3), len(dataset.built.classes))


def make_sides(dataset: Images, config: TrainConfig, policy: str) -> dict[str, Side]:
    """Returns, by name, functions that train for one epoch."""
    plain = {name: getattr(TrainConfig(), name) for name in NOT_STOCK}
    stock = dataclasses.replace(config, stream=STOCK, precision="auto", **plain)
    return {
        f"{YARDSTICK}, {config.batch_size}": training(dataset, stock, "float32"),
        f"{OURS}, {config.batch_size}": training(dataset, config, policy),
    }


def training(
    dataset: Images, config: TrainConfig, policy: str, *, xla: bool | str = "auto"
) -> Side:
    """Trains as `train_model.py` does with these settings."""
    stock = config.stream == STOCK
    batches = (StockBatches if stock else training_batches)(dataset.built, config)
    model = compiled(dataset, config, policy, steps=len(batches), xla=xla)
    return lambda: batches.fit(model, epochs=1, verbose=0)


def network_alone(
    dataset: Images, config: TrainConfig, policy: str, *, xla: bool | str = "auto"
) -> Side:
    """Trains on one batch over and over: no reading, no augmentation."""
    batches = training_batches(dataset.built, config)
    model = compiled(dataset, config, policy, steps=len(batches), xla=xla)
    same = tf.data.Dataset.from_tensors(batches[0]).cache().repeat(len(batches))
    return lambda: model.fit(same, epochs=1, verbose=0)


def compiled(
    dataset: Images, config: TrainConfig, policy: str, *, steps: int, xla: bool | str
) -> keras.Model:
    stock = config.stream == STOCK
    model = accelerate(network_of(dataset, config), precision=policy, stock=stock)
    model.compile(
        make_optimizer(config, steps_per_epoch=steps),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=1 if stock else steps_at_once(config.batch_size),
        jit_compile=xla,
    )
    return model


def make_parts(dataset: Images, config: TrainConfig, policy: str) -> dict[str, Side]:
    """Returns what shows where the difference comes from."""
    size = config.batch_size
    batches = training_batches(dataset.built, config)
    plain, reference = plain_keras.make_model(), plain_keras.make_model()
    images = plain_keras.training_images(dataset.folder, size)
    weights = plain_keras.class_weights(images)
    uncached = dataclasses.replace(config, cache=False)
    return {
        f"plain Keras, {size}": lambda: reference.fit(
            images, class_weight=weights, epochs=1, verbose=0
        ),
        f"Keras, our batches, {size}": lambda: batches.fit(plain, epochs=1, verbose=0),
        f"{OURS} in float32, {size}": training(dataset, config, "float32"),
        f"{OURS}, decoding every time, {size}": training(dataset, uncached, policy),
        f"batches alone, {size}": lambda: [batches[i] for i in range(len(batches))],
        f"network alone, {size}": network_alone(dataset, config, policy),
    }


def measure(
    sides: dict[str, Side], images: int, rounds: int, rates: dict[str, list[float]]
) -> dict[str, list[Pace]]:
    """Runs one epoch of each side in turn; the first round is not counted."""
    paces: dict[str, list[Pace]] = {name: [] for name in sides}
    for count in range(rounds + 1):
        for name, run_epoch in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run_epoch()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            if count:
                paces[name].append(Pace(images / wall, cpu / images * 1e6))
        for dtype in rates:
            if count:
                rates[dtype].append(multiplication_rate(dtype))
    return paces


def multiplication_rate(dtype: str) -> float:
    """Returns floating-point operations a second of large matrix multiplications."""
    matrix = tf.cast(tf.random.normal((MATRIX, MATRIX)), dtype)
    multiply = tf.function(lambda x: tf.linalg.matmul(x, x))
    multiply(matrix).numpy()
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        multiply(matrix).numpy()
        seconds.append(time.perf_counter() - started)
    return 2 * MATRIX**3 / min(seconds)


def operations_per_image(model: keras.Model) -> float:
    """Counts the floating-point operations of one training step, an image.

    Convolutions and dense layers only: two for each multiplication and addition
    forward, and twice that backward.
    """
    forward = 0
    for layer in model.layers:
        for weight in layer.weights:
            if len(weight.shape) in (2, 4) and not weight.name.startswith("moving"):
                places = 1 if len(weight.shape) == 2 else int(np.prod(layer.output.shape[1:3]))
                forward += 2 * int(np.prod(weight.shape)) * places
    return 3.0 * forward


def middle(paces: list[Pace], field: str) -> float:
    return statistics.median(getattr(pace, field) for pace in paces)


def print_table(paces: dict[str, list[Pace]], batch_sizes: list[int]) -> None:
    print("\n| side, batch size | images/s | spread | processor us/image |")
    print("|---|---:|---:|---:|")
    for name, found in paces.items():
        speeds = [pace.images_per_second for pace in found]
        print(
            f"| {name} | {statistics.median(speeds):,.0f} | {min(speeds):,.0f}-{max(speeds):,.0f} "
            f"| {middle(found, 'cpu_microseconds'):,.0f} |"
        )
    print(f"\n| ratio, {OURS} over {YARDSTICK} | images/s | round by round | processor time |")
    print("|---|---:|---:|---:|")
    for size in batch_sizes:
        one, other = paces[f"{YARDSTICK}, {size}"], paces[f"{OURS}, {size}"]
        print(f"| batch {size} both | {ratio(one, other)} |")
    best = [
        max(
            (paces[f"{side}, {size}"] for size in batch_sizes),
            key=lambda found: middle(found, "images_per_second"),
        )
        for side in (YARDSTICK, OURS)
    ]
    print(f"| each at its best | {ratio(*best)} |")


def ratio(one: list[Pace], other: list[Pace]) -> str:
    """Returns the ratios of wall speed and of processor time; above 1, `other` is better.

    Of medians, and for the wall also round by round: two epochs that follow one another
    share what else the machine does at that moment.
    """
    wall = middle(other, "images_per_second") / middle(one, "images_per_second")
    rounds = sorted(
        ours.images_per_second / plain.images_per_second
        for plain, ours in zip(one, other, strict=True)
    )
    spread = f"{statistics.median(rounds):.2f} ({rounds[0]:.2f} to {rounds[-1]:.2f})"
    cpu = middle(one, "cpu_microseconds") / middle(other, "cpu_microseconds")
    return f"{wall:.2f} | {spread} | {cpu:.2f}"


def print_limit(
    network: keras.Model,
    paces: dict[str, list[Pace]],
    rates: dict[str, list[float]],
    policy: str,
) -> tuple[dict[str, float], dict[str, float]]:
    """Says how near both sides come to the machine's rate of multiplication."""
    operations = operations_per_image(network)
    print(f"\nOne training step: {operations / 1e6:.1f} million operations an image")
    limits, reached = {}, {}
    for side, dtype in ((YARDSTICK, "float32"), (OURS, policy.removeprefix("mixed_"))):
        rate = statistics.median(rates[dtype])
        limits[side] = rate / operations
        best = max(
            middle(found, "images_per_second")
            for name, found in paces.items()
            if name.startswith(f"{side}, ") and "decoding" not in name
        )
        reached[side] = best / limits[side]
        print(
            f"{side}: matrices multiply at {rate / 1e9:,.0f} GFLOP/s ({dtype}), which would allow "
            f"{limits[side]:,.0f} images/s; reached {reached[side]:.0%}"
        )
    return limits, reached


if __name__ == "__main__":
    main()
