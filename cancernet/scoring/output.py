"""Files of predictions: a CSV that can be continued, and an image titled with its prediction."""

import contextlib
import csv
import dataclasses
import hashlib
import operator
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from cancernet.base.errors import CancerNetError
from cancernet.base.files import (
    lock,
    plain_name,
    read_json,
    write_json,
    written_beside,
)
from cancernet.base.records import Record, from_json
from cancernet.base.words import counted, score_text, some, unlike_of
from cancernet.images.reading import read_rgb
from cancernet.runs.run_folder import Run
from cancernet.scoring.prediction import Failure, Prediction, PredictionInContext, Side
from cancernet.scoring.words import call_word, grounds_of, is_of_sides, warnings_of

FLUSH_EVERY = 1024  # rows
FIGURES = (".png", ".jpg", ".jpeg", ".pdf", ".svg")
# How the columns of classes begin, and the fields of a prediction that fill them.
PROBABILITIES = {"probability": "probabilities", "alone_probability": "alone_probabilities"}
LARGEST_SIDE = 2048  # pixels of a figure's image; larger ones are shown smaller


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Owner(Record):
    """The content of `<name>.part.json`: which run fills the table, and for which images."""

    run: str
    checksum: str | None
    images: str = ""  # hash of the paths that were named
    named: str = ""  # the first few of them
    in_context: bool = False  # whether neighbours are looked at


class CsvFile:
    """A CSV of predictions that grows under another name and is renamed when complete.

    While it grows it is called `<name>.part`, and `<name>.part.json` says which run writes
    it and for which images. After an interruption the same command finds both and
    continues: complete rows are not scored again, and a line that was cut is dropped. A
    lock, held until `write` is done or the object is gone, keeps out a second process.

    Attributes:
        done: the paths of the rows that an interrupted command left.
        failed: how many of these could not be read.
    """

    def __init__(
        self,
        path: Path,
        run: Run,
        named: Sequence[Path] = (),
        *,
        in_context: bool = False,
        overwrite: bool = False,
    ) -> None:
        """Opens or continues the table that a run fills with the named images.

        `in_context` says whether the rows will be of patches with their neighbours, `overwrite`
        whether a complete table may replace one that is there.

        Raises:
            CancerNetError: the final file exists already, the unfinished one is of another
                run, other images or the other kind of rows, or another process is filling it.
        """
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._owner_file = path.with_name(path.name + ".part.json")
        self._run = run
        self._in_context = in_context
        self._owner = self._identify(named)
        self.failed = 0
        self._held = contextlib.ExitStack()
        path.parent.mkdir(parents=True, exist_ok=True)
        busy = CancerNetError(
            f"another process is filling {path}; wait for it, or name another --csv file"
        )
        self._held.enter_context(lock(path.with_name(path.name + ".part.lock"), busy))
        if path.exists() and not overwrite:
            raise CancerNetError(
                f"{path} exists already; replace it with --overwrite, or name another --csv file"
            )
        self.done = self._continue() if self._part.exists() else self._begin()

    def write(self, results: Iterable[Prediction | Failure]) -> Iterator[Prediction | Failure]:
        """Appends results as they come and passes them on; renames the file at the end."""
        with self._held, _opened(self._part, "a") as file:
            writer = csv.writer(file)
            for count, result in enumerate(results, start=1):
                writer.writerow(self._row(result))
                if count % FLUSH_EVERY == 0:
                    file.flush()
                yield result
            file.close()
            self._part.replace(self.path)
            self._owner_file.unlink(missing_ok=True)

    def _begin(self) -> set[str]:
        write_json(self._owner_file, self._owner)
        with _opened(self._part, "w") as file:
            csv.writer(file).writerow(self._columns())
        return set()

    def _continue(self) -> set[str]:
        own = self._owner
        try:
            begun = from_json(_Owner, read_json(self._owner_file))
        except (OSError, ValueError):
            begun = _Owner(run="", checksum="")
        if (begun.run, begun.checksum) != (own.run, own.checksum):
            raise CancerNetError(
                f"{self._part} was begun with another run; move it away or name another --csv file"
            )
        if begun.images != own.images:
            raise CancerNetError(
                f"{self._part} was begun for {begun.named or 'other images'}; name the same in the "
                "same way, move it away, or name another --csv file"
            )
        if begun.in_context != own.in_context:
            flag = "without --alone" if begun.in_context else "with --alone"
            raise CancerNetError(
                f"{self._part} was begun {flag}; repeat that command, move the file away, or name "
                "another --csv file"
            )
        self._drop_cut_line()
        done: set[str] = set()
        with _opened(self._part, "r") as file:
            for row in csv.DictReader(file):
                done.add(row["path"])
                self.failed += bool(row["error"])
        return done

    def _drop_cut_line(self) -> None:
        """Cuts the file after its last complete record."""
        columns = len(self._columns())
        end = 0
        with open(self._part, "rb") as file:
            record = b""
            for line in file:
                record += line
                # A quoted path may hold a newline: a record ends where quotes are paired.
                if not line.endswith(b"\r\n") or record.count(b'"') % 2:
                    continue
                if len(next(csv.reader([record.decode("utf-8", "replace")]))) == columns:
                    end += len(record)
                    record = b""
        with open(self._part, "rb+") as file:
            file.truncate(end)
        if end == 0:
            self._begin()

    def _identify(self, named: Sequence[Path]) -> _Owner:
        # Rows are recognized by their paths as they were typed, which must mean the same files.
        typed = [part for path in named for part in (str(path), str(path.resolve()))]
        return _Owner(
            run=self._run.name,
            checksum=self._run.record.checksum,
            images=hashlib.sha256("\0".join(typed).encode("utf-8", "surrogateescape")).hexdigest(),
            named=some([str(path) for path in named], 3),
            in_context=self._in_context,
        )

    def _columns(self) -> list[str]:
        own, alone = (
            [f"{prefix}_{name}" for name in self._run.classes] for prefix in PROBABILITIES
        )
        context = ["neighbours", *alone, "slide_point"] if self._in_context else []
        answer = ["label", "word", *own, "positive", "operating_point", "call"]
        return ["path", *answer, "unlike_training", "named_like_mask", *context, "error"]

    def _row(self, result: Prediction | Failure) -> list[object]:
        """Returns the cells of a result, in the order of `_columns`."""
        if isinstance(result, Failure):
            return [result.path, *[""] * (len(self._columns()) - 2), result.error]
        context: list[object] = []
        if isinstance(result, PredictionInContext):
            alone = result.alone_probabilities.values()
            context = [result.neighbours, *alone, result.slide_point]
        return [
            result.path,
            result.label,
            result.word,
            *result.probabilities.values(),
            result.positive,
            result.operating_point,
            result.call,
            result.unlike_training,
            result.named_like_mask,
            *context,
            "",
        ]


