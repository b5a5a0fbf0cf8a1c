"""How often a run warns of images: of unseen patients of its own kind, and of another kind.

    python benchmarks/unlike_images.py REAL_DATA [--pictures FOLDER ...] [--recipes RECIPE ...]

REAL_DATA holds `idc`, `busi` and `mammography` as downloaded. Each is built; then its patients
(look-alike groups, sources) are divided into five folds. In turn four of them describe the
training images, one of these four as the patients that the network does not learn from, and the
fifth is looked at. No network is needed: the description is of the images alone.

Of another kind are the two other data sets, the photographs in FOLDER (and those that
scikit-learn brings), cuttings of them, and drawn windows of text. Harder are photographs as small
as a patch. Unseen patches are also looked at in other stains, in which they may be unusual.
"""

import argparse
import importlib.util
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cancernet.appearance.appearance import Appearance, measure
from cancernet.appearance.fit import Measured, fit_appearance
from cancernet.base.errors import ImageError
from cancernet.building.build import build
from cancernet.building.settings import BuildSettings
from cancernet.config import SPLITS
from cancernet.dataset.folds import join_parts
from cancernet.dataset.manifest import Part, read_dataset
from cancernet.images.formats import SUFFIXES
from cancernet.images.reading import read_rgb
from cancernet.recipes import RECIPES
from cancernet.runs.run_record import Input
from cancernet.scoring.predictor import prepare

KINDS = ("idc", "busi", "mammography")
USUAL = ("idc-cancernet", "busi-densenet121", "mammography-kernel-cnn")
FOLDS = 5
MOST = 4000  # images that describe, as in a training
SEED = 7
LONGEST = 1600  # pixels that a photograph is brought to, for speed
PATCH = 50  # pixels
WINDOWS = 60
OFTEN = 0.05


