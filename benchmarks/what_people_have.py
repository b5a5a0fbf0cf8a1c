"""Builds, trains, predicts and evaluates what people have, with the commands that they would type.

    python benchmarks/what_people_have.py [--work DIR] [--only dicom]

Five drawn sets: IDC patches in two folders `Cancer` and `No-Cancer`; IDC patches as the build of
the tutorial leaves them, `training/0` … `testing/1`, divided patch by patch; BreakHis; mini-MIAS
with its table, as PGM; DICOM files whose labels and patients are in two tables. Of each set one
line says how many images and patients were built, how many patients are in two splits, how many
images were predicted and evaluated, whether the two gave the same probabilities, and whether the
network does so as a file of somebody else, `evaluate_model.py --run FILE.onnx`.

Then one picture is saved as 8-bit PNG and, with 12 of 16 bits, as PNG, TIFF and DICOM (by OpenCV,
tifffile and by hand, which is not what reads them), and the run on DICOM files answers to each.

Training is of one epoch on a few images: what it predicts means nothing. The exit code is 1 where
a command fails, a patient is in two splits, or an answer differs by more than rounding.
"""

import argparse
import collections
import csv
import dataclasses
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from cancernet.measures.decisions import scale
from cancernet.sample.dicom import dicom_bytes
from cancernet.sample.layouts import draw_sample

ROOT = Path(__file__).resolve().parents[1]
ROUNDING = 0.01  # of a probability: half a grey level of 255 moves the drawn network's by less
ONNX_ROUNDING = 1e-4  # what a training allows between the two files of its network
FEW = ("--limit", "48", "--epochs", "1", "--batch-size", "16", "--image-size", "48")
OWN = ("--dataset", "folder", "--classes", "benign", "malignant", "--positive", "malignant")


@dataclasses.dataclass(frozen=True)
class Case:
    """What somebody has: how it is drawn, and what is typed after `--source` and `--data`.

    What is typed for the build begins with `--dataset NAME`, unless it is IDC.
    `evaluated` is empty where the built set is evaluated rather than the folder as it is.
    """

    draw: Callable[[Path], None]
    build: tuple[str, ...] = ()
    evaluated: tuple[str, ...] = ()


def flat_idc(source: Path) -> None:
    """Patches of eight patients in two folders."""
    _idc(source, lambda name: "Cancer" if "class1" in name else "No-Cancer")


def tutorial_idc(source: Path) -> None:
    """The same, divided at random as the tutorial divides them: 72, 8 and 20 percent of patches."""
    draw = random.Random(42)
    splits = ("training", "validation", "testing")

    def place(name: str) -> str:
        split = draw.choices(splits, (72, 8, 20))[0]
        return f"{split}/{int('class1' in name)}"

    _idc(source, place)


def _idc(source: Path, place: Callable[[str], str]) -> None:
    drawn = source.with_name(f"{source.name}-drawn")
    draw_sample("idc", drawn, patients=8)
    source.mkdir(parents=True)
    for file in sorted(drawn.rglob("*.png")):
        folder = source / place(file.name)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(file, folder / file.name)
    for marker in drawn.glob("*.json"):
        shutil.move(marker, source / marker.name)
    shutil.rmtree(drawn)


def two_tables(source: Path) -> None:
    """DICOM mammograms in folders of patients; one table of labels, one of patients."""
    draw = np.random.default_rng(5)
    labels, patients = ["image_id;Befund"], ["patient_id,image_path"]
    for patient in range(1, 17):
        (source / f"P{patient}").mkdir(parents=True)
        for view in range(4):
            name, bright = 100 * patient + view, 60 * (patient % 2)
            pixels = draw.integers(20 + bright, 120 + bright, (64, 64)).astype(np.uint8)
            suffix = ".dcm" if view % 2 else ""
            content = dicom_bytes(pixels, patient="removed", note="drawn")
            (source / f"P{patient}" / f"{name}{suffix}").write_bytes(content)
            labels.append(f"{name};{patient % 2}")
            shown = f"{patient}.0" if view else f"0{patient}"
            patients.append(f"{shown},C:\\pacs\\P{patient}\\{name}")
    (source / "labels.csv").write_text("\r\n".join(labels) + "\r\n", encoding="utf-8-sig")
    (source / "patients.csv").write_text("\n".join(patients) + "\n")


TABLES = (
    "--patient-table", "SOURCE/patients.csv", "--columns", "label=Befund",
    "--labels", "0=benign", "1=malignant",
)  # fmt: skip
CASES = {
    "idc-flat": Case(flat_idc, evaluated=("SOURCE",)),
    "idc-tutorial": Case(tutorial_idc, evaluated=("SOURCE",)),
    "breakhis": Case(lambda source: draw_sample("breakhis", source), ("--dataset", "breakhis"),
                     ("SOURCE",)),
    "mini-mias": Case(lambda source: draw_sample("mini-mias", source), ("--dataset", "mini-mias")),
    "dicom": Case(two_tables, (*OWN, "--table", "SOURCE/labels.csv", *TABLES),
                  ("SOURCE/labels.csv", *TABLES)),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--work", type=Path, help="folder for everything (default: a temporary one)"
    )
    parser.add_argument("--only", choices=CASES, action="append", default=[])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = arguments.work or Path(temporary)
        print("| | images, patients | in two splits | predicted | evaluated | same | alone |")
        print("|---|---|---|---|---|---|---|")
        names = arguments.only or list(CASES)
        fine = min(whole_way(name, CASES[name], work / name) for name in names)
        if "dicom" in names:
            fine = same_picture(work / "dicom") and fine
    return 0 if fine else 1