def _opened(path: Path, mode: str) -> IO[str]:
    """Opens a table; file names that are not valid UTF-8 are written as the bytes they are."""
    return open(path, mode, encoding="utf-8", errors="surrogateescape", newline="")


def distribution(path: Path, run: Run) -> list[str]:
    """Returns how many images of a CSV of predictions have each call, and each class, as lines.

    Of two classes the call is the class. Of more, one line says how many calls are not on the
    side of the most probable class. The last line says how many images are unlike the training
    images, if any.
    """
    with _opened(path, "r") as file:
        rows = csv.reader(file)
        columns = list(map(next(rows).index, ("label", "call", "unlike_training")))
        told = map(operator.itemgetter(*columns), rows)
        counts = Counter(each for each in told if each[0])
    if not counts:
        return []
    calls, labels = Counter[str](), Counter[str]()
    unlike = differ = 0
    for (name, call, warned), images in counts.items():
        labels[name] += images
        calls[call] += images
        unlike += images * (warned == "True")
        differ += images * ((call == Side.POSITIVE) != (name in run.positive))
    lines = _shares(labels, {name: run.word(name) for name in run.classes})
    if set(calls) & set(Side):
        called = _shares(calls, {side.value: side.value for side in reversed(Side)})
        other = counted(differ, "call is", "calls are")
        lines = [
            *("  called at the operating point:", *called),
            *("  most probable class:", *lines),
            *[f"  {other} not on the side of the most probable class"] * bool(differ),
        ]
    return lines + [f"warning: {unlike_of(unlike, counts.total())}"] * bool(unlike)


def _shares(counts: Counter[str], words: Mapping[str, str]) -> list[str]:
    total, width = counts.total(), max(map(len, words.values()))
    return [
        f"  {word:{width}}  {counts[name]:>8,}  {100 * counts[name] / total:5.1f} %"
        for name, word in words.items()
    ]


def check_target(path: Path) -> None:
    """Raises CancerNetError for a name that matplotlib cannot write, or that is taken."""
    if path.suffix.lower() not in FIGURES:
        raise CancerNetError(f"--figure {path} must end in one of {', '.join(FIGURES)}")
    if path.exists():
        raise CancerNetError(f"--figure {path} exists already; move it away or name another file")


def write_figure(path: Path, prediction: Prediction, run: Run, *, notice: str) -> None:
    """Writes the image as PNG, JPEG, PDF or SVG: its prediction above, the notice below."""
    from matplotlib.figure import Figure

    image = read_rgb(Path(prediction.path))
    image.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
    # A wide image gets a low figure; else the lines of text would stand far from it.
    height = 5.0 * min(1.0, max(0.2, image.height / image.width))
    figure = Figure(figsize=(5.2, min(5.9, 1.2 + height)), layout="constrained", dpi=150)
    axes = figure.subplots()
    axes.imshow(image)
    axes.axis("off")
    title, below = _shown(call_word(prediction)), grounds_of(prediction, run)
    if not is_of_sides(prediction):
        title += f": probability {score_text(prediction.probability)}"
    below += warnings_of(prediction)
    # The layout makes room for these, however many lines they take; for a text it does not.
    figure.suptitle(title, fontsize=12, wrap=True)
    axes.set_title("\n".join(below), fontsize=7.5, color="#444444", wrap=True)
    drawn = "Trained on drawn pictures: means nothing for tissue. " if run.drawn else ""
    figure.supxlabel(
        f"{_shown(Path(prediction.path).name)} · {_shown(run.name)}\n{drawn}{notice}",
        fontsize=7.5,
        wrap=True,
    )
    with written_beside(path) as temporary:
        figure.savefig(temporary)


def _shown(name: str) -> str:
    """Returns a name that matplotlib draws as it is: a dollar sign begins no formula."""
    return plain_name(name).replace("$", r"\$")
