"""Scores the images that are named, and prints the answers or fills a table with them."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cancernet.base.files import json_text
from cancernet.base.progress import progress_bar
from cancernet.base.words import counted
from cancernet.runs.run_folder import Run
from cancernet.scoring.inputs import Inputs
from cancernet.scoring.judging import as_the_run_judges
from cancernet.scoring.output import CsvFile, distribution
from cancernet.scoring.predictor import Failure, Prediction, Predictor
from cancernet.scoring.words import as_text

if TYPE_CHECKING:
    from cancernet.scoring.distributed import SpreadPredictor
    from cancernet.scoring.judging import AnyPredictor


def predict_named(
    run: Run,
    named: list[Path],
    *,
    as_json_lines: bool,
    csv_path: Path | None,
    overwrite: bool = False,
    also: Callable[[Prediction], None] | None = None,
    alone: bool = False,
    predictor: "Predictor | SpreadPredictor | None" = None,
) -> tuple[int, int]:
    """Scores files and folders; prints each answer, or fills a CSV with a progress bar.

    Args:
        run: the run that scores.
        named: files and folders.
        as_json_lines: print JSON instead of words.
        csv_path: a table to fill instead.
        overwrite: replace a finished table of that name when the new one is complete.
        also: called with every prediction before it is printed or written.
        alone: judge without neighbours, whatever the run says.
        predictor: what scores, when it is not the run's own model in this process.

    Returns:
        How many images have been scored and how many could not be, rows of an
        interrupted CSV included.
    """
    inputs = Inputs(named)
    scoring, in_context = as_the_run_judges(predictor or Predictor(run), alone=alone)
    if csv_path is None:
        say = json_text if as_json_lines else _text_of(run)
        tally = _say_all(_passing_by(scoring.predict_many(inputs), also), say)
    else:
        table = CsvFile(csv_path, scoring.run, named, in_context=in_context, overwrite=overwrite)
        tally = _fill_csv(scoring, inputs, table, as_json_lines, also)
    if inputs.passed_over:
        others = counted(
            inputs.passed_over, "file that is not an image", "files that are not images"
        )
        print(f"{others} skipped", file=sys.stderr)
    return tally


def _text_of(run: Run) -> Callable[[Prediction | Failure], str]:
    return lambda result: as_text(result, run) if isinstance(result, Prediction) else ""


def _say_all(
    results: Iterable[Prediction | Failure],
    say: Callable[[Prediction | Failure], str],
    *,
    before_error: Callable[[], object] = lambda: None,
) -> tuple[int, int]:
    """Prints what there is to say of each result; returns how many are scored, how many failed."""
    scored = failed = 0
    for result in results:
        if isinstance(result, Failure):
            failed += 1
            before_error()
            print(f"error: {result.path}: {result.error}", file=sys.stderr)
        else:
            scored += 1
        if text := say(result):
            print(text)
    return scored, failed


def _fill_csv(
    predictor: "AnyPredictor",
    inputs: Inputs,
    table: CsvFile,
    as_json_lines: bool,
    also: Callable[[Prediction], None] | None,
) -> tuple[int, int]:
    before = len(table.done) - table.failed
    if table.done:
        unread = f", {table.failed:,} could not be read" if table.failed else ""
        print(f"{counted(before, 'image')} scored before{unread}; continuing", file=sys.stderr)
    todo = (image for image in inputs if str(image) not in table.done)
    results = table.write(_passing_by(predictor.predict_many(todo), also))
    with contextlib.closing(progress_bar(results)) as bar:
        say = json_text if as_json_lines else lambda result: ""
        scored, failed = _say_all(bar, say, before_error=bar.clear)
    scored, failed = scored + before, failed + table.failed
    print(
        f"{table.path}: {scored:,} scored, {failed:,} could not be read",
        file=sys.stderr if as_json_lines else sys.stdout,
    )
    if not as_json_lines:
        print("\n".join(distribution(table.path, predictor.run)))
    return scored, failed


def _passing_by(
    results: Iterable[Prediction | Failure], also: Callable[[Prediction], None] | None
) -> Iterator[Prediction | Failure]:
    for result in results:
        if also is not None and isinstance(result, Prediction):
            also(result)
        yield result
