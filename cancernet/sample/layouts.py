"""The data sets that can be drawn, in their published layouts and with their known defects."""

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cancernet.base.errors import CancerNetError
from cancernet.config import SEED
from cancernet.sample import clinics
from cancernet.sample.folder import DrawnFile, draw_folder
from cancernet.sample.histology import PATCH, Slide, draw_slide
from cancernet.sample.radiology import KINDS, draw_mammogram, draw_scan
from cancernet.sample.texture import generator, smooth

# Raise it whenever the same seed gives other images.
VERSION = 2

TISSUE = ("idc", "breakhis", "bach")  # of the others the subject is a breast
PATIENTS = 28
FIRST_PATIENT = 90001  # no such number in the published data
# A patch is kept when this share of it is tissue, and is class 1 when this share of it
# was marked as carcinoma.
LEAST_TISSUE = 0.12
LEAST_CARCINOMA = 0.5

SCANS = {"benign": 40, "malignant": 30, "normal": 20}
# Scans that are made from another one. Copies are equal to the byte; the pair under two
# labels stands for `benign (433)` and `malignant (145)` of the published set.
COPIES = {
    ("benign", 8): ("benign", 7),
    ("benign", 22): ("benign", 21),
    ("malignant", 18): ("malignant", 17),
    ("malignant", 12): ("benign", 33),
}
# The next moment of the same examination: shifted by a few pixels, a little brighter.
NEAR_COPIES = {
    ("benign", 15): ("benign", 14),
    ("malignant", 25): ("malignant", 24),
    ("normal", 9): ("normal", 8),
}
TWO_LESIONS = (("benign", 5), ("benign", 30), ("malignant", 3))

BINARY_SOURCES = {"benign": 14, "malignant": 12}
BINARY_SHAPE = (180, 180)
VALIDATION = 0.2  # share of the variants that go to val, whatever their source

# Sources of each class of mammograms: (density, malignant) -> how many.
MAMMOGRAM_SOURCES = {
    (1, False): 4, (1, True): 3, (2, False): 4, (2, True): 4,
    (3, False): 4, (3, True): 3, (4, False): 3, (4, True): 1,
}  # fmt: skip
MAMMOGRAM_VARIANTS = 8
FIRST_SOURCE = 90000001  # no such number in the published data


def draw_sample(
    dataset: str, folder: Path, *, seed: int = SEED, patients: int | None = None
) -> None:
    """Draws the sample of a data set into a folder, unless it is there already.

    The same seed gives the same bytes.

    Args:
        dataset: one of SAMPLES.
        folder: must not exist, be empty, or hold this sample.
        seed: 0 or more.
        patients: how many patients to draw, from the first on; None draws all. For tests.

    Raises:
        CancerNetError: something else is in the folder, or an argument is out of bounds.
    """
    if dataset not in SAMPLES:
        raise CancerNetError(
            f"there is no drawn sample of {dataset}, only of {', '.join(sorted(SAMPLES))}"
        )
    sources, draw = SAMPLES[dataset]
    cases = [functools.partial(draw, seed, *source) for source in sources()]
    if seed < 0 or (patients is not None and not 0 < patients <= len(cases)):
        raise CancerNetError(
            f"a sample needs a seed of at least 0 and at least 1 of {len(cases)} patients, "
            f"not {seed} and {patients}"
        )
    cases = cases[:patients]
    facts = {"sample": dataset, "version": VERSION, "seed": seed, "cases": len(cases)}
    draw_folder(folder, facts, cases, subject="tissue" if dataset in TISSUE else "a breast")


def prevalence_of(seed: int, number: int) -> float:
    """Returns a patient's share of carcinoma, 0 to 1, spread evenly over the patients.

    As in the published data, some patients have hardly any and some hardly anything else.
    """
    start = generator(seed, 0).uniform()
    # Multiples of the golden ratio fill 0 to 1 evenly, however many are taken.
    place = (start + 0.6180339887 * (number - FIRST_PATIENT)) % 1
    return float(np.interp(place, [0, 0.05, 0.051, 0.2, 0.85, 1], [0, 0, 0.03, 0.12, 0.6, 0.95]))


