"""What a GPU makes of a training: the tutorial's recipe and the default's in one table.

    python benchmarks/gpu.py [--data DIR] [--minutes 5.5] [--tiny] [--json FILE]

Without --data a sample is drawn and built. For each recipe the best batch is looked for; at that
batch every precision is tried with XLA and without it, each as a whole and on one batch over and
over, where nothing is read or changed: the difference is what the input pipeline costs. The
tutorial's own stream (`--stream stock`) is the yardstick. What would begin after --minutes is left
out and named, and what fails is named with the reason, so that a short loan of a machine gives a
table in any case. --tiny only shows that the script runs.
"""

import argparse
import dataclasses
import gc
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from measured import ROOT, run_once, write
from training_throughput import (
    TUTORIAL,
    YARDSTICK,
    Images,
    Side,
    network_alone,
    settings,
    some_images,
    training,
)

from cancernet.base.errors import first_line
from cancernet.config import STOCK
from cancernet.dataset.manifest import read_dataset
from cancernet.recipes import DEFAULT_RECIPE
from cancernet.training.loop.acceleration import choose_precision

EPOCHS = 3  # counted ones, after one that is not
BATCH_SIZES = (64, 256, 1024, 4096)
IMAGES = 8_192
FAILURES = (tf.errors.OpError, ValueError, TypeError, RuntimeError)


@dataclasses.dataclass
class Row:
    """One way to train. Images/s of the whole and of one batch repeated; NaN: not measured."""

    recipe: str
    batch: int
    precision: str
    xla: bool
    whole: float = math.nan
    alone: float = math.nan
    megabytes: float = math.nan  # largest, of the GPU's memory
    failure: str = ""

    @property
    def pipeline(self) -> float:
        """Share of the time that reading and changing images take; 0 where they are hidden."""
        share = 1 - self.whole / self.alone
        return 0.0 if share < 0 else share  # NaN stays


def main() -> None:
    arguments = parse_arguments()
    end = time.monotonic() + 60 * arguments.minutes
    graphics = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(each) for each in graphics]
    device = ", ".join(str(each.get("device_name")) for each in names) or "none, so the processor"
    policy, reason = choose_precision("auto")
    print(f"GPU: {device}. Precision of --precision auto: {policy} ({reason})", flush=True)
    sizes, count = ((8,), 16) if arguments.tiny else (BATCH_SIZES, IMAGES)
    with tempfile.TemporaryDirectory() as temporary:
        data = arguments.data or drawn_sample(Path(temporary))
        dataset = some_images(read_dataset(data), count, Path(temporary, "some"))
        rows = [stock_row(dataset, sizes[0], end)]
        for recipe in (TUTORIAL, DEFAULT_RECIPE):
            rows += rows_of(dataset, recipe, sizes, policy, end)
    print_table(rows)
    content = [vars(row) | {"pipeline": row.pipeline} for row in rows]
    content = [{k: None if v != v else v for k, v in each.items()} for each in content]
    write(arguments.json, {"gpu": device, "images": count, "rows": content})


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="a built data set (default: a drawn sample)")
    parser.add_argument("--minutes", type=float, default=5.5, help="default: 5.5")
    parser.add_argument("--tiny", action="store_true", help="16 images, to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there")
    return parser.parse_args()


def drawn_sample(folder: Path) -> Path:
    """Draws a sample and builds it; returns the data set."""
    data = folder / "data"
    script = [sys.executable, ROOT / "build_dataset.py", "--sample"]
    run_once([*script, "--source", folder / "drawn", "--output", data])
    return data


def stock_row(dataset: Images, batch: int, end: float) -> Row:
    """Measures the tutorial's recipe as it is, on Keras's own stream."""
    config = dataclasses.replace(settings(dataset, TUTORIAL, batch), stream=STOCK)
    row = Row(f"{TUTORIAL}, {YARDSTICK}", batch, "float32", xla=False)
    measure(row, dataset, end, partial(training, dataset, config, "float32", xla=False))
    return row


def rows_of(
    dataset: Images, recipe: str, sizes: tuple[int, ...], policy: str, end: float
) -> list[Row]:
    """Looks for the best batch of a recipe, and tries precisions and XLA there."""
    rows = [Row(recipe, size, policy, xla=False) for size in sizes]
    for row in rows:
        config = settings(dataset, recipe, row.batch)
        measure(row, dataset, end, partial(training, dataset, config, policy, xla=False))
    best = max(rows, key=lambda row: -math.inf if math.isnan(row.whole) else row.whole)
    config = settings(dataset, recipe, best.batch)
    for precision in dict.fromkeys(("float32", policy)):
        for xla in (False, True):
            row = best
            if (precision, xla) != (best.precision, best.xla):
                row = Row(recipe, best.batch, precision, xla)
                rows.append(row)
                way = partial(training, dataset, config, precision, xla=xla)
                measure(row, dataset, end, way)
            if not row.failure:
                way = partial(network_alone, dataset, config, precision, xla=xla)
                measure(row, dataset, end, way, "alone")
    return rows


def measure(
    row: Row, dataset: Images, end: float, make: Callable[[], Side], field: str = "whole"
) -> None:
    """Sets a field of a row to the images/s of what `make` makes, or says why there are none."""
    if time.monotonic() > end:
        row.failure = row.failure or "left out: no time"
        return
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    if on_gpu:
        tf.config.experimental.reset_memory_stats("GPU:0")
    try:
        setattr(row, field, pace(make(), dataset))
    except FAILURES as error:
        row.failure = f"{type(error).__name__}: {first_line(error, longest=60)}"
    if on_gpu and field == "whole":
        row.megabytes = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
    keras.backend.clear_session()
    gc.collect()
    print(f"{row}", file=sys.stderr, flush=True)


def pace(epoch: Side, dataset: Images) -> float:
    """Returns images/s: the median of `EPOCHS` epochs after the first."""
    seconds = []
    for _ in range(EPOCHS + 1):
        started = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - started)
    return dataset.images / statistics.median(seconds[1:])


def print_table(rows: list[Row]) -> None:
    print(
        "\n| recipe | batch | precision | XLA | images/s | one batch repeated | input pipeline "
        "| peak GPU MB | |\n|---|---:|---|---|---:|---:|---:|---:|---|"
    )
    for row in rows:
        figures = [f"{row.whole:,.0f}", f"{row.alone:,.0f}", f"{row.pipeline:.0%}"]
        cells = ["" if "nan" in cell else cell for cell in [*figures, f"{row.megabytes:,.0f}"]]
        xla = "on" if row.xla else "off"
        print(f"| {row.recipe} | {row.batch} | {row.precision} | {xla} "
              f"| {' | '.join(cells)} | {row.failure} |")  # fmt: skip


if __name__ == "__main__":
    main()
