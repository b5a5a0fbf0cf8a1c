"""Drawn ultrasound and mammograms: the published layouts, their known defects, marked as drawn."""

import collections
import csv
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from cancernet.catalog import DATASETS, LeftOut, is_mask
from cancernet.sample import layouts
from cancernet.sample.folder import drawn_marker
from cancernet.sample.layouts import COPIES, SCANS, draw_sample, vary

NAMES = ("busi", "ultrasound", "mammography", "mammography-csv")
SIX_MEGABYTES = 6_000_000


@pytest.fixture(scope="module")
def samples(built, tmp_path_factory):
    """All of them, drawn once, most for other tests as well; no test may change them."""
    place = tmp_path_factory.mktemp("drawn")
    for name in NAMES[:3]:
        (place / name).symlink_to(built(name).with_name(f"{name}-original"))
    draw_sample(NAMES[3], place / NAMES[3])
    return place


def files(folder: Path, pattern: str = "*.png") -> dict[str, bytes]:
    """Path in the folder -> bytes of every PNG, or of every file of a pattern."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob(pattern))
        if path.is_file()
    }


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


@pytest.mark.parametrize("name", NAMES)
def test_marked_as_drawn_and_small(samples, name):
    folder = samples / name
    found = files(folder)
    marker = drawn_marker(folder)
    assert marker is not None and marker["seed"] == 7 and marker["files"] == len(found)
    assert sum(map(len, found.values())) < SIX_MEGABYTES
    for path in found:
        with Image.open(folder / path) as image:
            assert image.info["Software"] == "CancerNet drawn sample"
            assert image.info["Description"] == "Drawn by a program; not a photograph of a breast."


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes_other_seed_other_pictures(samples, tmp_path, monkeypatch, name):
    fewer = {"benign": 2, "malignant": 1}
    monkeypatch.setattr(layouts, "SCANS", fewer)
    monkeypatch.setattr(layouts, "BINARY_SOURCES", fewer)
    monkeypatch.setattr(layouts, "MAMMOGRAM_SOURCES", {(1, False): 2})
    for folder, seed in (("same", 7), ("again", 7), ("other", 8)):
        draw_sample(name, tmp_path / folder, seed=seed)
    assert files(tmp_path / "same", "*") == files(tmp_path / "again", "*")
    before = files(samples / name)
    same, other = files(tmp_path / "same"), files(tmp_path / "other")
    if name == "mammography-csv":  # fewer images have other numbers
        assert set(same.values()) <= set(before.values())
    else:
        assert same.items() <= before.items()
    scans = {data for path, data in other.items() if not is_mask(PurePosixPath(path))}
    assert scans and not scans & set(before.values())


@pytest.mark.parametrize("name", NAMES[:3])
def test_the_catalogue_reads_every_name(samples, name):
    entry, labels = DATASETS[name], set()
    for path in map(PurePosixPath, files(samples / name)):
        if is_mask(path):
            with pytest.raises(LeftOut, match="mask"):
                entry.identify(path)
        else:
            labels.add(entry.identify(path).label)
    assert labels == set(entry.classes)


def test_the_tables_of_the_csv_edition_list_every_image(samples):
    folder = samples / "mammography-csv"
    listed = {}
    for part, name in (("train", "Training_set.csv"), ("test", "Testing_set.csv")):
        with open(folder / name, encoding="utf-8", newline="") as file:
            listed |= {
                f"{part}/{row['filename']}": row.get("label") for row in csv.DictReader(file)
            }
    found = files(folder)
    assert listed.keys() == found.keys()
    # The images of the edition that has numbers, each under its own class.
    classes = {
        data: PurePosixPath(path).parts[0] for path, data in files(samples / "mammography").items()
    }
    for path, label in listed.items():
        assert classes[found[path]] == label if path.startswith("train/") else label is None


def test_busi_layout(samples):
    found = [PurePosixPath(path) for path in files(samples / "busi")]
    scans = [path for path in found if not is_mask(path)]
    assert {kind: sum(path.parts[0] == kind for path in scans) for kind in SCANS} == SCANS
    for path in scans:
        assert re.fullmatch(rf"{path.parts[0]} \(\d+\)\.png", path.name)
        assert path.with_name(f"{path.stem}_mask.png") in found
    second = [path for path in found if path.stem.endswith("_mask_1")]
    assert len(second) == len(layouts.TWO_LESIONS)


def test_busi_sizes_and_masks(samples):
    sizes = set()
    for name in files(samples / "busi"):
        path = samples / "busi" / name
        if is_mask(PurePosixPath(name)):
            continue
        scan, mask = grey(path), grey(path.with_name(f"{path.stem}_mask.png"))
        sizes.add(scan.shape)
        assert mask.shape == scan.shape and set(np.unique(mask)) <= {0, 255}
        assert min(scan.shape) > 150 and max(scan.shape) <= 260
        assert mask.any() == (path.parent.name != "normal")
    assert len(sizes) > 40


def test_busi_copies(samples):
    """Copies to the byte are those that are meant, one pair of them under two labels."""
    groups = collections.defaultdict(set)
    for name, data in files(samples / "busi").items():
        if not is_mask(PurePosixPath(name)):
            groups[data].add(name)
    copies = {frozenset(group) for group in groups.values() if len(group) > 1}
    meant = {
        frozenset(f"{kind}/{kind} ({number}).png" for kind, number in pair)
        for pair in COPIES.items()
    }
    assert copies == meant
    assert frozenset({"benign/benign (33).png", "malignant/malignant (12).png"}) in copies


def test_busi_near_copies_are_near_but_not_equal(samples):
    folder = samples / "busi" / "benign"
    one, near, far = (grey(folder / f"benign ({n}).png").astype(float) for n in (14, 15, 16))
    assert near.shape == (one.shape[0] - 3, one.shape[1] - 2)
    assert np.corrcoef(one[3:, 2:].ravel(), near.ravel())[0, 1] > 0.99
    height, width = np.minimum(near.shape, far.shape)
    pair = near[:height, :width].ravel(), far[:height, :width].ravel()
    assert np.corrcoef(*pair)[0, 1] < 0.7


def test_malignant_lesions_are_more_ragged(samples):
    """What a network can learn is there, but not in every scan."""
    ragged = {}
    for kind in ("benign", "malignant"):
        values = []
        for path in sorted((samples / "busi" / kind).glob("*_mask.png")):
            mask = grey(path) > 0
            edge = (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum()
            values.append(edge**2 / mask.sum())
        ragged[kind] = np.array(values)
    assert np.median(ragged["malignant"]) > 1.5 * np.median(ragged["benign"])
    assert ragged["malignant"].min() < np.median(ragged["benign"]) < ragged["benign"].max()


def test_binary_layout_and_its_leak(samples):
    parts, images = collections.defaultdict(set), 0
    for name in files(samples / "ultrasound"):
        part, kind, file = PurePosixPath(name).parts
        match = re.fullmatch(rf"({kind} \(\d+\))(-sharpened)?(-rotated[12])?\.png", file)
        assert match and part in ("train", "val")
        parts[match[1]].add(part)
        images += 1
    assert images == 6 * len(parts) == 6 * sum(layouts.BINARY_SOURCES.values())
    # The published set has this fault: variants of a source on both sides.
    assert sum(sides == {"train", "val"} for sides in parts.values()) > len(parts) / 3


def test_mammography_layout(samples):
    sources = collections.defaultdict(set)
    for name in files(samples / "mammography"):
        group, file = PurePosixPath(name).parts
        match = re.fullmatch(r"(\d{8})( \((\d+)\))?\.png", file)
        assert match and (match[3] is None or int(match[3]) >= 2)
        sources[group].add(match[1])
        assert grey(samples / "mammography" / name).shape == (224, 224)
    kinds = ("Benign", "Malignant")
    assert set(sources) == {f"Density{d}{kind}" for d in range(1, 5) for kind in kinds}
    assert len(sources["Density4Malignant"]) == 1
    assert all(len(found) > 1 for group, found in sources.items() if group != "Density4Malignant")
    # No source under two classes.
    assert len(set.union(*sources.values())) == sum(map(len, sources.values()))


def test_mammography_variants_differ(samples):
    found = files(samples / "mammography")
    assert len(set(found.values())) == len(found)


def test_denser_breasts_are_brighter(samples):
    light = []
    for density in range(1, 5):
        values = []
        for path in (samples / "mammography").glob(f"Density{density}*/{'[0-9]' * 8}.png"):
            pixels = grey(path)
            assert (pixels == 0).mean() > 0.1
            values.append(pixels[pixels > 30].mean())
        light.append(np.mean(values))
    assert light == sorted(light)


def test_vary():
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20
    assert np.array_equal(vary(pixels), pixels)
    assert np.array_equal(vary(pixels, mirrored=True), pixels[:, ::-1])
    square = np.arange(9, dtype=np.uint8).reshape(3, 3) * 20
    assert np.array_equal(vary(square, turn=90), np.rot90(square))
    assert vary(pixels, sharpened=True).std() > pixels.std()
