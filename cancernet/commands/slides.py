"""What `predict.py --slide` does: a map of every patient or large image that is named."""

import sys
from pathlib import Path

from cancernet.base.console import RED, fitted
from cancernet.base.errors import CancerNetError
from cancernet.base.files import FreeNames
from cancernet.base.words import DRAWN_IMAGES, NOTICE, counted, score_text, unlike_of
from cancernet.commands.command_line import alert
from cancernet.images.formats import say_oddities
from cancernet.runs.run_folder import Run
from cancernet.runs.run_record import ContextRecord
from cancernet.scoring.predictor import Predictor
from cancernet.slides.large_image import open_image
from cancernet.slides.output import new_folder, write_slide
from cancernet.slides.scoring import (
    PatientPatches,
    find_patients,
    map_of_image,
    map_of_places,
    patch_side,
)
from cancernet.slides.slide_map import SlideFigures, SlideMap


def map_slides(
    run: Run, named: list[Path], output: Path, *, side: int | None, alone: bool = False
) -> tuple[int, int]:
    """Makes and writes the maps; prints one line per slide.

    Args:
        named: folders of patches with places in their names, and large images.
        output: a new or empty folder.
        side: of a patch, pixels; None takes that of the run's data.
        alone: judge every patch alone, even if the run judges in context.

    Returns:
        How many slides were mapped, and how many patches or images failed.

    Raises:
        CancerNetError: nothing to map, or the folder holds something or cannot be written to.
    """
    side = patch_side(run) if side is None else side
    if side < 2:
        raise CancerNetError(f"--patch-size is {side}, but must be at least 2")
    with new_folder(output):
        slides = _Slides(
            Predictor(run), output, side, context=None if alone else run.record.context
        )
        if folders := [path for path in named if path.is_dir()]:
            slides.map_folders(folders)
        for path in named:
            if not path.is_dir():
                slides.map_image(path)
        return slides.done, slides.failed


class _Slides:
    """Maps slides one by one and counts how it went."""

    def __init__(
        self, predictor: Predictor, output: Path, side: int, *, context: ContextRecord | None
    ) -> None:
        self.done = self.failed = 0
        self._predictor, self._output, self._side = predictor, output, side
        self._context = context
        self._names = FreeNames()

    def map_folders(self, folders: list[Path]) -> None:
        patients, unplaced = find_patients(folders)
        for patient, patches in patients.items():
            self._map_patient(self._names.take(patient), patches)
        if unplaced:
            images = counted(unplaced, "image")
            print(f"skipped: {images} without a position in the name, or masks", file=sys.stderr)

    def map_image(self, path: Path) -> None:
        try:
            with open_image(path) as image:
                for note in say_oddities(dict.fromkeys(image.oddity, path.name)):
                    print(f"note: {note}", file=sys.stderr)
                slide = map_of_image(
                    self._predictor, self._names.take(path.stem), image, side=self._side
                )
        except CancerNetError as error:
            self._fail(str(error))
        else:
            self._write(slide)

    def _map_patient(self, name: str, patches: PatientPatches) -> None:
        try:
            slide, failures = map_of_places(self._predictor, name, patches, side=self._side)
        except CancerNetError as error:
            self._fail(f"{name}: {error}")
            return
        for failure in failures:
            self._fail(f"{failure.path}: {failure.error}")
        if patches.copies:
            copies = counted(patches.copies, "patch", "patches")
            print(f"{name}: skipped {copies} at a place that had one already")
        if patches.disputed:
            places = counted(patches.disputed, "place")
            print(f"{name}: {places} with two labels, treated as unlabelled")
        if len(slide.boxes):
            self._write(slide)
        else:
            alert(f"error: {name}: no patch could be read", RED)

    def _fail(self, sentence: str) -> None:
        alert(f"error: {sentence}", RED)
        self.failed += 1

    def _write(self, slide: SlideMap) -> None:
        run = self._predictor.run
        if self._context is not None:
            slide = slide.in_context(self._context, side=self._side)
        footer = f"{DRAWN_IMAGES} {NOTICE}" if run.drawn else NOTICE
        write_slide(slide, self._output, word=run.positive_words, footer=footer)
        self.done += 1
        print(fitted(_summary(slide, run.positive_words)))


def _summary(slide: SlideMap, word: str) -> str:
    figures = slide.figures
    patches = counted(figures.patches, "patch", "patches")
    skipped = f", {slide.skipped:,} of background left out" if slide.skipped else ""
    said = f"{slide.name}: {patches}{skipped}; {word} in {_share(figures)}"
    if slide.unlike:
        said += f"\n  warning: {unlike_of(slide.unlike, figures.patches)}"
    if slide.context is None:
        return said
    lone = int(slide.context.lone.sum())
    without = f", {counted(lone, 'patch', 'patches')} without any" if lone else ""
    found = f" with {slide.context.neighbours.mean():.1f} of 8 neighbours on average{without}"
    own = ", at its own operating point" if slide.context.slide_point else ""
    return f"{said}\n  in context{found}{own}; alone: {_share(slide.context.alone.figures)}"


def _share(figures: SlideFigures) -> str:
    return (
        f"{100 * figures.area_fraction:.1f} % of the area at the operating point "
        f"{score_text(figures.operating_point)}; mean probability {score_text(figures.score)}"
    )
