"""Labels and patients from two tables, or from the headers of DICOM files."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cancernet.dataset.joined import join_files, read_patients
from tests.helpers.dicom_files import dicom

OWN = ("--dataset", "folder", "--classes", "benign", "malignant", "--positive", "malignant")


def pictures(folder, write):
    """Three images of each of eight patients: `<patient>/<number>`."""
    random = np.random.default_rng(2)
    for patient in range(1, 9):
        (folder / f"p{patient}").mkdir(parents=True)
        for view in range(3):
            write(folder / f"p{patient}" / f"{100 * patient + view}", random, patient)


def write_png(path, random, patient):
    Image.fromarray(random.integers(0, 255, (9, 8), np.uint8)).save(f"{path}.png")


def write_dicom(path, random, patient):
    deep = random.integers(0, 4096, (9, 8)).astype(np.uint16)
    suffix = ".dcm" if patient % 2 else ""
    path.with_name(path.name + suffix).write_bytes(
        dicom(deep, BitsStored=12, PatientID=f" 00{patient}" if patient % 2 else f"{patient}.0")
    )


def tables(folder, *, without=()):
    labels, patients = ["image_id;class"], ["patient_id,image_path"]
    for patient in range(1, 9):
        for view in range(3):
            name = 100 * patient + view
            labels.append(f"{name};{'malignant' if patient % 2 else 'benign'}")
            if name not in without:
                # As pandas writes a column with gaps, and as another table spells it.
                shown = f"{patient}.0" if view else f"0{patient}"
                patients.append(f"{shown},C:\\mammo\\p{patient}\\{name}")
    (folder / "labels.csv").write_text("\n".join(labels) + "\n")
    (folder / "patients.csv").write_text("\n".join(patients) + "\n")
    return ("--table", folder / "labels.csv", "--patient-table", folder / "patients.csv")


def rows(folder, name):
    with open(folder / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("write", [write_png, write_dicom])
def test_two_tables_and_folders_of_files_without_suffix(build, tmp_path, write):
    pictures(tmp_path / "source", write)
    code, out, _ = build(*OWN, "--source", "source", *tables(tmp_path), "--output", "set")
    assert code == 0, out
    found = rows(tmp_path / "set", "manifest.csv")
    assert len(found) == 24 and {row["patient"] for row in found} == {f"0{n}" for n in range(1, 9)}
    splits = {row["patient"]: {r["split"] for r in found if r["patient"] == row["patient"]}
              for row in found}  # fmt: skip
    assert all(len(each) == 1 for each in splits.values())
    facts = json.loads((tmp_path / "set" / "build.json").read_text())
    assert facts["unit"] == "patient" and len(facts["same_patients"]) == 8


def test_lists_of_patients_mean_those_of_the_second_table(build, tmp_path):
    pictures(tmp_path / "source", write_png)
    lists = []
    for name, ids in (("train", "1\n2.0\n003\n4"), ("val", " 5 \n6"), ("test", "7,0\n8")):
        lists.append(tmp_path / f"{name}.txt")
        lists[-1].write_text(ids + "\n")
    flags = (*OWN, "--source", "source", *tables(tmp_path), "--output", "set")
    code, out, error = build(*flags, "--split", "lists", "--split-lists", *lists)
    assert code == 0, out + error
    found = {
        (row["patient"].lstrip("0"), row["split"]) for row in rows(tmp_path / "set", "manifest.csv")
    }
    listed = {"training": "1234", "validation": "56", "testing": "78"}
    assert found == {(number, split) for split, ids in listed.items() for number in ids}


def test_what_has_no_partner_is_said_counted_and_listed(build, tmp_path):
    pictures(tmp_path / "source", write_png)
    flags = tables(tmp_path, without=(302,))
    (tmp_path / "labels.csv").open("a").write("999;benign\n")
    (tmp_path / "patients.csv").open("a").write("9,gone\n")
    for path in ("p1/5.png", "p2/5.png", "p1/x.png"):
        write_png((tmp_path / "source" / path).with_suffix(""), np.random.default_rng(len(path)), 1)
    (tmp_path / "labels.csv").open("a").write("5;benign\n")
    code, out, error = build(*OWN, "--source", "source", *flags, "--output", "set")
    assert code == 1
    for line in ("2  named by a table, but not in the folder of the images",
                 "2  a name in a table fits several files",
                 "1  not in the table of labels", "1  no patient is known for it"):  # fmt: skip
        assert line in out
    listed = {(row["source"], row["detail"]) for row in rows(tmp_path / "set", "left_out.csv")}
    assert listed == {
        ("999", "row 26 of labels.csv"), ("gone", "row 25 of patients.csv"),
        ("p1/5.png", "5 in labels.csv"), ("p2/5.png", "5 in labels.csv"),
        ("p1/x.png", "labels.csv"), ("p3/302.png", "not in patients.csv"),
    }  # fmt: skip
    assert "left out: 999: named by a table" in error


def test_tables_that_contradict_themselves_or_the_flags_are_refused(build, tmp_path):
    pictures(tmp_path / "source", write_png)
    flags = tables(tmp_path)
    (tmp_path / "patients.csv").open("a").write("8,100\n")
    code, _, error = build(*OWN, "--source", "source", *flags)
    assert code == 2 and "row 26 of" in error and "is of patient 8, an earlier row of 01" in error
    code, _, error = build(*OWN, "--source", "source", *flags, "--group-by", "p.")
    assert code == 2 and "--patient-table and --group-by both say what belongs together" in error
    (tmp_path / "labels.csv").write_text("image,label,patient\n100,benign,7\n")
    code, _, error = build(*OWN, "--source", "source", *flags)
    assert code == 2 and "leave out --group-by and --patient-table" in error


def test_the_patients_of_headers_stay_together_and_are_not_named(build, tmp_path):
    deep = np.random.default_rng(3).integers(0, 4096, (40, 6, 7)).astype(np.uint16)
    for number in range(40):
        folder = tmp_path / "source" / ("malignant" if number % 4 > 1 else "benign")
        folder.mkdir(parents=True, exist_ok=True)
        patient = "" if number == 39 else f"secret-{number // 2 % 10}"
        (folder / f"{number}.dcm").write_bytes(dicom(deep[number], PatientID=patient))
    flags = (*OWN, "--source", "source", "--group-by", "dicom", "--output", "set")
    code, out, error = build(*flags)
    assert code == 1 and "1  no patient is known for it" in out
    found = rows(tmp_path / "set", "manifest.csv")
    named = {row["source"]: (row["patient"], row["split"]) for row in found}
    assert len({patient for patient, _ in named.values()}) == 10
    for number in range(0, 18, 2):
        files = [f"{'malignant' if n % 4 > 1 else 'benign'}/{n}.dcm"
                 for n in (number, number + 1, number + 20, number + 21)]  # fmt: skip
        assert len({named[file] for file in files}) == 1
    everything = (
        out
        + error
        + "".join(path.read_text() for path in (tmp_path / "set").glob("*.*") if path.is_file())
    )
    assert "secret" not in everything
    assert build(*flags)[1].count("Already built") == 1


def test_rows_are_joined_by_the_end_of_the_path():
    images = ["a/x/1.dcm", "b/q/2.png", "a/3.png", "b/3.png"]
    found = join_files({"x/1": 2, "q/2.png": 3, "3": 4}, Path("t.csv"), images)
    assert found.files == {"x/1": "a/x/1.dcm", "q/2.png": "b/q/2.png"}
    assert found.doubtful == {"a/3.png": "3", "b/3.png": "3"} and not found.missing


def test_a_table_of_patients_may_name_its_columns(tmp_path):
    (tmp_path / "t.csv").write_text("Fall,Bild\n7,1\n,2\n")
    found, missing = read_patients(
        tmp_path / "t.csv", ["1.png", "2.png"], columns=("image=Bild", "patient=Fall", "label=Art")
    )
    assert found == {"1.png": "7"} and missing == []


def test_what_is_odd_about_files_is_counted_and_said(build, tmp_path):
    pictures(tmp_path / "source", write_png)
    for view in (100, 101):
        image = Image.open(path := tmp_path / "source" / "p1" / f"{view}.png")
        image.save(path, "JPEG")
    first, large = (Image.fromarray(np.full((side, side), side, np.uint8)) for side in (9, 30))
    (tmp_path / "source" / "p2" / "200.png").unlink()
    first.save(tmp_path / "source/p2/200.tif", "TIFF", save_all=True, append_images=[large])
    code, out, _ = build(*OWN, "--source", "source", *tables(tmp_path), "--output", "set")
    assert code == 0
    assert "2 images: the suffix names another format than the content, and the content c" in out
    assert "1 image: of several pages, the largest was taken" in out
    facts = json.loads((tmp_path / "set" / "build.json").read_text())
    assert facts["oddities"] == {"page": 1, "suffix": 2}
