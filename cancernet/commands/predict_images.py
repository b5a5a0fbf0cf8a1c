"""Scores the images that are named, and prints the answers or fills a table with them."""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cancernet.base.console import BOLD, RED, YELLOW, coloured, fitted, progress_bar
from cancernet.base.errors import CancerNetError
from cancernet.base.files import json_text
from cancernet.base.words import IMAGES_READ, NOTICE, counted
from cancernet.commands.command_line import alert
from cancernet.runs.run_folder import Run
from cancernet.scoring.in_context import PredictorInContext, as_the_run_judges
from cancernet.scoring.inputs import Inputs, listed_images
from cancernet.scoring.prediction import Failure, Prediction
from cancernet.scoring.predictor import Predictor
from cancernet.scoring.words import as_text, masks_skipped, reading_notes

if TYPE_CHECKING:
    from cancernet.commands.predict import PredictFlags
    from cancernet.explaining.explainer import ExplanationFolder
    from cancernet.scoring.distributed import SpreadPredictor
    from cancernet.scoring.sorting import SortedFolder


def predict_images(
    images: list[Path], flags: "PredictFlags", trained: Run, own: Predictor | None = None
) -> tuple[int, int]:
    """Scores files and folders; prints each answer, or fills a CSV with a progress bar.

    Args:
        images: files and folders.
        flags: of `predict.py`; what they ask for besides is written as well.
        trained: the run that answers.
        own: what scores in place of the run's own model; or None.

    Returns:
        How many images have been scored and how many could not be, rows of an
        interrupted CSV included.

    Raises:
        CancerNetError: there is no image in what was named.
    """
    named = images
    if flags.list_ is not None:
        named = listed_images(flags.list_, images, columns=flags.columns)
    inputs, folder, sorting = Inputs(named), _explanations(flags, trained), _sorting(flags, images)
    figure = _figure(images, flags.figure, flags, trained) if flags.figure else None
    steps = [step for step in (folder and folder.explain, sorting and sorting.put, figure) if step]
    with contextlib.ExitStack() as stack:
        each = own or stack.enter_context(_predictor(trained, flags.scheduler, flags.workers))
        predictor = each if flags.alone else as_the_run_judges(each)
        if flags.csv is None:
            say = json_text if flags.json else _text_of(trained)
            tally = _say_all(_passing_by(predictor.predict_many(inputs.names()), steps), say)
        else:
            tally = _fill_csv(predictor, named, inputs, flags, steps)
        if not any(tally):
            _refuse_nothing(inputs)
        _say_what_was_named(inputs, in_words=flags.csv is None and not flags.json)
        if isinstance(each, Predictor):
            for note in reading_notes(each):
                print(f"note: {note}", file=sys.stderr)
    for made in (folder, sorting):
        if made and not flags.json:
            print(made.summary())
    return tally


def _refuse_nothing(inputs: Inputs) -> NoReturn:
    if inputs.masks:
        raise CancerNetError(
            f"what was named holds no image but {counted(inputs.masks, 'mask')}, recognised by "
            "name; name a mask file itself to score it"
        )
    if inputs.links:
        raise CancerNetError(
            f"what was named holds no image but {_links(inputs.links)}; name a link itself to "
            "score what is behind it"
        )
    raise CancerNetError(f"there is no image ({IMAGES_READ}) in what was named")


def _links(count: int) -> str:
    return counted(count, "link to a folder", "links to folders")


def _say_what_was_named(inputs: Inputs, *, in_words: bool) -> None:
    """Says what was skipped, and how many masks were scored; one answer in words says it itself."""
    if inputs.passed_over:
        others = counted(
            inputs.passed_over, "file that is not an image", "files that are not images"
        )
        print(f"{others} skipped", file=sys.stderr)
    if inputs.links:
        said = f"{_links(inputs.links)} not followed; name a link itself to score what is behind it"
        print(said, file=sys.stderr)
    if inputs.masks:
        print(masks_skipped(inputs.masks), file=sys.stderr)
    if inputs.named_like_masks > int(in_words):
        images = counted(inputs.named_like_masks, "image is", "images are")
        alert(
            f"warning: {images} named like masks, for which the answers mean nothing; masks inside "
            "a named folder are skipped",
            YELLOW,
        )


