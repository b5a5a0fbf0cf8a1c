"""What a path says: splits under any of their names, positions, masks."""

from pathlib import PurePosixPath

import pytest

from cancernet.auditing.inventory import read_inventory
from cancernet.building.describe import describe_dataset
from cancernet.building.identify import identify_paths
from cancernet.building.settings import BuildSettings
from cancernet.building.source_files import find_files
from cancernet.catalog import (
    Contradiction,
    Identity,
    LeftOut,
    Reason,
    dataset,
    group_of,
    read_place,
    shipped_split,
)
from cancernet.catalog.paths import SPLIT_NAMES, class_folder, patient_above_class, without_mask
from cancernet.config import SPLITS
from tests.helpers.building_trees import write_patch


@pytest.mark.parametrize(
    ("path", "split", "rest"),
    [
        ("train/benign/a.png", "training", "benign/a.png"),
        ("set/Dev/benign/a.png", "validation", "set/benign/a.png"),
        ("train/val/benign/a.png", "validation", "train/benign/a.png"),
        ("benign/holdout/a.png", "testing", "benign/a.png"),
        ("test-set/a.png", "testing", "a.png"),
        ("benign/train.png", "", "benign/train.png"),
    ],
)
def test_the_nearest_folder_names_the_split(path, split, rest):
    assert shipped_split(PurePosixPath(path)) == (split, PurePosixPath(rest))


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("p7/yes/a.png", ""),
        ("download/p7/yes/a.png", ""),
        ("train/p7/yes/a.png", "training"),
        ("p7/test/yes/a.png", "testing"),
        ("p7/yes/val/a.png", "validation"),
    ],
)
def test_the_folder_above_that_of_the_class_names_the_patient(path, part):
    found = patient_above_class(PurePosixPath(path), ("no", "yes"))
    assert found == Identity("p7", "yes", part=part)


@pytest.mark.parametrize("path", ["yes/a.png", "train/yes/a.png", "train/val/yes/a.png"])
def test_the_folder_of_a_split_names_no_patient(path):
    with pytest.raises(LeftOut) as caught:
        patient_above_class(PurePosixPath(path), ("no", "yes"))
    assert caught.value.reason is Reason.NO_PATIENT


@pytest.mark.parametrize(
    ("path", "pattern", "group"),
    [
        ("a/p7_1.png", r"(?P<patient>p\d)_(\d)", "p7"),
        ("a/p7_1.png", r"(?P<patient>x)?(y)?(p\d)", "p7"),
        ("a/p7_1.png", r"p\d", "p7"),
        ("a/p7_1.png", r"x?", "a/p7_1"),
        ("a/p7_1.png", r"x", None),
    ],
)
def test_a_pattern_finds_the_group(path, pattern, group):
    assert group_of(PurePosixPath(path), pattern) == group


def test_the_image_of_a_mask():
    for name in ("benign (1)_mask", "benign (1)_mask_1", "benign (1)-Mask 12", "benign (1)"):
        assert without_mask(name) == "benign (1)"


def test_what_is_said_of_a_file_that_is_left_out():
    plain, told = LeftOut(Reason.MASK), Contradiction("x, not y")
    assert str(plain) == "a mask, not an image" and (plain.detail, plain.failed) == ("", False)
    assert str(told) == "folder and file name disagree: x, not y"
    assert (told.reason, told.detail, told.failed) == (Reason.CONTRADICTION, "x, not y", True)
    with pytest.raises(LeftOut, match="not in the folder of a class: expected a, b or c"):
        class_folder(PurePosixPath("d/1.png"), ("a", "b", "c"))


def test_the_name_and_the_page_of_a_data_set():
    idc, bach = dataset("idc"), dataset("bach")
    assert idc.address.endswith("/datasets/paultimothymooney/breast-histopathology-images")
    assert idc.called(0) == "0 (no IDC)" and dataset("busi").called(1) == "malignant"
    assert bach.address == "" and bach.called(2) == "InSitu (in situ carcinoma)"


def test_building_and_auditing_know_the_same_names_of_splits(tmp_path):
    number = 0
    for names in SPLIT_NAMES.values():
        for name in names:
            for label in ("no", "yes"):
                number += 1
                write_patch(tmp_path / "set" / name / label / f"{number}.png", seed=number)
    settings = BuildSettings(
        dataset="folder", source=tmp_path / "set", output=tmp_path / "out", split="shipped",
        classes=("no", "yes"), positive=("yes",),
    )  # fmt: skip
    found = find_files(settings.source).images
    built = identify_paths(found, describe_dataset(settings, found)[0]).images
    audited = read_inventory(tmp_path / "set")
    assert len(built) == number and set(built.part.tolist()) == {0, 1, 2}
    assert dict(zip(built.sources, built.part.tolist(), strict=True)) == dict(
        zip(audited.paths, audited.split.tolist(), strict=True)
    )
    assert set(SPLIT_NAMES) == set(SPLITS)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("8863_idx5_x1001_y51_class1.png", ("8863", 1001, 51, "1")),
        ("A_7_IDX5_X1_Y2.tif", ("A_7", 1, 2, None)),
        ("1/new.2_idx5_x1_y2.b.png", None),
        ("1.0/8863_idx5_x1_y2", ("8863", 1, 2, None)),
        ("8863_idx5_x1001_class1.png", None),
        ("benign (1).png", None),
    ],
)
def test_places_are_read_from_names(name, place):
    assert read_place(name) == place
