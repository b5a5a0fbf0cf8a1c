"""What goes wrong outside the program: the table of docs/FAULTS.md, line by line.

Each test makes the fault, reads what a person is told, sees that what was there is there
still, takes the fault away, and sees that the same again succeeds. Training, also when it is
killed, and export are in `test_faults_training.py`.
"""

import csv
import errno
import json
import os
import re
import struct
import time
import unicodedata
import zlib
from pathlib import Path

import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, describe_os_error
from cancernet.base.verdicts import CheckVerdict, Verdict
from cancernet.building import build as building
from cancernet.building import staging
from cancernet.building.source_files import find_files
from cancernet.catalog import Reason
from cancernet.commands.predict import PredictFlags
from cancernet.commands.predict_images import predict_images
from cancernet.dataset.build_record import read_audit
from cancernet.dataset.manifest import read_dataset
from cancernet.runs import run_folder
from cancernet.scoring.inputs import Inputs
from cancernet.scoring.output import CsvFile
from cancernet.scoring.predictor import Predictor
from tests.helpers.building_trees import (
    build_it,
    files_under,
    left_out,
    make_tree,
    manifest,
    patch_path,
    write_patch,
)
from tests.helpers.fault_makers import (
    JumpingClock,
    files_end_at,
    in_fresh_process,
    memory_ends_at,
    mode,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path):
    return make_tree(tmp_path / "source")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "data" / "idc"


def alone_in(folder, *names):
    return sorted(path.name for path in folder.iterdir()) == sorted(names)


def large_png(side):
    """A black PNG, made without a piece of memory that Python would keep for later."""
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    content = b"\x89PNG\r\n\x1a\n"
    for kind, data in parts:
        content += struct.pack(">I", len(data)) + kind + data
        content += struct.pack(">I", zlib.crc32(kind + data))
    return content


# Building


def test_building_on_a_disk_that_fills_up(source, out):
    """The images still fit, the manifest does not."""
    build_it(source, out)
    before = files_under(out)
    with files_end_at(4096), pytest.raises(OSError) as refused:
        build_it(source, out, split="image")
    assert describe_os_error(refused.value).startswith("the disk is full")
    assert files_under(out) == before and alone_in(out.parent, "idc")
    assert not build_it(source, out, split="image").unchanged


def test_building_where_nothing_may_be_written(source, out):
    out.parent.mkdir()
    with mode(out.parent, 0o555), pytest.raises(OSError) as refused:
        build_it(source, out)
    said = describe_os_error(refused.value)
    assert said.startswith("permission denied (") and str(out.parent) in said
    assert alone_in(out.parent)
    build_it(source, out)


