"""Data sets other than IDC: what their paths say, and how they are divided."""

import csv
import dataclasses
import re
from collections import Counter
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from cancernet import catalog
from cancernet.base.errors import CancerNetError
from cancernet.building.identify import identify_paths
from cancernet.catalog import Identity, LeftOut, Reason
from cancernet.dataset.manifest import read_dataset
from cancernet.dataset.notices import NoticeKind, say_notice
from cancernet.lookalike import grouping
from cancernet.sample import layouts
from cancernet.sample.layouts import vary
from cancernet.sample.radiology import draw_mammogram, draw_scan
from tests.helpers.building_trees import facts, left_out, manifest

MAMMOGRAPHY, BUSI = catalog.dataset("mammography"), catalog.dataset("busi")


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def noise(seed: int) -> np.ndarray:
    """Blotches that no turn makes alike."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9), np.uint8))
    return np.asarray(coarse.resize((40, 40), Image.Resampling.BICUBIC))


def splits_of(output: Path, column: str = "patient") -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in manifest(output):
        found.setdefault(row[column], set()).add(row["split"])
    return found


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("busi", "benign/benign (12).png", Identity("benign/benign (12)", "benign")),
        ("busi", "a/normal/normal (1).png", Identity("normal/normal (1)", "normal")),
        ("busi", "benign/benign (12)_mask.png", None),
        ("busi", "benign/benign (12)_mask_1.png", None),
        ("busi", "other/benign (12).png", None),
        ("mammography", "Density1Benign/2058 (71).png", Identity("2058", "Density1Benign")),
        ("mammography", "x/Density4Malignant/24065530.png",
         Identity("24065530", "Density4Malignant")),
        ("mammography", "Density5Benign/1.png", None),
        ("ultrasound", "train/benign/benign (3)-rotated1-sharpened.png",
         Identity("benign/benign (3)", "benign", part="training")),
        ("ultrasound", "u/val/malignant/malignant (7).png",
         Identity("malignant/malignant (7)", "malignant", part="validation")),
        ("ultrasound", "malignant/case9-rotated2.png", Identity("malignant/case9", "malignant")),
        ("ultrasound", "malignant/case9 - rotated2.png", Identity("malignant/case9", "malignant")),
        ("ultrasound", "malignant/-1.png", Identity("malignant/-1", "malignant")),
        ("ultrasound", "malignant/case9_mask.png", None),
        ("mammography", "Density1Benign/2058_mask.png", None),
    ],
)  # fmt: skip
def test_what_paths_say(name, path, expected):
    identify = catalog.dataset(name).identify
    if expected is None:
        with pytest.raises(LeftOut):
            identify(PurePosixPath(path))
    else:
        assert identify(PurePosixPath(path)) == expected


def test_both_sizes_of_the_mammograms_are_counted_once():
    folder = "Image {} Data Augmentation, Image Size {}/Density1Benign/2058 (2).png"
    keys = [
        MAMMOGRAPHY.key(PurePosixPath(folder.format(stage, size)))
        for stage, size in (("After", "224x224"), ("After", "227x227"), ("Before", "224x224"))
    ]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("name", ["busi", "ultrasound"])
def test_a_scan_in_the_folder_of_another_class_is_left_out(name):
    identify = catalog.dataset(name).identify
    with pytest.raises(LeftOut, match="class benign, the file name class malignant") as caught:
        identify(PurePosixPath("benign/malignant (3).png"))
    assert caught.value.reason is Reason.CONTRADICTION
    assert identify(PurePosixPath("benign/malignant.png")).label == "benign"


def test_every_entry_is_whole():
    for name, entry in catalog.DATASETS.items():
        assert entry.name == name and len(entry.words) == len(entry.classes)
        assert 0 < len(entry.positive) < len(entry.classes)
        assert all([entry.title, entry.layout, entry.origin, entry.licence])
    with pytest.raises(ValueError, match="two data sets"):
        catalog.entry.register(BUSI)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Identity("7", "Sick"), "class 'Sick' for a/1.png; it must be benign or malignant"),
        (Identity("7", "benign", part="val"), "part 'val' for a/1.png; it must be training or val"),
    ],
)
def test_an_entry_that_says_what_it_has_not_is_named(given, said):
    entry = dataclasses.replace(catalog.dataset("ultrasound"), identify=lambda path: given)
    with pytest.raises(CancerNetError, match=f"of the data set 'ultrasound' returns the {said}"):
        identify_paths(["a/1.png"], entry)


def mammograms(folder: Path, sources: dict[str, int], variants: int = 3) -> Path:
    seed = 0
    for label, count in sources.items():
        for place in range(count):
            for variant in range(variants):
                seed += 1
                end = f" ({variant + 1})" if variant else ""
                save(folder / label / f"{100 * place + len(label)}{label}{end}.png", noise(seed))
    return folder


def test_a_class_of_one_source_trains_and_is_judged_nowhere(build, tmp_path):
    sources = dict.fromkeys(MAMMOGRAPHY.classes, 4)
    mammograms(tmp_path / "source", {**sources, "Density4Malignant": 1, "Density4Benign": 2})
    code, out, err = build("--dataset", "mammography", "--source", "source", "--output", "out")
    assert code == 0, err
    built = read_dataset(tmp_path / "out")
    assert built.unit == "source" and "sources" in out
    assert built.absent == {
        "training": (),
        "validation": ("Density4Benign", "Density4Malignant"),
        "testing": ("Density4Malignant",),
    }
    assert all(len(found) == 1 for found in splits_of(tmp_path / "out").values())
    one, two = [say_notice(n) for n in built.notices if n.kind is NoticeKind.FEW_UNITS][::-1]
    assert "Density4Malignant" in one and "only 1 source: it is in training, not in" in one
    assert "it is not judged" in one and one in err
    assert "Density4Benign" in two and "training and testing, not in validation" in two


def test_two_classes_are_never_divided_without_one_of_them(build, tmp_path):
    for label, count in (("a", 5), ("b", 1)):
        for place in range(count):
            save(tmp_path / "source" / label / f"{label}{place}.png", noise(place + len(label)))
    code, _, err = build("--dataset", "folder", "--source", "source", "--classes", "a", "b",
                         "--positive", "b", "--group-by", "image")  # fmt: skip
    assert code == 2 and "only 1 image has images of class b" in err


def test_nor_more_when_no_positive_class_is_left(build, tmp_path):
    few = dict.fromkeys(MAMMOGRAPHY.positive, 1)
    mammograms(tmp_path / "source", {**dict.fromkeys(MAMMOGRAPHY.classes, 3), **few})
    code, _, err = build("--dataset", "mammography", "--source", "source")
    assert code == 2 and "only 1 source has images of class Density1Malignant" in err


@pytest.fixture
def busi(tmp_path, monkeypatch):
    """A few drawn scans with everything for which the published set is known."""
    monkeypatch.setattr(layouts, "SCANS", {"benign": 8, "malignant": 8, "normal": 5})
    monkeypatch.setattr(layouts, "COPIES", {("malignant", 4): ("benign", 3)})
    monkeypatch.setattr(layouts, "NEAR_COPIES", {("benign", 7): ("benign", 6)})
    layouts.draw_sample("busi", tmp_path / "source")
    return "--dataset", "busi", "--source", "source", "--output", "out"


def test_busi_without_masks_near_copies_together_and_two_labels_named(build, busi, tmp_path):
    code, out, err = build(*busi)
    assert code == 1, err
    rows = {row["source"]: row for row in manifest(tmp_path / "out")}
    assert len(rows) == 21 - 2 and not any("mask" in source for source in rows)
    assert rows["benign/benign (6).png"]["patient"] == rows["benign/benign (7).png"]["patient"]
    assert len(splits_of(tmp_path / "out")) == 18
    assert all(len(found) == 1 for found in splits_of(tmp_path / "out").values())
    gone = left_out(tmp_path / "out")
    for source in ("benign/benign (3).png", "malignant/malignant (4).png"):
        assert gone[source][0] is Reason.CONTRADICTED
        assert f"left out: {source}: exact duplicate of an image of another class" in err
    assert "more than one label" not in err, "the only such pair is left out"
    assert facts(tmp_path / "out")["notices"][-1]["kind"] == "disputed"
    assert "groups" in out and "no patient ids" in err
    code, out, _ = build(*busi)
    assert code == 1 and "Already built" in out


def test_images_under_two_labels_end_every_build_with_the_same_code(build, busi, tmp_path):
    """In the catalogue or not, the same files are left out and named, and the code is 1."""
    flags = ("--classes", *BUSI.classes, "--positive", *BUSI.positive)
    folder = ("--dataset", "folder", "--source", "source", "--output", "own", *flags)
    for asked, output in ((busi, "out"), (folder, "own")):
        code, _, err = build(*asked)
        named = sorted(re.findall(r"left out: (.*): exact duplicate of an image of another", err))
        assert (code, named) == (1, ["benign/benign (3).png", "malignant/malignant (4).png"]), err
        assert not {*named} & {row["source"] for row in manifest(tmp_path / output)}


def test_masks_as_images_are_labelled_everywhere(build, busi, tmp_path):
    code, out, err = build(*busi, "--split", "image", "--include-masks", "--allow-leaks")
    assert code == 0, err
    content = facts(tmp_path / "out")
    masks = sum("mask" in row["source"] for row in manifest(tmp_path / "out"))
    assert masks >= 21 and len(manifest(tmp_path / "out")) == masks + 21
    for text in (out, err, content["leak"]):
        assert f"MASKS AS IMAGES: {masks} of {masks + 21} images" in text and "LEAK" in text
    assert content["settings"]["include_masks"] is True


def shipped(folder: Path) -> None:
    seed = 0
    for label in ("benign", "malignant"):
        for number in range(6):
            for variant in ("", "-rotated1", "-sharpened"):
                seed += 1
                both = variant == "-sharpened" and number < 3
                part = "val" if both or number == 5 else "train"
                save(folder / part / label / f"{label} ({number}){variant}.png", noise(seed))


def test_the_shipped_split_is_kept_and_its_leaks_counted(build, tmp_path):
    shipped(tmp_path / "source")
    flags = "--dataset", "ultrasound", "--source", "source"
    code, _, err = build(*flags, "--output", "out", "--split", "shipped")
    assert code == 2 and "6 of 12 sources" in err and not (tmp_path / "out").exists()
    code, _, err = build(*flags, "--output", "out", "--split", "shipped", "--allow-leaks")
    assert code == 0, err
    for row in manifest(tmp_path / "out"):
        assert (row["split"] == "testing") == row["source"].startswith("val/")
    # Sources 0, 1 and 2 of both classes have one of their three images in val, 5 has all.
    leak = facts(tmp_path / "out")["leak"]
    assert "6 of 12 sources" in leak and "6 of 12 testing images have a sibling" in leak
    assert leak in err
    validation = {row["patient"] for row in manifest(tmp_path / "out")
                  if row["split"] == "validation"}  # fmt: skip
    training = {row["patient"] for row in manifest(tmp_path / "out") if row["split"] == "training"}
    assert validation and not validation & training
    code, _, err = build(*flags, "--output", "grouped")
    assert code == 0 and facts(tmp_path / "grouped")["leak"] == ""
    assert all(len(found) == 1 for found in splits_of(tmp_path / "grouped").values())


def test_what_was_not_shipped_in_parts_is_refused(build, tmp_path):
    mammograms(tmp_path / "source", dict.fromkeys(MAMMOGRAPHY.classes, 3), variants=1)
    code, _, err = build("--dataset", "mammography", "--source", "source", "--split", "shipped")
    assert code == 2 and "was not shipped in parts" in err


OWN = ("--dataset", "folder", "--source", "source", "--output", "out")
CLASSES = ("--classes", "no", "maybe", "yes", "--positive", "yes")


def own(folder: Path, nested: bool = False) -> dict[str, str]:
    """Nine patients of three classes; returns path -> class."""
    labels = {}
    for patient in range(9):
        label = ("no", "maybe", "yes")[patient % 3]
        for image in range(3):
            path = f"{label}/p{patient}_{image}.png" if nested else f"p{patient}_{image}.png"
            save(folder / path, noise(10 * patient + image))
            labels[path] = label
    return labels


def test_own_folders_by_a_pattern(build, tmp_path):
    own(tmp_path / "source", nested=True)
    code, out, err = build(*OWN, *CLASSES, "--words", "benign", "unclear", "malignant",
                           "--group-by", r"([^/]+)_\d+\.png$")  # fmt: skip
    assert code == 0, err
    built = read_dataset(tmp_path / "out")
    assert (built.name, built.classes) == ("folder", ("no", "maybe", "yes"))
    assert built.words == ("benign", "unclear", "malignant") and built.positive == ("yes",)
    assert splits_of(tmp_path / "out").keys() == {f"p{i}" for i in range(9)}
    assert all(len(found) == 1 for found in splits_of(tmp_path / "out").values())
    assert "patients" in out and built.unit == "patient"


TWO = ("--classes", "no", "yes", "--positive", "yes")


def copies_by_name(folder: Path, ending: str = "_rot90") -> None:
    """Six images a class and a copy by name of each, whatever it shows."""
    for index, label in enumerate(("no", "yes")):
        for number in range(6):
            for other, end in enumerate(("", ending)):
                path = folder / label / f"scan{number}{end}.png"
                save(path, noise(100 * index + 10 * number + other))


def test_windows_numbers_are_no_copies(build, tmp_path):
    for index, label in enumerate(("no", "yes")):
        for number in range(1, 9):
            path = tmp_path / "source" / label / f"{label}2 ({number}).png"
            save(path, noise(10 * index + number))
    save(tmp_path / "source" / "no" / "twin.png", noise(1))
    for group_by in ("content", "image"):
        code, _, err = build(*OWN, *TWO, "--group-by", group_by)
        assert code == 0, err
        assert len(splits_of(tmp_path / "out")) == 16


def test_copies_by_name_stay_together_where_no_patient_is_known(build, tmp_path):
    copies_by_name(tmp_path / "source")
    save(tmp_path / "source" / "no" / "twin.png", noise(0))
    code, _, err = build(*OWN, *TWO)
    assert code == 0, err
    assert len(splits_of(tmp_path / "out")) == 12 and facts(tmp_path / "out")["leaks"] == []
    assert all(len(found) == 1 for found in splits_of(tmp_path / "out").values())
    code, _, err = build(*OWN, *TWO, "--group-by", "image")
    assert code == 2 and "families of copies, by their names" in err
    assert "--group-by content" in err and "--split patient" not in err
    code, _, err = build(*OWN, *TWO, "--split", "image")
    assert code == 2 and "use --split patient" in err


def test_what_leaks_only_when_duplicates_are_gone_is_refused_too(build, tmp_path):
    copies_by_name(tmp_path / "source")
    save(tmp_path / "source" / "no" / "scan0=twin.png", noise(0))
    code, _, err = build(*OWN, *TWO, "--group-by", "^(.+?)(?:=twin)?[.]png$")
    assert code == 2 and "families of copies, by their names" in err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_masks_is_left_out(build, tmp_path):
    for index, label in enumerate(("no", "yes")):
        for number in range(8):
            for place, folder in enumerate(("images", "masks")):
                path = tmp_path / "source" / label / folder / f"{label}{number}.png"
                save(path, noise(100 * place + 10 * index + number))
    code, out, err = build(*OWN, *TWO)
    assert code == 0, err
    assert len(manifest(tmp_path / "out")) == 16 and "16  a mask, not an image" in out
    assert all("/masks/" in source for source in left_out(tmp_path / "out"))


def write_table(path: Path, rows: list[tuple], ending: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, lineterminator=ending).writerows(rows)
    return path


def test_own_table_with_patients(build, tmp_path):
    labels = own(tmp_path / "source" / "images")
    rows = [(path, label, path.partition("_")[0]) for path, label in labels.items()]
    rows += [(f"images/{path}", label, patient) for path, label, patient in rows[:2]]  # agreeing
    save(tmp_path / "source" / "images" / "more.png", noise(999))
    write_table(tmp_path / "labels.csv", [("Filename", "Label", "Patient"), *rows], "\r\n")
    code, _, err = build(*OWN, *CLASSES, "--table", "labels.csv")
    assert code == 0, err
    found = {row["source"].rpartition("/")[2]: row["label"] for row in manifest(tmp_path / "out")}
    assert found == labels
    assert splits_of(tmp_path / "out").keys() == {f"p{i}" for i in range(9)}
    assert left_out(tmp_path / "out")["images/more.png"] == (
        Reason.NO_LABEL,
        "labels.csv",
    )


@pytest.mark.parametrize("group_by", ["content", "image", "table"])
def test_equal_names_in_groups_named_by_paths(build, tmp_path, group_by):
    rows: list[tuple] = [("filename", "label", "patient")]
    for place, site in enumerate("ab"):
        for index, label in enumerate(("no", "yes")):
            for number in range(4):
                path = f"{site}/{label}/{number}.png"
                save(tmp_path / "source" / path, noise(100 * place + 10 * index + number))
                rows.append((path, label, f"{number}/20\\21{site}"))
    how = ("--table", write_table(tmp_path / "labels.csv", rows))
    how = how if group_by == "table" else ("--group-by", group_by)
    code, _, err = build(*OWN, "--classes", "no", "yes", "--positive", "yes", *how)
    assert code == 0, err
    for row in manifest(tmp_path / "out"):
        assert (tmp_path / "out" / row["path"]).is_file()
        assert row["path"].count("/") == 2 and "\\" not in row["path"]
    groups = {row["patient"] for row in manifest(tmp_path / "out")}
    assert ("0/20\\21a" in groups) if group_by == "table" else ("a/no/0" in groups)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("name", "label"), ("a.png", "no")], "no column for the image"),
        ([("filename", "label"), ("p0_0.png", "perhaps")], "row 2 of labels.csv has the label"),
        ([("filename", "label"), ("p0_0.png", "no"), ("p0_0.png", "yes")], "an earlier row no"),
        ([("filename", "label"), ("p0_0.png", "no"), ("./p0_0.png", "yes")], "an earlier row no"),
        ([("filename", "label"), ("only.png", "no"), ("a/only.png", "yes")],
         "rows 2 and 3 of labels.csv mean the same file a/only.png by the names only.png and"),
        ([("filename", "label", "patient"), ("a/only.png", "no", "p"), ("only.png", "no", "q")],
         "but give it different labels or patients"),
        ([("filename", "label", "patient"), ("p0_0.png", "no", "p"), ("p0_0.png", "no", "q")],
         "row 3 of labels.csv says that p0_0.png is of patient q, an earlier row of p"),
        ([("filename", "label"), ("gone.png", "no")], "none of 1 files that labels.csv names is"),
        ([("filename", "label")], "heading but no rows"),
        ([("filename", "label", "patient"), ("p0_0.png", "no", "")], "labels.csv names no"),
        ([("filename", "label"), ("p0_0.png",)], "row 2 of labels.csv has the label ''"),
        ([("filename", "label"), ("twice.png", "no")], "fits several files"),
        (None, "there is no table labels.csv"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_one_sentence(build, tmp_path, rows, words):
    own(tmp_path / "source")
    for folder in ("a", "b"):
        save(tmp_path / "source" / folder / "twice.png", noise(1))
    save(tmp_path / "source" / "a" / "only.png", noise(2))
    if rows is not None:
        write_table(tmp_path / "labels.csv", rows)
    code, out, err = build(*OWN, *CLASSES, "--table", "labels.csv")
    assert code == 2 and out == "" and words in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], "two different classes with --classes"),
        (["--classes", "a", "a", "--positive", "a"], "two different classes with --classes"),
        (["--classes", "a", "A", "--positive", "a"], "differ only in upper and lower case"),
        (["--classes", "a", "../b", "--positive", "a"], "cannot be the name of a folder"),
        (["--classes", "a", "b"], "--positive must name some"),
        (["--classes", "a", "b", "--positive", "a", "b"], "--positive must name some"),
        (["--classes", "a", "b", "--positive", "c"], "--positive has c, not among"),
        (["--classes", *map(str, range(128)), "--positive", "1"], "--classes has 128 names"),
        ([*CLASSES, "--words", "one"], "--words has 1 names"),
        ([*CLASSES, "--words", "a", "b", "a"], "--words has the same word"),
        ([*CLASSES, "--group-by", "("], "is not a regular expression"),
        ([*CLASSES, "--group-by", "xyz"], "--group-by does not match the path"),
        ([*CLASSES, "--include-masks"], "on busi only"),
        ([*CLASSES, "--sample"], "has no sample"),
    ],
)
def test_wrong_descriptions_are_one_sentence(build, tmp_path, flags, words):
    own(tmp_path / "source", nested=True)
    code, out, err = build(*OWN, *flags)
    assert code == 2 and out == "" and words in err and "Traceback" not in err


def test_a_class_without_a_folder_is_said_at_once_with_the_nearest(build, tmp_path, monkeypatch):
    def look(*_):
        raise AssertionError("the images were compared first")

    monkeypatch.setattr("cancernet.building.build.group_by_content", look)
    own(tmp_path / "source", nested=True)
    misspelled = ["--classes", "no", "maybee", "yes", "--positive", "yes"]
    code, out, err = build(*OWN, *misspelled)
    assert code == 2 and out == ""
    assert "there is no folder maybee with images in" in err
    assert "(did you mean maybe?)" in err


def test_descriptions_are_for_sets_without_an_entry(build):
    code, _, err = build("--dataset", "busi", "--classes", "a", "b")
    assert code == 2 and "--dataset folder" in err
    code, _, err = build("--dataset", "idc", "--include-masks")
    assert code == 2 and "no system had on idc" in err
    code, _, err = build("--dataset", "folder", *CLASSES)
    assert code == 2 and "needs --source" in err


@pytest.fixture(scope="module")
def variants(tmp_path_factory):
    """Four drawn mammograms and two scans, each turned, mirrored, equalised; path -> source."""
    folder, paths = tmp_path_factory.mktemp("variants"), {}
    pictures = [draw_mammogram(np.random.default_rng(s), density=s % 4 + 1, malignant=s % 2 > 0)
                for s in range(4)]  # fmt: skip
    pictures += [draw_scan(np.random.default_rng(s), (200, 200), "benign")[0] for s in (8, 9)]
    for source, pixels in enumerate(pictures):
        for turn, mirrored, equalised in (
            (0, 0, 0),
            (30, 0, 0),
            (210, 1, 0),
            (97, 0, 1),
            (0, 1, 1),
        ):
            picture = vary(pixels, turn=turn, mirrored=bool(mirrored), equalised=bool(equalised))
            name = f"{source}-{turn}-{mirrored}{equalised}.jpg"
            paths[save(folder / name, picture)] = source
    return paths


def test_turned_and_mirrored_variants_are_siblings_and_strangers_are_not(variants):
    groups = grouping.group_siblings(list(variants)).tolist()
    assert [groups.index(group) for group in groups] == [
        list(variants.values()).index(source) for source in variants.values()
    ]


def test_the_sample_without_numbers_finds_its_sources(build, monkeypatch, tmp_path):
    sources = {(density, malignant): 3 for density in (1, 2, 3, 4) for malignant in (False, True)}
    monkeypatch.setattr(layouts, "MAMMOGRAM_SOURCES", {**sources, (4, True): 1})
    monkeypatch.setattr(layouts, "MAMMOGRAM_VARIANTS", 4)
    code, out, err = build("--sample", "--dataset", "mammography-csv")
    assert code == 0, err
    sample = tmp_path / "datasets" / "sample"
    rows, gone = manifest(sample / "mammography-csv"), left_out(sample / "mammography-csv")
    unlabelled = [r for s, (r, _) in gone.items() if s.startswith("test/")]
    assert len(unlabelled) == 22 and set(unlabelled) == {Reason.NO_LABEL}
    assert len(rows) == 88 - 22 and "DRAWN SAMPLE" in out and "found by comparing" in err
    assert len({row["patient"] for row in rows}) == 22
    assert all(len(found) == 1 for found in splits_of(sample / "mammography-csv").values())


def test_unreadable_and_empty_pictures_are_alone(tmp_path, variants):
    save(tmp_path / "black.png", np.zeros((50, 50), np.uint8))
    save(tmp_path / "dark.png", np.zeros((60, 40), np.uint8))
    (tmp_path / "broken.png").write_bytes(b"x")
    some = [*list(variants)[:2], *sorted(tmp_path.glob("*.png"))]
    assert grouping.group_siblings(some).tolist() == [0, 0, 1, 2, 3]


def test_too_many_to_compare_is_a_sentence(monkeypatch):
    monkeypatch.setattr(grouping, "LARGEST", 3)
    with pytest.raises(catalog.entry.CancerNetError, match="say with --group-by"):
        grouping.group_siblings(["a"] * 4)


def test_the_real_busi(real_data, build, tmp_path):
    """A sixth of the scans, with their masks: comparing them all takes over five times as long."""
    there = set()
    for path in real_data.glob("busi/*/*.png"):
        if int(path.stem.split("(")[1].split(")")[0]) % 6 == 1:  # both of `double` are
            place = tmp_path / "busi" / path.parent.name / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(path)
            there.add(place.relative_to(tmp_path / "busi").as_posix())
    code, _, err = build("--dataset", "busi", "--source", "busi", "--output", "out",
                         "--link", "symbolic")  # fmt: skip
    assert code == 1
    rows, gone = manifest(tmp_path / "out"), left_out(tmp_path / "out")
    double = {"benign/benign (433).png", "malignant/malignant (145).png"}
    scans = {row["source"] for row in rows} | double
    masks = {name for name in there if "_mask" in name}
    assert double <= there and masks and scans == there - masks
    assert len(rows) == len(scans) - len(double) and gone.keys() == masks | double
    assert all(gone[scan][0] is Reason.CONTRADICTED for scan in double) and "benign (433)" in err
    assert all(len(found) == 1 for found in splits_of(tmp_path / "out").values())


def test_the_real_mammograms(real_data, build, tmp_path):
    code, _, _ = build("--dataset", "mammography", "--source", real_data / "mammography",
                       "--output", "out", "--link", "symbolic")  # fmt: skip
    there = list((real_data / "mammography").glob("*/*.png"))
    assert code == 0 and there and len(manifest(tmp_path / "out")) == len(there)
    splits = splits_of(tmp_path / "out")
    sources = {(path.parent.name, path.stem.split(" (")[0]) for path in there}
    assert splits.keys() == {source for _, source in sources}
    assert all(len(found) == 1 for found in splits.values())
    alone = [name for name, count in Counter(name for name, _ in sources).items() if count == 1]
    assert alone == ["Density4Malignant"]  # the only class with one source, as published
    assert facts(tmp_path / "out")["absent"]["testing"] == alone
