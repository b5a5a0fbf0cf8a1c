"""evaluate_model.py: other data, other rules, groups, and two runs on one testing set."""

import csv
import dataclasses
import json
import sys

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError, RunError
from cancernet.base.files import made_beside, sha256_of
from cancernet.commands import evaluate
from cancernet.dataset.manifest import COLUMNS
from cancernet.evaluation.compare_runs import compare_sides, read_side
from cancernet.evaluation.evaluate_run import examine
from cancernet.evaluation.evaluation_report import report_content
from cancernet.evaluation.labelled_images import read_labelled
from cancernet.evaluation.run_results import read_finished
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.evaluation.trained_on import own_folder
from cancernet.measures.calls import Calls
from cancernet.measures.decisions import Rule
from cancernet.measures.operating_point import choose_operating_point
from cancernet.report.terminal import text_report
from cancernet.runs import run_folder
from cancernet.scoring.predictor import Predictor
from tests.helpers.evaluation_examples import TABLES, finished_run, scored


@pytest.fixture
def run(tmp_path):
    return finished_run(tmp_path / "output" / "one")


@pytest.fixture
def images(tmp_path):
    """Class folders: 12 patches of four patients, named as published, and two intruders."""
    generator = np.random.default_rng(3)
    for number in range(12):
        label = number % 2
        colour = [int(c) for c in generator.integers(0, 120, 3)]
        colour[2 if label else 0] += 100
        folder = tmp_path / "clinic" / str(label)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{9000 + number // 3}_idx5_x{number}_y1_class{label}.png"
        Image.new("RGB", (50, 50), tuple(colour)).save(folder / name)
    Image.new("RGB", (50, 50)).save(folder / "9000_idx5_x1_y1_class1_mask.png")
    (tmp_path / "clinic" / "notes.txt").write_text("x")
    return tmp_path / "clinic"


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "evaluations" not in path.parts
    }


def test_an_external_test_leaves_the_run_as_it_was(run, images, monkeypatch, capsys):
    before = contents(run)
    table = images.parent / "patients.csv"
    table.write_text("patient,site\n9000,north\n9001,north\n9002,south\n9003,south\n")
    arguments = ["--run", str(run), "--data", str(images), "--subgroups", str(table)]
    monkeypatch.setattr(sys, "argv", ["evaluate_model.py", *arguments, "--prevalence", "0.01"])
    assert evaluate.main() == 0
    printed = capsys.readouterr().out
    for words in ("north", "prevalence of 1 %", "not for diagnosis", "a mask, not an image"):
        assert words in printed
    assert contents(run) == before
    folder = run / "evaluations" / "clinic"
    page = (folder / "report.html").read_text()
    for words in ("Side by side", "own testing set", "By site", "judged here", "1 %"):
        assert words in page, words
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["testing"]["images"] == 12 and metrics["testing"]["patients"] == 4
    assert metrics["operating_point"]["threshold"] == 0.4
    predictor = Predictor(run_folder.open_run(run))
    with open(folder / "predictions.csv", newline="") as file:
        for row in csv.DictReader(file):
            found = predictor.predict(images / row["path"])
            assert float(row["probability_1"]) == found.probabilities["1"]
            assert row["predicted"] == found.label
    # The evaluation can itself be compared, here with itself.
    same = compare_sides(read_side(folder), read_side(folder)).own
    assert same.difference["accuracy"] == 0


def test_the_same_patients_in_training_are_named_as_a_leak(tmp_path, images):
    run = finished_run(tmp_path / "run", patients={"training": ["9001", "1"], "testing": ["2"]})
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert "1 of 4 patients" in found.leak and "9001" in found.leak
    run = finished_run(tmp_path / "other", patients={"training": ["1"], "testing": ["9001"]})
    assert examine(read_finished(run), EvaluationSettings(data=images)).leak == ""


def test_the_same_bytes_in_training_are_a_leak_whatever_their_names(tmp_path, images):
    data = tmp_path / "data"
    data.mkdir()
    seen = sha256_of(next(images.rglob("*class1.png")))
    run = finished_run(tmp_path / "run", folder=str(data), fingerprint="ab")
    for split, leaks in (("validation", True), ("testing", False)):
        row = f"x/1.png,s,p,1,{split},{seen},,"
        (data / "manifest.csv").write_text(",".join(COLUMNS) + f"\n{row}\n")
        (data / "build.json").write_text('{"fingerprint": "ab"}')
        found = examine(read_finished(run), EvaluationSettings(data=images)).leak
        assert ("1 of 12 images are, byte for byte" in found) == leaks
    assert own_folder(run_folder.open_run(run)) == data
    (data / "build.json").write_text('{"fingerprint": "other"}')
    assert own_folder(run_folder.open_run(run)) is None


