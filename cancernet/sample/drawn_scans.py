"""Drawn ultrasound scans and mammograms in the layouts of the published data sets.

Each function fills one folder with images of the project's own making, and with the
defects for which the real set is known, so that code can be tried against them:

- `draw_ultrasound_sample`: BUSI, with masks beside the scans and copies among them;
- `draw_binary_ultrasound_sample`: variants of few sources, spread over train and val;
- `draw_mammography_sample`: variants of few sources in eight classes, one with one source;
- `draw_mammography_csv_sample`: the same with the sources' numbers lost, labels in a table.

None of them is a photograph or holds a part of one.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cancernet.config import SEED
from cancernet.sample.drawn_folder import draw_folder, progress, save_png
from cancernet.sample.drawn_mammography import draw_mammogram
from cancernet.sample.drawn_ultrasound import KINDS, Scan, draw_scan
from cancernet.sample.drawn_variants import vary

# To be raised whenever the same seed gives other pictures.
VERSION = 1

SCANS = {"benign": 40, "malignant": 30, "normal": 20}

# Which scans are made from which. Copies are equal to the byte; the pair under two
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
BINARY_SIDE = 180
VALIDATION = 0.2  # share of the variants that go to val, whatever their source

# Sources of each class of mammograms: (density, malignant) -> how many.
MAMMOGRAM_SOURCES = {
    (1, False): 4, (1, True): 3, (2, False): 4, (2, True): 4,
    (3, False): 4, (3, True): 3, (4, False): 3, (4, True): 1,
}  # fmt: skip
MAMMOGRAM_VARIANTS = 8
FIRST_SOURCE = 90000001  # no such number in the published data


def draw_ultrasound_sample(folder: Path, *, seed: int = SEED) -> None:
    """Draws 90 scans as BUSI has them: `<kind>/<kind> (N).png` and `<kind> (N)_mask.png`.

    Raises:
        CancerNetError: something else is in the folder; nothing is touched.
    """

    def draw(staging: Path) -> dict[str, int]:
        masks, sources = 0, _numbered(SCANS)
        for kind, number in progress(sources, total=len(sources), unit="scan"):
            scan = _busi_scan(seed, kind, number)
            name = f"{kind}/{kind} ({number})"
            (staging / kind).mkdir(exist_ok=True)
            save_png(staging / f"{name}.png", scan.pixels, subject="a breast")
            none = np.zeros(scan.pixels.shape, np.bool_)
            for place, mask in enumerate(scan.lesions or (none,)):
                end = f"_mask_{place}.png" if place else "_mask.png"
                white = np.where(mask, np.uint8(255), np.uint8(0))
                save_png(staging / f"{name}{end}", white, subject="a breast")
                masks += 1
        return {"scans": len(sources), "masks": masks}

    draw_folder(folder, _facts("busi", seed), draw=draw)


def draw_binary_ultrasound_sample(folder: Path, *, seed: int = SEED) -> None:
    """Draws variants of 26 scans: `{train,val}/{benign,malignant}/<kind> (N)-rotated1.png`, ….

    As in the published set, variants of one scan are found in both train and val.

    Raises:
        CancerNetError: something else is in the folder; nothing is touched.
    """

    def draw(staging: Path) -> dict[str, int]:
        images, sources = 0, _numbered(BINARY_SOURCES)
        for kind, number in progress(sources, total=len(sources), unit="scan"):
            rng = _generator(seed, 10 + KINDS.index(kind), number)
            scan = draw_scan(rng, (BINARY_SIDE, BINARY_SIDE), kind)
            for name, pixels in _binary_variants(rng, scan.pixels):
                part = "val" if rng.uniform() < VALIDATION else "train"
                place = staging / part / kind
                place.mkdir(parents=True, exist_ok=True)
                save_png(place / f"{kind} ({number}){name}.png", pixels, subject="a breast")
                images += 1
        return {"images": images, "sources": len(sources)}

    draw_folder(folder, _facts("ultrasound-binary", seed), draw=draw)


def draw_mammography_sample(folder: Path, *, seed: int = SEED) -> None:
    """Draws mammograms in eight classes: `Density1Benign/<source>.png`, `<source> (2).png`, ….

    As in the published set, a source's images are turned, mirrored and raised in
    contrast, and `Density4Malignant` has one source.

    Raises:
        CancerNetError: something else is in the folder; nothing is touched.
    """

    def draw(staging: Path) -> dict[str, int]:
        kinds = [kind for kind, number in MAMMOGRAM_SOURCES.items() for _ in range(number)]
        bar = progress(kinds, total=len(kinds), unit="source")
        for place, (density, malignant) in enumerate(bar):
            rng = _generator(seed, 20, place)
            pixels = draw_mammogram(rng, density=density, malignant=malignant)
            group = staging / f"Density{density}{'Malignant' if malignant else 'Benign'}"
            group.mkdir(exist_ok=True)
            for number, variant in enumerate(_mammogram_variants(rng, pixels), start=1):
                name = f"{FIRST_SOURCE + place}" + (f" ({number})" if number > 1 else "")
                save_png(group / f"{name}.png", variant, subject="a breast")
        return {"images": len(kinds) * MAMMOGRAM_VARIANTS, "sources": len(kinds)}

    draw_folder(folder, _facts("mammography", seed), draw=draw)


def draw_mammography_csv_sample(folder: Path, *, seed: int = SEED) -> None:
    """Draws the same mammograms with their numbers lost: `train/Image_1.png`, `Training_set.csv`.

    A quarter of the images, whatever their source, is in `test/` and in `Testing_set.csv`
    without a label, as in the published edition.

    Raises:
        CancerNetError: something else is in the folder; nothing is touched.
    """

    def draw(staging: Path) -> dict[str, int]:
        kinds = [kind for kind, number in MAMMOGRAM_SOURCES.items() for _ in range(number)]
        order = _generator(seed, 30).permutation(len(kinds) * MAMMOGRAM_VARIANTS)
        trained, tested = [("filename", "label")], [("filename",)]
        for part in ("train", "test"):
            (staging / part).mkdir()
        for place, (density, malignant) in enumerate(
            progress(kinds, total=len(kinds), unit="source")
        ):
            rng = _generator(seed, 20, place)
            pixels = draw_mammogram(rng, density=density, malignant=malignant)
            label = f"Density{density}{'Malignant' if malignant else 'Benign'}"
            for variant, image in enumerate(_mammogram_variants(rng, pixels)):
                number = int(order[place * MAMMOGRAM_VARIANTS + variant])
                name = f"Image_{number + 1}.png"
                if number % 4:
                    trained.append((name, label))
                else:
                    tested.append((name,))
                part = "train" if number % 4 else "test"
                save_png(staging / part / name, image, subject="a breast")
        for name, rows in (("Training_set.csv", trained), ("Testing_set.csv", tested)):
            with open(staging / name, "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
        return {"images": len(order), "sources": len(kinds)}

    draw_folder(folder, _facts("mammography-csv", seed), draw=draw)


def _busi_scan(seed: int, kind: str, number: int) -> Scan:
    """Draws one scan, or the one that it is a copy or the next moment of."""
    origin = COPIES.get((kind, number)) or NEAR_COPIES.get((kind, number)) or (kind, number)
    rng = _generator(seed, KINDS.index(origin[0]), origin[1])
    shape = int(rng.integers(160, 240)), int(rng.integers(200, 261))
    scan = draw_scan(rng, shape, origin[0], lesions=2 if origin in TWO_LESIONS else 1)
    if (kind, number) in NEAR_COPIES:
        brighter = np.clip(scan.pixels[3:, 2:].astype(np.float32) * 1.06 + 2, 0, 255)
        cut = tuple(mask[3:, 2:] for mask in scan.lesions)
        scan = Scan(np.rint(brighter).astype(np.uint8), cut)
    return scan


def _binary_variants(
    rng: np.random.Generator, pixels: NDArray[np.uint8]
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Gives what is put behind the source's name, and the image."""
    for start in ("", "-sharpened"):
        yield start, vary(pixels, sharpened=bool(start))
        for number in (1, 2):
            turn, mirrored = float(rng.uniform(-40, 40)), bool(rng.uniform() < 0.5)
            image = vary(pixels, turn=turn, mirrored=mirrored, sharpened=bool(start))
            yield f"{start}-rotated{number}", image


def _mammogram_variants(
    rng: np.random.Generator, pixels: NDArray[np.uint8]
) -> Iterator[NDArray[np.uint8]]:
    """Gives the image as it is, then others of the 48 ways to turn, mirror and equalise it."""
    yield pixels
    for way in rng.choice(np.arange(1, 48), MAMMOGRAM_VARIANTS - 1, replace=False):
        turn, rest = divmod(int(way), 4)
        yield vary(pixels, turn=30.0 * turn, mirrored=bool(rest & 1), equalised=bool(rest & 2))


def _numbered(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Returns (kind, 1), (kind, 2), ... for every kind."""
    return [(kind, number) for kind in counts for number in range(1, counts[kind] + 1)]


def _facts(sample: str, seed: int) -> dict[str, str | int]:
    return {"sample": sample, "version": VERSION, "seed": seed}


def _generator(*numbers: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(list(numbers)))
