"""What people have, from their files to an evaluation, with the commands that they would type."""

import collections
import csv
import dataclasses
import random
import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from cancernet.models import MODELS
from cancernet.models.pretrained import probabilities
from cancernet.models.registry import Network
from cancernet.sample import clinics
from cancernet.sample.clinics import dicom_bytes
from cancernet.sample.layouts import draw_sample
from tests.test_pipeline import inside

SIDE = 24
Built = Callable[[str], Path]
QUICK = ("--model", "tiny", "--image-size", f"{SIDE}", "--limit", "24", "--epochs", "1",
         "--batch-size", "8")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Case:
    """What somebody has: how it is drawn, and what is typed besides `--source` and `--data`.

    What is evaluated is the folder as it is, or the built set where `evaluated` is empty.
    """

    draw: Callable[[Path, Built], None]
    patients: int
    build: tuple[str, ...] = ()
    evaluated: tuple[str, ...] = ()


def idc(source: Path, built: Built, place: Callable[[str], str]) -> None:
    """A quarter of the drawn patches of eight patients, in folders by their names."""
    for file in sorted(built("idc").with_name("idc-original").rglob("*.png"))[::4]:
        folder = source / place(file.name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.name).symlink_to(file)


def flat(source: Path, built: Built) -> None:
    idc(source, built, lambda name: "Cancer" if "class1" in name else "No-Cancer")


def by_the_tutorial(source: Path, built: Built) -> None:
    """Patches divided at random, whoever they are of: 72, 8 and 20 percent."""
    draw = random.Random(42)
    splits = ("training", "validation", "testing")
    idc(source, built, lambda name: f"{draw.choices(splits, (72, 8, 20))[0]}/{name[-5]}")


def breakhis(source: Path, _: Built) -> None:
    draw_sample("breakhis", source, patients=8)


def mini_mias(source: Path, _: Built) -> None:
    with pytest.MonkeyPatch.context() as fewer:
        fewer.setattr(clinics, "PATIENTS", 9)
        draw_sample("mini-mias", source)


def dicom(source: Path, _: Built) -> None:
    """Some without a suffix; labels in one table, patients in several spellings in another."""
    pytest.importorskip("pydicom", reason="DICOM files need the extra `dicom`")
    draw = np.random.default_rng(5)
    labels, patients = ["image_id;Befund"], ["patient_id,image_path"]
    for number in range(48):
        patient = number // 4
        folder = source / f"P{patient}"
        folder.mkdir(parents=True, exist_ok=True)
        bright = 60 * (patient % 2)
        pixels = draw.integers(20 + bright, 120 + bright, (SIDE, SIDE)).astype(np.uint8)
        content = dicom_bytes(pixels, patient="secret", note="drawn")
        (folder / f"{number}{'.dcm' if number % 2 else ''}").write_bytes(content)
        labels.append(f"{number};{patient % 2}")
        shown = ("{}", "{}.0", "0{}", " {}")[number % 4].format(patient)
        patients.append(f"{shown},C:\\pacs\\P{patient}\\{number}")
    (source / "labels.csv").write_text("\r\n".join(labels) + "\r\n", encoding="utf-8-sig")
    (source / "patients.csv").write_text("\n".join(patients) + "\n")


OWN = ("--dataset", "folder", "--classes", "benign", "malignant", "--positive", "malignant")
TABLES = ("--patient-table", "SOURCE/patients.csv", "--columns", "label=Befund", "--labels",
          "0=benign", "1=malignant")  # fmt: skip
CASES = {
    "flat IDC": Case(flat, 8, ("--dataset", "idc"), ("SOURCE",)),
    "IDC as the tutorial left it": Case(by_the_tutorial, 8, ("--dataset", "idc"), ("SOURCE",)),
    "BreakHis": Case(breakhis, 8, ("--dataset", "breakhis"), ("SOURCE",)),
    "mini-MIAS": Case(mini_mias, 9, ("--dataset", "mini-mias")),
    "DICOM": Case(dicom, 12, (*OWN, "--table", "SOURCE/labels.csv", *TABLES),
                  ("SOURCE/labels.csv", *TABLES)),
}  # fmt: skip


def build_tiny(input_shape, classes):
    image = keras.Input(input_shape, name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    return keras.Model(image, probabilities(keras.layers.GlobalAveragePooling2D()(x), classes))


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def typed(tmp_path, monkeypatch, undrawn, untraced):
    """Runs a script in this process, `SOURCE` standing for a folder; it must succeed."""
    monkeypatch.setitem(MODELS, "tiny", Network(build_tiny))
    monkeypatch.chdir(tmp_path)

    def run(script, *words):
        done = inside(script, *[word.replace("SOURCE", "source") for word in words])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("name", CASES)
def test_from_the_files_to_an_evaluation(name, built, typed):
    case = CASES[name]
    case.draw(Path("source"), built)
    typed("build_dataset.py", *case.build, "--source", "SOURCE", "--output", "set",
          "--validation-split", "0.25")  # fmt: skip
    typed("train_model.py", *case.build[:2], "--data", "set", "--run", "run", *QUICK)
    typed("predict.py", "SOURCE", "--run", "run", "--csv", "predicted.csv")
    told = typed("evaluate_model.py", "--run", "run", "--data", *(case.evaluated or ("set",)),
                 "--output", "judged")  # fmt: skip
    manifest, splits = rows("set/manifest.csv"), collections.defaultdict(set)
    for row in manifest:
        splits[row["patient"]].add(row["split"])
    assert len(splits) == case.patients and all(len(each) == 1 for each in splits.values())
    judged = rows("judged/predictions.csv")
    column = next(each for each in reversed(judged[0]) if each.startswith("probability_"))
    predicted = {Path(row["path"]).name: row[column] for row in rows("predicted.csv")}
    sources = {row["path"]: row["source"] for row in manifest}
    for row in judged:
        assert row[column] == predicted[Path(sources.get(row["path"], row["path"])).name]
    if case.evaluated:  # all that was built, with the patients that the build found
        assert len(judged) == len(predicted) == len(manifest)
        assert len({row["patient"] for row in judged}) == case.patients
    assert re.search(rf"\b{len(judged):,} images of", told), told
    written = [*Path("run").rglob("*.json"), *Path().rglob("*.csv"), *Path().rglob("*.html")]
    assert not any("secret" in path.read_text("utf-8") for path in written)