def keep(data, rows, fingerprint="ab"):
    """A built data set by its records: rows of patient, split, digest."""
    data.mkdir(parents=True, exist_ok=True)
    lines = [f"{n},s,{patient},1,{split},{sha},," for n, (patient, split, sha) in enumerate(rows)]
    (data / "manifest.csv").write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    (data / "build.json").write_text(json.dumps({"fingerprint": fingerprint}))


def test_the_data_set_is_found_from_any_folder(tmp_path, images, monkeypatch):
    seen = sha256_of(next(images.rglob("*class1.png")))
    keep(tmp_path / "datasets" / "idc", [("p", "training", seen)])
    run = finished_run(tmp_path / "output" / "run", folder="datasets/idc")
    (tmp_path / "elsewhere").mkdir()
    for start in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(start)
        found = examine(read_finished(run), EvaluationSettings(data=images))
        assert "byte for byte" in found.leak
        assert not any("Whether the run was trained" in remark for remark in found.remarks)


def test_what_cannot_be_checked_is_said(run, images):
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert any("could be checked only by patients' names" in remark for remark in found.remarks)
    for number, file in enumerate(sorted(images.rglob("*class?.png"))):
        file.rename(file.with_name(f"{number}.png"))
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert any("could not be checked" in remark for remark in found.remarks)


def test_the_bytes_of_a_fold_are_those_of_its_patients(tmp_path, images):
    """The splits in the manifest are not the fold's."""
    files = sorted(images.rglob("*class?.png"))
    one, two = map(sha256_of, files[:2])
    keep(tmp_path / "idc", [("a", "testing", one), ("b", "training", two)], fingerprint="whole")
    patients = {"training": ["a"], "validation": [], "testing": ["b"]}
    run = finished_run(
        tmp_path / "fold", folder=str(tmp_path / "idc"), whole="whole", patients=patients
    )
    assert "1 of 12 images" in examine(read_finished(run), EvaluationSettings(data=images)).leak
    files[0].unlink()
    assert examine(read_finished(run), EvaluationSettings(data=images)).leak == ""


def test_what_an_audit_found_is_said_everywhere(tmp_path):
    keep(tmp_path / "idc", [])
    run = finished_run(tmp_path / "run", folder=str(tmp_path / "idc"))
    assert examine(read_finished(run), EvaluationSettings()).leak == ""
    (tmp_path / "idc.audit").mkdir()
    check = {"name": "copies", "verdict": "LEAK", "sentence": "3 images are in two splits."}
    audit = json.dumps({"fingerprint": "ab", "checks": [check]})
    (tmp_path / "idc.audit" / "audit.json").write_text(audit)
    finished = read_finished(run)
    found = examine(finished, EvaluationSettings())
    assert "3 images are in two splits" in found.leak and found.own
    assert "3 images are in two splits" in read_side(run).leak
    content = report_content(finished, found, EvaluationSettings(), "x")
    assert content.audit and content.leaking
    assert sum("3 images" in warning for warning in content.warnings) == 1
    # Of a fold, which divides the same images anew, the audit of the whole says nothing.
    record = run_folder.read_run_file(run)
    facts = dataclasses.replace(record.dataset, whole="ab", fingerprint="fold")
    run_folder.write_run_file(run, dataclasses.replace(record, dataset=facts))
    assert examine(read_finished(run), EvaluationSettings()).leak == ""


def test_files_left_out_are_counted_where_they_were(tmp_path, images):
    run = finished_run(tmp_path / "run", left_out={"does not decode": 4})
    found = examine(read_finished(run), EvaluationSettings(data=images))
    content = report_content(read_finished(run), found, EvaluationSettings(data=images), "x")
    assert content.left_out == {"does not decode": 4}
    assert "1 file left out, a mask, not an image" in content.flow[-1].note
    assert not found.own and not content.audit


def test_a_report_of_another_rule_spreads_that_rule(run):
    finished = read_finished(run)
    settings = EvaluationSettings(rule="sensitivity", target_sensitivity=0.7)
    content = report_content(finished, examine(finished, settings), settings, "x")
    assert content.settings["target_sensitivity"] == 0.7
    assert content.settings["operating_rule"] == "sensitivity"


