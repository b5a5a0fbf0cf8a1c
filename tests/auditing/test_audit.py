"""The audit finds each planted leak, and none in a clean set."""

import base64
import contextlib
import json
import os
import re
from pathlib import PurePosixPath

import numpy as np
import pytest
from PIL import Image

from cancernet.auditing import checks, words
from cancernet.auditing.audit import SHOWN
from cancernet.auditing.checks import CheckKind, Missing
from cancernet.auditing.inventory import read_inventory
from cancernet.base.errors import CancerNetError
from cancernet.catalog import LeftOut
from cancernet.commands.build import audit_command
from cancernet.dataset.find_leaks import base_name, families
from cancernet.dataset.label_table import patient_of
from tests.helpers.building_trees import build_it, files_under, make_tree
from tests.lookalike.test_near_duplicates import jpeg, texture

# patient -> split and (patches of class 0, of class 1)
CLEAN = {
    "9001": ("training", 5, 3), "9002": ("training", 5, 3), "9003": ("training", 3, 3),
    "9004": ("training", 4, 2), "9005": ("training", 4, 2), "9006": ("validation", 4, 2),
    "9007": ("validation", 4, 3), "9008": ("testing", 4, 3), "9009": ("testing", 4, 3),
}  # fmt: skip


def name_of(patient, label, place):
    return f"{label}/{patient}_idx5_x{50 * place + 1}_y51_class{label}.png"


def write_set(folder, patients=CLEAN):
    seed = 100
    for patient, (split, *counts) in patients.items():
        for label, count in enumerate(counts):
            for place in range(count):
                path = folder / split / name_of(patient, label, place)
                path.parent.mkdir(parents=True, exist_ok=True)
                seed += 1
                texture(seed).save(path)
    return folder


def audited(folder, report, **choices):
    choices = {"dataset": None, "group_by": "", **choices}
    code = audit_command(folder, report=report, **choices)
    content = json.loads((report / "audit.json").read_text())
    return code, {check["name"]: check for check in content["checks"]}, content


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return write_set(tmp_path_factory.mktemp("clean") / "set")


@pytest.fixture
def planted(clean, tmp_path):
    """A copy of the clean set, to plant something in."""
    for path, content in files_under(clean).items():
        (tmp_path / "set" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / path).write_bytes(content)
    return tmp_path / "set"


def test_a_clean_set_is_found_clean(clean, tmp_path, capsys):
    before = files_under(clean)
    code, checks, content = audited(clean, tmp_path / "report")
    assert code == 0 and content["leaks"] == [] and files_under(clean) == before
    assert {name: check["verdict"] for name, check in checks.items()} == {
        "patients in one split only": "ok",
        "exact duplicates": "ok",
        "near duplicates": "ok",
        "augmented copies, by name": "ok",
        "one label an image": "ok",
        "no masks among the images": "ok",
        "every image decodes": "ok",
        "class and patient apart": "ok",
        "stain and scanner alike": "ok",
        "prevalence in the splits": "ok",
    }
    assert "9 patients" in checks["patients in one split only"]["sentence"]
    assert "No leak was found" in capsys.readouterr().out


def plant_patient(folder):
    texture(1).save(folder / "testing" / name_of("9001", 0, 30))
    return "1 of 9 patients is in more than one split: 9001"


def plant_copy(folder):
    origin = folder / "training" / name_of("9002", 1, 0)
    (folder / "testing" / name_of("9008", 1, 30)).write_bytes(origin.read_bytes())
    return "1 image is in more than one split with identical pixels"


def plant_pixels(folder):
    origin = folder / "training" / name_of("9002", 1, 0)
    Image.open(origin).save(folder / "testing" / "1" / "9008_idx5_x9_y9_class1.tif")
    return "1 image is in more than one split with identical pixels"


def plant_changed(folder):
    image = Image.open(folder / "training" / name_of("9002", 1, 0))
    jpeg(image.transpose(Image.Transpose.ROTATE_90)).save(
        folder / "validation" / name_of("9006", 1, 30)
    )
    return "1 pair of images in different splits shows the same thing, altered (2 images)"


