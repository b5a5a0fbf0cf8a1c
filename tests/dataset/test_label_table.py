"""Tables of labels: which file a row means, and the row that is at fault."""

import dataclasses
from pathlib import PurePosixPath

import pytest

from cancernet.base.errors import CancerNetError
from cancernet.catalog import Identity, LeftOut, Reason, dataset
from cancernet.catalog.entry import Tables
from cancernet.dataset.label_table import (
    IdentifyByTable,
    Labelled,
    Meanings,
    patient_of,
    read_labels,
)

CLASSES = ("benign", "malignant")
IDC = dataset("idc")
IN_TRAIN = dataclasses.replace(IDC, tables=Tables("t.csv", folder="train"))


@pytest.fixture
def labels(tmp_path):
    def read(text, **flags):
        (tmp_path / "t.csv").write_text(text)
        return read_labels(tmp_path / "t.csv", CLASSES, **flags)

    return read


def test_a_table_with_patients(labels, tmp_path):
    table = labels(
        "label,patient,filename\nbenign,7,.\\a\\b.png\nbenign,7.0,a/b.png\nmalignant,8,c\n"
    )
    assert (table.path, table.has_patients) == (tmp_path / "t.csv", True)
    assert table.files == {
        "a/b.png": Labelled("benign", "7", 2), "c": Labelled("malignant", "8", 4),
    }  # fmt: skip
    plain = labels("path,label\na,malignant\n")
    assert not plain.has_patients and plain.files == {"a": Labelled("malignant", "", 2)}


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("filename, Benign ,MALIGNANT\na,1,0\nb,0,1\n", {}),
        ("image;7;patient;0\na;TRUE;1;no\nb;;2;1.0\n", {"labels": ["7=benign", "0=malignant"]}),
        ("image,benign,malignant,label\na,0,1,benign\nb,0,1,malignant\n", {}),
    ],
)  # fmt: skip
def test_a_column_for_every_class(labels, text, flags):
    """As Roboflow and ISIC write tables; the last has a column for the label, which counts."""
    found = labels(text, **flags).files
    assert {name: one.label for name, one in found.items()} == {"a": "benign", "b": "malignant"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,benign,malignant\na,1,0\nb,1,1\n", "row 3 .* label 'benign and malignant',"),
        ("image,benign,malignant\na,0.4,0.6\n", "row 2 .* has the label '', which is none"),
        ("image,benign,other\na,1,0\n", "has no column for the label, which is usually called"),
    ],
)  # fmt: skip
def test_columns_of_classes_that_say_no_single_one(labels, text, said):
    with pytest.raises(CancerNetError, match=said):
        labels(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na,benign\nb,good\n", "row 3 of {} has the label 'good', which is none of the "
         "classes benign, malignant; say what each label means with --labels LABEL=CLASS"),
        ("path,label,patient\na,benign,\n", "row 2 of {} names no patient; fill it in, or "
         "take the row out"),
        ("path,label\na,benign\nb,benign\na,malignant\n", "row 4 of {} gives a the label "
         "malignant, an earlier row benign; take one of them out"),
        ("path,label,patient\na,benign,1\na,benign,2\n", "row 3 of {} says that a is of patient 2, "
         "an earlier row of 1; take one of them out"),
        ("path,label\n", "{} has a heading but no rows"),
    ],
)  # fmt: skip
def test_the_row_at_fault_is_named(labels, tmp_path, text, said):
    with pytest.raises(CancerNetError) as refused:
        labels(text)
    assert str(refused.value) == said.format(tmp_path / "t.csv")


def matched(table, images, entry=IDC, pattern=""):
    return IdentifyByTable.match(table, entry, images, pattern=pattern)


def test_a_row_means_its_very_path_or_the_only_one_that_ends_so(labels):
    table = labels("path,label\na.png,benign\nx/b.png,malignant\nc.png,benign\n")
    images = ["a.png", "x/a.png", "y/x/b.png", "zx/b.png", "val/c.png", "d.png"]
    found = matched(table, images)
    assert found.table == "t.csv" and found.known == {
        "a.png": Identity("a", "benign"),
        "y/x/b.png": Identity("y/x/b", "malignant"),
        "val/c.png": Identity("val/c", "benign", part="validation"),
    }
    assert found(PurePosixPath("a.png")) == Identity("a", "benign")
    with pytest.raises(LeftOut) as left:
        found(PurePosixPath("d.png"))
    assert str(left.value) == f"{Reason.NO_LABEL.value}: t.csv"


