"""One patient, however a table, a list or a path spells the number of its id."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cancernet.auditing.inventory import read_inventory
from cancernet.base.errors import CancerNetError
from cancernet.base.patch_name import (
    Respelled,
    find_respelled,
    one_spelling,
    patient_key,
)
from cancernet.base.tables import read_list
from cancernet.building.describe import describe_dataset
from cancernet.building.identify import identify_paths
from cancernet.building.settings import BuildSettings
from cancernet.catalog import dataset
from cancernet.config import SPLITS
from cancernet.dataset.build_record import Unlisted
from cancernet.dataset.label_table import read_labels
from cancernet.dataset.notices import notice_respelled, say_notice
from cancernet.dataset.split_lists import read_lists, split_by_lists
from cancernet.dataset.splitting import split_by_patient
from cancernet.evaluation.labelled_images import read_labelled
from cancernet.evaluation.subgroups import read_columns
from tests.helpers.building_trees import facts, make_tree, manifest, write_patch

FEW = 30 if settings.default.max_examples == 100 else settings.default.max_examples
SPELLINGS = (
    "{}", "{}.0", "{}.", "{}.00", " {}", "{} ", "00{}", "0{}.0", "\t{}.0 ", "{},0", "\xa0{}",
)  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_a_number_has_one_key(spelling):
    assert patient_key(spelling.format(7)) == "7"
    assert patient_key(spelling.format(0)) == "0"


@pytest.mark.parametrize("name", ["7.5", "7a", "P7", "7.0.1", "1e3", "-7", "7/1", "", ".0", "７"])
def test_what_is_not_a_whole_number_is_its_own_key(name):
    assert patient_key(name) == name and patient_key(f" {name} ") == name


def test_the_plainest_spelling_stays_and_no_other_id_changes():
    names = ["007", "7.0", "P2", "08863", "8.0", "007"]
    assert find_respelled(names) == [Respelled("007", ("7.0",))]
    assert one_spelling(names) == ["007", "007", "P2", "08863", "8.0", "007"]
    assert one_spelling(["007", "7.0", "7"]) == ["7"] * 3
    assert one_spelling(["7,0", "007"]) == ["007"] * 2


def test_what_was_joined_is_said():
    assert notice_respelled([]) == []
    found = find_respelled([*map(str, range(7)), *(f"{n}.0" for n in range(7))])
    words = " ".join(map(say_notice, notice_respelled(found)))
    assert words.endswith("patient: 0 and 0.0; 1 and 1.0; 2 and 2.0; 3 and 3.0; 4 and 4.0; "
                          "and 2 more.")  # fmt: skip


ids = st.one_of(
    st.integers(0, 40).map(str),
    st.integers(0, 40).map(float).map(str),
    st.integers(0, 40).map(lambda number: f"{number:04d}"),
    st.integers(0, 40).map(lambda number: f"  {number}\t"),
    st.sampled_from(["P7", "p7", "p 7", "7a", "7.5", "case-007"]),
)


def meaning(name):
    """What an id means to a person: its number, else its text."""
    try:
        number = float(name)
    except ValueError:
        return name.strip()
    return number


@settings(max_examples=FEW)
@given(names=st.lists(ids, min_size=20, max_size=80), seed=st.integers(0, 9), two=st.booleans())
def test_nobody_is_on_two_sides_by_any_spelling(tmp_path_factory, names, seed, two):
    """Ids in a table of labels, or in a second table beside it."""
    folder = tmp_path_factory.mktemp("property")
    rows = [(f"{n}.png", "ab"[n % 2], name) for n, name in enumerate([*names, *names[::-1]])]
    for table in ("labels", "patients"):
        with open(folder / f"{table}.csv", "w", newline="") as file:
            columns = ("filename", "label", "who" if two and table == "labels" else "patient")
            csv.writer(file).writerows([columns, *rows])
    choices = BuildSettings(
        dataset="folder", source=folder, output=folder / "out", classes=("a", "b"),
        positive=("b",), table=folder / "labels.csv",
        patient_table=folder / "patients.csv" if two else None,
    )  # fmt: skip
    nobody_on_two_sides(choices, {f"images/{name}": who for name, _, who in rows}, seed)


def nobody_on_two_sides(choices, names, seed):
    """Divides images, path -> the id that was written of its patient, and looks who is where."""
    entry, _ = describe_dataset(choices, list(names))
    images = identify_paths(list(names), entry).images
    assert len(images) == len(names)
    assert len(images.patients) == len({meaning(name) for name in names.values()})
    try:
        splits = split_by_patient(images, entry, choices.ratios, seed=seed)
    except CancerNetError:  # too few patients
        return
    sides: dict[object, set[int]] = {}
    for source, split in zip(images.sources, splits.tolist(), strict=True):
        sides.setdefault(meaning(names[source]), set()).add(split)
    assert all(len(found) == 1 for found in sides.values())


@settings(max_examples=FEW // 3)
@given(
    names=st.lists(ids, min_size=10, max_size=30),
    seed=st.integers(0, 9),
    form=st.sampled_from(
        [
            ("x/{label}/{name}_{number}.png", r"([^/]*)_\d+\.png$"),
            ("x/{label}/{number}-{name}.png", r"\d+-(.*)\.png$"),
            ("x/{name}/{label}/{number}.png", r"([^/]*)/[^/]*/[^/]*$"),
        ]
    ),
    table=st.booleans(),
)
def test_nobody_that_a_pattern_finds_is_on_two_sides(tmp_path_factory, names, seed, form, table):
    """Ids in the names of files and folders, read by --group-by; labels in folders or a table."""
    layout, pattern = form
    paths = {
        layout.format(name=name, label="ab"[number % 2], number=number): name
        for number, name in enumerate([*names, *names[::-1]])
    }
    folder = tmp_path_factory.mktemp("property")
    with open(folder / "t.csv", "w", newline="") as file:
        rows = ((path, "ab"["b" in path.split("/")]) for path in paths)
        csv.writer(file).writerows([("filename", "label"), *rows])
    choices = BuildSettings(
        dataset="folder", source=folder, output=folder / "out", classes=("a", "b"),
        positive=("b",), group_by=pattern, table=folder / "t.csv" if table else None,
    )  # fmt: skip
    nobody_on_two_sides(choices, paths, seed)


# Folders keep spaces inside their names only, and no list holds an empty line.
spelled = st.tuples(st.integers(0, 9), st.sampled_from(SPELLINGS)).map(
    lambda pair: pair[1].format(pair[0])
)


@settings(max_examples=FEW)
@given(st.lists(st.tuples(spelled, spelled), min_size=1, max_size=12))
def test_folders_names_lists_and_subgroups_mean_one_patient(tmp_path_factory, spellings):
    folder = tmp_path_factory.mktemp("property")
    paths = [
        f"{place}/{above}/1/{above}_idx5_x1_y{place}_class1.png"
        for place, (above, _) in enumerate(spellings)
    ]
    images = identify_paths(paths, dataset("idc")).images
    numbers = {int(meaning(above.replace(",", "."))) for above, _ in spellings}
    assert {int(patient_key(name)) for name in images.patients} == numbers
    assert len(images.patients) == len(numbers)
    # A list that spells everybody in another way leaves nobody out.
    training = folder / "training.txt"
    training.write_text("\n".join(f"{n:03d}" for n in sorted(numbers)), encoding="utf-8")
    listed = split_by_lists(images, dict.fromkeys(read_list(training), "training"))
    assert len(listed.images) == len(images) and not listed.without_images
    with open(folder / "sites.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("patient", "site"), *((name, "A") for _, name in spellings)])
    table = read_columns(folder / "sites.csv")[1]["site"]
    assert set(table) == {patient_key(name) for _, name in spellings}


def test_folders_of_external_data_mean_one_patient(tmp_path):
    run = SimpleNamespace(
        classes=("0", "1"), record=SimpleNamespace(dataset=SimpleNamespace(name="idc"))
    )
    for number, patient in enumerate(("7", "007", "8")):
        write_patch(tmp_path / patient / "1" / f"{patient}_idx5_x1_y1_class1.png", number)
    found = read_labelled(tmp_path, run)
    assert found.patients == ["7", "7", "8"] and found.patients_known
    assert found.respelled == "Ids that are the same number are one patient: 7 and 007."


def test_what_pandas_writes_of_a_column_with_gaps(tmp_path):
    pandas = pytest.importorskip("pandas")
    halves = pandas.DataFrame({"filename": ["a.png", "b.png"], "label": "a", "patient": [7, 8]})
    gaps = pandas.DataFrame({"filename": ["c.png", "d.png"], "label": "b", "patient": [7.0, None]})
    gaps.loc[1, "patient"] = 8
    for table in (halves, gaps):
        table.to_csv(tmp_path / "t.csv", mode="a", header=table is halves, index=False)
    labels = read_labels(tmp_path / "t.csv", ("a", "b"))
    assert [said.patient for said in labels.files.values()] == ["7", "8", "7.0", "8.0"]
    assert set(one_spelling([said.patient for said in labels.files.values()])) == {"7", "8"}


def write_lists(folder, *contents):
    files = [folder / f"{split}.txt" for split in SPLITS]
    for file, content in zip(files, contents, strict=True):
        file.write_text(content)
    return files


def test_a_patient_on_two_lists_in_two_spellings_is_refused(tmp_path):
    files = write_lists(tmp_path, "7\n8\n", "9\n", "7.0\n")
    with pytest.raises(CancerNetError, match=r"patient 7 is on two lists.*as 7 and as 7\.0"):
        read_lists(tuple(files))
    files = write_lists(tmp_path, "7\n007\n", "9\n", "8.0\n")
    assert read_lists(tuple(files)) == {"7": "training", "9": "validation", "8.0": "testing"}


@pytest.fixture
def scans(tmp_path):
    """Twelve patients with an image of each class; a table spells their ids in two ways."""
    rows = []
    for number in range(12):
        for place, label in enumerate(("no", "yes")):
            name = f"{number}_{label}.png"
            write_patch(tmp_path / "scans" / name, 10 * number + place)
            rows.append((name, label, f"{number}.0" if place else f"{number}"))
    with open(tmp_path / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows([("filename", "label", "patient"), *rows])
    return tmp_path / "scans"


OWN = ("--dataset", "folder", "--output", "out", "--classes", "no", "yes", "--positive", "yes")


def test_a_table_with_7_and_7_0_names_one_patient(build, scans, tmp_path):
    code, out, err = build(*OWN, "--source", scans, "--table", "labels.csv")
    assert code == 0, err
    words = "Ids that are the same number are one patient: 0 and 0.0; 1 and 1.0; 10 and 10.0"
    assert words in err and words in facts(tmp_path / "out")["warnings"][0]
    assert facts(tmp_path / "out")["same_patients"]["7"] == ["7.0"]
    sides: dict[str, set[str]] = {}
    for row in manifest(tmp_path / "out"):
        assert row["patient"] == row["source"].partition("_")[0]
        sides.setdefault(row["patient"], set()).add(row["split"])
    assert len(sides) == 12 and all(len(found) == 1 for found in sides.values())
    code, out, _ = build(*OWN, "--source", scans, "--table", "labels.csv")
    assert code == 0 and "Already built" in out


def test_a_set_that_took_them_for_two_patients_is_built_again(build, scans, tmp_path):
    import json

    assert build(*OWN, "--source", scans, "--table", "labels.csv")[0] == 0
    earlier = facts(tmp_path / "out")
    del earlier["same_patients"]
    (tmp_path / "out" / "build.json").write_text(json.dumps(earlier))
    code, out, _ = build(*OWN, "--source", scans, "--table", "labels.csv")
    assert code == 0 and "Already built" not in out


def test_padded_ids_stay_as_they_are(build, tmp_path):
    for number in range(12):
        write_patch(tmp_path / "scans" / ("no", "yes")[number % 2] / f"{number:03d}_1.png", number)
    code, _, err = build(*OWN, "--source", tmp_path / "scans", "--group-by", "([0-9]+)_")
    assert code == 0 and "same number" not in err
    patients = {row["patient"] for row in manifest(tmp_path / "out")}
    assert patients == {f"{n:03d}" for n in range(12)}
    write_patch(tmp_path / "scans" / "yes" / "7_2.png", 99)
    code, _, err = build(*OWN, "--source", tmp_path / "scans", "--group-by", "([0-9]+)_")
    assert code == 0 and "one patient: 7 and 007." in err


def test_lists_name_patients_in_any_spelling(build, tmp_path):
    make_tree(tmp_path / "idc")
    files = write_lists(tmp_path, "8001.0\n8002.0\n9.0\n", " 8003\n", "08004\n")
    code, _, err = build("--source", "idc", "--output", "out", "--split", "lists",
                           "--split-lists", *files)  # fmt: skip
    assert code == 0, err
    found = facts(tmp_path / "out")
    assert found["unlisted"]["patients"] == 2 and found["listed_without_images"] == ["9.0"]
    assert {(row["patient"], row["split"]) for row in manifest(tmp_path / "out")} == {
        ("8001", "training"), ("8002", "training"), ("8003", "validation"), ("8004", "testing"),
    }  # fmt: skip
    assert "one patient: 8001 and 8001.0; 8002 and 8002.0; 8004 and 08004." in err


def test_the_official_lists_find_images_whose_ids_are_padded():
    from tests.dataset.test_splitting import images_of

    images = images_of([[2, 2], [3, 1], [1, 1]], ["0001", "0002", "0003"])
    listed = split_by_lists(
        images, {"1": "training", "2.0": "validation", "3": "testing"}, "testing"
    )
    assert not listed.without_images and listed.unlisted == Unlisted()
    assert np.unique(listed.splits).tolist() == [0, 1, 2] and len(listed.respelled) == 3


def test_an_audit_finds_a_patient_on_two_sides_in_two_spellings(tmp_path):
    for split, name in (("train", "7_1"), ("test", "007_2"), ("test", "8_1")):
        write_patch(tmp_path / split / "no" / f"{name}.png", len(name) + len(split))
    inventory = read_inventory(tmp_path, group_by="([0-9]+)_")
    assert inventory.groups == ["7", "8"]


def test_a_table_of_groups_means_patients_by_number(tmp_path):
    (tmp_path / "sites.csv").write_text("patient,site\n7.0,A\n008,B\n7,A\n")
    assert read_columns(tmp_path / "sites.csv") == ("patient", {"site": {"7": "A", "8": "B"}})
    (tmp_path / "sites.csv").write_text("patient,site\n7.0,A\n7,B\n")
    with pytest.raises(CancerNetError, match="patient 7 has two values of site"):
        read_columns(tmp_path / "sites.csv")
