"""Decoding and scoring what strangers send: within limits, in a few threads, in batches.

A thread takes up to `BATCH_IMAGES` waiting images, decodes each and scores them in one
call. Nothing waits for a batch to fill: an image that comes alone is scored alone.
"""

import asyncio
import contextlib
import dataclasses
import struct
import threading
from collections import deque
from collections.abc import Sequence

from PIL import Image

from cancernet.base.errors import ImageError
from cancernet.images.formats import open_image
from cancernet.images.plain_png import PNG_SIGNATURE
from cancernet.images.reading import encoded, pixels_decoded, read_rgb
from cancernet.scoring.prediction import Failure, Prediction, interpret
from cancernet.scoring.predictor import Predictor, Prepared
from cancernet.serving.uploads import Upload

# A progressive JPEG may repeat its scans without end, each costing a pass over all
# pixels (the "two issues with the JPEG standard" of libjpeg-turbo); real ones have about 10.
MAXIMUM_SCANS = 100

LARGE = 4_000_000  # pixels; only a few such images are decoded at once
LARGE_AT_ONCE = 2  # a large image in work takes hundreds of megabytes
PREVIEW_SIDE = 512  # pixels
BATCH_IMAGES = 16  # images; more gained nothing (benchmarks/SPEED.md) and makes others wait
BATCH_BYTES = 2**20  # large files are decoded alone, so that small ones need not wait
WINDOW = 32  # images of one request that wait at once, so that requests take turns


def decode(predictor: Predictor, content: bytes, *, maximum_pixels: int) -> Prepared:
    """Decodes and scales one upload as prediction does.

    Raises:
        ImageError: it cannot be read as an image, or is beyond a limit.
    """
    return predictor.prepare(_read(content, maximum_pixels, predictor.run.record.input.bits))


def preview(content: bytes, *, maximum_pixels: int) -> str:
    """Returns one upload as a PNG in base64, at most 512 pixels a side, for browsers to show.

    Raises:
        ImageError: it cannot be read as an image, or is beyond a limit.
    """
    image = _read(content, maximum_pixels, 0)
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return encoded(image, "PNG")


def is_large(content: bytes) -> bool:
    """Tells whether decoding an image would take much memory; decodes nothing."""
    try:
        if content[:8] == PNG_SIGNATURE:
            width, height = size_of(content)
            return width * height > LARGE
        with open_image(content) as image:
            return pixels_decoded(image, content) > LARGE
    except Exception:  # decoders meet bytes that others wrote and raise whatever they like
        return False  # decoding will fail at the same place


def size_of(content: bytes) -> tuple[int, int]:
    """Returns the width and height that an image claims to have, pixels; decodes nothing.

    Raises:
        Exception: whatever the decoder raises of what is not an image.
    """
    if content[:8] == PNG_SIGNATURE and content[12:16] == b"IHDR":
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    with open_image(content) as image:
        return image.size


def _read(content: bytes, maximum_pixels: int, bits: int) -> Image.Image:
    if content[:2] == b"\xff\xd8" and content.count(b"\xff\xda") > MAXIMUM_SCANS:
        raise ImageError(f"the JPEG has more than {MAXIMUM_SCANS} scans; save it again")
    return read_rgb(content, maximum_pixels=maximum_pixels, bits=bits)


Outcome = Prediction | Failure | Exception


@dataclasses.dataclass(eq=False)
class _Job:
    upload: Upload
    future: "asyncio.Future[Prediction | Failure]" = dataclasses.field(repr=False)


class Scorer:
    """Scores uploads with one loaded model; made and used on one event loop."""

    def __init__(self, predictor: Predictor, *, threads: int, maximum_pixels: int) -> None:
        """Starts the threads."""
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

    async def score_all(self, uploads: Sequence[Upload]) -> list[Prediction | Failure]:
        """Scores files in order; a `Failure` says why one cannot be."""
        results: list[Prediction | Failure] = []
        for start in range(0, len(uploads), WINDOW):
            window = uploads[start : start + WINDOW]
            jobs = [_Job(upload, self._loop.create_future()) for upload in window]
            with self._changed:
                self._waiting.extend(jobs)
                self._changed.notify(len(self._threads))
            results += await asyncio.gather(*(job.future for job in jobs))
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
                size += len(self._waiting[0].upload.content)
                if jobs and size > BATCH_BYTES:
                    break
                job = self._waiting.popleft()
                if not job.future.done():  # nobody waits for it any more: its time was up
                    jobs.append(job)
            return jobs

    def _outcomes(self, jobs: list[_Job]) -> list[Outcome]:
        images, run = [self._prepare(job.upload.content) for job in jobs], self.predictor.run
        try:
            sound = [image for image in images if isinstance(image, Prepared)]
            scores = iter(self.predictor.score(sound, threads=1))  # this is one of the threads
            return [
                interpret(run, job.upload.name, next(scores), run.threshold)
                if isinstance(image, Prepared)
                else image
                for job, image in zip(jobs, images, strict=True)
            ]
        except Exception as error:
            return [error] * len(jobs)

    def _prepare(self, content: bytes) -> Prepared | Failure | Exception:
        try:
            with self._large if is_large(content) else contextlib.nullcontext():
                return decode(self.predictor, content, maximum_pixels=self._maximum_pixels)
        except ImageError as error:
            return Failure("", str(error))
        except Exception as error:
            return error


def _deliver(jobs: list[_Job], outcomes: list[Outcome]) -> None:
    for job, outcome in zip(jobs, outcomes, strict=True):
        if job.future.done():
            continue
        if isinstance(outcome, Exception):
            job.future.set_exception(outcome)
        else:
            job.future.set_result(outcome)
