"""What the routes share: the loaded model, its threads, its heat and slide maps, its facts."""

import asyncio
import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cancernet.base.errors import ImageError, RunError
from cancernet.base.words import DRAWN, FORMATS_READ, NOTICE
from cancernet.catalog import DATASETS
from cancernet.images.formats import SUFFIXES
from cancernet.measures.scored import positive_indices, positive_score, read_scored
from cancernet.runs.run_folder import VALIDATION_PREDICTIONS, Run, open_run
from cancernet.scoring.in_context import judge_together
from cancernet.scoring.prediction import Failure, Prediction
from cancernet.scoring.predictor import Predictor
from cancernet.serving.answers import (
    ClassFact,
    ContextFacts,
    Limits,
    ModelFacts,
    SlideMap,
    Thresholds,
)
from cancernet.serving.heat_maps import HeatMaps
from cancernet.serving.problems import Journal, Refusal, time_limit
from cancernet.serving.scorer import Scorer, preview
from cancernet.serving.settings import ServeConfig
from cancernet.serving.slide_maps import slide_map
from cancernet.serving.uploads import Memory, Upload, safe_name

STEPS = 200  # of the slider of thresholds, besides the operating point
PAGE = Path(__file__).parent / "page"
INTENDED_USE = (
    "Research on images of the kind the model was trained on. Not for diagnosis, screening, "
    "triage or treatment; not tested on images from other scanners, stains or populations."
)


class Service:
    """One run, ready to answer. `start` and `stop` are called on the event loop that serves."""

    def __init__(self, run: Run, config: ServeConfig, journal: Journal) -> None:
        """Loads the model.

        Raises:
            RunError: the model cannot be loaded.
        """
        self.run = run
        self.name = safe_name(run.name)  # a folder's name need not be valid text
        self.config = config
        self.journal = journal
        # One thread for each image and several images at once serve more requests a second
        # than several threads for one image.
        self.predictor = Predictor(run, threads=1)
        self.heat_maps = HeatMaps(run, config, journal)
        self.memory = Memory(config.memory_bytes)
        self.scorer: Scorer | None = None
        self._previews = asyncio.Semaphore(1)  # one large image in memory at a time
        self._maps: ThreadPoolExecutor | None = None

    def start(self) -> None:
        """Starts the threads."""
        config = self.config
        self.scorer = Scorer(
            self.predictor, threads=config.threads, maximum_pixels=config.maximum_pixels
        )
        # One slide map at a time, even if nobody waits for it any more.
        self._maps = ThreadPoolExecutor(1, "slide-map")

    async def stop(self) -> None:
        """Ends threads and the child process."""
        await self.heat_maps.close()
        if self._maps is not None:
            self._maps.shutdown(wait=False, cancel_futures=True)
        if self.scorer is not None:
            self.scorer.close()

    async def score(self, uploads: Sequence[Upload]) -> list[Prediction | Failure]:
        """Scores files in order; a `Failure` says why one cannot be.

        Raises:
            Refusal: 504, it took too long.
        """
        assert self.scorer is not None
        # Many images may take longer than one: the limit grows with every thousand.
        async with time_limit("the answer", self.config.time_limit * (1 + len(uploads) / 1000)):
            return await self.scorer.score_all(uploads)

    async def score_together(self, uploads: Sequence[Upload]) -> list[Prediction | Failure]:
        """Scores the files of one request, patches with those of the same patient among them.

        Raises:
            Refusal: 504, it took too long.
        """
        outcomes = await self.score(uploads)
        names = [upload.name for upload in uploads]
        # Of thousands of patches it takes long enough to keep others waiting.
        return await asyncio.to_thread(judge_together, self.run, names, outcomes)

    async def score_one(self, upload: Upload) -> Prediction:
        """Scores one file.

        Raises:
            Refusal: 422 it cannot be read as an image, 504 it took too long.
        """
        [outcome] = await self.score([upload])
        if isinstance(outcome, Failure):
            raise Refusal(422, outcome.error)
        return outcome

    async def preview(self, content: bytes) -> str:
        """Returns one file as a PNG in base64.

        Raises:
            Refusal: 422 it cannot be read as an image, 504 it took too long.
        """
        try:
            async with time_limit("the preview", self.config.time_limit), self._previews:
                return await asyncio.to_thread(
                    preview, content, maximum_pixels=self.config.maximum_pixels
                )
        except ImageError as error:
            raise Refusal(422, str(error)) from None

    async def slide(
        self, uploads: Sequence[Upload], outcomes: Sequence[Prediction | Failure]
    ) -> SlideMap:
        """Puts scored patches in their places.

        Raises:
            Refusal: 422 they cannot be put together, 504 it took too long.
        """
        assert self._maps is not None
        loop = asyncio.get_running_loop()
        async with time_limit("the map", self.config.time_limit):
            return await loop.run_in_executor(self._maps, slide_map, self.run, uploads, outcomes)

    @functools.cached_property
    def facts(self) -> ModelFacts:
        """Returns the facts about the model, and what the server accepts."""
        run, config = self.run, self.config
        record, data = run.record, run.record.dataset
        known = DATASETS.get(data.name)
        title = known.title if known else data.title or data.name or "unknown"
        limits = Limits(
            image_bytes=config.image_bytes,
            request_bytes=config.request_bytes,
            pixels=config.maximum_pixels,
            images=config.maximum_images,
            seconds=config.time_limit,
            formats=list(FORMATS_READ),
            suffixes=sorted(SUFFIXES),
        )
        return ModelFacts(
            run=self.name,
            recipe=record.recipe,
            network=str(record.config.get("model", "")),
            finished=record.finished or "",
            classes=[
                ClassFact(name=name, word=word, positive=name in run.positive)
                for name, word in zip(run.classes, run.words, strict=True)
            ],
            operating_point=run.threshold,
            rule=run.rule,
            thresholds=thresholds(run, run.threshold),
            input_width=record.input.width,
            input_height=record.input.height,
            data=f"{title}. {DRAWN}" if run.drawn else title,
            split=data.split,
            drawn=run.drawn,
            leak=run.leak,
            intended_use=INTENDED_USE,
            notice=NOTICE,
            heat_maps=self.heat_maps.method,
            examples=_examples(data.name),
            context=self._context_facts(),
            limits=limits,
        )

    def _context_facts(self) -> ContextFacts | None:
        context = self.run.record.context
        if context is None:
            return None
        point = context.operating_point
        return ContextFacts(
            operating_point=point.threshold,
            rule=point.rule,
            thresholds=thresholds(self.run, point.threshold, in_context=True),
            side=context.side,
        )


