"""A run folder: everything a trained model needs, complete in itself.

    output/<run>/
        run.json         what was trained, on what, how, and the facts prediction needs
        model.keras      the network for Keras          model.onnx   the same for ONNX Runtime
        metrics.json     predictions.csv   history.csv  figures/     report.html
        log.jsonl        one line an epoch, for whoever watches
        checkpoint/      only while the training is unfinished

`run.json` is written last: a run counts as finished when it says so, and it holds
the SHA-256 of the files it vouches for and of itself.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cancernet import __version__
from cancernet.base.errors import RunError
from cancernet.base.files import read_json, sha256_of, write_json
from cancernet.base.locks import LockedError, lock
from cancernet.config import INTERPOLATIONS, OUTPUT
from cancernet.measures.validation.calibration import NONE, Calibration

RUN_FILE = "run.json"
MODEL_KERAS = "model.keras"
MODEL_ONNX = "model.onnx"
CHECKPOINT = "checkpoint"
LOCK = ".lock"
LOG = "log.jsonl"
CROSS_VALIDATION = "cross_validation.json"  # in place of run.json, over runs in fold-XX/
FORMAT = 1
LONGEST_SIDE = 4096  # pixels of a network's input; the largest published ones take 800


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run, as prediction sees it.

    Attributes:
        folder: where it lies.
        classes: class names in the order of the model's outputs.
        words: what each class means to a reader.
        positive: the classes that count as positive.
        width: width of the network's input, pixels.
        height: height of the network's input, pixels.
        interpolation: how images are scaled to that size.
        threshold: operating point; positive when the positive classes' probability
            is at least this.
        rule: how the operating point was chosen, in words.
        calibration: the correction of probabilities; runs from before there was one have
            none. The threshold is on the corrected scale.
        drawn: whether the model was trained on drawn data.
        leak: what leaks between the splits of its data, or empty.
        content: the whole of run.json.
    """

    folder: Path
    classes: tuple[str, ...]
    words: tuple[str, ...]
    positive: tuple[str, ...]
    width: int
    height: int
    interpolation: str
    threshold: float
    rule: str
    calibration: Calibration
    drawn: bool
    leak: str
    content: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def onnx(self) -> Path:
        """The model for ONNX Runtime."""
        return self.folder / MODEL_ONNX

    @property
    def keras(self) -> Path:
        """The model for Keras."""
        return self.folder / MODEL_KERAS

    @property
    def positive_words(self) -> str:
        """The positive classes in words, e.g. "IDC"."""
        return " or ".join(self.words[self.classes.index(name)] for name in self.positive)

    def word(self, label: str) -> str:
        """What a class means to a reader."""
        return self.words[self.classes.index(label)]


def whole_of(folder: Path) -> Path:
    """Returns the cross-validation of which a run is a fold, or the run itself."""
    return folder.parent if (folder.parent / CROSS_VALIDATION).is_file() else folder


def open_run(folder: Path, *, check: tuple[str, ...] = (MODEL_ONNX,)) -> Run:
    """Opens a finished run and verifies the files that will be used.

    Args:
        folder: the run folder.
        check: names of the files whose SHA-256 is compared with run.json.

    Raises:
        RunError: no run there, unfinished, a file missing or altered.
    """
    folder = Path(folder)
    content = read_run_file(folder)
    if content.get("status") != "finished":
        raise RunError(
            f"the training in {folder} is not finished; go on with "
            f"`python train_model.py --resume --run {whole_of(folder)}`"
        )
    for name in check:
        _check_file(folder, name, content)
    return as_run(folder, content)


