"""Everything that parses what others wrote, each with a strategy of hostile inputs.

A `Parser` pairs a strategy with a function that writes one input below a folder and reads it
with the program. Only `CancerNetError`, or what the function documents, may come out.
`tests/faults/test_hostile.py` tries a few of each, `benchmarks/fuzz.py` as many as
there is time for.
"""

import contextlib
import csv
import dataclasses
import hashlib
import io
import json
import os
import sqlite3
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from hypothesis import strategies as st

from cancernet import catalog
from cancernet.base.errors import CancerNetError, ImageError
from cancernet.base.files import json_text
from cancernet.base.records import from_json
from cancernet.base.tables import read_list
from cancernet.building.transfer import decoded_size
from cancernet.dataset import build_record, manifest
from cancernet.dataset.label_table import IdentifyByTable, read_labels
from cancernet.evaluation.labelled_images import read_labelled
from cancernet.evaluation.subgroups import read_columns
from cancernet.images.reading import read_rgb, to_array
from cancernet.measures.scored import read_scored
from cancernet.recipe_file import read_recipe
from cancernet.report.rendering import heat_map_of
from cancernet.runs import run_folder
from cancernet.runs.run_folder import read_cross_validation
from cancernet.runs.run_record import RunRecord
from cancernet.runs.status import describe_status
from cancernet.sample.folder import drawn_marker
from cancernet.scoring import model_file
from cancernet.scoring.inputs import listed_images
from cancernet.slides.scoring import read_place
from cancernet.training.data.pixel_cache import map_array
from tests.helpers.hostile_inputs import (
    HOSTILE_TEXT,
    changed_bytes,
    changed_json,
    changed_png,
    images_by_format,
    images_of_all_formats,
    tables,
)

Feed = Callable[[Path, Any], bool | None]  # whether it was read, where that is known
PIXELS = 100_000  # the limit that images are read with here


@dataclasses.dataclass(frozen=True)
class Parser:
    """What is fed, and how."""

    name: str
    inputs: st.SearchStrategy[Any]
    feed: Feed
    share: float = 1.0  # of the examples that the others get; below 1 for slow ones


def stood(work: Callable[[], Any], *errors: type[Exception]) -> bool:
    """Calls; an error that a person is meant to read, or a documented one, is all right.

    Returns whether there was none.
    """
    try:
        work()
        return True
    except CancerNetError as error:
        sentence = str(error)
        assert sentence.strip() and "Traceback" not in sentence and len(sentence) < 20_000
    except errors:
        pass
    return False


def _image(folder: Path, content: bytes) -> bool:
    def read() -> None:
        image = read_rgb(content, maximum_pixels=PIXELS)
        assert image.mode == "RGB" and image.width * image.height <= PIXELS
        to_array(image, width=8, height=8)

    return stood(read)


def _size(folder: Path, content: bytes) -> None:
    def read() -> None:
        width, height, *_ = decoded_size(content)
        assert (width, height) == read_rgb(content).size

    if len(content) < 2 or b"\xea\x60" not in content:  # 60,000: 64 million pixels are slow
        stood(read)


def _file(name: str, read: Callable[[Path], Any]) -> Feed:
    def feed(folder: Path, content: str | bytes) -> None:
        path = folder / name
        if isinstance(content, str):
            content = content.encode("utf-8", "surrogatepass")
        path.write_bytes(content)
        stood(lambda: read(path))

    return feed


RUN = {
    "format": 1, "program": "0.1.0", "status": "finished", "finished": "2026-01-01T00:00:00+00:00",
    "created": "2026-01-01T00:00:00+00:00", "classes": ["0", "1"], "words": ["no IDC", "IDC"],
    "positive": ["1"], "input": {"width": 48, "height": 48, "interpolation": "bilinear"},
    "operating_point": {"threshold": 0.4, "rule": "fixed threshold 0.4", "rule_name": "fixed",
                        "sensitivity": None, "specificity": 0.5, "images": 2, "patients": None},
    "calibration": {"method": "temperature", "temperature": 1.2, "positive": None, "knots": [],
                    "note": ""},
    "dataset": {"drawn": True, "leak": "", "name": "idc", "fingerprint": "0"},
    "config": {"epochs": 3, "fine_tune_epochs": 0}, "files": {},
}  # fmt: skip


