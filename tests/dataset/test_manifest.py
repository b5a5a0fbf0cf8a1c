"""Reading a built set: quick, complete, and suspicious of what was changed."""

import csv
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of
from cancernet.base.verdicts import CheckVerdict, Verdict
from cancernet.config import SPLITS
from cancernet.dataset.build_record import read_audit, read_build, read_fingerprint
from cancernet.dataset.manifest import (
    COLUMNS,
    NO_POSITION,
    content_of,
    digest,
    manifest_rows,
    read_dataset,
)
from cancernet.dataset.notices import say_leaks
from tests.helpers.building_trees import build_it, make_tree, manifest, write_patch


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    source = make_tree(folder / "source")
    write_patch(source / "8001" / "0" / "no position.png", seed=777)
    build_it(source, folder / "idc")
    return folder / "idc"


@pytest.fixture
def copied(built, tmp_path):
    return shutil.copytree(built, tmp_path / "idc")


def test_reads_what_was_built(built):
    dataset = read_dataset(built)
    assert (dataset.name, dataset.drawn, dataset.leak) == ("idc", False, "")
    assert (dataset.classes, dataset.words, dataset.positive) == (
        ("0", "1"), ("no IDC", "IDC"), ("1",),
    )  # fmt: skip
    assert dataset.image_size == (10, 10) and "by patient" in dataset.split_kind
    for split in SPLITS:
        part, rows = dataset.split(split), [r for r in manifest(built) if r["split"] == split]
        assert part.paths == [row["path"] for row in rows]
        assert part.patients == [row["patient"] for row in rows]
        assert part.labels.dtype == np.int64
        assert [dataset.classes[i] for i in part.labels] == [row["label"] for row in rows]
        assert part.x.tolist() == [int(row["x"] or NO_POSITION) for row in rows]
        assert part.y.tolist() == [int(row["y"] or NO_POSITION) for row in rows]
        assert dataset.counts[split].images == len(rows)
    dataset.check_files()


def test_a_changed_manifest_is_not_believed(copied):
    path = copied / "manifest.csv"
    path.write_text(path.read_text().replace("training", "testing", 1))
    with pytest.raises(CancerNetError, match="is not the file that was built"):
        read_dataset(copied)


def test_missing_and_empty_images_are_named(copied):
    dataset = read_dataset(copied)
    lost = dataset.split("testing").paths[0]
    (copied / lost).unlink()
    (copied / dataset.split("testing").paths[1]).write_bytes(b"")
    with pytest.raises(CancerNetError, match=f"2 images of .* are missing or empty, first {lost}"):
        dataset.check_files()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: shutil.rmtree(folder), "there is no data set in"),
        (lambda folder: (folder / "build.json").unlink(), "nobody knows its patients"),
        (lambda folder: (folder / "manifest.csv").unlink(), "has lost its manifest"),
        (lambda folder: (folder / "build.json").write_text("{"), "cannot be read"),
        (lambda folder: (folder / "build.json").write_text("[]"), "not an object"),
        (lambda folder: forget(folder, "classes"), "`classes` is missing"),
    ],
)
def test_damage_is_said_in_a_sentence(copied, damage, words):
    damage(copied)
    with pytest.raises(CancerNetError, match=words):
        read_dataset(copied)


def forget(folder, field):
    facts = json.loads((folder / "build.json").read_text())
    del facts[field]
    (folder / "build.json").write_text(json.dumps(facts))


def test_a_folder_that_is_no_data_set_is_told_apart(tmp_path):
    with pytest.raises(CancerNetError, match="is not a built data set"):
        read_dataset(tmp_path)


def test_a_whole_data_set_is_read(copied):
    facts = json.loads((copied / "build.json").read_text())
    with open(copied / "manifest.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["path", "source", "patient", "label", "split", "sha256", "x", "y"])
        for i in range(277_524):
            split, name = SPLITS[i % 3], f"{8000 + i % 279}_idx5_x{i}_y{i}_class{i % 2}.png"
            writer.writerow([f"{split}/{i % 2}/{name}", f"{8000 + i % 279}/{i % 2}/{name}",
                             8000 + i % 279, i % 2, split, "0" * 64, i, i])  # fmt: skip
    facts["fingerprint"] = sha256_of(copied / "manifest.csv")
    (copied / "build.json").write_text(json.dumps(facts))
    dataset = read_dataset(copied)
    assert sum(len(part.paths) for part in dataset.parts.values()) == 277_524


def test_a_missing_data_set_is_told_how_to_get_that_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        CancerNetError, match=r"--dataset busi`, or draw .*--dataset busi --sample`"
    ):
        read_dataset(Path("datasets/busi"))
    (tmp_path / "datasets" / "sample" / "busi").mkdir(parents=True)
    with pytest.raises(CancerNetError, match="--data datasets/sample/busi"):
        read_dataset(Path("datasets/busi"))
    with pytest.raises(CancerNetError, match=r"`python build_dataset.py`, or draw"):
        read_dataset(Path("elsewhere"))


