"""How well comparing images finds the variants of one mammogram when the names are lost.

    python benchmarks/sibling_grouping.py FOLDER [--quality 95] [--variants N] [--turn DEGREES]
    python benchmarks/sibling_grouping.py FOLDER --correlations

FOLDER is the folder edition of the mammograms, whose names tell the source. The images
are written as the CSV edition has them (`train/Image_<n>.jpg`, `Training_set.csv`, no
source, shuffled), built with `--dataset mammography-csv`, and the groups of the manifest
compared with the sources. `--turn` first rotates every image by a random angle of up to so
many degrees, to try angles between the published steps; `--alone` judges the sibling finder
without the build; `--correlations` prints the gap in which its threshold lies.
"""

import argparse
import csv
import re
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cancernet.building.build import build
from cancernet.building.settings import BuildSettings
from cancernet.dataset.manifest import manifest_rows
from cancernet.lookalike import grouping
from cancernet.lookalike.pictures import read_grey

SEED = 7


def main() -> None:
    """Prints what was found and what was joined wrongly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quality", type=int, default=95, help="of the JPEG files; 0: PNG")
    parser.add_argument("--variants", type=int, default=0, help="of each source; 0: all there are")
    parser.add_argument("--turn", type=float, default=0.0, help="degrees, at most")
    parser.add_argument("--alone", action="store_true", help="the sibling finder, no build")
    parser.add_argument("--correlations", action="store_true", help="of siblings and strangers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "csv-edition"
        truth = hide_names(
            arguments.folder,
            folder,
            quality=arguments.quality,
            variants=arguments.variants,
            turn=arguments.turn,
        )
        if arguments.correlations:
            compare_all(folder, truth)
            return
        if arguments.alone:
            groups = grouping.group_siblings([folder / name for name in truth]).tolist()
            report(dict(zip(truth, groups, strict=True)), truth)
            return
        built = Path(place) / "built"
        settings = BuildSettings(dataset="mammography-csv", source=folder, output=built)
        build(settings)
        rows = list(manifest_rows(built / "manifest.csv"))
        report({row[1]: row[2] for row in rows}, truth)
        splits: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            splits[truth[row[1]]].add(row[4])
        straddling = sum(len(found) > 1 for found in splits.values())
        print(f"sources in more than one split: {straddling} of {len(splits)}")


def hide_names(
    source: Path, target: Path, *, quality: int, variants: int, turn: float
) -> dict[str, str]:
    """Writes the CSV edition; returns the new path of every image -> its source."""
    rng = np.random.default_rng(SEED)
    by_source = defaultdict(list)
    for path in sorted(source.rglob("*.png")):
        by_source[path.parent.name, re.sub(r" \(\d+\)$", "", path.stem)].append(path)
    chosen = []
    for key, paths in by_source.items():
        some = rng.permutation(len(paths))[: variants or None]
        chosen += [(key, paths[i]) for i in sorted(some)]
    (target / "train").mkdir(parents=True)
    truth, rows = {}, []
    for number, place in enumerate(rng.permutation(len(chosen)).tolist()):
        (label, origin), path = chosen[place]
        name = f"Image_{number}.jpg" if quality else f"Image_{number}.png"
        with Image.open(path) as image:
            picture = image.convert("L")
            if turn:
                picture = picture.rotate(rng.uniform(-turn, turn), Image.Resampling.BILINEAR)
            picture.save(target / "train" / name, quality=quality or 100)
        truth[f"train/{name}"] = f"{label}/{origin}"
        rows.append((name, label))
    with open(target / "Training_set.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("filename", "label"), *rows])
    return truth


def compare_all(folder: Path, truth: dict[str, str]) -> None:
    """Prints the correlations of all pairs, siblings and strangers apart."""
    names = list(truth)
    discs = np.stack([grouping.disc(read_grey(str(folder / name), 448)) for name in names])
    spectra = np.fft.rfft(discs, axis=1).astype(np.complex64).transpose(1, 0, 2).copy()
    source = np.unique([truth[name] for name in names], return_inverse=True)[1]
    found: dict[str, list[np.ndarray]] = {"siblings": [], "strangers": []}
    for begin in range(0, len(names), 32):
        rows, rest = spectra[:, begin : begin + 32], spectra[:, begin:].transpose(0, 2, 1)
        both = [
            np.fft.irfft(cross, grouping.ANGLES, axis=0).max(axis=0)
            for cross in (rows.conj() @ rest, rows @ rest)
        ]
        upper = np.triu(np.ones(both[0].shape, bool), k=1)
        same = source[begin : begin + 32, None] == source[None, begin:]
        best = np.maximum(*both)
        found["siblings"].append(best[upper & same])
        found["strangers"].append(best[upper & ~same])
    for name, values in found.items():
        shares = (0, 1, 50, 99, 99.9, 100)
        low = ", ".join(f"{x:g} %: {v:.3f}" for x, v in zip(
            shares, np.percentile(np.concatenate(values), shares), strict=True))  # fmt: skip
        print(f"  {name}: {low}")


def report(group_of: dict[str, object], truth: dict[str, str]) -> None:
    """Prints pairs of images of one source that are in one group, and of two sources."""
    names = sorted(group_of)
    source = np.unique([truth[name] for name in names], return_inverse=True)[1]
    group = np.unique([str(group_of[name]) for name in names], return_inverse=True)[1]
    table = np.zeros((source.max() + 1, group.max() + 1), np.int64)
    np.add.at(table, (source, group), 1)
    siblings_there = pairs(table.sum(axis=1))
    together = pairs(table.sum(axis=0))
    found = pairs(table.ravel())
    whole = int(((table > 0).sum(axis=1) == 1).sum())
    strangers = pairs(np.array([len(names)])) - siblings_there
    print(f"  images {len(names):,}, sources {len(table):,}, groups {table.shape[1]:,}")
    share = 100 * found / siblings_there
    print(f"  sibling pairs found: {found:,} of {siblings_there:,} ({share:.2f} %)")
    print(f"  sources whole in one group: {whole} of {len(table)}")
    mixed = int(((table > 0).sum(axis=0) > 1).sum())
    print(f"  stranger pairs joined: {together - found:,} of {strangers:,}")
    print(f"  groups with several sources: {mixed}")


def pairs(counts: np.ndarray) -> int:
    """Returns how many pairs can be made within so many, added up."""
    return int((counts * (counts - 1) // 2).sum())


if __name__ == "__main__":
    main()