def _run(folder: Path, text: str) -> None:
    """Writes run.json with a checksum that holds, opens it and reads a prediction with it."""
    path = folder / run_folder.RUN_FILE
    try:
        content = json.loads(text)
        assert isinstance(content, dict)
        rest = {key: value for key, value in content.items() if key != "checksum"}
        plain = json.dumps(rest, sort_keys=True, ensure_ascii=False)
        content["checksum"] = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()
        text = json.dumps(content)
    except (AssertionError, ValueError, RecursionError):
        pass
    path.write_text(text)

    def use() -> None:
        from cancernet.scoring.prediction import Score, interpret
        from cancernet.scoring.predictor import Predictor

        run = run_folder.open_run(folder, check=())
        predictor = object.__new__(Predictor)
        predictor.run = run
        assert run.record.input.width * run.record.input.height <= 10**8
        predictor.prepare(SMALL_IMAGE)
        row = run.calibration.apply(np.full((1, len(run.classes)), 1 / len(run.classes)))
        json_text(interpret(run, "x", Score(row[0]), run.threshold))
        assert run.positive_words

    stood(use)
    stood(lambda: run_folder.newest_run(folder.parent))
    stood(lambda: describe_status(folder))


SMALL_IMAGE = images_of_all_formats()[0]

BUILD = {
    "dataset": "idc", "title": "t", "classes": ["0", "1"], "words": ["a", "b"], "positive": ["1"],
    "drawn": True, "leak": "", "warnings": [], "split_kind": "by patient",
    "counts": {"training": {"patients": 1, "images": 1, "positives": 1, "classes": {"0": 1}}},
    "left_out": {"empty": 1}, "image_size": {"width": 50, "height": 50, "images": 1},
    "unit": "patient", "leaks": [], "absent": {"training": []},
}  # fmt: skip


def _dataset(folder: Path, both: tuple[str, bytes]) -> None:
    """Writes build.json with the right fingerprint of whatever the manifest is."""
    text, table = both
    (folder / manifest.MANIFEST).write_bytes(table)
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(text)
        if isinstance(content, dict):
            text = json.dumps({**content, "fingerprint": hashlib.sha256(table).hexdigest()})
    (folder / build_record.BUILD).write_text(text)

    def use() -> None:
        dataset = manifest.read_dataset(folder)
        for part in dataset.parts.values():
            for path in part.paths:
                whole = Path(os.path.normpath(folder / path))
                assert whole.is_relative_to(folder), "a path leaves the data set"
        manifest.content_of(dataset, "training")
        stood(dataset.check_files)
        _run_for_tables(folder, folder)

    stood(use)


def _run_for_tables(folder: Path, named: Path) -> None:
    run = run_folder.Run(folder=folder, record=from_json(RunRecord, RUN))
    read_labelled(named, run)


MANIFEST_CELLS = st.one_of(
    st.sampled_from(["training/0/a.png", "training", "testing", "0", "1", "0" * 64, "p1"]),
    HOSTILE_TEXT,
)


@st.composite
def manifests(draw: Any) -> bytes:
    """Tables of the manifest's columns, one cell or all of them hostile."""
    if draw(st.booleans()):
        return draw(tables(manifest.COLUMNS, MANIFEST_CELLS))
    row = ["training/0/a.png", "s", "p", "0", "training", "0" * 64, "1", "2"]
    row[draw(st.integers(0, len(row) - 1))] = draw(MANIFEST_CELLS)
    text = io.StringIO()
    csv.writer(text).writerows([manifest.COLUMNS, row])
    return text.getvalue().encode("utf-8", "surrogatepass")