def plant_family(folder):
    for split, seed in (("training", 8), ("testing", 9)):
        texture(seed).save(folder / split / "0" / f"scan5_rot{seed}.png")
    return "1 of 1 family of copies is in more than one split (scan5)"


def plant_mask(folder):
    pixels = np.zeros((50, 50), np.uint8)
    pixels[10:30, 20:40] = 255
    Image.fromarray(pixels).save(folder / "training" / name_of("9001", 0, 31))
    texture(3).save(folder / "training" / "0" / "9001_idx5_x1_y1_class0_mask.png")
    return "1 file is a mask by name and 1 more by appearance"


def plant_label(folder):
    origin = folder / "training" / name_of("9002", 1, 0)
    (folder / "training" / name_of("9002", 0, 33)).write_bytes(origin.read_bytes())
    return "1 pair shows one image under two labels, 1 of them with identical pixels"


def plant_stain(folder):
    for label, place in ((0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2)):
        path = folder / "testing" / name_of("9009", label, place)
        pixels = np.asarray(Image.open(path)).astype(float) * [1.0, 0.6, 0.9]
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    return "1 of 9 patients differs in colour from the rest (9009)"


def plant_damage(folder):
    (folder / "training" / name_of("9001", 0, 0)).write_bytes(b"damaged")
    return "1 image cannot be read"


def plant_prevalence(folder):
    for place in range(40):
        texture(500 + place).save(folder / "testing" / name_of("9009", 1, 40 + place))
    return "class 1 makes up"


def plant_confounding(folder):
    for patient, (split, *counts) in CLEAN.items():
        for place in range(counts[label := int(patient) % 2]):
            (folder / split / name_of(patient, label, place)).unlink()
    return "9 of 9 patients have images of one class only (100 % of the images)"


@pytest.mark.parametrize(
    ("plant", "check", "verdict"),
    [
        (plant_patient, "patients in one split only", "LEAK"),
        (plant_copy, "exact duplicates", "LEAK"),
        (plant_pixels, "exact duplicates", "LEAK"),
        (plant_changed, "near duplicates", "LEAK"),
        (plant_family, "augmented copies, by name", "LEAK"),
        (plant_mask, "no masks among the images", "warning"),
        (plant_label, "one label an image", "warning"),
        (plant_stain, "stain and scanner alike", "warning"),
        (plant_damage, "every image decodes", "warning"),
        (plant_prevalence, "prevalence in the splits", "warning"),
        (plant_confounding, "class and patient apart", "warning"),
    ],
)
def test_each_planted_fault_is_found(planted, tmp_path, plant, check, verdict):
    words = plant(planted)
    code, checks, content = audited(planted, tmp_path / "report")
    assert checks[check]["verdict"] == verdict and words in checks[check]["sentence"]
    assert code == (verdict == "LEAK" or check == "every image decodes")
    assert len(content["leaks"]) == (verdict == "LEAK")
    if verdict == "LEAK":
        assert checks[check]["findings"][0]["paths"]
    page = (tmp_path / "report" / "audit.html").read_text()
    assert ('<div class="notice alert">LEAK' in page) == (verdict == "LEAK")


@pytest.mark.parametrize(
    ("plant", "said"),
    [
        (plant_changed, "LEAK: 1 look-alike pair in more than one split; results"),
        (
            plant_label,
            "No leak was found; other findings: 1 image with exact copies and 1 pair with two "
            "labels.",
        ),
    ],
)
def test_the_last_line_fits_what_was_found(planted, tmp_path, capsys, plant, said):
    plant(planted)
    audited(planted, tmp_path / "report")
    assert capsys.readouterr().out.splitlines()[-2].startswith(said)


