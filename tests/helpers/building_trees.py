"""Small data sets in the published layout, for the tests of building."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

from cancernet.building.build import Outcome, build
from cancernet.building.settings import BuildSettings
from cancernet.catalog import Reason

# (patches of class 0, of class 1) for each patient; enough for every split.
PATIENTS = {
    "8001": (9, 4),
    "8002": (6, 3),
    "8003": (12, 5),
    "8004": (3, 8),
    "8005": (7, 0),
    "8006": (0, 6),
}


def write_patch(path: Path, seed: int, side: int = 10) -> Path:
    """A PNG of noise; the same seed gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(pixels).save(path, format="PNG")
    return path


def patch_path(patient: str, label: int, place: int) -> str:
    name = f"{patient}_idx5_x{50 * place + 1}_y{51 + 50 * label}_class{label}.png"
    return f"{patient}/{label}/{name}"


def make_tree(folder: Path, patients: dict[str, tuple[int, int]] = PATIENTS) -> Path:
    """Writes a source folder; every patch has its own bytes."""
    seed = 0
    for patient, counts in patients.items():
        for label, count in enumerate(counts):
            for place in range(count):
                seed += 1
                write_patch(folder / patch_path(patient, label, place), seed)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def build_it(source: Path, output: Path, **choices) -> Outcome:
    # Whoever divides by image or as shipped insists; that one has to is tested by itself.
    choices.setdefault("allow_leaks", choices.get("split") in ("image", "shipped"))
    return build(BuildSettings(dataset="idc", source=source, output=output, **choices))


def read_rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def manifest(output: Path) -> list[dict[str, str]]:
    return read_rows(output / "manifest.csv")


def left_out(output: Path) -> dict[str, tuple[Reason, str]]:
    rows = read_rows(output / "left_out.csv")
    reasons = {row["source"]: (Reason(row["reason"]), row["detail"]) for row in rows}
    assert len(reasons) == len(rows)
    return reasons


def facts(output: Path) -> dict:
    return json.loads((output / "build.json").read_text(encoding="utf-8"))


def files_under(folder: Path) -> dict[str, bytes]:
    """Every file under a folder and its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
