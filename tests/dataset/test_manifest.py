"""Reading a built set: quick, complete, and suspicious of what was changed."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from cancernet.base.errors import CancerNetError
from cancernet.base.files import sha256_of
from cancernet.config import SPLITS
from cancernet.dataset.manifest import NO_POSITION, read_dataset
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
