"""Recall and false alarms of the search for near duplicates, on planted changes of real images.

    python benchmarks/audit_recall.py REAL_DATA [--sets idc busi mammography] [--planted 200]

REAL_DATA holds idc/<patient>/<0|1>/, busi/<class>/ and mammography/<class>/ as published.
For each kind of change, images are picked at random, changed, written as files and searched
for among all originals. A planted image is found when pairs connect it with its original. A
false alarm pairs it with an image of another origin, unless the two originals resemble each
other themselves; such pairs are counted in a row of their own.
"""

import argparse
import io
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

sys.path.insert(0, str(Path(__file__).parents[1]))

from cancernet.images.reading import read_rgb
from cancernet.lookalike.near_duplicates import Pair, connected, find_near_duplicates
from cancernet.lookalike.pictures import Pictures, look_at_pictures

Rng = np.random.Generator
Transpose, Resampling = Image.Transpose, Image.Resampling
TURNS = (Transpose.ROTATE_90, Transpose.ROTATE_180, Transpose.ROTATE_270)
FLIPS = (Transpose.FLIP_LEFT_RIGHT, Transpose.FLIP_TOP_BOTTOM)


def resize(image: Image.Image, rng: Rng) -> Image.Image:
    """To 0.5-0.9 or 1.1-2 times the size, both sides alike."""
    scale = rng.uniform(0.5, 0.9) if rng.random() < 0.5 else rng.uniform(1.1, 2.0)
    width, height = (max(8, round(side * scale)) for side in image.size)
    kinds = (Resampling.BILINEAR, Resampling.BICUBIC, Resampling.LANCZOS)
    return image.resize((width, height), kinds[rng.integers(3)])


