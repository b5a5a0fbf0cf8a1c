"""The built set: what lies where, what is linked, what stays when it is built again."""

import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, SplitError
from cancernet.base.files import sha256_of
from cancernet.base.records import as_json
from cancernet.building import staging, transfer
from cancernet.catalog import Reason
from cancernet.config import SPLITS
from cancernet.dataset.manifest import manifest_rows, read_dataset
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


@pytest.fixture
def source(tmp_path):
    return make_tree(tmp_path / "source")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "data" / "idc"


def inodes(folder):
    return {path: path.stat().st_ino for path in folder.rglob("*")}


def test_manifest_and_folders_agree(source, out):
    build_it(source, out)
    rows = manifest(out)
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert {row["source"] for row in rows} == set(files_under(source))
    for row in rows:
        assert row["path"] == f"{row['split']}/{row['label']}/{row['source'].split('/')[-1]}"
        assert row["source"].startswith(f"{row['patient']}/{row['label']}/")
        assert f"_x{row['x']}_y{row['y']}_" in row["source"]
        assert (out / row["path"]).read_bytes() == (source / row["source"]).read_bytes()
        assert sha256_of(out / row["path"]) == row["sha256"]
    on_disk = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert on_disk == {row["path"] for row in rows}
    split_of = {}
    for row in rows:
        assert split_of.setdefault(row["patient"], row["split"]) == row["split"]
    assert {(row["split"], row["label"]) for row in rows} == {
        (split, label) for split in SPLITS for label in "01"
    }


def test_build_json_tells_how_it_was_made(source, out):
    build_it(source, out)
    content = facts(out)
    assert content["fingerprint"] == sha256_of(out / "manifest.csv")
    assert (content["dataset"], content["drawn"], content["leak"]) == ("idc", False, "")
    assert content["classes"] == ["0", "1"] and content["positive"] == ["1"]
    assert content["image_size"] == {"width": 10, "height": 10, "images": 63}
    rows = manifest(out)
    for split in SPLITS:
        inside = [row for row in rows if row["split"] == split]
        positives = sum(row["label"] == "1" for row in inside)
        assert content["counts"][split] == {
            "patients": len({row["patient"] for row in inside}),
            "images": len(inside),
            "positives": positives,
            "classes": {"0": len(inside) - positives, "1": positives},
        }


def test_copies_keep_the_time_of_change(source, out):
    path = source / patch_path("8001", 0, 0)
    os.utime(path, ns=(10**18, 10**18 + 123))
    build_it(source, out)
    (built,) = out.rglob(path.name)
    assert built.stat().st_mtime_ns == 10**18 + 123
    assert built.stat().st_ino != path.stat().st_ino and not built.is_symlink()


def test_hard_links_share_and_symbolic_links_point(source, out):
    (source / patch_path("8001", 0, 50)).symlink_to(source / patch_path("8001", 0, 0))
    write_patch(source.parent / "real.png", seed=555)
    (source / patch_path("8001", 0, 51)).symlink_to(source.parent / "real.png")
    build_it(source, out, link="hard")
    for row in manifest(out):
        assert not (out / row["path"]).is_symlink()
        assert (out / row["path"]).samefile(source / row["source"])
    one = (out / "manifest.csv").read_bytes()
    build_it(source, out, link="symbolic")
    for row in manifest(out):
        assert (out / row["path"]).readlink() == source / row["source"]
    build_it(source, out, link="copy")
    assert not any(path.is_symlink() for path in out.rglob("*"))
    assert (out / "manifest.csv").read_bytes() == one
    assert len(files_under(source)) == 65


@pytest.mark.parametrize("link", ["copy", "hard", "symbolic"])
def test_the_same_again_changes_nothing(source, out, link):
    assert not build_it(source, out, link=link).unchanged
    before = inodes(out)
    again = build_it(source, out, link=link)
    assert again.unchanged and inodes(out) == before
    assert as_json(again.facts) == facts(out)


def spoil(path):
    """Other bytes, as many as before."""
    path.write_bytes(bytes(path.stat().st_size))


