"""`python build_dataset.py`: what it prints, and how it leaves."""

import dataclasses
import json
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

from cancernet import catalog
from cancernet.base.errors import EXIT_NOTHING_DONE, EXIT_OK, EXIT_SOME_FAILED
from cancernet.dataset.build_record import Unlisted
from cancernet.sample import layouts
from tests.helpers.building_trees import (
    build_it,
    facts,
    files_under,
    left_out,
    make_tree,
    manifest,
    patch_path,
    write_patch,
)

SCRIPT = Path(__file__).parents[2] / "build_dataset.py"
KAGGLE = "paultimothymooney/breast-histopathology-images"


def error_of(printed):
    code, out, err = printed
    assert code == EXIT_NOTHING_DONE and out == "", err
    assert "Traceback" not in err
    (sentence,) = [line for line in err.splitlines() if "error: " in line]
    return sentence


def test_builds_and_prints_the_table(build, tmp_path):
    make_tree(tmp_path / "datasets" / "original")
    code, out, _ = build()
    assert code == EXIT_OK
    table = {line.split()[0]: line.split() for line in out.splitlines() if line}
    assert table["split"] == ["split", "patients", "images", "IDC", "prevalence"]
    content = facts(tmp_path / "datasets" / "idc")
    for split, count in content["counts"].items():
        share = 100 * count["positives"] / count["images"]
        assert table[split] == [split, str(count["patients"]), str(count["images"]),
                                str(count["positives"]), f"{share:.1f}", "%"]  # fmt: skip
    assert table["all"][:4] == ["all", "6", "63", "26"]
    assert "Next: `python train_model.py`" in out
    code, out, _ = build()
    assert code == EXIT_OK and "Already built, nothing changed" in out and "patients" in out


def test_what_an_earlier_version_built_is_built_again(build, tmp_path):
    make_tree(tmp_path / "datasets" / "original")
    assert build()[0] == EXIT_OK
    record = tmp_path / "datasets" / "idc" / "build.json"
    content = json.loads(record.read_text())
    del content["leaks"]
    record.write_text(json.dumps(content))
    code, out, _ = build()
    assert code == EXIT_OK and "Already" not in out
    assert "leaks" in json.loads(record.read_text())


def test_files_with_defects_are_named_and_the_rest_is_built(build, tmp_path):
    source = make_tree(tmp_path / "datasets" / "original")
    (source / patch_path("8001", 0, 99)).write_bytes(b"")
    (source / "8001" / "0" / "li\nne.png").write_bytes(b"x")
    (source / "read.me").write_text("")
    for unchanged in (False, True):
        code, out, err = build()
        assert code == EXIT_SOME_FAILED and ("Already" in out) == unchanged
        assert f"left out: {patch_path('8001', 0, 99)}: the image does not decode (the file" in err
        assert "8001/0/li\\nne.png" in err
        assert re.search(r"^ +2  the image does not decode$", out, re.MULTILINE)
        assert re.search(r"^ +1  not an image file$", out, re.MULTILINE)
    assert len(manifest(tmp_path / "datasets" / "idc")) == 63


def test_no_data_says_where_to_get_them(build, tmp_path):
    sentence = error_of(build())
    for words in (KAGGLE, "datasets/original", "python build_dataset.py --sample", "--download"):
        assert words in sentence
    (tmp_path / "datasets" / "original").mkdir(parents=True)
    (tmp_path / "datasets" / "original" / "README.md").write_text("")
    assert KAGGLE in error_of(build())


def test_no_data_of_a_set_that_is_neither_on_kaggle_nor_drawn(build, monkeypatch):
    entry = dataclasses.replace(catalog.dataset("bach"), name="new", origin="not stated")
    monkeypatch.setitem(catalog.DATASETS, "new", entry)
    assert error_of(build("--dataset", "new")).endswith(
        "original-new: put the files of new there, unpacked (origin: not stated)"
    )


