"""Scores images on several processes or machines, through Dask.

The same batches go through the same `Predictor`, one loaded per worker, and the answers
come back in the order of the images: the table is that of one process, every image once.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from cancernet.base.cluster import Cluster
from cancernet.base.errors import CancerNetError
from cancernet.runs.run_folder import Run, open_run
from cancernet.scoring.predictor import BATCH_SIZE, Failure, Prediction, Predictor

# Batches in one task: about a second of work, so that Dask's own cost does not count.
BATCHES_A_TASK = 32


class SpreadPredictor:
    """Like `Predictor.predict_many`, on the workers of a cluster; a context manager."""

    def __init__(self, run: Run, *, scheduler: str = "", workers: int = 0) -> None:
        """Connects to a scheduler, or starts so many workers here.

        Args:
            run: a run opened with `cancernet.runs.run_folder.open_run`.
            scheduler: address of a running scheduler; or
            workers: number of processes to start here, at least 1.

        Raises:
            CancerNetError: Dask is not installed, the scheduler cannot be reached.
        """
        self.run = run
        self.cluster = Cluster(scheduler=scheduler, workers=workers)

    def __enter__(self) -> "SpreadPredictor":
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.__exit__()

    def predict_many(self, paths: Iterable[Path]) -> Iterator[Prediction | Failure]:
        """Predicts any number of images in order, with flat memory here and there.

        Raises:
            CancerNetError: the workers could not do their part; the message says why.
        """
        work = functools.partial(
            score, str(self.run.folder.resolve()), str(self.run.record.checksum), Path.cwd()
        )
        done = self.cluster.in_order(
            work,
            _tasks(paths),
            doing=lambda named: f"score {named[0]} and what follows, which the same command does",
        )
        for named, answers in done:
            for path, answer in zip(named, answers, strict=True):
                yield dataclasses.replace(answer, path=path)


def score(folder: str, checksum: str, here: Path, named: list[str]) -> list[Prediction | Failure]:
    """Scores images on a worker.

    Args:
        folder: the run folder, as this machine sees it.
        checksum: of the run.json the caller opened; another one is refused.
        here: what relative paths begin with.
        named: paths.

    Raises:
        RunError: the run is not there, or is another one here.
    """
    return list(_predictor(folder, checksum).predict_many(here / path for path in named))


def _tasks(paths: Iterable[Path]) -> Iterator[list[str]]:
    """Whole batches, so that every image stands in the batch it has in one process."""
    left = map(str, paths)
    while task := list(itertools.islice(left, BATCH_SIZE * BATCHES_A_TASK)):
        yield task


@functools.lru_cache(maxsize=1)
def _predictor(folder: str, checksum: str) -> Predictor:
    """Loads the model once per process."""
    run = open_run(Path(folder))
    if run.record.checksum != checksum:
        raise CancerNetError(f"{folder} holds another run on a worker than here")
    # One thread each: the workers share the machine, and dividing a sum over threads
    # would be one more way to differ.
    return Predictor(run, threads=1)