def recompress(image: Image.Image, rng: Rng) -> Image.Image:
    """As JPEG of quality 40-95."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(rng.integers(40, 96)))
    return Image.open(stream).convert("RGB")


def rotate(image: Image.Image, rng: Rng) -> Image.Image:
    """By one, two or three quarter turns."""
    return image.transpose(TURNS[rng.integers(3)])


def flip(image: Image.Image, rng: Rng) -> Image.Image:
    """Left-right or top-bottom."""
    return image.transpose(FLIPS[rng.integers(2)])


def brighten(image: Image.Image, rng: Rng) -> Image.Image:
    """Brightness and contrast each by 10-30 % up or down, clipped at white."""
    factors = 1 + rng.choice([-1, 1], 2) * rng.uniform(0.1, 0.3, 2)
    image = ImageEnhance.Brightness(image).enhance(factors[0])
    return ImageEnhance.Contrast(image).enhance(factors[1])


def crop(least: float, most: float) -> Callable[[Image.Image, Rng], Image.Image]:
    """Both sides to a share between the two, anywhere; half of them brought back to size."""

    def cropped(image: Image.Image, rng: Rng) -> Image.Image:
        share = rng.uniform(least, most)
        width, height = (round(side * share) for side in image.size)
        x = int(rng.integers(0, image.width - width + 1))
        y = int(rng.integers(0, image.height - height + 1))
        part = image.crop((x, y, x + width, y + height))
        return part.resize(image.size, Resampling.BICUBIC) if rng.random() < 0.5 else part

    return cropped


def combine(image: Image.Image, rng: Rng) -> Image.Image:
    """Resized, rotated, flipped, brightened and recompressed, one after the other."""
    for change in (resize, rotate, flip, brighten, recompress):
        image = change(image, rng)
    return image


KINDS: dict[str, Callable[[Image.Image, Rng], Image.Image]] = {
    "resized, 0.5-2 times": resize,
    "recompressed, JPEG 40-95": recompress,
    "rotated by quarter turns": rotate,
    "flipped": flip,
    "brightness and contrast, 10-30 %": brighten,
    "cropped to 90-97 % of the sides": crop(0.9, 0.97),
    "cropped to 80-90 % of the sides": crop(0.8, 0.9),
    "all but cropped, together": combine,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--planted", type=int, default=200, help="of each kind (default: 200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="list pairs among the originals")
    arguments = parser.parse_args()
    print("| images | change | planted | found | recall, 95 % interval | false alarms: |")
    print("|---|---|---:|---:|---|---|")
    for name in arguments.sets:
        paths, origin = SETS[name](arguments.data / name)
        measure(name, paths, origin, arguments)


def measure(name: str, paths: list[Path], origin: list[str], arguments: argparse.Namespace) -> None:
    pictures = look_at_pictures(paths)
    alone = find_near_duplicates(paths, pictures=pictures)
    plain = int((~pictures.comparable).sum())
    print(
        f"| {name}: {len(paths):,} | none (pairs among the originals) | | {len(alone)} | "
        f"{plain} too plain | {kinds_of_pairs(alone, origin)} |"
    )
    if arguments.show:
        for pair in alone:
            print(pair, paths[pair.first], paths[pair.second], file=sys.stderr)
    related = connected(len(paths), [pair[:2] for pair in alone])
    rng = np.random.default_rng(arguments.seed)
    # All kinds in one search while every planted image has an origin of its own.
    together = len(KINDS) if len(paths) >= len(KINDS) * arguments.planted else 1
    for begin in range(0, len(KINDS), together):
        kinds = list(KINDS)[begin : begin + together]
        chosen = draw(rng, len(paths), together * arguments.planted)
        kind = np.repeat(np.arange(len(kinds)), arguments.planted)
        with tempfile.TemporaryDirectory() as folder:
            planted = [Path(folder) / f"{i}.png" for i in range(len(chosen))]
            for target, source, which in zip(planted, chosen, kind, strict=True):
                KINDS[kinds[which]](read_rgb(paths[source]), rng).save(target)
            both = joined(pictures, look_at_pictures(planted))
            pairs = find_near_duplicates([*paths, *planted], pictures=both)
        for place, words in enumerate(kinds):
            mine = np.flatnonzero(kind == place)
            cells = row(pairs, len(paths), chosen, mine, related, origin)
            print(f"| {name} | {words} | {cells} |", flush=True)


def row(
    pairs: list[Pair],
    originals: int,
    chosen: np.ndarray,
    mine: np.ndarray,
    related: np.ndarray,
    origin: list[str],
) -> str:
    made_from = np.concatenate([np.arange(originals), chosen])
    seen = np.concatenate([np.ones(originals, bool), np.zeros(len(chosen), bool)])
    seen[originals + mine] = True
    pairs = [pair for pair in pairs if seen[pair.first] and seen[pair.second]]
    # Copies of one image with the very same pixels are searched for as one, so a pair may
    # stand for another: what counts is whether pairs of one origin connect the two.
    own = [pair[:2] for pair in pairs if made_from[pair.first] == made_from[pair.second]]
    chain = connected(len(made_from), own)
    found = [i for i in mine if chain[originals + i] == chain[chosen[i]]]
    wrong = [
        pair._replace(first=int(made_from[pair.first]), second=int(made_from[pair.second]))
        for pair in pairs
        if pair.second >= originals
        and related[made_from[pair.first]] != related[made_from[pair.second]]
    ]
    low, high = wilson(len(found), len(mine))
    return (
        f"{len(mine)} | {len(found)} | {len(found) / len(mine):.3f} [{low:.3f}, {high:.3f}] | "
        f"{kinds_of_pairs(wrong, origin)}"
    )


def kinds_of_pairs(pairs: list[Pair], origin: list[str]) -> str:
    apart = sum(origin[pair.first] != origin[pair.second] for pair in pairs)
    return f"{apart} of different origin, {len(pairs) - apart} of the same"


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a proportion (Wilson 1927)."""
    share = successes / trials
    middle = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def draw(rng: Rng, count: int, planted: int) -> np.ndarray:
    """That many images, each once while there are enough."""
    times = -(-planted // count)
    return np.concatenate([rng.permutation(count) for _ in range(times)])[:planted]


def joined(one: Pictures, other: Pictures) -> Pictures:
    return Pictures(np.concatenate([one.table, other.table]), unreadable={})


def idc(folder: Path) -> tuple[list[Path], list[str]]:
    """Every patch; its origin is the patient."""
    paths = sorted(folder.glob("*/[01]/*.png"))
    return paths, [path.parts[-3] for path in paths]


def busi(folder: Path) -> tuple[list[Path], list[str]]:
    """Every scan; nobody knows the patients, so each is its own origin."""
    paths = sorted(path for path in folder.glob("*/*.png") if "_mask" not in path.stem)
    return paths, [path.stem for path in paths]


def mammography(folder: Path) -> tuple[list[Path], list[str]]:
    """One file of each source."""
    first: dict[str, Path] = {}
    for path in sorted(folder.glob("*/*.*")):
        first.setdefault(f"{path.parent.name}/{path.stem.partition(' (')[0]}", path)
    return list(first.values()), list(first)


SETS = {"idc": idc, "busi": busi, "mammography": mammography}


if __name__ == "__main__":
    main()