def _labels(path: Path) -> None:
    table = read_labels(path, ("benign", "malignant"))
    entry = catalog.DATASETS["mammography-csv"]
    IdentifyByTable.match(table, entry, ["Train/a.png", "b.png"], pattern="")


def _listed(path: Path) -> None:
    for image in listed_images(path, [path.parent]):
        with contextlib.suppress(ImageError):
            read_rgb(image)


def _labelled(path: Path) -> None:
    _run_for_tables(path.parent, path)


def _catalog_names(folder: Path, name: str) -> None:
    for entry in catalog.DATASETS.values():
        with contextlib.suppress(catalog.LeftOut):
            found = entry.identify(PurePosixPath(name))
            np.array([found.x or 0, found.y or 0], np.int64)
    place = read_place(Path(name))
    if place is not None:
        np.array([place.x, place.y], np.int64)


PATH_PARTS = st.one_of(
    st.sampled_from(["0", "1", "8863", "benign", "malignant", "IDC_regular_ps50_idx5"]),
    st.sampled_from(
        [
            "8863_idx5_x51_y1251_class0.png", f"8863_idx5_x{'9' * 30}_y1_class1.png",
            "benign (1).png", "benign (1)_mask.png", "1_idx5_x1_y１_class1.png",
        ]
    ),
    HOSTILE_TEXT.filter(lambda text: "/" not in text),
)  # fmt: skip
NAMES = st.lists(PATH_PARTS, min_size=1, max_size=4).map("/".join)

LOG_LINES = st.lists(
    changed_json([{"epoch": 1, "time": "2026-01-01T00:00:00+00:00", "loss": 0.5}]), max_size=4
).map("\n".join)


def _log(folder: Path, text: str) -> None:
    run_folder.write_run_file(folder, {**RUN, "status": "training"})
    (folder / run_folder.LOG).write_bytes(text.encode("utf-8", "surrogatepass"))
    stood(lambda: describe_status(folder))


CHECKPOINT = {
    "history": [{"epoch": 1.0, "loss": 0.5}], "best_value": 0.5, "best_epoch": 1, "waited": 0,
    "plateau_waited": 0, "seconds": 1.0, "cpu_seconds": 1.0, "phase": 0, "phase_start": 0,
}  # fmt: skip