def as_run(folder: Path, content: dict[str, Any]) -> Run:
    """Makes a `Run` of the content of a run.json.

    Without an operating point, as before validation was scored, the threshold is NaN.

    Raises:
        RunError: something prediction needs is not there.
    """
    operating_point = content.get("operating_point") or {"threshold": math.nan, "rule": ""}
    try:
        _check_facts(content, operating_point)
        return Run(
            folder=folder,
            classes=tuple(content["classes"]),
            words=tuple(content["words"]),
            positive=tuple(content["positive"]),
            width=int(content["input"]["width"]),
            height=int(content["input"]["height"]),
            interpolation=content["input"]["interpolation"],
            threshold=float(operating_point["threshold"]),
            rule=operating_point["rule"],
            calibration=Calibration.from_dict(content.get("calibration") or NONE.as_dict()),
            drawn=bool(content["dataset"]["drawn"]),
            leak=content["dataset"]["leak"],
            content=content,
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RunError(
            f"{folder / RUN_FILE} lacks or garbles {error}; train again or restore the file"
        ) from None


def read_run_file(folder: Path) -> dict[str, Any]:
    """Reads and verifies run.json.

    Raises:
        RunError: missing, damaged, altered, or written by a newer format.
    """
    path = folder / RUN_FILE
    if not folder.exists():
        raise RunError(f"there is no run folder {folder}; train one with `python train_model.py`")
    if not folder.is_dir():
        raise RunError(f"{folder} is a file; a run is a folder, such as output/<run>")
    try:
        content = read_json(path)
    except FileNotFoundError:
        if (folder / CROSS_VALIDATION).exists():
            raise RunError(
                f"{folder} holds a cross-validation; name one of its folds, such as "
                f"{folder / 'fold-01'}"
            ) from None
        raise RunError(f"{folder} is not a run folder: it holds no {RUN_FILE}") from None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read ({error}); restore it from a copy") from None
    if not isinstance(content, dict) or content.get("checksum") != _checksum(content):
        raise RunError(
            f"{path} was altered after training (its checksum differs), so its operating "
            "point and classes cannot be trusted; restore it from a copy"
        )
    if content.get("format") != FORMAT:
        raise RunError(
            f"{path} has format {content.get('format')}, this program reads format {FORMAT}; "
            "use the version that wrote it"
        )
    return content


def write_run_file(folder: Path, content: dict[str, Any]) -> None:
    """Writes run.json atomically, with the format, the version and its checksum."""
    content = {"format": FORMAT, "program": __version__, **content}
    content.pop("checksum", None)
    content["checksum"] = _checksum(content)
    write_json(folder / RUN_FILE, content)


def vouch_for(folder: Path, names: list[str]) -> dict[str, str]:
    """Returns {file name: SHA-256} of files in a run folder, for run.json."""
    return {name: sha256_of(folder / name) for name in names}


def newest_run(output: Path = OUTPUT) -> Path:
    """Returns the folder of the run that finished last.

    Raises:
        RunError: there is none; the message says which command makes one.
    """
    finished: list[tuple[str, Path]] = []
    for path in Path(output).glob(f"*/{RUN_FILE}"):
        try:
            content = read_run_file(path.parent)
        except RunError:
            continue  # a damaged run must not hide the sound ones
        if content.get("status") == "finished":
            finished.append((str(content.get("finished", "")), path.parent))
    if not finished:
        raise RunError(
            f"there is no trained run in {output}; train one with `python train_model.py`, "
            "or name one with --run"
        )
    return max(finished)[1]


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from training into a run folder.

    Raises:
        RunError: another process holds it.
    """
    try:
        with lock(folder / LOCK):
            yield
    except LockedError:
        raise RunError(f"another process is training in {folder}; wait for it to end") from None


def now() -> str:
    """The time as ISO 8601 in UTC with microseconds, which sorts as text."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="microseconds")


def _check_file(folder: Path, name: str, content: dict[str, Any]) -> None:
    files = content.get("files")
    expected = files.get(name) if isinstance(files, dict) else None
    try:
        found = sha256_of(folder / name)
    except FileNotFoundError:
        raise RunError(f"{folder} lacks {name}; restore it from a copy or train again") from None
    if found != expected:
        raise RunError(
            f"{folder / name} was altered or damaged after training (its SHA-256 differs from "
            f"{RUN_FILE}); restore it from a copy or train again"
        )


def _check_facts(content: dict[str, Any], point: dict[str, Any]) -> None:
    """Raises ValueError, naming the entry, where prediction would stumble over it.

    The checksum keeps accidents out; whoever wants to do harm computes another.
    """
    classes, words, positive = content["classes"], content["words"], content["positive"]
    sides = [content["input"][side] for side in ("width", "height")]
    sound = {
        "classes": _are_names(classes) and len(set(classes)) == len(classes) > 1,
        "words": _are_names(words) and len(words) == len(classes),
        "positive": _are_names(positive) and 0 < len(set(positive) & set(classes)) < len(classes),
        "input": all(type(side) is int and 0 < side <= LONGEST_SIDE for side in sides),
        "interpolation": content["input"]["interpolation"] in INTERPOLATIONS,
        "threshold": not math.isinf(float(point["threshold"])),
        "rule": isinstance(point["rule"], str),
        "leak": isinstance(content["dataset"]["leak"], str),
    }
    for name, holds in sound.items():
        if not holds:
            raise ValueError(f"{name!r}")
    if not set(positive) <= set(classes):
        raise ValueError("'positive'")


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def _checksum(content: dict[str, Any]) -> str:
    rest = {key: value for key, value in content.items() if key != "checksum"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()