def test_building_from_files_that_vanish_change_or_cannot_be_read(source, out, monkeypatch):
    """All between the scan and the copy."""
    gone, cut, locked, changed = (source / patch_path("8001", 0, place) for place in range(4))
    good = cut.read_bytes()
    copy_all = building.transfer

    def meddle(*arguments, **options):
        gone.rename(source.parent / "gone.png")
        cut.write_bytes(good[:50])
        write_patch(changed, 4711)
        with mode(locked, 0):
            return copy_all(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(building, "transfer", meddle)
        assert build_it(source, out).facts.failed == 3
    said = {name.rpartition("/")[2]: why for name, why in left_out(out).items()}
    assert said[gone.name] == (Reason.UNREADABLE, "there is no such file")
    assert said[cut.name][0] == Reason.UNDECODABLE
    assert said[locked.name] == (Reason.UNREADABLE, "Permission denied")
    rows = {row["source"]: row for row in manifest(out)}
    assert len(rows) == 60
    # Of a file that changed, the copy and its checksum are of the same bytes.
    copied = out / rows[patch_path("8001", 0, 3)]["path"]
    assert copied.read_bytes() == changed.read_bytes()
    read_dataset(out).check_files()
    (source.parent / "gone.png").rename(gone)
    cut.write_bytes(good)
    outcome = build_it(source, out)
    assert not outcome.unchanged and outcome.facts.failed == 0


@in_fresh_process
def test_building_with_little_memory(source, out):
    build_it(source, out)  # everything is imported
    large = source / patch_path("8001", 0, 200)
    large.write_bytes(large_png(7500))
    with memory_ends_at(30_000_000):
        build_it(source, out)
    ((name, why),) = left_out(out).items()
    assert name == patch_path("8001", 0, 200)
    assert why == (Reason.UNREADABLE, "the image does not fit into memory")
    assert build_it(source, out).facts.failed == 0


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EBUSY])
@pytest.mark.parametrize("there", [True, False])
def test_building_where_folders_cannot_be_renamed(source, out, monkeypatch, code, there):
    """A mount point, or a folder in a layer of a container's image."""
    if there:
        build_it(source, out)
    before = files_under(out)
    rename = os.rename

    def refuse(old, new):
        if out in (Path(old), Path(new)):
            raise OSError(code, os.strerror(code), old)
        rename(old, new)

    with monkeypatch.context() as patch:
        patch.setattr(staging.os, "rename", refuse)
        with pytest.raises(CancerNetError, match=r"mount point .* a folder inside it with --out"):
            build_it(source, out, split="image")
    assert files_under(out) == before
    assert alone_in(out.parent, *["idc"] * there)
    build_it(source, out, split="image")


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP])
def test_building_without_hard_links(source, out, monkeypatch, code):
    def refuse(path, target, **options):
        raise OSError(code, os.strerror(code), path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        with pytest.raises(CancerNetError, match="use --link copy or --link symbolic"):
            build_it(source, out, link="hard")
    assert alone_in(out.parent)
    build_it(source, out, link="symbolic")


def test_building_when_clocks_jump(source, out, monkeypatch):
    """Files from before 1970 and from a future year; the clock goes backwards."""
    for place, year in enumerate((-10, 150)):
        when = year * 365 * 86400
        os.utime(source / patch_path("8001", 0, place), (when, when))
    monkeypatch.setattr(time, "time", JumpingClock().time)
    assert build_it(source, out).facts.failed == 0
    assert build_it(source, out).unchanged
    # An audit dated after the set is not that of the set as it is now.
    beside = out.parent / "idc.audit"
    beside.mkdir()
    check = {"name": "groups", "verdict": "ok", "sentence": "none"}
    content = {"fingerprint": read_dataset(out).fingerprint, "checks": [check]}
    (beside / "audit.json").write_text(json.dumps(content))
    os.utime(beside / "audit.json", (1, 1))
    assert read_audit(out) == [CheckVerdict("groups", Verdict.OK, "none")]
    (beside / "audit.json").write_text(json.dumps({**content, "fingerprint": "other"}))
    assert read_audit(out) == []


def test_names_with_newlines_and_in_two_forms_of_unicode(source, out, tiny_run, tmp_path):
    """One name composed and one decomposed (NFD, as from a Mac) are two files."""
    names = [unicodedata.normalize(form, "é\nü.png") for form in ("NFC", "NFD")]
    folder = source / "8001" / "0"
    for seed, name in enumerate(names):
        write_patch(folder / name, seed=900 + seed)
    if len({path.name for path in folder.iterdir()} & set(names)) < 2:
        pytest.skip("this file system takes both forms for one name")
    build_it(source, out)
    rows = {row["source"]: row["path"] for row in manifest(out)}
    assert {Path(rows[f"8001/0/{name}"]).name for name in names} == set(names)
    read_dataset(out).check_files()
    assert build_it(source, out).unchanged
    assert scored(tiny_run, folder, tmp_path / "p.csv") == (11, 0)
    assert [str(folder / name) for name in sorted(names)] == paths_in(tmp_path / "p.csv")[-2:]


def test_very_many_files_take_little_memory(tmp_path):
    """Ten thousand stand for a million: what is held per file is counted."""
    import tracemalloc

    first = tmp_path / "many" / "1_idx5_x1_y1_class0.png"
    write_patch(first, 1)
    assert list(Inputs([first.parent])) == [first] and find_files(first.parent)  # all is imported
    for number in range(10_000):
        os.link(first, first.with_name(f"1_idx5_x{number}_y7_class0.png"))
    tracemalloc.start()
    assert len(find_files(tmp_path / "many").images) == 10_001
    listed = tracemalloc.get_traced_memory()[1]
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    assert sum(1 for _ in Inputs([tmp_path / "many"])) == 10_001
    walked = tracemalloc.get_traced_memory()[1] - before
    tracemalloc.stop()
    assert listed / 10_001 < 700 and walked / 10_001 < 400  # bytes


# Scoring


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(40):
        Image.new("RGB", (48, 48), (number, 40, 150)).save(folder / f"{number:03d}.png")
    return folder


def scored(run, folder, table):
    return predict_images([folder], PredictFlags(csv=table), run_folder.open_run(run))


def paths_in(table):
    with open(table, encoding="utf-8", newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def test_scoring_on_a_disk_that_fills_up(tiny_run, images, tmp_path, capsys):
    table = tmp_path / "p.csv"
    with files_end_at(3000), pytest.raises(OSError) as refused:
        scored(tiny_run, images, table)
    assert describe_os_error(refused.value).startswith("the disk is full")
    assert not table.exists() and 0 < (tmp_path / "p.csv.part").stat().st_size <= 3000
    assert scored(tiny_run, images, table) == (40, 0)
    assert "images scored before; continuing" in capsys.readouterr().err
    assert paths_in(table) == [str(path) for path in sorted(images.iterdir())]
    assert not list(tmp_path.glob("p.csv.part*"))


def test_scoring_where_nothing_may_be_written(tiny_run, images, tmp_path):
    place = tmp_path / "answers"
    place.mkdir()
    with mode(place, 0o555), pytest.raises(OSError) as refused:
        scored(tiny_run, images, place / "p.csv")
    assert describe_os_error(refused.value).startswith("permission denied (")
    assert scored(tiny_run, images, place / "p.csv") == (40, 0)
    with mode(tiny_run, 0o555), mode(images, 0o555):  # only read: they may well be read-only
        assert scored(tiny_run, images, place / "q.csv") == (40, 0)


def test_scoring_files_that_vanish_change_or_cannot_be_read(tiny_run, images, tmp_path, capsys):
    listed = Inputs([images])
    (images / "007.png").unlink()
    (images / "008.png").write_bytes(b"cut")
    gone = tmp_path / "images" / "007.png"
    with mode(images / "009.png", 0):
        flags = PredictFlags(csv=tmp_path / "p.csv")
        tally = predict_images([*listed, gone], flags, run_folder.open_run(tiny_run))
    assert tally == (37, 3)
    said = capsys.readouterr().err
    assert "007.png: there is no such file" in said
    assert "008.png: this is not a PNG" in said
    assert "009.png: the file cannot be read (Permission denied)" in said
    assert len(paths_in(tmp_path / "p.csv")) == 40


def test_two_scorings_into_one_table(tiny_run, images, tmp_path):
    run, table = run_folder.open_run(tiny_run), tmp_path / "p.csv"
    first = CsvFile(table, run)
    with pytest.raises(CancerNetError, match=r"another process is filling .*p.csv; wait for it"):
        scored(tiny_run, images, table)
    assert list(first.write([])) == []
    assert paths_in(table) == [] and alone_in(tmp_path, "p.csv", "images", "output")


@in_fresh_process
def test_scoring_with_little_memory(tiny_run, tmp_path, capsys):

    folder = tmp_path / "large"
    folder.mkdir()
    Image.new("RGB", (48, 48), (9, 40, 150)).save(folder / "small.png")
    (folder / "large.png").write_bytes(large_png(7500))
    predictor = Predictor(run_folder.open_run(tiny_run))
    list(predictor.predict_many([folder / "small.png"]))
    with memory_ends_at(30_000_000):
        large, small = predictor.predict_many(sorted(folder.iterdir()))
    assert large.error == "the image does not fit into memory" and small.positive is not None
    large, _ = predictor.predict_many(sorted(folder.iterdir()))
    assert large.positive is not None


def test_scoring_when_the_clock_jumps(tiny_run, images, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "time", JumpingClock().time)
    assert scored(tiny_run, images, tmp_path / "p.csv") == (40, 0)


# Serving: it writes nothing but its log, so there is little to lose


@pytest.fixture
def server(tiny_run):
    pytest.importorskip("fastapi")
    from tests.serving.test_serving import Server

    with Server(run_folder.open_run(tiny_run)) as server:
        yield server


def answer(server):
    from tests.helpers.serving_examples import picture

    done = server.send("/predict", picture())
    assert done.status_code == 200, done.text
    return done.json()["positive_probability"]


def test_serving_on_a_full_disk_from_folders_that_may_only_be_read(server, tiny_run):
    expected = answer(server)
    with mode(tiny_run, 0o555), files_end_at(0):
        assert answer(server) == expected


def test_serving_with_a_log_that_cannot_grow(server, tmp_path):
    with open(tmp_path / "log", "w") as log:
        with files_end_at(200):
            server.journal._stream = log
            found = {answer(server) for _ in range(20)}
            assert (tmp_path / "log").stat().st_size == 200
        answer(server)
    assert len(found) == 1 and (tmp_path / "log").stat().st_size > 400  # it goes on


def test_serving_when_the_run_vanishes_or_changes(server, tiny_run):
    """The model is in memory; what is loaded later is compared with what was loaded first."""
    expected = answer(server)
    (tiny_run / run_folder.MODEL_ONNX).write_bytes(b"another")
    assert answer(server) == expected
    tiny_run.rename(tiny_run.with_name("moved"))
    assert answer(server) == expected and server.client.get("/health").status_code == 200


def test_serving_when_the_clock_jumps(server, monkeypatch):
    expected = answer(server)
    monkeypatch.setattr(time, "time", JumpingClock().time)
    assert answer(server) == expected


@in_fresh_process
def test_serving_with_little_memory(server):
    """The image is refused in a sentence; the server goes on."""
    from tests.serving.test_serving import problem

    large = large_png(5000)
    expected = answer(server)
    with memory_ends_at(15_000_000):
        refused = server.send("/predict", large)
    assert "does not fit into memory" in problem(refused, refused.status_code)
    assert answer(server) == expected


# The table itself


def test_every_test_that_the_table_names_is_there():
    text = (ROOT / "docs" / "FAULTS.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]*test_\w+)::(test_\w+)`", text))
    assert len(named) > 30
    for file, name in named:
        code = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
        assert f"def {name}(" in code, f"{file}::{name}"