def test_a_given_threshold_was_not_chosen(run):
    settings = EvaluationSettings(rule="fixed", threshold=0.9)
    found = examine(read_finished(run), settings)
    assert any("given, not chosen on validation" in remark for remark in found.remarks)
    text = text_report(found.assessment)
    assert "given, not chosen" in text and "never on testing" not in text
    assert found.assessment.operating_point.chosen_on is None


def test_some_unknown_patients_hide_no_known_one(tmp_path, images):
    files = sorted(images.rglob("*class?.png"))
    rows = [f"{f.relative_to(images)},{f.parent.name},p{n}" for n, f in enumerate(files)]
    rows[3] = rows[3].removesuffix("p3") + " "
    (images / "manifest.csv").write_text("path,label,patient\n" + "\n".join(rows) + "\n")
    run = finished_run(tmp_path / "run", patients={"training": ["p5"]})
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert "p5" in found.leak
    assert any("patients of 1 of 12 images are not known" in remark for remark in found.remarks)
    (images / "manifest.csv").write_text("path,label,patient\n" + "\n".join([*rows, rows[0]]))
    with pytest.raises(CancerNetError, match="1 image more than once"):
        examine(read_finished(run), EvaluationSettings(data=images))


def test_a_manifest_gives_labels_and_patients(run, images):
    files = sorted(images.rglob("*class?.png"))
    rows = [f"{f.relative_to(images)},{f.parent.name},p{n % 5}" for n, f in enumerate(files)]
    (images / "manifest.csv").write_text("path,label,patient\n" + "\n".join(rows) + "\n")
    found = read_labelled(images, run_folder.open_run(run))
    assert found.patients_known and len(set(found.patients)) == 5
    assert found.labels.tolist() == [int(f.parent.name) for f in files]
    (images / "manifest.csv").write_text("path,label\n" + rows[0].rpartition(",")[0] + "\n")
    assert not read_labelled(images, run_folder.open_run(run)).patients_known
    (images / "manifest.csv").write_text("path,label\nno/such.png,1\n")
    with pytest.raises(CancerNetError, match="no/such"):
        read_labelled(images, run_folder.open_run(run))


def test_labels_of_other_names_need_to_be_told(run, images):
    """Of a table each file has one reason only, and of folders the names can be told too."""
    opened, files = run_folder.open_run(run), sorted(images.rglob("*class?.png"))
    rows = [f"{f.name},{'no' if f.parent.name == '0' else 'yes'}" for f in files]
    (images / "t.csv").write_text("image,label\n" + "\n".join(rows) + "\n")
    others = len(list(images.rglob("*.png"))) - len(files)
    for given, strange in ((), len(files)), (("yes=1",), len(list(images.glob("0/*class?.png")))):
        try:
            left_out = read_labelled(images / "t.csv", opened, labels=given).left_out
        except CancerNetError as error:
            assert f"does not know: {strange}; not in the table of labels: {others})" in str(error)
            assert "say what other labels or folders mean with --labels NAME=CLASS" in str(error)
        else:
            assert left_out == {
                "of a class that the run does not know": strange,
                "not in the table of labels": others,
            }
    for name, word in (("0", "benign"), ("1", "Malignant")):
        (images / name).rename(images / word)
    (images / "t.csv").unlink()
    told = read_labelled(images, opened, labels=("BENIGN=0", "malignant=1"))
    assert set(zip((p.split("/")[0] for p in told.paths), told.labels.tolist(), strict=True)) == {
        ("benign", 0), ("Malignant", 1),
    }  # fmt: skip


