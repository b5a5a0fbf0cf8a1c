"""What `predict.py --slide` does: a map of every patient or large image that is named."""

import sys
from pathlib import Path

from cancernet.base.errors import CancerNetError
from cancernet.base.files import plain_name
from cancernet.base.notice import NOTICE
from cancernet.base.words import counted
from cancernet.runs.run_folder import Run
from cancernet.scoring.predictor import Predictor
from cancernet.slides.bands import open_image
from cancernet.slides.mosaic import SlideMap
from cancernet.slides.positions import find_patients
from cancernet.slides.scoring import map_of_image, map_of_places, patch_side
from cancernet.slides.writing import new_folder, write_slide


def map_slides(run: Run, named: list[Path], output: Path, *, side: int | None) -> tuple[int, int]:
    """Makes and writes the maps; prints a line a slide.

    Args:
        run: the run that scores.
        named: folders of patches with places in their names, and large images.
        output: a new or empty folder.
        side: of a patch, pixels; None for that of the run's data.

    Returns:
        How many slides were mapped, and how many patches or images failed.

    Raises:
        CancerNetError: nothing to map, or the folder holds something or cannot be written to.
    """
    side = patch_side(run) if side is None else side
    if side < 2:
        raise CancerNetError(f"--patch-size is {side}, but must be at least 2")
    with new_folder(output):
        return _map_all(Predictor(run), named, output, side=side)


def _map_all(
    predictor: Predictor, named: list[Path], output: Path, *, side: int
) -> tuple[int, int]:
    run = predictor.run
    done = failed = 0
    names: set[str] = set()
    folders = [path for path in named if path.is_dir()]
    if folders:
        patients, odd = find_patients(folders)
        for patient, found in patients.items():
            name = _free(patient, names)
            try:
                slide, failures = map_of_places(
                    predictor, name, found.places, side=side, spares=found.spares
                )
            except CancerNetError as error:
                print(f"error: {name}: {error}", file=sys.stderr)
                failed += 1
                continue
            for failure in failures:
                print(f"error: {failure.path}: {failure.error}", file=sys.stderr)
            failed += len(failures)
            if found.copies:
                copies = counted(found.copies, "second copy", "second copies")
                print(f"{slide.name}: {copies} of a place passed over")
            if found.disputed:
                places = counted(found.disputed, "place")
                print(f"{slide.name}: {places} with two labels, taken as not known")
            done += _write(slide, output, run)
        if odd:
            images = counted(odd, "image")
            print(f"{images} without a place in the name passed over", file=sys.stderr)
    for path in (path for path in named if not path.is_dir()):
        try:
            with open_image(path) as image:
                slide = map_of_image(predictor, _free(path.stem, names), image, side=side)
        except CancerNetError as error:
            print(f"error: {error}", file=sys.stderr)
            failed += 1
            continue
        done += _write(slide, output, run)
    return done, failed


def _free(name: str, taken: set[str]) -> str:
    """Returns a name that no other slide has, so that no map overwrites another."""
    name = plain_name(name)
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}-{number}"
    taken.add(free)
    return free


def _write(slide: SlideMap, output: Path, run: Run) -> int:
    if not len(slide.boxes):
        print(f"error: {slide.name}: no patch could be read", file=sys.stderr)
        return 0
    drawn = "Drawn data, not tissue. " if run.drawn else ""
    facts = write_slide(slide, output, word=run.positive_words, footer=drawn + NOTICE)
    patches = counted(facts["patches"], "patch", "patches")
    skipped = f", {slide.skipped:,} of background left out" if slide.skipped else ""
    print(
        f"{slide.name}: {patches}{skipped}; {run.positive_words} in "
        f"{100 * facts['area_fraction']:.1f} % of the area at the operating point "
        f"{slide.threshold:.3f}; mean probability {facts['score']:.3f}"
    )
    return 1