def npz(state: bytes, *, packed: bool = False, **arrays: Any) -> bytes:
    """A checkpoint as bytes."""
    file = io.BytesIO()
    save = np.savez_compressed if packed else np.savez
    save(file, state=np.frombuffer(state, np.uint8), **arrays)
    return file.getvalue()


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    """An archive as bytes; names are taken as they are."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy_header(shape: str, kind: str = "'<f4'") -> bytes:
    """A `.npy` file that claims a shape and holds nothing."""
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


NPZ_SEEDS = [
    npz(json.dumps(CHECKPOINT).encode(), v00000=np.zeros((3, 2), np.float32)),
    npz(json.dumps(CHECKPOINT).encode(), packed=True, v00000=np.zeros((3, 2), np.float32)),
    zipped({"state.npy": npy_header("(10**3,)"), "v00000.npy": npy_header("(99999999999999,)")}),
    zipped({"state.npy": npy_header("(" * 90 + "1" + ")" * 90)}),
    zipped({"state.npy": npy_header("(1,)", "'|O'") + b"\x80\x04N.", "v": b"cos\nsystem\n."}),
]
CHECKPOINTS = st.one_of(
    changed_bytes(NPZ_SEEDS), changed_json([CHECKPOINT]).map(lambda text: npz(text.encode()))
)


def _checkpoint(path: Path) -> None:
    from cancernet.training.loop.checkpoint import load_state

    state = load_state(path.parent)
    assert state.epochs >= 0 and state.phase in (0, 1)


def _study(path: Path) -> None:
    from cancernet.tuning.study import open_study, study_place

    open_study(
        study_place(str(path), path.parent),
        maximize=True,
        identity={"--search": ["epochs"], "data": "x"},
        first={"epochs": 3},
    )


def junk_studies() -> list[bytes]:
    """SQLite files that are no study, or almost one."""
    found = []
    scripts = (
        "CREATE TABLE studies (x)",
        "CREATE TABLE version_info (version_info_id INTEGER PRIMARY KEY, schema_version INTEGER, "
        "library_version VARCHAR(256)); INSERT INTO version_info VALUES (1, 12, '9.9');",
        "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('zz');",
        "CREATE VIEW studies AS SELECT 1",
    )
    for script in scripts:
        with contextlib.closing(sqlite3.connect(":memory:")) as base:
            base.executescript(script)
            found.append(base.serialize())
    return found


def _whole_file(folder: Path, number: str) -> None:
    for part in (f"model.h5.part{number}", "model.h5.part1"):
        (folder / part).write_bytes(b"x")
    for digits in (None, "0" * 64, "x"):

        def join(digits: str | None = digits) -> None:
            with model_file.whole_file(folder / "model.h5", sha256=digits):
                raise AssertionError("a wrong hash was taken")

        stood(join)
    for path in folder.iterdir():
        path.unlink()


KERAS_CONFIG = {
    "module": "keras", "class_name": "Sequential", "registered_name": None,
    "config": {"name": "s", "layers": [
        {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
         "config": {"batch_shape": [None, 8, 8, 3], "dtype": "float32", "name": "i"}},
        {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
         "config": {"units": 2, "name": "d"}, "build_config": {"input_shape": [None, 3]}},
    ]},
}  # fmt: skip
LAMBDA = {"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}}


def keras_archives() -> list[bytes]:
    """`.keras` files, sound and not."""
    text = json.dumps(KERAS_CONFIG).encode()
    members = {
        "metadata.json": b"{}",
        "config.json": text,
        "model.weights.h5": b"\x89HDF\r\n\x1a\n",
    }
    return [
        zipped(members),
        zipped(members, zipfile.ZIP_DEFLATED),
        zipped({**members, "../../outside": b"x"}),
        zipped({**members, "/tmp/outside": b"x", "assets/layers/x/vocabulary.txt": b"y"}),
    ]


KERAS_FILES = st.one_of(
    changed_bytes(keras_archives()),
    changed_json([KERAS_CONFIG]).map(lambda text: zipped({"config.json": text.encode()})),
)

ARRAYS = changed_bytes([npy_header("(2, 2)") + bytes(16), npy_header("(10**9,)"), *NPZ_SEEDS[:1]])
NUMBERS = st.one_of(
    st.text("0123456789", min_size=1, max_size=40), st.sampled_from(["9" * 200, "٣", "00", "-1"])
)
SUBGROUP_CELLS = st.one_of(st.sampled_from(["a", "b"]), HOSTILE_TEXT)
LABEL_CELLS = st.one_of(st.sampled_from(["a.png", "b.png", "benign", "0", "1"]), HOSTILE_TEXT)
SCORED_CELLS = st.one_of(st.sampled_from(["0", "1", "0.5", "a.png"]), HOSTILE_TEXT)
FOLDS = {
    "status": "training", "asked": "2", "dataset": {"folder": "d", "fingerprint": "0"},
    "folds": [{"number": 1, "testing": ["a"], "validation": ["b"]}],
}  # fmt: skip
RECIPE = {
    "kind": "cancernet recipe", "format": 1,
    "settings": {"model": "cancernet", "epochs": 3, "learning_rate": 0.1, "cache": True,
                 "momentum": 0, "seed": 1, "dataset": "idc", "image_size": 48},
}  # fmt: skip
AUDITED = {"name": "a", "verdict": "b", "sentence": "c"}
STUDIES = st.one_of(st.sampled_from(junk_studies()), changed_bytes(junk_studies()))
HEAT_LINES = st.lists(
    changed_json([{"path": "a.png", "overlay": "a-overlay.png"}]), max_size=3
).map("\n".join)


def _heat_maps(folder: Path, text: str) -> None:
    (folder / "e").mkdir(exist_ok=True)
    (folder / "e" / "explanations.jsonl").write_bytes(text.encode("utf-8", "surrogatepass"))
    for image in ("a.png", "b/../a.png", ".."):
        found = heat_map_of(folder)(image)
        assert found is None or found.is_relative_to(folder)


BY_FORMAT = {
    kind: Parser(kind, changed_bytes(seeds), _image) for kind, seeds in images_by_format().items()
}
PARSERS = [
    Parser("image, bytes changed", changed_bytes(images_of_all_formats()), _image),
    Parser("image, header lies", changed_png(), _image),
    Parser("image, other formats", st.one_of([each.inputs for each in BY_FORMAT.values()]), _image),
    Parser("image, size when building", changed_bytes(images_of_all_formats()[:6]), _size),
    Parser("file names, catalogue", NAMES, _catalog_names),
    Parser("run.json", changed_json([RUN]), _run),
    Parser(
        "calibration",
        changed_json(
            [RUN["calibration"], {"method": "isotonic", "positive": 1, "knots": [[0, 0], [1, 1]]}]
        ).map(lambda text: json.dumps({**RUN, "calibration": _loaded(text)})),
        _run,
    ),
    Parser("build.json, manifest.csv", st.tuples(changed_json([BUILD]), manifests()), _dataset),
    Parser("manifest.csv alone", st.tuples(st.just(json.dumps(BUILD)), manifests()), _dataset),
    Parser("log.jsonl", LOG_LINES, _log),
    Parser("explanations.jsonl", HEAT_LINES, _heat_maps),
    Parser("cross_validation.json", changed_json([FOLDS]),
           _file("cross_validation.json", lambda path: read_cross_validation(path.parent))),
    Parser("DRAWN.json", changed_json([{"drawn": True}]),
           _file("DRAWN.json", lambda path: drawn_marker(path.parent))),
    Parser("audit.json", changed_json([{"checks": [AUDITED]}]),
           _file("audit.json", lambda path: _audit(path))),
    Parser("recipe file", changed_json([RECIPE]), _file("recipe.json", read_recipe)),
    Parser("split list", st.one_of(st.binary(max_size=60), HOSTILE_TEXT),
           _file("list.txt", read_list)),
    Parser("label table", tables(("filename", "label", "patient"), LABEL_CELLS),
           _file("labels.csv", _labels)),
    Parser("list of images", tables(("filename",), LABEL_CELLS), _file("list.csv", _listed)),
    Parser("labelled images", tables(("path", "label", "patient"), LABEL_CELLS),
           _file("table.csv", _labelled)),
    Parser("subgroups", tables(("patient", "site"), SUBGROUP_CELLS),
           _file("groups.csv", read_columns)),
    Parser("predictions.csv",
           tables(("path", "patient", "label", "predicted", "probability_0", "probability_1"),
                  SCORED_CELLS),
           _file("predictions.csv", read_scored)),
    Parser("checkpoint", CHECKPOINTS, _file("latest.npz", _checkpoint)),
    Parser("pixel cache", ARRAYS,
           _file("a.npy", lambda p: map_array(p, shape=(2, 2), dtype=np.dtype("<f4")))),
    Parser("model parts", NUMBERS, _whole_file),
    Parser(".keras without a run", KERAS_FILES, _file("model.keras", model_file.vet)),
    Parser("Optuna study", STUDIES,
           _file("study.db", _study), share=0.1),
]  # fmt: skip


def _loaded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text[:100]


def _audit(path: Path) -> None:
    folder = path.parent / "set"
    folder.mkdir(exist_ok=True)
    (folder / build_record.BUILD).write_text("{}")
    os.utime(folder / build_record.BUILD, (0, 0))
    beside = path.parent / "set.audit"
    beside.mkdir(exist_ok=True)
    (beside / build_record.AUDIT).write_bytes(path.read_bytes())
    build_record.read_audit(folder)