def test_the_last_line_of_a_folder_without_splits(tmp_path, capsys):
    for label in ("benign", "malignant"):
        for seed in range(3):
            path = tmp_path / "set" / label / f"{label}{seed}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            texture(seed + 10 * (label == "malignant" and seed > 0)).save(path)
    code, checks, _ = audited(tmp_path / "set", tmp_path / "report")
    assert code == 0 and checks["one label an image"]["verdict"] == "warning"
    assert (
        capsys.readouterr()
        .out.splitlines()[-2]
        .startswith(
            "Nothing is divided into splits yet, so nothing can leak; to resolve before "
            "dividing: 1 image with exact copies and 1 pair with two labels."
        )
    )


def test_splits_whose_patients_nobody_knows_are_not_called_free_of_leaks(tmp_path, capsys):
    for seed, split in enumerate(("train", "test")):
        path = tmp_path / "set" / split / "0" / f"{seed}.png"
        path.parent.mkdir(parents=True)
        texture(seed).save(path)
    audited(tmp_path / "set", tmp_path / "report")
    last = capsys.readouterr().out.splitlines()[-2]
    assert last.startswith("No leak was found; patients could not be checked.")


def test_nothing_but_the_words_changes_with_the_words(planted, tmp_path, monkeypatch):
    """Every sentence is another, and the verdicts, figures and images stay."""
    plant_patient(planted), plant_changed(planted), plant_mask(planted)
    _, checks, _ = audited(planted, tmp_path / "report")
    for kind in CheckKind:
        said = (lambda check, inventory: "Something else.", *words._FOUND[kind][1:])
        monkeypatch.setitem(words._FOUND, kind, said)
    monkeypatch.setattr(words, "say_fault", lambda fault: "something else")
    code, others, content = audited(planted, tmp_path / "report")
    assert code == 1 and len(content["leaks"]) == 2
    for name, check in checks.items():
        told = {**others[name], "sentence": check["sentence"]}
        told["findings"] = [
            {**one, "words": known["words"]}
            for one, known in zip(told["findings"], check["findings"], strict=True)
        ]
        assert told == check and others[name]["sentence"] == "Something else."


def test_the_page_is_whole_and_capped(planted, tmp_path, monkeypatch):
    monkeypatch.setattr("cancernet.auditing.audit.SHOWN", 2)
    for place in range(4):
        origin = planted / "training" / name_of("9002", 0, place)
        name = name_of("9008", 0, 30 + place).replace("_class0", "<i>_class0")
        (planted / "testing" / name).write_bytes(origin.read_bytes())
    audited(planted, tmp_path / "report")
    page = (tmp_path / "report" / "audit.html").read_text()
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 4 and "2 more are in audit.json" in page and SHOWN > 2
    assert base64.b64decode(pictures[0]).startswith(b"\x89PNG")
    assert "<i>_class0" not in page and not re.search(r"(src|href)=\"(?!data:)", page)


def test_a_built_set_is_audited_by_its_manifest(tmp_path, monkeypatch):
    source = make_tree(tmp_path / "source")
    build_it(source, tmp_path / "built", split="image")
    monkeypatch.setattr("cancernet.auditing.audit.find_near_duplicates", lambda *a, **k: [])
    code, checks, _ = audited(tmp_path / "built", tmp_path / "r")
    assert code == 1 and "of 6 patients are in" in checks["patients in one split only"]["sentence"]
    before = files_under(tmp_path / "built")
    assert audit_command(tmp_path / "built", report=None, dataset=None, group_by="") == 1
    assert (tmp_path / "built.audit" / "audit.html").is_file()
    assert files_under(tmp_path / "built") == before


def test_images_without_labels_are_audited_too(tmp_path):
    for seed in range(10):
        path = tmp_path / "set" / ("train", "test")[seed % 2] / f"{seed}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        texture(seed).save(path)
    code, checks, _ = audited(tmp_path / "set", tmp_path / "report")
    assert code == 0 and checks["prevalence in the splits"]["verdict"] == "not checkable"
    (tmp_path / "set" / "train" / "a").mkdir()
    texture(99).save(tmp_path / "set" / "train" / "a" / "x.png")
    _, checks, _ = audited(tmp_path / "set", tmp_path / "report")
    assert checks["prevalence in the splits"]["verdict"] == "not checkable"


