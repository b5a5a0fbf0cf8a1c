"""Scores images on several processes or machines, through Dask.

The same batches go through the same `Predictor`, one loaded per worker, and the answers
come back in the order of the images: the table is that of one process. Dask runs the
batches of a worker that died again elsewhere; an answer is taken once, so every image
has one row.
"""

import contextlib
import dataclasses
import functools
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from cancernet.errors import CancerNetError
from cancernet.inference.predictor import BATCH_SIZE, Failure, Prediction, Predictor
from cancernet.runs import Run, open_run

# Batches in one task: about a second of work, so that Dask's own cost does not count.
BATCHES_A_TASK = 32
AHEAD = 4  # tasks per worker that are under way or done and not yet taken
CONNECT_SECONDS = 20
INSTALL = "install it with `python -m pip install -r requirements-cluster.txt`"


class SpreadPredictor:
    """Like `Predictor.predict_many`, on the workers of a Dask cluster.

    Use it as a context manager. Workers read the images and the run folder by path, so
    both must lie where every worker sees them, under the same name. Dask sends pickled
    objects: connect only to a scheduler that you trust.
    """

    def __init__(self, run: Run, *, scheduler: str = "", workers: int = 0) -> None:
        """Connects, or starts workers on this machine that listen on localhost alone.

        Args:
            run: a run opened with `cancernet.runs.open_run`.
            scheduler: address of a running scheduler, such as `tcp://host:8786`; or
            workers: number of processes to start here, at least 1.

        Raises:
            CancerNetError: Dask is not installed, the scheduler cannot be reached.
        """
        self.run = run
        self._closing = contextlib.ExitStack()
        try:
            import distributed
        except ImportError:
            raise CancerNetError(f"--workers and --scheduler need Dask; {INSTALL}") from None
        self._distributed = distributed
        self.cluster: Any = None
        if scheduler:
            self._client = self._connect(scheduler)
        else:
            self.cluster = self._closing.enter_context(
                distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                    silence_logs="ERROR",
                )
            )
            self._client = self._closing.enter_context(distributed.Client(self.cluster))

    def __enter__(self) -> "SpreadPredictor":
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def predict_many(self, paths: Iterable[Path]) -> Iterator[Prediction | Failure]:
        """Predicts any number of images in order, with flat memory here and there.

        Raises:
            CancerNetError: the workers could not do their part; the message says why.
        """
        folder, checksum = str(self.run.folder.resolve()), self.run.content["checksum"]
        under_way: deque[tuple[list[Path], Any]] = deque()
        for named in _tasks(paths):
            absolute = [str(path.absolute()) for path in named]
            future = self._client.submit(score, folder, checksum, absolute, pure=False)
            under_way.append((named, future))
            if len(under_way) > AHEAD * max(len(self._client.nthreads()), 1):
                yield from self._take(*under_way.popleft())
        while under_way:
            yield from self._take(*under_way.popleft())

    def _take(self, named: list[Path], future: Any) -> Iterator[Prediction | Failure]:
        try:
            answers = future.result()
        except CancerNetError:
            raise
        except Exception as error:  # whatever went wrong on another machine
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise CancerNetError(
                f"the workers could not score {named[0]} and what follows ({reason}); "
                "the same command goes on from there"
            ) from None
        for path, answer in zip(named, answers, strict=True):
            yield dataclasses.replace(answer, path=str(path))

    def _connect(self, address: str) -> Any:
        try:
            client = self._closing.enter_context(
                self._distributed.Client(address, timeout=CONNECT_SECONDS)
            )
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CancerNetError(
                f"no Dask scheduler answers at {address} ({reason}); see that `dask scheduler` "
                "runs there and the address is right"
            ) from None
        if not client.nthreads():
            raise CancerNetError(
                f"the scheduler at {address} has no workers; start some with "
                f"`dask worker {address}`"
            )
        return client


def score(folder: str, checksum: str, paths: list[str]) -> list[Prediction | Failure]:
    """Scores images on a worker.

    Args:
        folder: the run folder, as this machine sees it.
        checksum: of the run.json the caller opened; another one is refused.
        paths: absolute paths.

    Raises:
        RunError: the run is not there, or is another one here.
    """
    return list(_predictor(folder, checksum).predict_many(Path(path) for path in paths))


def _tasks(paths: Iterable[Path]) -> Iterator[list[Path]]:
    """Whole batches, so that every image stands in the batch it has in one process."""
    left = iter(paths)
    while task := list(itertools.islice(left, BATCH_SIZE * BATCHES_A_TASK)):
        yield task


@functools.lru_cache(maxsize=1)
def _predictor(folder: str, checksum: str) -> Predictor:
    """Loads the model once per process."""
    run = open_run(Path(folder))
    if run.content["checksum"] != checksum:
        raise CancerNetError(f"{folder} holds another run on a worker than here")
    # One thread each: the workers share the machine, and dividing a sum over threads
    # would be one more way to differ.
    return Predictor(run, threads=1)
