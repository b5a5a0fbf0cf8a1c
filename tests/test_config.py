"""Settings refuse nonsense in a sentence that names the flag."""

import dataclasses
from pathlib import PurePosixPath

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.catalog import (
    DATASETS,
    Identity,
    LeftOut,
    dataset,
    identify_idc,
    is_mask,
    key_idc,
)
from cancernet.config import TrainConfig, split_ratios
from cancernet.recipes import DEFAULT_RECIPE, RECIPES, describe_recipes, recipe


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("batch_size", -1),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("label_smoothing", 1.0),
        ("target_sensitivity", 0.0),
        ("target_sensitivity", 1.1),
        ("optimizer", "magic"),
        ("seed", -1),
        ("image_size", 4),
    ],
)
def test_nonsense_is_refused_and_the_flag_named(name, value):
    with pytest.raises(CancerNetError, match="--" + name.replace("_", "-")):
        TrainConfig(**{name: value})


def test_fine_tuning_without_a_frozen_backbone_is_refused_with_the_settings():
    with pytest.raises(CancerNetError, match="--freeze no; leave one of them out"):
        TrainConfig(fine_tune_epochs=1, freeze="no")


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().epochs = 3


def test_the_default_ratios_are_the_tutorials():
    assert split_ratios() == pytest.approx({"training": 0.72, "validation": 0.08, "testing": 0.2})


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_ratios_that_leave_a_split_empty_are_refused(ratio):
    with pytest.raises(CancerNetError, match="train split"):
        split_ratios(ratio, 0.1)
    with pytest.raises(CancerNetError, match="validation split"):
        split_ratios(0.8, ratio)


def test_every_recipe_names_a_known_data_set_and_the_default_is_there():
    assert DEFAULT_RECIPE in RECIPES
    for name, entry in RECIPES.items():
        assert entry.settings.dataset in DATASETS, name
        assert name in describe_recipes()


def test_unknown_names_are_answered_with_the_known_ones():
    with pytest.raises(CancerNetError, match="idc-cancernet"):
        recipe("nothing")
    with pytest.raises(CancerNetError, match="idc"):
        dataset("nothing")


def identify(text):
    return identify_idc(PurePosixPath(text))


def test_idc_name_in_the_published_form():
    found = identify("8863/1/8863_idx5_x1001_y1501_class1.png")
    assert (found.patient, found.label, found.x, found.y) == ("8863", "1", 1001, 1501)


@pytest.mark.parametrize(
    "folder",
    ["", "Cancer/", "all patches/", "train/1/", "test/1/", "IDC/", "idc/testing/1/", "x/8863/",
     "08863/1/", "8863/malignant/", "IDC_regular_ps50_idx5/1/"],
)  # fmt: skip
def test_idc_names_say_everything_in_any_folder(folder):
    found = identify(f"{folder}8863_idx5_x1001_y1501_class1.png")
    assert found == Identity("8863", "1", 1001, 1501) and found.part == ""


def test_idc_name_without_a_class_takes_that_of_the_folder():
    assert identify("No-Cancer/8863_idx5_x1_y2.png") == Identity("8863", "0", 1, 2)


def test_idc_name_in_another_form_is_taken_by_its_folders():
    found = identify("original/Patientin Ä/0/Größe 1.png")
    assert (found.patient, found.label, found.x) == ("Patientin Ä", "0", None)
    assert identify("train/8863/1/a.png") == Identity("8863", "1")  # the split counts for nothing


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("8863/1/8863_idx5_x1_y1_class0.png", "class 1, the file name class 0"),
        ("8863/1/8864_idx5_x1_y1_class1.png", "patient 8863, the file name 8864"),
        ("any/8863/1/8864_idx5_x1_y1_class1.png", "patient 8863, the file name 8864"),
        ("8863/Cancer/8863_idx5_x1_y1_class0.png", "class 1, the file name class 0"),
        ("no cancer/8863_idx5_x1_y1_class1.png", "class 0, the file name class 1"),
        ("8863/8864_idx5_x1_y1_class1.png", "patient 8863, the file name 8864"),
        ("any/8863_idx5_x1_y1_class2.png", "neither the name nor the folder says class 0 or 1"),
        ("any/8863_idx5_x1_y1.png", "neither the name nor the folder says class 0 or 1"),
        ("train/0/1.png", "expected the patient's folder above 0"),
        ("8863/Cancer/a.png", "expected 0 or 1"),
        ("8863/2/a.png", "not in the folder of a class"),
        ("1/a.png", "no patient is known for it"),
        ("8863/1/a_mask.png", "mask"),
    ],
)
def test_idc_files_that_do_not_belong(path, reason):
    with pytest.raises(LeftOut, match=reason):
        identify(path)


def test_the_nested_second_copy_has_the_same_key():
    tail = "8863/1/8863_idx5_x1_y1_class1.png"
    nested = PurePosixPath("IDC_regular_ps50_idx5") / tail
    assert key_idc(PurePosixPath(tail)) == key_idc(nested)
    assert key_idc(PurePosixPath("siteA", tail)) != key_idc(PurePosixPath("siteB", tail))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("benign (1)_mask.png", True),
        ("benign (100)_mask_1.png", True),
        ("a-MASK.png", True),
        ("mask.png", False),
        ("masked tissue.png", False),
        ("unmask_me.png", False),
        ("benign/masks/1.png", True),
        ("Mask/benign/1.png", True),
        ("unmasked/masks.png", False),
    ],
)
def test_masks_by_name(name, expected):
    assert is_mask(PurePosixPath(name)) is expected