def test_the_folder_of_the_data_set_comes_first(labels):
    table = labels("path,label\na.png,benign\nx/b.png,benign\n")
    images = ["a.png", "train/a.png", "x/b.png", "more/train/x/b.png", "other/x/b.png"]
    assert set(matched(table, images, IN_TRAIN).known) == {"train/a.png", "x/b.png"}
    inside = ["y/a.png", "top/train/y/a.png", "untrain/y/a.png", "z/x/b.png", "train/q/x/b.png"]
    found = matched(table, inside, IN_TRAIN)
    assert set(found.known) == {"top/train/y/a.png", "train/q/x/b.png"}


def test_rows_and_files_without_a_partner_are_listed(labels, tmp_path):
    table = labels("path,label\n" + "".join(f"{n}.png,benign\n" for n in range(5)))
    found = matched(table, ["2.png", "x3.png", "x/4.png", "y/4.png"])
    assert set(found.known) == {"2.png"}
    assert [(file.source, file.detail) for file in found.missing] == [
        ("0.png", "row 2 of t.csv"), ("1.png", "row 3 of t.csv"), ("3.png", "row 5 of t.csv"),
    ]  # fmt: skip
    assert all(file.reason is Reason.NO_FILE and file.failed for file in found.missing)
    for path, reason, detail, failed in (
        ("x3.png", Reason.NO_LABEL, "t.csv", False),
        ("y/4.png", Reason.SEVERAL_FILES, "4.png in t.csv", True),
    ):
        with pytest.raises(LeftOut) as left:
            found(PurePosixPath(path))
        assert (left.value.reason, left.value.detail, left.value.failed) == (reason, detail, failed)
    with pytest.raises(CancerNetError) as refused:
        matched(table, ["6.png", "x3.png"])
    assert str(refused.value).startswith(
        f"none of 5 files that {tmp_path / 't.csv'} names is in the folder of the images: "
        "0.png, 1.png, 2.png and 2 more; "
    )


@pytest.mark.parametrize(
    ("second", "agrees"),
    [("benign,1", True), ("benign,01", True), ("malignant,1", False), ("benign,2", False)],
)
def test_two_rows_of_one_file_must_agree(labels, tmp_path, second, agrees):
    table = labels(f"path,label,patient\nx/a.png,benign,1\nb.png,benign,3\na.png,{second}\n")
    images = ["x/a.png", "b.png"]
    if agrees:
        assert matched(table, images).known["x/a.png"] == Identity("1", "benign")
        return
    with pytest.raises(CancerNetError) as refused:
        matched(table, images)
    assert str(refused.value).startswith(
        f"rows 2 and 4 of {tmp_path / 't.csv'} mean the same file x/a.png by the names x/a.png and "
        "a.png, but give it different labels or patients; "
    )


def test_the_patient_is_found_by_a_pattern_where_the_table_names_none(labels):
    table = labels("path,label\np7-1.png,benign\n")
    assert matched(table, ["p7-1.png"], pattern=r"p(\d+)").known["p7-1.png"].patient == "7"
    with pytest.raises(CancerNetError, match=r"^p7-1\.png: "):
        matched(table, ["p7-1.png"], pattern="q")
    named = labels("path,label,patient\np7-1.png,benign,9\n")
    assert matched(named, ["p7-1.png"], pattern="q").known["p7-1.png"].patient == "9"


def test_labels_as_numbers_or_in_other_words(labels):
    table = labels(
        "Filename;class;patient_id\na;0.0;1\nb;1;2\nc;Krebs;3\n",
        labels=("0=benign", "1=malignant", "krebs=malignant"),
    )
    assert [said.label for said in table.files.values()] == ["benign", "malignant", "malignant"]
    assert [said.label for said in labels("image,target\na, Benign\n").files.values()] == ["benign"]
    assert Meanings(("0", "1")).find("1.0") == "1" and Meanings(("0", "1")).find("2") is None
    # Where labels are explained, no other counts: 1 does not mean the class 1 here.
    assert Meanings(("0", "1"), ("1=0", "2=1")).find("0") is None
    with pytest.raises(CancerNetError, match="--labels has 1=bad; choose a class from benign, mal"):
        labels("path,label\na,1\n", labels=("1=bad",))


def test_paths_of_another_machine_without_suffix(labels):
    table = labels("path,label\nC:\\Users\\me\\set\\x\\a,benign\nC:\\Users\\me\\set\\b,malignant\n")
    images = ["x/a.png", "y/a.png", "b.png"]
    assert set(matched(table, images).known) == {"x/a.png", "b.png"}


def test_without_a_pattern_every_file_is_its_own_patient():
    assert patient_of(PurePosixPath("a/b.c.png"), "") == "a/b.c"
    with pytest.raises(LeftOut) as left:
        patient_of(PurePosixPath("a.png"), "q")
    assert left.value.reason is Reason.NO_GROUP