ROW = ["training/0/a.png", "8001/0/a.png", "8001", "0", "training", "0" * 64, "", "7"]


@pytest.fixture
def rewritten(copied):
    """Writes other rows into a manifest, with a fingerprint that fits."""

    def write(*rows, columns=COLUMNS):
        with open(copied / "manifest.csv", "w", newline="") as file:
            csv.writer(file).writerows([columns, *rows])
        facts = json.loads((copied / "build.json").read_text())
        facts["fingerprint"] = sha256_of(copied / "manifest.csv")
        (copied / "build.json").write_text(json.dumps(facts))
        return copied

    return write


def row(**other):
    return [other.get(name, value) for name, value in zip(COLUMNS, ROW, strict=True)]


def test_a_row_without_positions(rewritten):
    part = read_dataset(rewritten(ROW, row(x="3", y=""))).split("training")
    assert (part.x.tolist(), part.y.tolist()) == ([NO_POSITION, 3], [7, NO_POSITION])
    assert part.x.dtype == part.y.dtype == part.labels.dtype == np.int64
    assert part.patients[0] is part.patients[1]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(label="2")], "names the class or split '2', which build.json does not"),
        ([row(split="dev")], "names the class or split 'dev'"),
        ([row(path="/a.png")], "is damaged: the path '/a.png' leads out of the data set"),
        ([row(path="a/../../b.png")], "leads out of the data set"),
        ([row(path="")], "leads out"),
        ([row(x="left")], "is damaged: invalid literal"),
        ([row(y=str(10**30))], "is damaged: "),
        ([ROW, ROW[:-1]], "is damaged: row 3 is incomplete"),
        ([[*ROW, ""]], "row 2 is incomplete"),
    ],
)
def test_a_wrong_row_is_said_in_a_sentence(rewritten, rows, words):
    with pytest.raises(CancerNetError, match=words) as refused:
        read_dataset(rewritten(*rows))
    assert str(refused.value).endswith("; run build_dataset.py again")


def test_two_dots_in_a_name_lead_nowhere(rewritten):
    part = read_dataset(rewritten(row(path="training/0/a..b.png"))).split("training")
    assert part.paths == ["training/0/a..b.png"]


def test_other_columns_are_no_manifest(rewritten, tmp_path):
    with pytest.raises(CancerNetError, match="the columns are not path, source, patient"):
        read_dataset(rewritten(columns=COLUMNS[::-1]))
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ValueError, match="the columns are not path"):
        list(manifest_rows(tmp_path / "empty.csv"))
    (tmp_path / "quote.csv").write_text(",".join(COLUMNS) + '\n"' + "x" * 200_000)
    with pytest.raises(ValueError, match="row 2: field larger"):
        list(manifest_rows(tmp_path / "quote.csv"))


def test_one_lost_image_is_one(copied):
    dataset = read_dataset(copied)
    lost = dataset.split("training").paths[1]
    (copied / lost).unlink()
    with pytest.raises(CancerNetError) as refused:
        dataset.check_files()
    assert str(refused.value) == (
        f"1 image of {copied / 'manifest.csv'} is missing or empty, first {lost}; "
        "run build_dataset.py again"
    )


def test_what_a_split_holds_and_its_digest(built):
    dataset = read_dataset(built)
    rows = [each for each in manifest(built) if each["split"] == "validation"]
    counted = dataset.divided(dataset.parts).counts["validation"]
    assert counted == dataset.counts["validation"]
    assert counted.patients == len({each["patient"] for each in rows})
    assert counted.positives == counted.classes["1"] == sum(e["label"] == "1" for e in rows)
    lines = sorted(f"{each['sha256']} {each['label']} {each['patient']}" for each in rows)
    expected = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    assert content_of(dataset, "validation") == digest(reversed(lines)) == expected
    assert digest(["\udcff"]) == hashlib.sha256(b"\xff").hexdigest()