def main() -> None:
    """Prints one table of own patients and one of other images."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("real_data", type=Path)
    parser.add_argument("--pictures", type=Path, nargs="*", default=[], help="folders")
    parser.add_argument("--recipes", nargs="*", default=USUAL, help="whose input is looked at")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        built = {kind: built_set(arguments.real_data, Path(place), kind) for kind in KINDS}
        others = {**pictures(arguments.pictures), "windows of text": list(windows())}
        for recipe in arguments.recipes:
            report(recipe, built, others)


def built_set(real_data: Path, place: Path, kind: str) -> tuple[Path, Part]:
    """Builds a data set; returns its folder and all of its images."""
    folder = place / kind
    build(BuildSettings(dataset=kind, source=real_data / kind, output=folder, link="symbolic"))
    dataset = read_dataset(folder)
    return folder, join_parts([dataset.split(name) for name in SPLITS])


def pictures(folders: list[Path]) -> dict[str, list[Image.Image]]:
    """Reads photographs, and cuts pieces out of them."""
    found = importlib.util.find_spec("sklearn")
    own = [Path(found.origin).parent / "datasets" / "images"] if found and found.origin else []
    random = np.random.default_rng(SEED)
    sets: dict[str, list[Image.Image]] = defaultdict(list)
    for path in sorted(path for folder in [*own, *folders] for path in folder.rglob("*")):
        try:
            image = read_rgb(path) if path.suffix.lower() in SUFFIXES else None
        except ImageError:
            continue
        if image is None or min(image.size) < 2 * PATCH:
            continue
        image.thumbnail((LONGEST, LONGEST))
        sets["photographs"].append(image)
        for _ in range(4):
            side = int(random.integers(min(image.size) // 4, min(image.size)))
            sets["cuttings of photographs"].append(cutting(image, side, random))
            sets["cuttings as small as a patch"].append(cutting(image, PATCH, random))
        sets["photographs scaled to a patch"].append(image.resize((PATCH, PATCH)))
    return sets


def cutting(image: Image.Image, side: int, random: np.random.Generator) -> Image.Image:
    left, top = (int(random.integers(0, length - side + 1)) for length in image.size)
    return image.crop((left, top, left + side, top + side))


def windows() -> Iterator[Image.Image]:
    """Draws windows of a desktop: a bar, buttons and lines of text, dark or light, any size."""
    random = np.random.default_rng(SEED)
    words = Path(__file__).read_text(encoding="utf-8").split()
    for number in range(WINDOWS):
        width, height = (int(side) for side in random.integers(300, 1600, 2))
        ground, ink = ("#1e1e24", "#dddddd") if number % 2 else ("#ffffff", "#222222")
        image = Image.new("RGB", (width, height), ground)
        draw = ImageDraw.Draw(image)
        colour = tuple(int(value) for value in random.integers(0, 256, 3))
        draw.rectangle((0, 0, width, 36), fill=colour)
        for left in range(12, width, 130):
            draw.rounded_rectangle((left, 46, left + 110, 74), 6, outline=ink)
        size = int(random.integers(11, 22))
        for top in range(90, height, size + 6):
            line = " ".join(random.choice(words, int(random.integers(0, 18))))
            draw.text((16, top), line, fill=ink, font_size=size)
        yield image


def report(
    recipe: str,
    built: dict[str, tuple[Path, Part]],
    others: dict[str, list[Image.Image]],
) -> None:
    config = RECIPES[recipe].settings
    kind = config.dataset
    side = config.image_size
    scaling = Input(width=side, height=side, interpolation=config.interpolation)
    rows, patients = measured(built[kind], scaling)
    foreign = {name: of_images(images, scaling) for name, images in others.items()}
    random = np.random.default_rng(SEED)
    for other in (name for name in KINDS if name != kind):  # a set would draw anew each time
        folder, part = built[other]
        chosen = random.permutation(len(part.paths))[:MOST]
        foreign[other] = of_files([folder / part.paths[row] for row in chosen], scaling)
    names, place = np.unique(patients, return_inverse=True)
    fold_of = (random.permutation(len(names)) % FOLDS)[place]
    told: dict[str, list[float]] = defaultdict(list)
    print(f"\n## {recipe}: {len(rows):,} images of {len(names)} patients\n")
    print(
        "| fold | unseen images | warned of | patients with more than 5 % |\n|---:|---:|---:|---:|"
    )
    for fold in range(FOLDS):
        found = described(rows, patients, fold_of, fold, random)
        unseen = fold_of == fold
        warned = found.distances(rows[unseen]) > found.threshold
        told["unseen"].append(float(warned.mean()))
        shares = [warned[patients[unseen] == name].mean() for name in np.unique(patients[unseen])]
        often = sum(share > OFTEN for share in shares)
        print(f"| {fold + 1} | {len(warned):,} | {100 * warned.mean():.2f} % | {often} |")
        for name, values in foreign.items():
            told[name].append(float((found.distances(values) > found.threshold).mean()))
        if kind == "idc":
            for name, values in restained(built[kind], unseen, random, scaling):
                told[name].append(float((found.distances(values) > found.threshold).mean()))
    print("\n| images | noticed, mean of folds | least |\n|---|---:|---:|")
    for name, of_folds in told.items():
        print(f"| {name} | {100 * np.mean(of_folds):.2f} % | {100 * min(of_folds):.2f} % |")


def described(
    rows: np.ndarray,
    patients: np.ndarray,
    fold_of: np.ndarray,
    fold: int,
    random: np.random.Generator,
) -> Appearance:
    """Describes all folds but one; of these, the next one is not trained on."""
    validating = fold_of == (fold + 1) % FOLDS
    training = random.permutation(np.flatnonzero(~validating & (fold_of != fold)))[:MOST]
    found = fit_appearance(
        Measured(rows[training], patients[training]),
        Measured(rows[validating], patients[validating]),
        seed=SEED,
    )
    assert found is not None
    return found


def restained(
    built: tuple[Path, Part], unseen: np.ndarray, random: np.random.Generator, scaling: Input
) -> Iterator[tuple[str, np.ndarray]]:
    """Yields unseen patches as other stains would show them, by their optical density."""
    stains = {
        "unseen, stained half as strongly": (0.5, 0.5, 0.5),
        "unseen, stained 1.5 times as strongly": (1.5, 1.5, 1.5),
        "unseen, bluer": (1.3, 1.0, 0.7),
        "unseen, redder": (0.7, 1.0, 1.3),
        "unseen, in brown and blue": (0.9, 1.0, 2.0),
    }
    folder, part = built
    chosen = random.permutation(np.flatnonzero(unseen))[:500]
    images = [np.asarray(read_rgb(folder / part.paths[row])) for row in chosen]
    for name, strengths in stains.items():
        changed = [
            Image.fromarray((255 * (image / 255) ** np.array(strengths)).astype(np.uint8))
            for image in images
        ]
        yield name, of_images(changed, scaling)


def measured(built: tuple[Path, Part], scaling: Input) -> tuple[np.ndarray, np.ndarray]:
    folder, part = built
    return of_files([folder / path for path in part.paths], scaling), np.array(part.patients)


def of_files(paths: list[Path], scaling: Input) -> np.ndarray:
    def work(some: list[Path]) -> np.ndarray:
        return of_images([read_rgb(path) for path in some], scaling)

    with ThreadPoolExecutor() as pool:
        batches = [paths[start : start + 16] for start in range(0, len(paths), 16)]
        return np.concatenate(list(pool.map(work, batches)))


def of_images(images: list[Image.Image], scaling: Input) -> np.ndarray:
    prepared = [prepare(image, scaling) for image in images]
    return measure(np.stack([each.pixels for each in prepared]), [each.size for each in prepared])


if __name__ == "__main__":
    main()