def test_images_that_are_their_own_group_say_nothing_of_groups(tmp_path):
    for seed in range(12):
        split, label = ("train", "test")[seed % 2], ("benign", "malignant")[seed // 6]
        path = tmp_path / "set" / split / label / f"{label} ({seed % 6 + 1}).png"
        path.parent.mkdir(parents=True, exist_ok=True)
        texture(seed).save(path)
    _, checks, _ = audited(tmp_path / "set", tmp_path / "report", dataset="busi")
    check = checks["groups in one split only"]
    assert check["verdict"] == "not checkable" and "--group-by" in check["sentence"]
    assert "--dataset" not in check["sentence"]  # that was said already


def test_only_a_name_in_the_form_of_idc_names_a_patient(tmp_path):
    for place, split in enumerate(("train", "test")):
        for label in (0, 1):
            for name in (f"img_{split}{label}.png", f"70{place}_idx5_x1_y1_class{label}.png"):
                path = tmp_path / "set" / split / str(label) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                texture(place).save(path)
    read = read_inventory(tmp_path / "set", dataset="idc")
    assert read.groups == ["700", "701"] and int((read.group < 0).sum()) == 4
    assert read.grouping.unnamed == 4
    assert "4 of 8 names tell no patient" in words.say_grouping(read)


def test_a_pipe_among_the_images_is_named_and_not_waited_for(planted, tmp_path, capsys):
    os.mkfifo(planted / "training" / "0" / "pipe.png")
    code, checks, _ = audited(planted, tmp_path / "report")
    check = checks["every image decodes"]
    assert code == 1 and check["verdict"] == "warning"
    named = f"error: {planted / 'training' / '0' / 'pipe.png'}: this is a pipe"
    assert named in capsys.readouterr().err
    assert "pipe.png: this is a pipe or a device, not an image file" in check["sentence"]


def test_other_names_of_splits_and_a_pattern_for_groups(clean, tmp_path):
    for old, new in (("training", "Train"), ("validation", "valid"), ("testing", "TEST")):
        for path, content in files_under(clean / old).items():
            target = tmp_path / "data" / new / path.replace("_idx5_x", "-tile-")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    known = read_inventory(tmp_path / "data", group_by=r"(\d+)-tile")
    assert known.groups == sorted(CLEAN) and known.has_splits and known.labels == ["0", "1"]
    unknown = read_inventory(tmp_path / "data")
    check = checks.check_groups(unknown)
    assert check.missing is Missing.GROUPS
    assert "--group-by" in words.say_check(check, unknown).sentence
    assert read_inventory(clean, dataset="idc").groups == sorted(CLEAN)


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (r"(?P<class>[ab])/(?P<patient>p\d)", ["p1", "p2"]),
        (r"(?:q(\d)|p(\d))", ["1", "2"]),
        (r"p\d", ["p1", "p2"]),
        ("", ["a/p1x", "b/p2x"]),
        ("p1", ["p1", None]),
    ],
)
def test_a_pattern_means_the_same_in_building_and_auditing(tmp_path, pattern, groups):
    paths = ["a/p1x.png", "b/p2x.png"]
    for place, path in enumerate(paths):
        (tmp_path / "set" / path).parent.mkdir(parents=True)
        texture(place).save(tmp_path / "set" / path)
    if pattern:
        audited_set = read_inventory(tmp_path / "set", group_by=pattern)
        names = [audited_set.groups[place] if place >= 0 else None for place in audited_set.group]
        assert names == groups
    for path, group in zip(paths, groups, strict=True):
        with contextlib.nullcontext() if group else pytest.raises(LeftOut):
            assert patient_of(PurePosixPath(path), pattern) == group


