"""Scores images on several processes or machines, through Dask.

The same batches go through the same `Predictor`, one on each worker, and the predictions
come back in the order of the images: the table equals that of one process.
"""

import functools
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.parallel import Cluster
from cancernet.runs.run_folder import Run, open_run
from cancernet.scoring.prediction import Failure, Prediction, Score, Scored, interpreted
from cancernet.scoring.predictor import BATCH_SIZE, Predictor

# Batches in one task: about a second of work, beside which Dask's own cost is small.
BATCHES_A_TASK = 128


class SpreadPredictor:
    """Like `Predictor`, for many images on the workers of a cluster; a context manager."""

    def __init__(self, run: Run, *, scheduler: str = "", workers: int = 0) -> None:
        """Connects to the scheduler at an address, or starts workers here.

        Raises:
            CancerNetError: Dask is not installed, or the scheduler cannot be reached.
        """
        self.run = run
        self.cluster = Cluster(scheduler=scheduler, workers=workers)

    def __enter__(self) -> "SpreadPredictor":
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.__exit__()

    def predict_many(self, paths: Iterable[str | Path]) -> Iterator[Prediction | Failure]:
        """Predicts any number of images in order, with flat memory here and on the workers.

        Raises:
            CancerNetError: the workers failed; the message says why.
        """
        return interpreted(self.run, self.score_many(paths))

    def score_many(self, paths: Iterable[str | Path]) -> Iterator[Scored]:
        """Scores any number of images in order; see `predict_many`."""
        work = functools.partial(
            score, str(self.run.folder.resolve()), str(self.run.record.checksum), Path.cwd()
        )
        left = map(str, paths)
        # Whole batches, so that every image is in the same batch as in one process.
        tasks = iter(lambda: list(itertools.islice(left, BATCH_SIZE * BATCHES_A_TASK)), [])
        done = self.cluster.in_order(
            work,
            tasks,
            doing=lambda named: (
                f"score {named[0]} and the images after it; repeat the command to score them"
            ),
        )
        for named, answers in done:
            for path, found in zip(named, answers, strict=True):
                yield path, Failure(path, found.error) if isinstance(found, Failure) else found


def score(folder: str, checksum: str, here: Path, named: list[str]) -> list[Score | Failure]:
    """Scores images on a worker.

    Args:
        folder: the run folder, as this machine sees it.
        checksum: of the run.json that the caller opened.
        here: folder that relative paths begin at.

    Raises:
        CancerNetError: the run is not there, or is another one here.
    """
    scored = _predictor(folder, checksum).score_many(here / path for path in named)
    return [found for _, found in scored]


@functools.lru_cache(maxsize=1)
def _predictor(folder: str, checksum: str) -> Predictor:
    """Loads the model once per process."""
    run = open_run(Path(folder))
    if run.record.checksum != checksum:
        raise CancerNetError(f"{folder} on a worker holds another run than {folder} here")
    # One thread each: the workers share the machine, and a sum divided over threads could
    # differ in its last digits.
    return Predictor(run, threads=1)
