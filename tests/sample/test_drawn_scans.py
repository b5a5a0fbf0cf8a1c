"""Drawn ultrasound and mammograms: the published layouts, their known defects, marked as drawn."""

import collections
import re
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.catalog import is_mask
from cancernet.sample import drawn_scans
from cancernet.sample.drawn_folder import MARKER, drawn_marker
from cancernet.sample.drawn_scans import (
    COPIES,
    SCANS,
    draw_binary_ultrasound_sample,
    draw_mammography_sample,
    draw_ultrasound_sample,
)
from cancernet.sample.drawn_variants import vary

DRAWERS = {
    "busi": draw_ultrasound_sample,
    "binary": draw_binary_ultrasound_sample,
    "mammography": draw_mammography_sample,
}
SIX_MEGABYTES = 6_000_000


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """All three, drawn once; no test may change them."""
    place = tmp_path_factory.mktemp("drawn")
    for name, draw in DRAWERS.items():
        draw(place / name)
    return place


def files(folder: Path) -> dict[str, bytes]:
    """Path in the folder -> bytes of every PNG."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.png"))
    }


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


@pytest.mark.parametrize("name", DRAWERS)
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


@pytest.mark.parametrize("name", DRAWERS)
def test_same_seed_same_bytes_other_seed_other_pictures(samples, tmp_path, monkeypatch, name):
    fewer = {"benign": 2, "malignant": 1}
    monkeypatch.setattr(drawn_scans, "SCANS", fewer)
    monkeypatch.setattr(drawn_scans, "BINARY_SOURCES", fewer)
    monkeypatch.setattr(drawn_scans, "MAMMOGRAM_SOURCES", {(1, False): 2})
    draw, before = DRAWERS[name], files(samples / name)
    draw(tmp_path / "same")
    draw(tmp_path / "other", seed=8)
    same, other = files(tmp_path / "same"), files(tmp_path / "other")
    assert same and all(before[path] == data for path, data in same.items())
    scans = {data for path, data in other.items() if not is_mask(PurePosixPath(path))}
    assert scans and not scans & set(before.values())


@pytest.mark.parametrize("name", DRAWERS)
def test_drawing_again_does_nothing_and_foreign_folders_are_refused(samples, tmp_path, name):
    before = {path: path.stat().st_mtime_ns for path in (samples / name).rglob("*")}
    DRAWERS[name](samples / name)
    assert before == {path: path.stat().st_mtime_ns for path in (samples / name).rglob("*")}
    (tmp_path / "benign").mkdir()
    (tmp_path / "benign" / "benign (1).png").write_bytes(b"mine")
    with pytest.raises(CancerNetError, match="not a drawn sample"):
        DRAWERS[name](tmp_path)
    assert files(tmp_path) == {"benign/benign (1).png": b"mine"}
    assert not (tmp_path / MARKER).exists()


def test_one_sample_is_not_taken_for_another(samples):
    with pytest.raises(CancerNetError, match="other settings"):
        draw_mammography_sample(samples / "busi")


def test_busi_layout(samples):
    found = [PurePosixPath(path) for path in files(samples / "busi")]
    scans = [path for path in found if not is_mask(path)]
    assert {kind: sum(path.parts[0] == kind for path in scans) for kind in SCANS} == SCANS
    for path in scans:
        assert re.fullmatch(rf"{path.parts[0]} \(\d+\)\.png", path.name)
        assert path.with_name(f"{path.stem}_mask.png") in found
    second = [path for path in found if path.stem.endswith("_mask_1")]
    assert len(second) == len(drawn_scans.TWO_LESIONS)


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
    for name in files(samples / "binary"):
        part, kind, file = PurePosixPath(name).parts
        match = re.fullmatch(rf"({kind} \(\d+\))(-sharpened)?(-rotated[12])?\.png", file)
        assert match and part in ("train", "val")
        parts[match[1]].add(part)
        images += 1
    assert images == 6 * len(parts) == 6 * sum(drawn_scans.BINARY_SOURCES.values())
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
