"""What the routes share: the loaded model, its threads, its heat and slide maps, its facts."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.images import FORMATS, SUFFIXES
from cancernet.base.words import DRAWN, NOTICE
from cancernet.catalog import DATASETS
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Failure, Prediction, Predictor
from cancernet.serving.answers import ClassFact, Limits, ModelFacts, Patch, SlideMap, Unreadable
from cancernet.serving.heat_maps import HeatMaps
from cancernet.serving.problems import Journal, Refusal, time_limit
from cancernet.serving.scorer import Scorer, preview, size_of
from cancernet.serving.settings import ServeConfig
from cancernet.serving.uploads import Memory, Upload, safe_name
from cancernet.slides.cells import check_grid
from cancernet.slides.geojson import as_geojson
from cancernet.slides.scoring import EXAMPLE, read_place
from cancernet.slides.slide_map import Mosaic

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

    async def score(self, contents: Sequence[bytes]) -> list[Prediction | Failure]:
        """Scores files in order; a `Failure` says why one cannot be.

        Raises:
            Refusal: 504, it took too long.
        """
        assert self.scorer is not None
        # Many images may take longer than one: the limit grows with every thousand.
        async with time_limit("the answer", self.config.time_limit * (1 + len(contents) / 1000)):
            return await self.scorer.score_all(contents)

    async def score_one(self, content: bytes) -> Prediction:
        """Scores one file.

        Raises:
            Refusal: 422 it cannot be read as an image, 504 it took too long.
        """
        [outcome] = await self.score([content])
        if isinstance(outcome, Failure):
            raise Refusal(422, outcome.error)
        return outcome

    async def preview(self, content: bytes) -> str:
        """One file as a PNG in base64.

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
        """Scored patches put in their places.

        Raises:
            Refusal: 422 they cannot be put together, 504 it took too long.
        """
        assert self._maps is not None
        loop = asyncio.get_running_loop()
        async with time_limit("the map", self.config.time_limit):
            return await loop.run_in_executor(self._maps, slide_map, self.run, uploads, outcomes)

    def facts(self) -> ModelFacts:
        """What is known of the model, and what the server takes."""
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
            formats=list(FORMATS),
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
            input_width=run.width,
            input_height=run.height,
            data=f"{title}. {DRAWN}" if run.drawn else title,
            split=data.split,
            drawn=run.drawn,
            leak=run.leak,
            intended_use=INTENDED_USE,
            notice=NOTICE,
            heat_maps=self.heat_maps.method,
            limits=limits,
        )


def slide_map(
    run: Run, uploads: Sequence[Upload], outcomes: Sequence[Prediction | Failure]
) -> SlideMap:
    """Puts patches in the places that their names say, with the outcome of each.

    Raises:
        Refusal: 422, no patch could be placed, they are of several patients, or they do not
            lie on one grid.
    """
    patches: dict[tuple[int, int], Patch] = {}
    patients: set[str] = set()
    left_out: list[Unreadable] = []
    for upload, outcome in zip(uploads, outcomes, strict=True):
        place = read_place(Path(upload.name))
        if place is None:
            reason = f"its name holds no place, as {EXAMPLE} does"
        elif isinstance(outcome, Failure):
            reason = outcome.error
        elif (place.y, place.x) in patches:
            reason = "another patch has the same place"
        else:
            width, height = size_of(upload.content)
            patients.add(place.patient)
            patches[place.y, place.x] = Patch(
                name=upload.name,
                x=place.x,
                y=place.y,
                width=width,
                height=height,
                probability=outcome.positive_probability,
                positive=outcome.positive_probability >= run.threshold,
            )
            continue
        left_out.append(Unreadable(name=upload.name, error=reason))
    if not patches:
        raise Refusal(
            422,
            f"none of the files is a readable patch whose name holds its place, as {EXAMPLE} does",
            results=left_out,
        )
    if len(patients) > 1:
        raise Refusal(
            422, f"the patches are of {len(patients)} patients; send those of one patient at a time"
        )
    return _answer(run, patients.pop(), [patches[corner] for corner in sorted(patches)], left_out)


def _answer(run: Run, patient: str, patches: list[Patch], left_out: list[Unreadable]) -> SlideMap:
    boxes = [(patch.x, patch.y, patch.width, patch.height) for patch in patches]
    corners = np.array(boxes)
    try:
        check_grid(corners)
    except CancerNetError as error:
        raise Refusal(422, str(error)) from None
    left, top = corners[:, :2].min(axis=0).tolist()
    right, bottom = (corners[:, :2] + corners[:, 2:]).max(axis=0).tolist()
    mosaic = Mosaic(patient, left=left, top=top, right=right, bottom=bottom)
    for box, patch in zip(boxes, patches, strict=True):
        mosaic.add(box, patch.probability)
    slide = mosaic.slide_map(run.threshold)
    return SlideMap(
        patient=patient,
        left=left,
        top=top,
        width=right - left,
        height=bottom - top,
        step=step_of(corners),
        patches=patches,
        positive_patches=slide.figures.positive_patches,
        area_fraction=slide.figures.area_fraction,
        score=slide.figures.score,
        operating_point=run.threshold,
        word=run.positive_words,
        geojson=as_geojson(slide, run.positive_words),
        left_out=left_out,
        notice=NOTICE,
    )


def step_of(boxes: np.ndarray) -> int:
    """The distance of neighbouring patches: the smallest step in x or y that occurs."""
    steps = np.concatenate([np.diff(np.unique(boxes[:, axis])) for axis in (0, 1)])
    return int(steps.min()) if len(steps) else int(boxes[0, 2:].max())