@contextlib.contextmanager
def _predictor(run: Run, scheduler: str, workers: int) -> "Iterator[Predictor | SpreadPredictor]":
    if not scheduler and not workers:
        yield Predictor(run)
        return
    from cancernet.scoring.distributed import SpreadPredictor

    with SpreadPredictor(run, scheduler=scheduler, workers=workers) as predictor:
        yield predictor


def _text_of(run: Run) -> Callable[[Prediction | Failure], str]:
    def text(result: Prediction | Failure) -> str:
        if isinstance(result, Failure):
            return ""
        first, line, rest = fitted(as_text(result, run)).partition("\n")
        return f"{coloured(first, RED if result.positive else BOLD)}{line}{rest}"

    return text


def _say_all(
    results: Iterable[Prediction | Failure],
    say: Callable[[Prediction | Failure], str],
    *,
    before_error: Callable[[], object] = lambda: None,
) -> tuple[int, int]:
    """Prints each result in words; returns how many images were scored and how many failed."""
    scored = failed = 0
    for result in results:
        if isinstance(result, Failure):
            failed += 1
            before_error()
            alert(f"error: {result.path}: {result.error}", RED)
        else:
            scored += 1
        if text := say(result):
            print(text)
    return scored, failed


def _fill_csv(
    predictor: "Predictor | SpreadPredictor | PredictorInContext",
    named: list[Path],
    inputs: Inputs,
    flags: "PredictFlags",
    also: Sequence[Callable[[Prediction], None]],
) -> tuple[int, int]:
    from cancernet.scoring.output import CsvFile, distribution

    assert flags.csv is not None
    names = inputs.names()
    first = next(names, None)
    if first is None:
        return 0, 0  # and no table without rows
    in_context, overwrite = isinstance(predictor, PredictorInContext), flags.overwrite
    table = CsvFile(flags.csv, predictor.run, named, in_context=in_context, overwrite=overwrite)
    before = len(table.done) - table.failed
    if table.done:
        unread = f", {table.failed:,} could not be read" if table.failed else ""
        print(f"{counted(before, 'image')} scored before{unread}; continuing", file=sys.stderr)
    todo: Iterable[str] = itertools.chain([first], names)
    if table.done:
        todo = (image for image in todo if image not in table.done)
    results = table.write(_passing_by(predictor.predict_many(todo), also))
    with contextlib.closing(progress_bar(results)) as bar:
        say = json_text if flags.json else lambda result: ""
        scored, failed = _say_all(bar, say, before_error=bar.clear)
    scored, failed = scored + before, failed + table.failed
    print(
        f"{table.path}: {scored:,} scored, {failed:,} could not be read",
        file=sys.stderr if flags.json else sys.stdout,
    )
    if not flags.json:
        print("\n".join(distribution(table.path, predictor.run)))
    return scored, failed


def _passing_by(
    results: Iterator[Prediction | Failure], also: Sequence[Callable[[Prediction], None]]
) -> Iterator[Prediction | Failure]:
    for result in results:
        if isinstance(result, Prediction):
            for step in also:
                step(result)
        yield result


def _explanations(flags: "PredictFlags", trained: Run) -> "ExplanationFolder | None":
    """Prepares the folder of --explain; loads TensorFlow only for a gradient method."""
    if flags.explain is None:
        return None
    from cancernet.explaining.explainer import ExplanationFolder

    return ExplanationFolder(
        flags.explain,
        trained,
        method=flags.method or "grad-cam",
        layer=flags.layer,
        class_name=flags.class_,
    )


def _sorting(flags: "PredictFlags", images: list[Path]) -> "SortedFolder | None":
    """Prepares the folder of --sort-into."""
    if flags.sort_into is None:
        return None
    from cancernet.scoring.sorting import SortedFolder

    return SortedFolder(flags.sort_into, images, link=flags.link or "symbolic")


def _figure(
    images: list[Path], target: Path, flags: "PredictFlags", trained: Run
) -> Callable[[Prediction], None]:
    """Returns a function that saves the one image that is named, titled with its prediction."""
    if len(images) != 1 or images[0].is_dir() or flags.scheduler:
        raise CancerNetError("--figure shows one image; name exactly one file")
    from cancernet.scoring.output import check_target, write_figure

    check_target(target)

    def write(prediction: Prediction) -> None:
        write_figure(target, prediction, trained, notice=NOTICE)
        print(f"Figure: {target}", file=sys.stderr)

    return write