@pytest.mark.parametrize(
    "change",
    [
        lambda source, out: write_patch(source / patch_path("8001", 0, 80), 4444),
        lambda source, out: (source / patch_path("8003", 0, 3)).unlink(),
        lambda source, out: write_patch(source / patch_path("8001", 0, 0), 4444),
        lambda source, out: next(out.rglob("*.png")).unlink(),
        lambda source, out: next(out.rglob("*.png")).write_bytes(b""),
        lambda source, out: spoil(next(out.rglob("*.png"))),
        lambda source, out: (out / "manifest.csv").write_text("path\n"),
        lambda source, out: (out / "left_out.csv").unlink(),
        lambda source, out: (out / "build.json").write_text("{"),
    ],
)
def test_whatever_has_changed_is_built_again(source, out, change):
    build_it(source, out)
    change(source, out)
    if not (out / "manifest.csv").read_text().startswith("path,"):
        # Without the list of its images nobody can tell whether they are all ours.
        with pytest.raises(CancerNetError, match="holds files that no build put there"):
            build_it(source, out)
        return
    assert not build_it(source, out).unchanged
    fresh = out.parent / "fresh"
    build_it(source, fresh)
    assert files_under(out) == files_under(fresh)


def test_another_split_leaves_no_stale_file(source, out):
    build_it(source, out, seed=1, split="image")
    first = set(files_under(out))
    build_it(source, out, seed=2, split="image")
    assert {p for p in files_under(out) if p.endswith(".png")} == {r["path"] for r in manifest(out)}
    assert set(files_under(out)) != first
    assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_names_of_every_kind_survive(source, out):
    names = ["a b.png", "é.PNG", "line\nbreak.png", "car\rriage.png", 'quo"te,comma.png',
             "雪.png", "-rf.png", "=1+1.png"]  # fmt: skip
    for seed, name in enumerate(names):
        write_patch(source / "8001" / "0" / name, seed=7000 + seed)
    build_it(source, out)
    rows = {row["source"]: row for row in manifest(out)}
    for name in names:
        row = rows[f"8001/0/{name}"]
        assert (out / row["path"]).name == name and (row["x"], row["y"]) == ("", "")
        assert sha256_of(out / row["path"]) == row["sha256"]
    assert build_it(source, out).unchanged


def test_names_that_are_no_text_are_left_out(source, out):
    odd = os.fsencode(source / "8001" / "0") + b"/odd\xff.png"
    with open(odd, "wb") as file:
        file.write(write_patch(source.parent / "p.png", 31).read_bytes())
    with open(os.fsencode(source) + b"/no\xffte.txt", "w"):
        pass
    outcome = build_it(source, out)
    assert outcome.facts.failed == 1
    reasons = left_out(out)
    assert reasons["8001/0/odd\\udcff.png"][0] is Reason.UNWRITABLE_NAME
    assert reasons["no\\udcffte.txt"][0] is Reason.NOT_AN_IMAGE


def test_equal_names_in_one_class_get_a_prefix(source, out):
    long = "n" * 250 + ".png"
    for seed, patient in enumerate(("8001", "8002", "8003")):
        write_patch(source / patient / "0" / "1.png", seed=600 + seed)
        write_patch(source / patient / "0" / long, seed=700 + seed)
    write_patch(source / "8004" / "0" / "1.PNG", seed=650)
    write_patch(source / "8004" / "1" / "1.png", seed=651)
    build_it(source, out)
    names = {row["source"]: row["path"].split("/")[-1] for row in manifest(out)}
    assert len(set(names.values())) == len(names)
    assert names["8004/1/1.png"] == "1.png"
    assert names["8001/0/1.png"].endswith("-8001-1.png")
    assert names["8004/0/1.PNG"].endswith("-8004-1.PNG")
    assert names[f"8001/0/{long}"].endswith(".png")
    # A name depends on the file alone, not on who else is in the set by chance.
    shutil.rmtree(source / "8003" / "0")
    build_it(source, out)
    assert {row["source"]: row["path"].split("/")[-1] for row in manifest(out)}[
        "8001/0/1.png"
    ] == names["8001/0/1.png"]


