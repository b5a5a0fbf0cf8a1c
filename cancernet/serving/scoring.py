"""Decoding and scoring in a few threads, in batches of what is waiting.

A thread takes up to `BATCH_IMAGES` waiting images, decodes each and scores them in one
call. Nothing waits for a batch to fill: an image that comes alone is scored alone.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from cancernet.base.errors import ImageError
from cancernet.scoring.predictor import Failure, Prediction, Predictor
from cancernet.serving.decoding import decode, is_large

BATCH_IMAGES = 16  # images; more gained nothing (benchmarks/README.md) and makes others wait
BATCH_BYTES = 2**20  # large files are decoded alone, so that small ones need not wait
LARGE_AT_ONCE = 2  # a large image in work takes hundreds of megabytes
WINDOW = 32  # images of one request that wait at once, so that requests take turns


@dataclass(eq=False)
class _Job:
    content: bytes
    future: "asyncio.Future[Prediction | Failure]" = field(repr=False)


class Scorer:
    """Scores uploads with one loaded model; made and used on one event loop."""

    def __init__(self, predictor: Predictor, *, threads: int, maximum_pixels: int) -> None:
        """Starts the threads.

        Args:
            predictor: the loaded model; its own arithmetic should use one thread.
            threads: threads that decode and score.
            maximum_pixels: larger images are refused.
        """
        self.predictor = predictor
        self._maximum_pixels = maximum_pixels
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._large = threading.Semaphore(LARGE_AT_ONCE)
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"scorer-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def score_all(self, contents: Sequence[bytes]) -> list[Prediction | Failure]:
        """Scores files in order; a `Failure` says why one cannot be."""
        results: list[Prediction | Failure] = []
        for start in range(0, len(contents), WINDOW):
            futures = [self._loop.create_future() for _ in contents[start : start + WINDOW]]
            jobs = map(_Job, contents[start : start + WINDOW], futures)
            with self._changed:
                self._waiting.extend(jobs)
                self._changed.notify(len(self._threads))
            results += await asyncio.gather(*futures)
        return results

    @property
    def waiting(self) -> int:
        """Images that no thread has taken yet."""
        return len(self._waiting)

    def close(self) -> None:
        """Lets the threads finish what they hold and end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _work(self) -> None:
        while (jobs := self._take()) is not None:
            outcomes = self._outcomes(jobs)
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(_deliver, jobs, outcomes)

    def _take(self) -> list[_Job] | None:
        with self._changed:
            while not self._waiting:
                if self._closed:
                    return None
                self._changed.wait()
            jobs: list[_Job] = []
            size = 0
            while self._waiting and len(jobs) < BATCH_IMAGES:
                size += len(self._waiting[0].content)
                if jobs and size > BATCH_BYTES:
                    break
                job = self._waiting.popleft()
                if not job.future.done():  # nobody waits for it any more: its time was up
                    jobs.append(job)
            return jobs

    def _outcomes(self, jobs: list[_Job]) -> list[Prediction | Failure | Exception]:
        pixels: list[np.ndarray | Failure | Exception] = [
            self._prepare(job.content) for job in jobs
        ]
        sound = [image for image in pixels if isinstance(image, np.ndarray)]
        try:
            rows = iter(self.predictor.probabilities(np.stack(sound)) if sound else ())
            return [
                self.predictor.interpret("", next(rows)) if isinstance(image, np.ndarray) else image
                for image in pixels
            ]
        except Exception as error:
            return [error] * len(jobs)

    def _prepare(self, content: bytes) -> np.ndarray | Failure | Exception:
        try:
            with self._large if is_large(content) else contextlib.nullcontext():
                return decode(self.predictor.run, content, maximum_pixels=self._maximum_pixels)
        except ImageError as error:
            return Failure("", str(error))
        except Exception as error:
            return error


def _deliver(jobs: list[_Job], outcomes: list[Prediction | Failure | Exception]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.future.done():
            continue
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
