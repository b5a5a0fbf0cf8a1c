"""Near duplicates: planted changes are found, strangers and empty glass are not."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from cancernet.lookalike import near_duplicates, nearest_pictures, pictures
from cancernet.lookalike.alignment import Agreement
from cancernet.lookalike.near_duplicates import connected, find_near_duplicates

STRANGERS = 60


def texture(seed, side=50):
    """Blobs of several sizes, as in tissue; the same seed gives the same picture."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(Image.fromarray(rng.normal(0, 1, (n, n)).astype(np.float32)).resize(
            (side, side), Image.Resampling.BICUBIC)) for n in (4, 9, 20)
    ]  # fmt: skip
    grey = 128 + 24 * sum(layers)
    tint = rng.normal(0, 6, (side, side, 3))
    return Image.fromarray((grey[..., None] + tint).clip(0, 255).astype(np.uint8))


def jpeg(image):
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=70)
    return Image.open(stream)


CHANGES = {
    "resized": lambda image: image.resize((80, 80), Image.Resampling.BICUBIC),
    "recompressed": jpeg,
    "rotated": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "flipped": lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "flipped ": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    "brightness": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "cropped": lambda image: image.crop((4, 1, 49, 46)),
    "rotated, cropped": lambda image: image.crop((1, 5, 45, 49)).transpose(
        Image.Transpose.ROTATE_90
    ),
    "identical pixels": lambda image: image,
}


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("strangers")
    paths = [folder / f"{seed:02}.png" for seed in range(STRANGERS)]
    for seed, path in enumerate(paths):
        texture(seed).save(path)
    return paths


@pytest.mark.parametrize("change", CHANGES)
def test_a_planted_change_is_found_and_named_and_nothing_else_is(strangers, tmp_path, change):
    changed = tmp_path / "changed.png"
    CHANGES[change](texture(7)).save(changed)
    [pair] = find_near_duplicates([*strangers, changed])
    assert (pair.first, pair.second) == (7, STRANGERS) and 0 <= pair.distance < 0.35
    assert change.strip().split(",")[0] in ", ".join(pair.changes)
    [pair] = find_near_duplicates([changed, strangers[7]])
    assert change.strip().split(",")[0] in ", ".join(pair.changes)


def test_plain_pictures_and_edges_of_a_slide_resemble_none(tmp_path):
    rng = np.random.default_rng(0)
    paths = []
    for place in range(12):
        pixels = 240 + rng.normal(0, 1.5, (50, 50, 3))
        if place % 2:  # the straight edge of the slide, as everywhere along it
            pixels[:25] -= 150 + rng.normal(0, 1.5, (25, 50, 3))
        paths.append(tmp_path / f"{place}.png")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(paths[-1])
    Image.new("RGB", (50, 50), "white").save(tmp_path / "white.png")
    assert find_near_duplicates([*paths, tmp_path / "white.png", tmp_path / "white.png"]) == []


def outlined(seed, side=120):
    """A disc on black: the same outline always, its inside by the seed."""
    down, right = np.indices((side, side)) / side - 0.5
    inside = np.hypot(down, right - 0.5) < 0.42
    pixels = np.where(inside, np.asarray(texture(seed, side))[..., 0] * 0.3 + 90, 0)
    return Image.fromarray(np.rint(pixels).astype(np.uint8)).convert("RGB")


def test_an_outline_in_common_is_no_resemblance(tmp_path):
    paths = [tmp_path / f"{seed}.png" for seed in range(10)]
    for seed, path in enumerate(paths):
        outlined(seed).save(path)
    assert find_near_duplicates(paths) == []
    jpeg(outlined(3).resize((90, 90))).save(tmp_path / "copy.png")
    [pair] = find_near_duplicates([*paths, tmp_path / "copy.png"])
    assert pair[:2] == (3, 10)


@pytest.mark.parametrize(("width", "also"), [(25, {(0, 1), (0, 2)}), (12, set())])
def test_a_picture_may_be_squeezed_to_half_but_a_strip_is_another(tmp_path, width, also):
    whole = texture(3)
    narrow = whole.resize((width, 50))
    paths = [tmp_path / name for name in ("whole.png", "narrow.png", "turned.png")]
    turned = narrow.transpose(Image.Transpose.ROTATE_90)
    for image, path in zip((whole, narrow, turned), paths, strict=True):
        image.save(path)
    assert {pair[:2] for pair in find_near_duplicates(paths)} == {(1, 2), *also}


def corner(seed, width=50):
    """White but for tissue in a corner, of a size by the seed."""
    down, right = np.indices((50, width)) / np.array([50, width])[:, None, None]
    rng = np.random.default_rng(seed)
    tissue = np.hypot(down / rng.uniform(0.15, 0.45), right / rng.uniform(0.15, 0.45)) < 1
    grey = np.asarray(texture(seed).resize((width, 50)))[..., 0] * 0.6
    pixels = np.where(tissue, grey, 240 + rng.normal(0, 1.5, (50, width)))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert("RGB")