def two_classes(folder):
    return make_tree(folder, {"1": (5, 5), "2": (5, 5), "3": (5, 5)})


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--source", "missing"], "missing does not exist"),
        (["--source", "file.txt"], "is a file, not a folder"),
        (["--source", "empty"], "has no image"),
        (["--source", "strays"], "but none that fits; first strays.png"),
        (["--source", "strays"], f"class<0|1>.png (origin: {catalog.dataset('idc').origin}); --da"),
        (
            ["--dataset", "ultrasound", "--source", "spelled"],
            "add some, or rename folders: 2 files are not in the folder of a class, first Malign/1",
        ),
        (["--source", "one-class"], "all 15 images are of class 0 (no IDC), none of class 1"),
        (["--source", "one-patient"], "all images are of one patient (1)"),
        (["--source", "good", "--output", "file.txt"], "file.txt is not a folder"),
        (["--source", "good", "--output", "foreign"], "was not made by build_dataset.py"),
        (["--source", "good", "--split", "lists"], "needs --split-lists"),
        (["--source", "good", "--split-lists", "a", "b", "c"], "go with --split lists"),
        (["--source", "good", "--unlisted", "testing"], "go with --split lists"),
        (["--source", "good", "--split", "lists", "--split-lists", "a", "b", "c"], "no list a"),
        (["--source", "good", "--seed", "-1"], "--seed is -1"),
        (["--source", "good", "--train-split", "1.2"], "train split is 1.2"),
        (["--source", "good", "--train-split", "nan"], "train split is nan"),
        (["--source", "good", "--validation-split", "0"], "validation split is 0"),
        (["--dataset", "cats"], "unknown data set 'cats'"),
        (["--sample", "--download"], "exclude each other"),
        (["--source", "good", "--download"], "leave out --source"),
    ],
)
def test_bad_input_is_one_sentence(build, tmp_path, flags, words):
    two_classes(tmp_path / "good")
    make_tree(tmp_path / "one-class", {"1": (5, 0), "2": (5, 0), "3": (5, 0)})
    make_tree(tmp_path / "one-patient", {"1": (5, 5)})
    (tmp_path / "empty").mkdir()
    write_patch(tmp_path / "strays" / "strays.png", seed=1)
    for name in ("benign/1", "Malign/1", "Malign/2"):
        write_patch(tmp_path / "spelled" / f"{name}.png", seed=1)
    (tmp_path / "file.txt").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mine.txt").write_text("mine")
    before = files_under(tmp_path)
    assert words in error_of(build(*flags))
    assert files_under(tmp_path) == before


@pytest.mark.parametrize("flags", [["--seed", "x"], ["--split", "luck"], ["--link", "soft"]])
def test_wrong_flags_leave_with_2(build, flags):
    code, out, err = build(*flags)
    assert code == EXIT_NOTHING_DONE and out == "" and "error: argument" in err


def test_a_leak_is_loud(build, tmp_path):
    two_classes(tmp_path / "good")
    flags = ("--source", "good", "--output", "out", "--split", "image")
    refusal = error_of(build(*flags))
    assert "3 of 3 patients are in more than one split: 1, 2, 3" in refusal
    assert "--allow-leaks" in refusal and not (tmp_path / "out").exists()
    code, out, err = build(*flags, "--allow-leaks")
    assert code == EXIT_OK
    (leak,) = facts(tmp_path / "out")["leaks"]
    assert (leak["kind"], leak["unit"], leak["count"], leak["total"], leak["examples"]) == (
        "by-image",
        "patient",
        3,
        3,
        ["1", "2", "3"],
    )
    assert "LEAK" in err and out.count("LEAK") == 2 and "3 of 3 patients" in out


def test_audit_by_flags(build, tmp_path, monkeypatch):
    two_classes(tmp_path / "good")
    build("--source", "good", "--output", "out", "--split", "image", "--allow-leaks")
    code, out, _ = build("--audit", "--output", "out")
    assert code == EXIT_SOME_FAILED and "3 of 3 patients are in more than one split" in out
    assert (tmp_path / "out.audit" / "audit.json").is_file()
    monkeypatch.chdir(tmp_path / "good")
    code, out, _ = build("--audit", ".", "--report", str(tmp_path / "here"))
    assert code == EXIT_OK and "not checkable" in out and (tmp_path / "here").is_dir()


def split_by_lists(tmp_path, *lists):
    """Writes the lists, and returns the flags of a build by them from the folder `good`."""
    for name, ids in zip("abc", lists, strict=True):
        (tmp_path / name).write_text("\n".join(ids.split()))
    return "--source", "good", "--output", "out", "--split", "lists", "--split-lists", *"abc"


def test_lists_report_what_does_not_fit(build, tmp_path):
    make_tree(tmp_path / "good")
    asked = split_by_lists(tmp_path, "8001 8003", "8006", "8002 1 2")
    code, out, err = build(*asked, "--allow-one-sided")
    assert code == EXIT_OK
    assert "On the lists, but without images: 2 patients (1, 2)" in out
    assert "On none of the lists: 2 patients with 18 images, left out" in out
    assert "validation has no image of class 0 (no IDC)" in err
    # Said before anything was written, that is before the bar.
    assert err.index("validation has no image") < err.index("Building")
    assert len(left_out(tmp_path / "out")) == 18


@pytest.mark.parametrize(("of_validation", "lacks"), [((0, 3), "negative"), ((3, 0), "positive")])
def test_lists_with_one_side_in_validation_are_refused_unless_insisted_on(
    build, tmp_path, of_validation, lacks
):
    make_tree(tmp_path / "good", {"1": (3, 3), "2": of_validation, "3": (3, 3)})
    asked = split_by_lists(tmp_path, "1", "2", "3")
    sentence = error_of(build(*asked))
    assert f"validation list have no {lacks} image, so no operating point" in sentence
    assert "insist with --allow-one-sided" in sentence and not (tmp_path / "out").exists()
    assert build(*asked, "--allow-one-sided")[0] == EXIT_OK
    assert len(manifest(tmp_path / "out")) == 15


