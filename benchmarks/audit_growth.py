"""What an audit costs: minutes, processor time and peak memory, by the number of files.

    python benchmarks/audit_growth.py [--sizes 1000 10000 100000 277524] [--folder DIR]

Draws that many different patches of 50x50 pixels, PNG, into training, validation and testing
folders of 279 patients: clouds and grain with the spectrum of stained tissue, a fifth of them
cut by the straight edge of a slide, a tenth nearly white. In 100 places (fewer in small trees)
a changed copy of a patch of one split is planted in another. Each audit is a process of its
own; the leaks that it finds are counted.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from audit_recall import KINDS
from build_speed import measure
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1_000, 10_000, 100_000, 277_524)
SIDE, ACROSS = 50, 40
PATIENTS = 279
PLANTED = 100
SPLITS = ("training",) * 7 + ("validation",) + ("testing",) * 2
COLOUR = np.array([196.0, 150.0, 190.0], np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--folder", type=Path, help="keep the trees here, and use them again")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="audit-growth-"))
    print("| files | minutes | processor minutes | peak MB | planted | found |")
    print("|---:|---:|---:|---:|---:|---:|")
    try:
        for size in arguments.sizes:
            print(f"| {' | '.join(row(folder, size))} |", flush=True)
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def row(folder: Path, size: int) -> list[str]:
    tree, report = make_tree(folder / f"audit-{size}", size), folder / f"report-{size}"
    command = [sys.executable, str(ROOT / "build_dataset.py"), "--audit", str(tree)]
    # Exit code 1 is what a leak gives; `measure` expects 0.
    cost = measure(["bash", "-c", '"$@"; [ $? -le 1 ]', "-", *command, "--report", str(report)])
    checks = {
        check["name"]: check for check in json.loads((report / "audit.json").read_text())["checks"]
    }
    planted = json.loads(tree.with_suffix(".json").read_text())
    reported = {frozenset(pair["paths"]) for pair in checks["near duplicates"]["findings"]}
    found = sum(frozenset(pair) in reported for pair in planted)
    return [
        f"{size:,}", f"{cost['seconds'] / 60:.1f}", f"{cost['processor_seconds'] / 60:.1f}",
        f"{cost['peak_mib']:,.0f}", f"{len(planted)}", f"{found} of {len(reported)} reported",
    ]  # fmt: skip


def make_tree(folder: Path, files: int) -> Path:
    """Draws the files; a complete tree is used again. Its planted pairs lie beside, as JSON."""
    if folder.with_suffix(".json").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    rng = np.random.default_rng(11)
    planted: list[tuple[str, str]] = []
    count = min(PLANTED, files // 50)
    every = files // count
    kinds = [change for name, change in KINDS.items() if "80-90" not in name]
    last: tuple[str, Image.Image] | None = None
    number = 0
    while number < files:
        for pixels in patches(rng):
            if number == files:
                break
            path, image = place(number, rng), Image.fromarray(pixels)
            if number % every == 1 and last and len(planted) < count:
                split = last[0].partition("/")[0]
                while path.startswith(split):
                    path = place(number, rng, patient=int(rng.integers(PATIENTS)))
                image = kinds[len(planted) % len(kinds)](last[1], rng)
                planted.append((last[0], path))
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            image.save(target, compress_level=1)
            if pixels.std() > 20 or last is None:
                last = (path, image)
            number += 1
    folder.with_suffix(".json").write_text(json.dumps(planted))
    return folder


def place(number: int, rng: np.random.Generator, *, patient: int | None = None) -> str:
    """A path as in a built set."""
    own = patient is None
    patient = number % PATIENTS if patient is None else patient
    label = int(rng.random() < 0.1 + 0.4 * (patient % 3) / 2)
    x, y = SIDE * (number // PATIENTS % ACROSS) + 1, SIDE * (number // PATIENTS // ACROSS) + 1
    x += 0 if own else SIDE * ACROSS  # where no patch of that patient lies
    name = f"{9000 + patient}_idx5_x{x}_y{y}_class{label}.png"
    return f"{SPLITS[patient % len(SPLITS)]}/{label}/{name}"


def patches(rng: np.random.Generator) -> np.ndarray:
    """Draws 1,600 patches, uint8 (n, 50, 50, 3), cut from one field of clouds and grain."""
    side = SIDE * ACROSS
    down, right = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    amplitude = 1 / np.maximum(np.hypot(down, right), 1 / side)
    waves = np.fft.rfft2(rng.normal(size=(side, side)).astype(np.float32)) * amplitude
    clouds = np.fft.irfft2(waves, s=(side, side)).astype(np.float32)
    field = 28 * clouds / clouds.std() + rng.normal(0, 6, (side, side)).astype(np.float32)
    cut = field.reshape(ACROSS, SIDE, ACROSS, SIDE).swapaxes(1, 2).reshape(-1, SIDE, SIDE)
    pixels = COLOUR + cut[..., None] * np.array([1.0, 1.2, 0.8], np.float32)
    kind = rng.random(len(pixels))
    white = 243 + rng.normal(0, 1, pixels.shape).astype(np.float32)
    edge = rng.integers(5, SIDE - 5, len(pixels))
    beyond = np.arange(SIDE)[None, :] >= edge[:, None]
    pixels = np.where(((kind < 0.2)[:, None] & beyond)[:, :, None, None], white, pixels)
    pixels = np.where((kind > 0.9)[:, None, None, None], white, pixels)
    return pixels.clip(0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
