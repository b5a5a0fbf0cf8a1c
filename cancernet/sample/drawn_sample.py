"""The drawn sample: histology patches in the published IDC layout, made by a program.

It lets every script run, and every test test, without the real data. The patches are
no photographs and hold no part of one; numbers measured on them say nothing about
medicine. Nor is there a shortcut in them: stain, brightness and tissue differ from
patient to patient more than between the classes.

    python build_dataset.py --sample

With the default seed: 28 patients, about 3,000 patches.
"""

import concurrent.futures
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError
from cancernet.config import SEED
from cancernet.sample.drawn_case import PATCH, invent_case
from cancernet.sample.drawn_folder import draw_folder, progress, save_png
from cancernet.sample.drawn_histology import Slide, draw_slide

# To be raised whenever the same seed gives other pictures.
VERSION = 1
PATIENTS = 28
FIRST_PATIENT = 90001  # no such number in the published data

# A patch is kept when this share of it is tissue, and is class 1 when this share of it
# was marked as carcinoma.
LEAST_TISSUE = 0.12
LEAST_CARCINOMA = 0.5


def draw_sample(folder: Path, *, seed: int = SEED, patients: int = PATIENTS) -> None:
    """Draws the sample into `folder`: `<patient>/<0|1>/<patient>_idx5_x…_y…_class….png`.

    The same seed gives the same bytes; a patient's patches do not depend on how many
    patients there are. If the folder holds this very sample already, nothing is done.

    Args:
        folder: a folder that does not exist yet, or is empty.
        seed: seed of every random number, 0 or more.
        patients: how many patients, 1 or more.

    Raises:
        CancerNetError: something else is in the folder, or an argument is out of bounds.
    """
    if seed < 0 or patients < 1:
        raise CancerNetError(
            f"a sample needs a seed of at least 0 and at least 1 patient, not {seed} and {patients}"
        )
    facts = {"sample": "idc", "version": VERSION, "seed": seed, "patients": patients}

    def draw(staging: Path) -> dict[str, int]:
        return {"patches": _draw_patients(staging, seed, patients)}

    draw_folder(folder, facts, draw=draw)


def prevalences(seed: int, patients: int) -> list[float]:
    """Returns each patient's share of carcinoma, 0 to 1, spread evenly over the patients.

    As in the published data, some patients have none or next to none of it and some
    have little else.
    """
    start = np.random.Generator(np.random.PCG64([seed, 0])).uniform()
    # Multiples of the golden ratio fill 0 to 1 evenly, however many are taken.
    places = (start + 0.6180339887 * np.arange(patients)) % 1
    shares = np.interp(places, [0, 0.05, 0.051, 0.2, 0.85, 1], [0, 0, 0.03, 0.12, 0.6, 0.95])
    return [float(share) for share in shares]


def draw_patient(seed: int, number: int, prevalence: float) -> Slide:
    """Draws the slide of one patient; `number` is the patient's id."""
    rng = np.random.Generator(np.random.PCG64([seed, number]))
    return draw_slide(rng, invent_case(rng, prevalence=prevalence))


def cut_patches(slide: Slide) -> list[tuple[int, int, int, NDArray[np.uint8]]]:
    """Cuts a slide into (x, y, class, uint8 RGB) by a grid of 50 pixels, leaving out bare glass.

    Patches at the lower and right edge are smaller, as in the published data.
    """
    patches = []
    height, width = slide.tissue.shape
    for top in range(0, height, PATCH):
        for left in range(0, width, PATCH):
            window = np.s_[top : top + PATCH, left : left + PATCH]
            if slide.tissue[window].mean() >= LEAST_TISSUE:
                label = int(slide.annotated[window].mean() > LEAST_CARCINOMA)
                x, y = slide.origin[1] + left + 1, slide.origin[0] + top + 1
                patches.append((x, y, label, slide.pixels[window]))
    return patches


def _draw_patients(folder: Path, seed: int, patients: int) -> int:
    """Draws all patients, several at a time; returns the number of patches."""
    shares = prevalences(seed, patients)
    numbers = range(FIRST_PATIENT, FIRST_PATIENT + patients)
    total = 0
    # NumPy, OpenCV and zlib let go of Python's lock, so threads are enough.
    pool = concurrent.futures.ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8))
    try:
        jobs = [
            pool.submit(_write_patient, folder, seed, number, share)
            for number, share in zip(numbers, shares, strict=True)
        ]
        finished = concurrent.futures.as_completed(jobs)
        for job in progress(finished, total=patients, unit="patient"):
            total += job.result()
    finally:
        pool.shutdown(cancel_futures=True)
    return total


def _write_patient(folder: Path, seed: int, number: int, prevalence: float) -> int:
    """Draws and writes one patient's patches; returns their number."""
    patches = cut_patches(draw_patient(seed, number, prevalence))
    for label in {label for _, _, label, _ in patches}:
        (folder / str(number) / str(label)).mkdir(parents=True)
    for x, y, label, pixels in patches:
        name = f"{number}_idx5_x{x}_y{y}_class{label}.png"
        save_png(folder / str(number) / str(label) / name, pixels, subject="tissue")
    return len(patches)