def whole_way(name: str, case: Case, work: Path) -> bool:
    """Takes one case from its files to an evaluation; prints its line."""
    source = work / "source"
    case.draw(source)
    said = [word.replace("SOURCE", str(source)) for word in case.build]
    typed(work, "build_dataset.py", *said, "--source", source, "--output", work / "set")
    typed(work, "train_model.py", "--data", work / "set", "--run", work / "run", "--model",
          "cancernet", *case.build[:2], *FEW)  # fmt: skip
    typed(work, "predict.py", source, "--run", work / "run", "--csv", work / "predicted.csv")
    data = [word.replace("SOURCE", str(source)) for word in case.evaluated]
    typed(work, "evaluate_model.py", "--run", work / "run", "--data", *(data or [work / "set"]),
          "--output", work / "judged")  # fmt: skip
    built = rows(work / "set" / "manifest.csv")
    splits = collections.defaultdict(set)
    for row in built:
        splits[row["patient"]].add(row["split"])
    torn = sum(len(each) > 1 for each in splits.values())
    predicted, judged = rows(work / "predicted.csv"), rows(work / "judged" / "predictions.csv")
    same = agree(predicted, judged, built)
    alone = model_alone(work)
    print(f"| {name} | {len(built):,}, {len(splits)} | {torn} | {len(predicted):,} | "
          f"{len(judged):,} | {same} | {alone} |", flush=True)  # fmt: skip
    return not torn and same == "yes" and alone == "yes"


def agree(predicted: list[dict], judged: list[dict], built: list[dict]) -> str:
    """Tells whether every evaluated image has the probability that its prediction has."""
    sources = {row["path"]: row["source"] for row in built}
    column = next(name for name in reversed(judged[0]) if name.startswith("probability_"))
    found = {Path(row["path"]).name: row[column] for row in predicted if row.get(column)}
    names = [Path(sources.get(row["path"], row["path"])).name for row in judged]
    wrong = sum(found.get(n) != row[column] for n, row in zip(names, judged, strict=True))
    return f"{wrong} differ" if wrong else "yes"


def model_alone(work: Path) -> str:
    """Tells whether the run's network gives the same scores as a file of somebody else."""
    theirs = work / "theirs.onnx"
    shutil.copyfile(work / "run" / "model.onnx", theirs)
    typed(work, "evaluate_model.py", "--run", theirs, "--data", work / "set", "--rule", "youden",
          "--preprocessing", "inside", "--output", work / "judged-alone")  # fmt: skip
    record = json.loads((work / "run" / "run.json").read_text())
    names = [f"probability_{name}" for name in record["classes"]]
    own = rows(work / "run" / "predictions.csv")
    before = "alone_" if f"alone_{names[0]}" in own[0] else ""
    found = {row["path"]: [float(row[name]) for name in names]
             for row in rows(work / "judged-alone" / "predictions.csv")}  # fmt: skip
    # The run corrects its probabilities; somebody else's file does not.
    corrected = scale(np.array([found[row["path"]] for row in own]),
                      record["calibration"]["temperature"])  # fmt: skip
    expected = np.array([[float(row[before + name]) for name in names] for row in own])
    difference = float(np.abs(corrected - expected).max())
    return "yes" if difference < ONNX_ROUNDING else f"differ by {difference:.2g}"


def same_picture(work: Path) -> bool:
    """Prints what the run on DICOM files answers to one picture in four files."""
    picture = np.random.default_rng(9).integers(0, 256, (64, 64)).astype(np.uint8)
    picture[0, :2] = 0, 255
    folder = work / "pictures"
    folder.mkdir()
    write_pictures(folder, picture)
    typed(work, "predict.py", folder, "--run", work / "run", "--csv", work / "pictures.csv")
    found = {Path(row["path"]).name: float(row["probability_malignant"])
             for row in rows(work / "pictures.csv")}  # fmt: skip
    print("\n| one picture as | probability of malignant |\n|---|---|")
    for name, probability in sorted(found.items()):
        print(f"| {name} | {probability:.6f} |")
    largest = max(found.values()) - min(found.values())
    print(f"\n{len(found)} files; the largest difference is {largest:.2g}")
    return len(found) >= 4 and largest <= ROUNDING


def write_pictures(folder: Path, picture: np.ndarray) -> None:
    """Writes the files with libraries that are not the ones that read them."""
    import cv2
    import tifffile

    deep = picture.astype(np.uint16) << 4 | picture.astype(np.uint16) >> 4
    cv2.imwrite(str(folder / "8-bit.png"), picture)
    cv2.imwrite(str(folder / "12-in-16-bit.png"), deep)
    tifffile.imwrite(folder / "12-in-16-bit.tif", deep, photometric="minisblack")
    (folder / "12-bit.dcm").write_bytes(dicom_bytes(picture, patient="", note="drawn"))


def rows(path: Path) -> list[dict]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def typed(work: Path, script: str, *words: object) -> str:
    """Runs a script as it is typed; leaves with what it said where it fails."""
    command = [sys.executable, ROOT / script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    with open(work / "log.txt", "a", encoding="utf-8") as log:
        log.write(f"$ {script} {' '.join(map(str, words))}\n{done.stdout}{done.stderr}\n")
    if done.returncode:
        sys.exit(
            f"{script} {' '.join(map(str, words))}\n{done.stdout[-1500:]}{done.stderr[-1500:]}"
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
