"""Many patches scored on a local Dask cluster, a worker killed half-way.

    python benchmarks/spread_scoring.py RUN PATCHES [--images 100000] [--workers 2]

PATCHES is a folder of images, linked under new names until there are enough. They are
scored in one process and then on the workers, one of which is killed when half of the
answers are in. Printed are the seconds of both, how many images have exactly one row,
and the largest difference between the two tables.
"""

import argparse
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from cancernet.runs.run_folder import open_run  # noqa: E402
from cancernet.scoring.distributed import SpreadPredictor  # noqa: E402
from cancernet.scoring.inputs import Inputs  # noqa: E402
from cancernet.scoring.prediction import Failure, Prediction  # noqa: E402
from cancernet.scoring.predictor import Predictor  # noqa: E402

Answer = Prediction | Failure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("patches", type=Path)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    run = open_run(arguments.run)
    with tempfile.TemporaryDirectory() as scratch:
        folder = link_patches(arguments.patches, Path(scratch), arguments.images)
        alone, seconds = timed(Predictor(run).predict_many(Inputs([folder])))
        report("one process", len(alone), seconds)
        with SpreadPredictor(run, workers=arguments.workers) as predictor:
            answers = predictor.predict_many(Inputs([folder]))
            spread, seconds = timed(killing(answers, predictor, arguments.images // 2))
        report(f"{arguments.workers} workers, one killed", len(spread), seconds)
    paths = [answer.path for answer in spread]
    print(f"images with exactly one row: {len(set(paths))} of {len(paths)} rows")
    print(f"same images in the same order: {paths == [answer.path for answer in alone]}")
    differences = [
        abs(probability(one) - probability(other)) for one, other in zip(alone, spread, strict=True)
    ]
    print(f"largest difference of a probability: {max(differences):.3g}")


def link_patches(source: Path, folder: Path, count: int) -> Path:
    """Symbolic links, a thousand a folder, to the source's images again and again."""
    images = itertools.cycle(sorted(Inputs([source.resolve()])))
    for number, image in zip(range(count), images, strict=False):
        place = folder / f"{number // 1000:04d}"
        place.mkdir(exist_ok=True)
        (place / f"{number:07d}{image.suffix}").symlink_to(image)
    return folder


def timed(answers: Iterable[Answer]) -> tuple[list[Answer], float]:
    started = time.perf_counter()
    return list(answers), time.perf_counter() - started


def killing(answers: Iterable[Answer], predictor: SpreadPredictor, after: int) -> Iterator[Answer]:
    """Passes the answers on and kills one worker after so many of them."""
    for number, answer in enumerate(answers):
        if number == after:
            worker = next(iter(predictor.cluster.local.workers.values()))
            os.kill(worker.pid, signal.SIGKILL)
            print(f"killed worker process {worker.pid} after {number} answers", file=sys.stderr)
        yield answer


def probability(answer: Answer) -> float:
    assert isinstance(answer, Prediction), answer
    return answer.positive_probability


def report(name: str, images: int, seconds: float) -> None:
    print(f"{name}: {images} images in {seconds:.1f} s, {images / seconds:.0f} images/s")


if __name__ == "__main__":
    main()