def test_the_content_of_a_lost_manifest_cannot_be_told(copied):
    dataset = read_dataset(copied)
    (copied / "manifest.csv").unlink()
    with pytest.raises(CancerNetError, match=r"manifest\.csv cannot be read .* again"):
        content_of(dataset, "testing")


def test_every_entry_of_the_record_is_in_the_data_set(copied):
    leak, notice = {"kind": "units", "count": 3}, {"kind": "trial", "count": 5}
    facts = json.loads((copied / "build.json").read_text())
    facts |= {"leaks": [leak], "notices": [notice], "absent": {"testing": ["1"]}, "drawn": True}
    facts |= {"unit": "source", "left_out": {"why": 2}}
    facts["image_size"] |= {"width": 12, "height": 8}
    (copied / "build.json").write_text(json.dumps(facts))
    dataset = read_dataset(copied)
    record = read_build(copied)
    assert (dataset.leaks, dataset.notices) == (record.leaks, record.notices)
    assert dataset.leak == say_leaks(record.leaks) and dataset.leak.startswith("LEAK: 3 of 0")
    assert dataset.warnings == ("--limit 5 leaves out most images: this is a trial, not a result",)
    assert (dataset.absent, dataset.unit) == ({"testing": ("1",)}, "source")
    assert (dataset.left_out, dataset.drawn, dataset.image_size) == ({"why": 2}, True, (12, 8))
    assert (dataset.title, dataset.folder) == (record.title, copied)
    assert dataset.fingerprint == record.fingerprint == read_fingerprint(copied)
    assert dataset.whole is None and dataset.counts == record.counts


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"classes": ["0", "0"]}, "`classes` must be different"),
        ({"words": ["one"]}, "one of `words` each"),
        ({"positive": ["2"]}, "`positive` must name some"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(copied, entries, words):
    facts = json.loads((copied / "build.json").read_text()) | entries
    (copied / "build.json").write_text(json.dumps(facts))
    with pytest.raises(CancerNetError, match=f"is damaged or of another version: .*{words}"):
        read_build(copied)


def test_the_way_to_a_data_set_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, command in (
        ("datasets/busi", "python build_dataset.py --dataset busi"),
        ("datasets/idc", "python build_dataset.py"),
        ("mine/busi", "python build_dataset.py"),
    ):
        with pytest.raises(CancerNetError) as refused:
            read_build(Path(folder))
        assert str(refused.value) == (
            f"there is no data set in {folder}; build it with `{command}`, or draw a sample with "
            f"`{command} --sample`"
        )
        (tmp_path / "datasets" / "sample" / Path(folder).name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sample" / Path(folder).name).mkdir(parents=True, exist_ok=True)
        with pytest.raises(CancerNetError) as refused:
            read_build(Path(folder))
        taken = f"or take the drawn sample with --data datasets/sample/{Path(folder).name}"
        drawn = f"or draw a sample with `{command} --sample`"
        assert str(refused.value).endswith(taken if folder.startswith("datasets") else drawn)
    with pytest.raises(CancerNetError, match=r"--dataset \(did you mean busi\?\)$"):
        read_build(Path("datasets/busy"))


def test_folders_named_like_splits_are_not_a_build(tmp_path):
    for split in SPLITS[:2]:
        (tmp_path / split).mkdir()
    with pytest.raises(CancerNetError, match="is not a built data set"):
        read_build(tmp_path)
    (tmp_path / SPLITS[2]).mkdir()
    with pytest.raises(CancerNetError, match="has the folders training, validation, testing but"):
        read_fingerprint(tmp_path)


def test_the_audit_is_that_of_the_set_as_it_is(copied):
    beside = copied.with_name("idc.audit")
    beside.mkdir()
    assert read_audit(copied) == []
    check = {"name": "groups", "verdict": "LEAK", "sentence": "two", "findings": [1]}
    for entries, current in (
        ({"fingerprint": read_fingerprint(copied)}, True), ({"fingerprint": "other"}, False),
        ({}, True),
    ):  # fmt: skip
        (beside / "audit.json").write_text(json.dumps({**entries, "checks": [check]}))
        found = [CheckVerdict("groups", Verdict.LEAK, "two")] if current else []
        assert read_audit(copied) == found
    os.utime(beside / "audit.json", (1, 1))
    assert read_audit(copied) == []
    os.utime(copied / "build.json", (1, 1))
    assert len(read_audit(copied)) == 1
    (beside / "audit.json").write_text('{"checks": 1}')
    assert read_audit(copied) == []