def cut_patches(slide: Slide) -> Iterator[tuple[int, int, int, NDArray[np.uint8]]]:
    """Cuts a slide by a grid of 50 pixels; yields x, y, class and pixels, without bare glass.

    Patches at the lower and right edge are smaller, as in the published data.
    """
    height, width = slide.tissue.shape
    for top in range(0, height, PATCH):
        for left in range(0, width, PATCH):
            window = np.s_[top : top + PATCH, left : left + PATCH]
            if slide.tissue[window].mean() >= LEAST_TISSUE:
                label = int(slide.marked[window].mean() > LEAST_CARCINOMA)
                x, y = slide.origin[1] + left + 1, slide.origin[0] + top + 1
                yield x, y, label, slide.pixels[window]


def vary(
    pixels: NDArray[np.uint8],
    *,
    turn: float = 0.0,
    mirrored: bool = False,
    sharpened: bool = False,
    equalised: bool = False,
) -> NDArray[np.uint8]:
    """Makes a variant of a grey image, as in sets that were augmented before publication.

    Args:
        turn: degrees, anticlockwise; what comes in from outside is black.
        sharpened: by unsharp masking.
        equalised: local contrast raised (CLAHE), which also lifts the black.
    """
    picture = np.ascontiguousarray(pixels[:, ::-1] if mirrored else pixels)
    if sharpened:
        blurred = smooth(picture.astype(np.float32), 1.5)
        picture = np.clip(np.rint(1.8 * picture - 0.8 * blurred), 0, 255).astype(np.uint8)
    if equalised:
        picture = cv2.createCLAHE(clipLimit=4.0).apply(picture)
    if turn % 360:
        height, width = picture.shape
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
        picture = cv2.warpAffine(picture, matrix, (width, height))
    return picture


def idc_files(seed: int, number: int) -> Iterator[DrawnFile]:
    """Draws the patches of a patient: `<patient>/<0|1>/<patient>_idx5_x…_y…_class….png`."""
    slide = draw_slide(seed, number, prevalence_of(seed, number))
    for x, y, label, pixels in cut_patches(slide):
        yield f"{number}/{label}/{number}_idx5_x{x}_y{y}_class{label}.png", pixels


def busi_files(seed: int, kind: str, number: int) -> Iterator[DrawnFile]:
    """Draws a scan and its masks: `<kind>/<kind> (N).png` and `<kind> (N)_mask.png`.

    Some are a copy of another scan, or the next moment of the same examination.
    """
    near = (kind, number) in NEAR_COPIES
    source = {**COPIES, **NEAR_COPIES}.get((kind, number), (kind, number))
    rng = generator(seed, KINDS.index(source[0]), source[1])
    shape = int(rng.integers(160, 240)), int(rng.integers(200, 261))
    pixels, masks = draw_scan(rng, shape, source[0], lesions=2 if source in TWO_LESIONS else 1)
    if near:
        pixels = np.rint(np.clip(pixels[3:, 2:] * 1.06 + 2, 0, 255)).astype(np.uint8)
        masks = [mask[3:, 2:] for mask in masks]
    yield f"{kind}/{kind} ({number}).png", pixels
    for place, mask in enumerate(masks or [np.zeros(pixels.shape, np.bool_)]):
        end = f"_mask_{place}" if place else "_mask"
        yield f"{kind}/{kind} ({number}){end}.png", np.where(mask, 255, 0).astype(np.uint8)


def ultrasound_files(seed: int, kind: str, number: int) -> Iterator[DrawnFile]:
    """Draws variants of a scan: `{train,val}/{benign,malignant}/<kind> (N)-rotated1.png`, ….

    As in the published set, variants of one scan are found in both train and val.
    """
    rng = generator(seed, 10 + KINDS.index(kind), number)
    pixels, _ = draw_scan(rng, BINARY_SHAPE, kind)
    for sharpened in (False, True):
        for rotated in (0, 1, 2):
            turn, mirrored = (rng.uniform(-40, 40), rng.uniform() < 0.5) if rotated else (0, False)
            image = vary(pixels, turn=turn, mirrored=mirrored, sharpened=sharpened)
            end = "-sharpened" * sharpened + f"-rotated{rotated}" * (rotated > 0)
            part = "val" if rng.uniform() < VALIDATION else "train"
            yield f"{part}/{kind}/{kind} ({number}){end}.png", image