@pytest.fixture
def small_sample(monkeypatch):
    monkeypatch.setattr(layouts, "draw_sample", lambda name, folder: draw_small(folder))


def draw_small(folder):
    if not folder.exists():
        make_tree(folder)
        (folder / "DRAWN.json").write_text('{"drawn": true}')


def test_the_sample_is_built_apart_from_real_data(build, tmp_path, small_sample):
    make_tree(tmp_path / "datasets" / "original")
    code, out, _ = build("--sample")
    assert code == EXIT_OK and "DRAWN SAMPLE" in out
    assert "python train_model.py --data datasets/sample/idc" in out
    assert facts(tmp_path / "datasets" / "sample" / "idc")["drawn"] is True
    assert not (tmp_path / "datasets" / "idc").exists()
    code, out, _ = build("--sample")
    assert code == EXIT_OK and "Already built" in out
    # Drawn stays drawn when somebody builds from the folder by name.
    code, out, _ = build("--source", "datasets/sample/original", "--output", "other")
    assert code == EXIT_OK and "DRAWN SAMPLE" in out


def test_the_true_sample_can_be_drawn_and_built(tmp_path):
    layouts.draw_sample("idc", tmp_path / "sample", patients=4)
    build_it(tmp_path / "sample", tmp_path / "idc")
    content = facts(tmp_path / "idc")
    assert content["drawn"] is True and content["failed"] == 0
    assert all(0 < c["positives"] < c["images"] for c in content["counts"].values())


def test_download_without_kagglehub_says_how(build, monkeypatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    sentence = error_of(build("--download"))
    assert "pip install kagglehub" in sentence and KAGGLE in sentence


def test_download_builds_from_where_kagglehub_put_it(build, tmp_path, monkeypatch):
    asked = []

    def fetch(name):
        asked.append(name)
        return str(make_tree(tmp_path / "cache" / "versions" / "1"))

    hub = types.SimpleNamespace(dataset_download=fetch)
    monkeypatch.setitem(sys.modules, "kagglehub", hub)
    code, _, _ = build("--download", "--link", "symbolic")
    assert code == EXIT_OK and asked == [KAGGLE]
    row = manifest(tmp_path / "datasets" / "idc")[0]
    built = tmp_path / "datasets" / "idc" / row["path"]
    assert built.readlink() == tmp_path / "cache" / "versions" / "1" / row["source"]

    def refuse(name):
        raise RuntimeError("403 Forbidden\nmore")

    hub.dataset_download = refuse
    assert "(403 Forbidden)" in error_of(build("--download"))


def test_help_names_the_lists_and_where_the_images_are():
    done = subprocess.run([sys.executable, SCRIPT, "--help-all"], capture_output=True, check=True)
    assert b"--split-lists TRAIN VAL TEST" in done.stdout and KAGGLE.encode() in done.stdout


def patches_of_patients(folder):
    """The patches that lie there: patient -> paths relative to the folder."""
    found = {}
    for path in folder.glob("*/[01]/*.png"):
        name = path.relative_to(folder).as_posix()
        found.setdefault(name.partition("/")[0], set()).add(name)
    assert found
    return found


def test_the_real_patches(real_data, tmp_path):
    source, output = real_data / "idc", tmp_path / "idc"
    done = subprocess.run(
        [sys.executable, SCRIPT, "--source", source, "--output", output],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == EXIT_OK, done.stderr
    rows, rest = manifest(output), left_out(output)
    there = patches_of_patients(source)
    found = set().union(*there.values())
    assert {row["source"] for row in rows} | set(rest) == found
    assert len(rows) + len(rest) == len(found)
    splits = {}
    for row in rows:
        splits.setdefault(row["patient"], set()).add(row["split"])
    assert splits.keys() == there.keys() and all(len(where) == 1 for where in splits.values())
    assert {(row["split"], row["label"]) for row in rows} == {
        (split, label) for split in ("training", "validation", "testing") for label in "01"
    }


def test_the_official_lists_on_the_real_patches(real_data, tmp_path):
    lists = [real_data / "idc_splits" / f"cases_{name}.txt" for name in ("train", "val", "test")]
    outcome = build_it(real_data / "idc", tmp_path / "idc", link="symbolic", split="lists",
                       split_lists=tuple(lists))  # fmt: skip
    there = patches_of_patients(real_data / "idc")
    listed = {patient for file in lists for patient in file.read_text().split()}
    unlisted = [len(patches) for patient, patches in there.items() if patient not in listed]
    assert outcome.facts.unlisted == Unlisted(patients=len(unlisted), images=sum(unlisted))
    assert set(outcome.facts.listed_without_images) == listed - there.keys()
    rows, rest = manifest(tmp_path / "idc"), left_out(tmp_path / "idc")
    assert len(rows) + len(rest) == sum(map(len, there.values()))