def test_shuffled_images_are_called_a_leak(source, out):
    build_it(source, out, split="image")
    content = facts(out)
    rows = manifest(out)
    splits = {}
    for row in rows:
        splits.setdefault(row["patient"], set()).add(row["split"])
    straddling = sum(len(found) > 1 for found in splits.values())
    assert straddling > 2 and content["leak"].startswith("LEAK")
    assert f"{straddling} of 6 patients" in content["leak"]
    assert "LEAK" in content["split_kind"]


def test_images_divided_one_by_one_leak_nothing_where_each_patient_has_one(tmp_path):
    source = make_tree(tmp_path / "source", {str(8000 + i): (i % 2, 1 - i % 2) for i in range(12)})
    build_it(source, tmp_path / "out", split="image", allow_leaks=False)
    content = facts(tmp_path / "out")
    assert content["leak"] == "" and content["leaks"] == [] and "LEAK" not in content["split_kind"]


def test_a_stray_quote_in_the_manifest_is_no_traceback(source, out):
    build_it(source, out)
    heading, _, rows = (out / "manifest.csv").read_text().partition("\n")
    (out / "manifest.csv").write_text(f'{heading}\n"{rows}{"x" * 140_000}')
    with pytest.raises(CancerNetError, match="files that no build put there"):
        build_it(source, out)
    with pytest.raises(ValueError, match="field larger than"):
        list(manifest_rows(out / "manifest.csv"))


@pytest.mark.parametrize("layout", ["flat", "one", "tutorial"])
def test_published_names_in_other_folders_give_the_same_set(source, out, tmp_path, layout):
    other = tmp_path / "other"
    for number, file in enumerate(sorted(source.rglob("*class?.png"))):
        label = int(file.stem[-1])
        folder = {
            "flat": ("No-Cancer", "Cancer")[label],
            "one": "",
            "tutorial": f"{('training', 'testing')[number % 2]}/{label}",
        }[layout]
        (other / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, other / folder / file.name)
    build_it(other, out)
    columns = ("path", "patient", "label", "split", "x", "y")
    found = [[row[name] for name in columns] for row in manifest(out)]
    build_it(source, tmp_path / "published")
    assert found == [[row[name] for name in columns] for row in manifest(tmp_path / "published")]
    with pytest.raises(SplitError, match="not shipped in parts"):
        build_it(other, out, split="shipped")


def test_the_depth_of_a_set_is_that_of_its_largest_value(source, out):
    for number, file in enumerate(sorted(source.rglob("*.png"))):
        values = np.random.default_rng(number).integers(0, 900, (10, 10))
        values[0, 0] = 4080 if number == 5 else 0
        Image.fromarray(values.astype(np.uint16)).save(file, "PNG")
    assert build_it(source, out).facts.bits == 12 and read_dataset(out).bits == 12


def test_lists_are_followed(source, out, tmp_path):
    lists = []
    for split, ids in zip(SPLITS, ("8001\n8003", "8002", "8004\n1"), strict=True):
        lists.append(tmp_path / f"{split}.txt")
        lists[-1].write_text(ids)
    build_it(source, out, split="lists", split_lists=tuple(lists))
    assert {row["patient"]: row["split"] for row in manifest(out)} == {
        "8001": "training", "8003": "training", "8002": "validation", "8004": "testing",
    }  # fmt: skip
    assert len(left_out(out)) == 13
    content = facts(out)
    assert content["listed_without_images"] == ["1"]
    assert content["unlisted"] == {"patients": 2, "images": 13}
    build_it(source, out, split="lists", split_lists=tuple(lists), unlisted="testing")
    assert {row["split"] for row in manifest(out) if row["patient"] in ("8005", "8006")} == {
        "testing"
    }
    assert facts(out)["unlisted"] == {"patients": 2, "images": 13} and not left_out(out)
    build_it(source, out, split="lists", split_lists=tuple(lists))
    lists[1].write_text("8002\n8005")
    assert not build_it(source, out, split="lists", split_lists=tuple(lists)).unchanged


def test_drawn_images_are_called_drawn(source, out):
    (source / "DRAWN.json").write_text('{"drawn": true}')
    build_it(source, out)
    assert facts(out)["drawn"] is True