def test_a_table_as_people_have_it_gives_the_same_images(run, images, tmp_path):
    files = sorted(images.rglob("*class?.png"))
    words = {"0": "neg", "1": "pos"}
    rows = [
        f"C:\\clinic\\{f.relative_to(images).with_suffix('')};{words[f.parent.name]};p{n}"
        for n, f in enumerate(files)
    ]
    (images / "t.csv").write_text("Image ID;Befund;Patient-ID\n" + "\n".join(rows) + "\n")
    flags = {"columns": ("label=Befund",), "labels": ("neg=0", "pos=1")}
    found = read_labelled(images / "t.csv", run_folder.open_run(run), **flags)
    assert [images / path for path in found.paths] == files and found.patients_known
    assert found.labels.tolist() == [int(f.parent.name) for f in files]
    (tmp_path / "sites.csv").write_text("Image;Klinik\n" + f"X:\\{found.paths[0]};north\n")
    settings = EvaluationSettings(data=images / "t.csv", subgroups=tmp_path / "sites.csv", **flags)
    groups = examine(read_finished(run), settings).subgroups["Klinik"]
    assert [(row.group, row.images) for row in groups] == [("north", 1), ("not given", 11)]
    twice = images / "copy" / files[0].relative_to(images)
    twice.parent.mkdir(parents=True)
    twice.write_bytes(files[0].read_bytes())
    with pytest.raises(CancerNetError, match="fits several files"):
        read_labelled(images / "t.csv", run_folder.open_run(run), **flags)
    for wrong in ({"labels": ("a=0",)}, {"columns": ("image=a",)}):
        with pytest.raises(CancerNetError, match="goes with --data"):
            EvaluationSettings(**wrong)


def test_two_tables_are_joined_as_a_build_joins_them(run, images, tmp_path, caplog):
    files = sorted(images.rglob("*class?.png"))
    stems = [f.stem for f in files]
    labels = [
        f"{s};{'neg' if f.parent.name == '0' else 'pos'}" for s, f in zip(stems, files, strict=True)
    ]
    (images / "labels.csv").write_text("\n".join(["image_id;Befund", *labels[1:], "gone;pos"]))
    whose = [f"{n % 4}.0,Z:\\pacs\\{f.parent.name}\\{f.name}" for n, f in enumerate(files)]
    (tmp_path / "whose.csv").write_text("\n".join(["pid,image", *whose[:-1], "7,gone"]))
    groups = "patient;site\n01;north\n2;north\n3;south\n"
    (tmp_path / "sites.csv").write_text(groups)
    settings = EvaluationSettings(
        data=images / "labels.csv", patient_table=tmp_path / "whose.csv",
        subgroups=tmp_path / "sites.csv", columns=("label=Befund",), labels=("neg=0", "pos=1"),
    )  # fmt: skip
    found = examine(read_finished(run), settings)
    assert found.exit_code == 1 and found.left_out == {
        "named by a table, but not in the folder of the images": 1,
        "not in the table of labels": 2,  # one of them a mask
    }
    assert caplog.text.count("1 row without a file (gone)") == 2
    assert any("patients of 1 of 11 images are not known" in remark for remark in found.remarks)
    images_of = {row.group: row.images for row in found.subgroups["site"]}
    assert images_of == {"north": 6, "south": 2, "not given": 3}
    with pytest.raises(CancerNetError, match="whose patients are not known"):
        read_labelled(images, run_folder.open_run(run), patient_table=tmp_path / "whose.csv")
    with pytest.raises(CancerNetError, match="--patient-table goes with --data"):
        EvaluationSettings(patient_table=tmp_path / "whose.csv")
    (images / "labels.csv").write_text("image,label\n" + f"{files[0].stem},0\n")
    (tmp_path / "whose.csv").write_text("image,patient\nelsewhere.png,1\n")
    with pytest.raises(CancerNetError, match="name them as --data does"):
        examine(read_finished(run), dataclasses.replace(settings, columns=(), labels=()))


def test_spellings_of_a_patient_in_a_table_are_one(tmp_path, images):
    files = sorted(images.rglob("*class?.png"))
    names = ("7", "7.0", "007", "8")
    rows = [f"{f.relative_to(images)},{f.parent.name},{names[n % 4]}" for n, f in enumerate(files)]
    (images / "manifest.csv").write_text("path,label,patient\n" + "\n".join(rows) + "\n")
    run = finished_run(tmp_path / "run", patients={"training": ["08"]})
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert found.assessment.testing["patients"] == 2
    assert any("one patient: 7 and 007 and 7.0." in remark for remark in found.remarks)
    assert "1 of 2 patients" in found.leak and "(8)" in found.leak


def test_unknown_patients_are_said(run, images):
    for number, file in enumerate(sorted(images.rglob("*class?.png"))):
        file.rename(file.with_name(f"{number}.png"))
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert found.assessment.testing["patients"] == 12
    assert any("patients of these images are not known" in remark for remark in found.remarks)


def test_a_group_that_is_no_patient_is_said(tmp_path):
    run = finished_run(tmp_path / "run", unit="source image")
    found = examine(read_finished(run), EvaluationSettings())
    assert any("“Patient” here means a source image" in remark for remark in found.remarks)