def mammography_files(seed: int, source: int) -> Iterator[DrawnFile]:
    """Draws a mammogram in its class: `Density1Benign/<source>.png`, `<source> (2).png`, ….

    As in the published set, `Density4Malignant` has one source.
    """
    for number, image in enumerate(_mammograms(seed, source), start=1):
        end = f" ({number})" if number > 1 else ""
        yield f"{_label(source)}/{FIRST_SOURCE + source}{end}.png", image


def mammography_csv_files(seed: int, source: int) -> Iterator[DrawnFile]:
    """Draws the same mammogram without its number: `train/Image_1.png`, `Training_set.csv`.

    A quarter of the images, whatever their source, is in `test/` and in `Testing_set.csv`
    without a label, as in the published edition.
    """
    shape = len(_mammogram_kinds()), MAMMOGRAM_VARIANTS
    numbers = generator(seed, 30).permutation(shape[0] * shape[1]).reshape(shape) + 1
    for number, image in zip(numbers[source].tolist(), _mammograms(seed, source), strict=True):
        yield f"{'train' if number % 4 else 'test'}/Image_{number}.png", image
    if source == 0:  # the tables list the images of all sources
        train, test = ["filename,label"], ["filename"]
        for (place, _), number in np.ndenumerate(numbers):
            if number % 4:
                train.append(f"Image_{number}.png,{_label(place)}")
            else:
                test.append(f"Image_{number}.png")
        yield "Training_set.csv", "\r\n".join([*train, ""])
        yield "Testing_set.csv", "\r\n".join([*test, ""])


def _mammograms(seed: int, source: int) -> Iterator[NDArray[np.uint8]]:
    """Draws a mammogram, then some of the 47 other ways to turn, mirror and equalise it."""
    rng = generator(seed, 20, source)
    density, malignant = _mammogram_kinds()[source]
    pixels = draw_mammogram(rng, density=density, malignant=malignant)
    ways = rng.choice(np.arange(1, 48), MAMMOGRAM_VARIANTS - 1, replace=False).tolist()
    for turn, rest in (divmod(way, 4) for way in (0, *ways)):
        yield vary(pixels, turn=30 * turn, mirrored=bool(rest & 1), equalised=bool(rest & 2))


def _mammogram_kinds() -> list[tuple[int, bool]]:
    """Returns density and malignancy of every source of mammograms."""
    return [kind for kind, number in MAMMOGRAM_SOURCES.items() for _ in range(number)]


def _mammogram_sources() -> list[tuple[int]]:
    return _first(len(_mammogram_kinds()))


def _first(number: int) -> list[tuple[int]]:
    return [(place,) for place in range(number)]


def _label(source: int) -> str:
    density, malignant = _mammogram_kinds()[source]
    return f"Density{density}{'Malignant' if malignant else 'Benign'}"


def _numbered(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Returns (kind, 1), (kind, 2), ... for every kind."""
    return [(kind, number) for kind in counts for number in range(1, counts[kind] + 1)]


# Data sets that can be drawn: the patients, scans or mammograms, and what draws the files
# of one from the seed. A source's files do not depend on the others.
SAMPLES: dict[str, tuple[Callable[[], Sequence[tuple]], Callable[..., Iterator[DrawnFile]]]] = {
    "idc": (lambda: [(FIRST_PATIENT + place,) for place in range(PATIENTS)], idc_files),
    "busi": (lambda: _numbered(SCANS), busi_files),
    "ultrasound": (lambda: _numbered(BINARY_SOURCES), ultrasound_files),
    "mammography": (_mammogram_sources, mammography_files),
    "mammography-csv": (_mammogram_sources, mammography_csv_files),
    "breakhis": (lambda: _first(clinics.SPECIMENS), clinics.breakhis_files),
    "bach": (
        lambda: _numbered(dict.fromkeys(clinics.BACH_SHARES, clinics.BACH_SLIDES)),
        clinics.bach_files,
    ),
    "mini-mias": (lambda: _first(clinics.PATIENTS), clinics.mias_files),
    "inbreast": (lambda: _first(clinics.PATIENTS), clinics.inbreast_files),
}