def test_a_folder_of_somebody_else_is_left_alone(source, out):
    out.mkdir(parents=True)
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(CancerNetError, match="was not made by build_dataset"):
        build_it(source, out)
    assert files_under(out.parent) == {"idc/thesis.txt": b"years of work"}
    shutil.rmtree(out)
    out.write_text("a file")
    with pytest.raises(CancerNetError, match="is not a folder"):
        build_it(source, out)
    assert out.read_text() == "a file"


@pytest.mark.parametrize("name", ["thesis.txt", "training/0/mine.png", "mine/", "training/mine/"])
def test_files_of_the_user_in_a_built_set_stop_the_next_build(source, out, name):
    build_it(source, out)
    if name.endswith("/"):
        (out / name).mkdir()
    else:
        (out / name).write_text("mine")
    before = files_under(out)
    with pytest.raises(CancerNetError) as caught:
        build_it(source, out, seed=99)
    assert name in str(caught.value) and "nothing was touched" in str(caught.value)
    assert files_under(out) == before


def test_a_file_put_there_during_the_build_is_not_lost(source, out, monkeypatch):
    build_it(source, out)
    check, calls = staging.refuse_what_is_not_ours, []

    def meddle(output):
        calls.append(output)
        if len(calls) == 3:
            (out / "late.txt").write_text("mine")
        check(output)

    for room in ("build", "staging"):
        monkeypatch.setattr(f"cancernet.building.{room}.refuse_what_is_not_ours", meddle)
    with pytest.raises(CancerNetError, match=r"late\.txt"):
        build_it(source, out, split="image")
    assert (out / "late.txt").exists() and facts(out)["leak"] == ""
    assert [path.name for path in out.parent.iterdir()] == ["idc"]


def test_rubbish_of_file_managers_and_own_files_are_no_obstacle(source, out):
    build_it(source, out)
    (out / "training" / ".DS_Store").write_text("")
    (out / ".cancernet-cache").write_text("")
    assert not build_it(source, out, split="image").unchanged
    assert not (out / ".cancernet-cache").exists()


def test_an_empty_folder_and_a_link_to_a_folder_are_used(source, out, tmp_path):
    out.mkdir(parents=True)
    build_it(source, out)
    (tmp_path / "large-disk").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "large-disk")
    build_it(source, link)
    assert link.is_symlink() and len(manifest(tmp_path / "large-disk")) == 63


def test_source_and_output_may_not_lie_in_one_another(source, tmp_path):
    for output in (source, source / "built", tmp_path):
        with pytest.raises(CancerNetError, match="is inside the other"):
            build_it(source, output)
    assert len(files_under(tmp_path)) == 63


def test_impossible_splits_are_refused_before_anything_is_written(tmp_path):
    source = make_tree(tmp_path / "source", {"1": (5, 5), "2": (5, 5), "3": (5, 0)})
    with pytest.raises(SplitError, match="only 2 patients have images of class 1"):
        build_it(source, tmp_path / "data" / "idc")
    assert not (tmp_path / "data").exists()


def fail_to_write(monkeypatch, code, after=20):
    written = []
    write = transfer._write

    def full(path, target, content, status):
        written.append(target)
        if len(written) > after:
            raise OSError(code, os.strerror(code), target)
        write(path, target, content, status)

    monkeypatch.setattr(transfer, "_write", full)


def test_a_full_disk_loses_nothing(source, out, monkeypatch):
    build_it(source, out)
    before = files_under(out)
    with monkeypatch.context() as patched:
        fail_to_write(patched, errno.ENOSPC)
        with pytest.raises(OSError, match="No space left"):
            build_it(source, out, split="image")
    assert files_under(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["idc"]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(CancerNetError, match="the disk is full: copying needs"):
        build_it(source, out, split="image")
    assert files_under(out) == before


def test_hard_links_that_cannot_be_made_are_explained(source, out, monkeypatch):
    def refuse(path, target, **options):
        raise OSError(errno.EXDEV, "Invalid cross-device link", path)

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(CancerNetError, match="use --link copy or --link symbolic"):
        build_it(source, out, link="hard")
    assert not list(out.parent.iterdir())