@pytest.mark.parametrize(
    ("folder", "choices", "words"),
    [
        ("nowhere", {}, "does not exist"),
        ("empty", {}, "no image"),
        ("set", {"group_by": "("}, "not a valid pattern"),
        ("set", {"group_by": "content"}, "is for building"),
        ("set", {"dataset": "unheard"}, "unknown data set"),
        ("set", {"report": "set/report"}, "inside"),
        ("set", {"report": "other"}, "other files"),
    ],
)
def test_wrong_use_is_a_sentence(tmp_path, folder, choices, words):
    (tmp_path / "empty").mkdir()
    write_set(tmp_path / "set", {"9001": ("training", 1, 0)})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    report = tmp_path / choices.pop("report", "report")
    with pytest.raises(CancerNetError, match=words):
        audited(tmp_path / folder, report, **choices)
    assert (tmp_path / "other" / "mine.txt").read_text() == "mine"


def test_names_of_copies():
    names = {
        "scan.png": "scan", "scan (1).png": "scan", "scan_rot90.png": "scan",
        "scan-rotated1-bright.png": "scan", "scan - Copy (2).png": "scan",
        "benign (1).png": "benign (1)", "benign (2)-hflip.png": "benign (2)",
        "20588680 (12).png": "20588680", "a7_jpg.rf.0123456789abcdef0123.jpg": "a7_jpg",
        "crop.png": "crop", "protocol_3.png": "protocol_3",
    }  # fmt: skip
    for name, base in names.items():
        assert base_name(name.rpartition(".")[0], {"scan"}) == base, name
    family, found = families(["a/x1.png", "b/x1 (2).png", "a/y.png", "b/y.png"], np.zeros(4))
    assert family.tolist() == [0, 0, -1, -1] and found == ["x1"]
    assert families(["a/x1.png", "b/x1 (2).png"], np.arange(2))[0].tolist() == [-1, -1]


def test_a_folder_that_is_numbered_is_no_family():
    numbered = [f"class{k}/class{k} ({i}).png" for k in (1, 2) for i in range(1, 11)]
    label = np.repeat([0, 1], 10)
    assert families(numbered, label)[1] == []
    # An image by the name alone, or a second such name in a class: copies of many images.
    assert families([*numbered, "class1.png"], np.append(label, 0))[1] == ["class1", "class2"]
    more = [*numbered, "scan7 (1).png", "scan7 (2).png"]
    assert "scan7" in families(more, np.append(label, [0, 0]))[1]
    # Two copies among many other images do not number a folder.
    few = ["scan7 (1).png", "scan7 (2).png", *(f"tile{i}.png" for i in range(5))]
    assert families(few, np.zeros(7))[1] == ["scan7"]


def test_a_numbered_folder_is_audited_without_a_leak(tmp_path):
    for seed in range(20):
        split, k = ("train", "test")[seed % 2], seed // 10 + 1
        path = tmp_path / "set" / split / f"class{k}" / f"class{k} ({seed % 10 + 1}).png"
        path.parent.mkdir(parents=True, exist_ok=True)
        texture(seed).save(path)
    code, checks, _ = audited(tmp_path / "set", tmp_path / "report")
    assert code == 0 and checks["augmented copies, by name"]["verdict"] == "ok"


def test_the_real_pair_with_two_labels_is_found(real_data, tmp_path):
    from cancernet.auditing.picture_checks import check_identical, check_labels
    from cancernet.lookalike.near_duplicates import find_near_duplicates
    from cancernet.lookalike.pictures import look_at_pictures

    names = [f"benign/benign ({n}).png" for n in (233, 299, 433)]
    names += [f"malignant/malignant ({n}).png" for n in (145, 146)]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(real_data / "busi" / name)
    inventory = read_inventory(tmp_path, dataset="busi")
    pictures = look_at_pictures(inventory.full_paths())
    pairs = find_near_duplicates(inventory.full_paths(), pictures=pictures)
    [torn] = check_labels(inventory, pairs).findings
    assert {inventory.paths[place] for place in torn.places} == {names[2], names[3]}
    assert check_identical(inventory, pictures).numbers["copies of the same bytes"] == 1
    assert {pair[:2] for pair in pairs} >= {(0, 1)}