def test_a_strip_with_little_detail_is_no_squeezed_copy(tmp_path):
    images = [*(corner(seed) for seed in range(6)), *(corner(9 + n, 22) for n in range(6))]
    images.append(corner(2).resize((25, 50)))  # a copy, squeezed to half
    paths = [tmp_path / f"{place}.png" for place in range(len(images))]
    for image, path in zip(images, paths, strict=True):
        image.save(path)
    squares_and_others = np.repeat([0, 1], [6, 7])
    pairs = find_near_duplicates(paths, apart=squares_and_others)
    assert {pair.second for pair in pairs} == {12} and (2, 12) in {pair[:2] for pair in pairs}


def test_little_to_tell_by_asks_for_more():
    sparse = Agreement(grey=0.9, detail=0.6, evidence=0.05, crop=1.0, gain=1.0, shift=0.0)
    plenty = dataclasses.replace(sparse, evidence=0.4)
    assert near_duplicates._is_one(plenty) and not near_duplicates._is_one(sparse)
    assert near_duplicates._is_one(dataclasses.replace(sparse, detail=0.9))
    # Two strips of tissue fit somewhere when the crop is free; so a fit of a crop must be better.
    fitted = dataclasses.replace(sparse, detail=0.75)
    assert near_duplicates._is_one(fitted)
    assert not near_duplicates._is_one(dataclasses.replace(fitted, crop=0.85))
    assert near_duplicates._is_one(dataclasses.replace(plenty, crop=0.85))


def test_no_two_drawn_patients_share_a_patch(built):
    """Among them are patches white but for a strip, which once were taken for crops."""
    paths = sorted(built("idc").rglob("*.png"))
    patients = np.array([int(path.name.partition("_")[0]) for path in paths])
    assert len(set(patients)) == 8
    assert find_near_duplicates(paths, apart=patients) == []


def test_groups_are_chains_and_unreadable_files_stand_alone(strangers, tmp_path):
    one, two, broken = (tmp_path / name for name in ("one.png", "two.png", "broken.png"))
    jpeg(texture(1)).save(one)
    jpeg(texture(1).resize((70, 70))).save(two)
    broken.write_bytes(b"not an image")
    paths = [one, strangers[0], broken, two, strangers[1], broken]
    pairs = find_near_duplicates(paths)
    groups = connected(len(paths), [(pair.first, pair.second) for pair in pairs])
    assert groups.tolist() == [0, 1, 2, 0, 0, 3]


def test_pairs_of_one_group_are_not_looked_for(strangers):
    twice = [*strangers[:3], *strangers[:3]]
    apart = np.array([0, 1, 2, 0, 1, 9])
    pairs = find_near_duplicates(twice, apart=apart)
    assert [(pair.first, pair.second) for pair in pairs] == [(2, 5)]


def test_several_processes_find_the_same(strangers, monkeypatch):
    monkeypatch.setattr("cancernet.lookalike.pictures.CHUNK", 8)
    monkeypatch.setattr(nearest_pictures, "PICTURES_A_BLOCK", 8)
    paths = [*strangers[:20], *strangers[5:9]]
    done: dict[str, int] = {}

    def note(step, more, total):
        done[step] = done.get(step, 0) + more
        assert done[step] <= total

    pairs = find_near_duplicates(paths, processes=2, progress=note)
    assert [(p.first, p.second) for p in pairs] == [(5, 20), (6, 21), (7, 22), (8, 23)]
    assert done["reading"] == 24 and done["searching"] == 20


def test_symmetries_act_on_descriptions_as_on_pixels():
    grey = np.random.default_rng(1).uniform(0, 255, (40, 31)).astype(np.float32)
    described = pictures.describe(grey)[0][:1]
    symmetric = pictures.symmetric_part(described)
    for place in range(8):
        turned = pictures.describe(pictures.apply_symmetry(grey, place))[0][:1]
        assert np.allclose(turned, pictures.in_all_symmetries(described)[place], atol=1e-4)
        assert np.allclose(pictures.symmetric_part(turned), symmetric, atol=1e-4)


def test_the_symmetric_part_brings_nothing_further_apart():
    rng = np.random.default_rng(2)
    one, other = rng.normal(0, 1, (2, 50, pictures.LENGTH))
    nearest = np.linalg.norm(pictures.in_all_symmetries(one) - other, axis=2).min(axis=0)
    parts = pictures.symmetric_part(one) - pictures.symmetric_part(other)
    assert (np.linalg.norm(parts, axis=1) <= nearest + 1e-6).all()


def test_connected():
    assert connected(6, [(4, 1), (5, 4), (0, 3)]).tolist() == [0, 1, 2, 0, 1, 1]
    assert connected(0, []).tolist() == []