def test_an_unreadable_image_is_named_and_the_rest_judged(run, images, caplog):
    next(images.rglob("*class1.png")).write_bytes(b"no image")
    found = examine(read_finished(run), EvaluationSettings(data=images))
    assert found.exit_code == 1 and found.assessment.testing["images"] == 11
    assert "class1.png" in caplog.text


def test_another_rule_is_chosen_on_validation_alone(run, tmp_path):
    finished = read_finished(run)
    settings = EvaluationSettings(rule="sensitivity", target_sensitivity=0.9)
    found = examine(finished, settings)
    validation = scored(2)
    expected = choose_operating_point(
        Calls(validation.truth, validation.probabilities[:, 1], patients=validation.patients),
        Rule("sensitivity", target_sensitivity=0.9),
    )
    assert found.assessment.operating_point == expected
    # Whatever testing holds, the point is the same.
    other = finished_run(tmp_path / "other", seeds=(9, 2))
    assert examine(read_finished(other), settings).assessment.operating_point == expected
    assert any("not the run's own" in remark for remark in found.remarks)


def test_subgroups_that_name_nobody_are_refused(run, tmp_path):
    table = tmp_path / "patients.csv"
    table.write_text("patient,site\nnobody,north\n")
    with pytest.raises(CancerNetError, match="names none"):
        examine(read_finished(run), EvaluationSettings(subgroups=table))


class TestCompare:
    def test_the_same_testing_set(self, run, tmp_path):
        other = finished_run(tmp_path / "two", seeds=(1, 3))
        found = compare_sides(read_side(run), read_side(other)).own
        assert found.patients == 12 and found.difference["roc_auc"] == 0

    def test_other_contents_are_refused_in_one_sentence(self, run, tmp_path):
        other = finished_run(tmp_path / "two", fingerprint="cd")
        with pytest.raises(CancerNetError, match="not tested on the same images"):
            compare_sides(read_side(run), read_side(other))

    def test_contents_count_and_not_the_fingerprint(self, tmp_path):
        one = finished_run(tmp_path / "one", fingerprint="ab", testing_content="x")
        two = finished_run(tmp_path / "two", fingerprint="cd", testing_content="x")
        three = finished_run(tmp_path / "three", fingerprint="ab", testing_content="y")
        assert compare_sides(read_side(one), read_side(two)).own.difference["accuracy"] == 0
        with pytest.raises(CancerNetError, match="not tested on the same"):
            compare_sides(read_side(one), read_side(three))

    def test_an_altered_table_is_refused(self, run):
        with open(run / "predictions.csv", "a") as file:
            file.write("x")
        with pytest.raises(RunError, match="altered"):
            read_side(run)


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("x")
    with pytest.raises(CancerNetError, match="is not empty"), made_beside(tmp_path / "there"):
        pass
    with pytest.raises(ValueError, match="stop"), made_beside(tmp_path / "new") as staging:
        (staging / "half.txt").write_text("x")
        raise ValueError("stop")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--run"),
        (["--run", "a", "--compare", "a", "b"], "--run"),
        (["--run", "a", "--prevalence", "1.5"], "--prevalence"),
        (["--run", "a", "--threshold", "0.5"], "--rule"),
        (["--run", "a", "--rule", "youden", "--target-sensitivity", "0.9"], "no meaning"),
        (["--run", "a", "--rule", "cost", "--cost-ratio", "0"], "--cost-ratio is 0.0"),
        (["--run", "a", "--rule", "sensitivity", "--target-sensitivity", "nan"], "is nan"),
        (["--run", "a", "--split", "testing"], "--data"),
        (["--compare", "a", "b", "--prevalence", "0.1"], "--compare"),
        (["--compare", "a", "b", "--threshold", "0"], "--compare"),
        (["--run", "no/such"], "no run folder"),
    ],
)
def test_wrong_use_is_one_sentence(arguments, words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["evaluate_model.py", *arguments])
    with pytest.raises(CancerNetError, match=words):
        evaluate.main()


def test_scored_needs_the_classes_of_the_run(run):
    table = run / "predictions.csv"
    table.write_text(table.read_text().replace("probability_1", "probability_2"))
    files = run_folder.vouch_for(run, [run_folder.MODEL_ONNX, *TABLES])
    record = dataclasses.replace(run_folder.read_run_file(run), files=files)
    run_folder.write_run_file(run, record)
    with pytest.raises(RunError):
        read_finished(run)