def _examples(dataset: str) -> list[str]:
    kind = dataset.partition("-")[0]  # an edition such as mammography-csv has the same kind
    names = sorted(path.name for path in (PAGE / "examples").iterdir())
    return [f"/page/examples/{name}" for name in names if name.startswith(f"{kind}-drawn-")]


def thresholds(run: Run, operating_point: float, *, in_context: bool = False) -> Thresholds | None:
    """Returns sensitivity and specificity on validation; NaN where a class is missing.

    They are those of every threshold that the slider of the page can take.

    Args:
        run: whose stored predictions are counted.
        operating_point: 0-1, one of the thresholds.
        in_context: whether the probabilities are those in context.

    Returns:
        The figures; None where the table of predictions is missing, altered or of another form.
    """
    try:
        open_run(run.folder, check=(VALIDATION_PREDICTIONS,))
        path = run.folder / VALIDATION_PREDICTIONS
        scored, classes = read_scored(path, in_context=in_context)
    except RunError:
        return None
    positive = positive_indices(classes, run.positive)
    score = positive_score(scored.probabilities, positive)
    truth = np.isin(scored.truth, positive)
    points = np.union1d(np.arange(STEPS + 1) / STEPS, operating_point)
    return Thresholds(
        threshold=points.tolist(),
        sensitivity=_reaching(score[truth], points).tolist(),
        specificity=(1 - _reaching(score[~truth], points)).tolist(),
        images=len(score),
        patients=len(set(scored.patients)),
    )


def _reaching(scores: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Returns the share of the scores that reach each point; NaN without scores."""
    if not len(scores):
        return np.full(len(points), np.nan)
    return 1 - np.searchsorted(np.sort(scores), points) / len(scores)
