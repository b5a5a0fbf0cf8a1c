"""Images of another kind are told from those of unseen patients."""

import dataclasses

import numpy as np
import pytest

from cancernet.appearance.appearance import MEASURES, Appearance, measure, packed
from cancernet.appearance.fit import MOST, Measured, fit_appearance
from cancernet.base.records import EntryError, as_json, from_json
from cancernet.dataset.manifest import read_dataset
from cancernet.runs.run_record import Input
from cancernet.scoring.predictor import prepare


def measured(images):
    """The rows of `measure` of prepared images, (n, 30)."""
    return measure(np.stack([image.pixels for image in images]), [image.size for image in images])


SCALING = Input(width=48, height=48, interpolation="bilinear")
NAMES = [each.name for each in MEASURES]


def rows_of(folder, *splits: str) -> Measured:
    dataset = read_dataset(folder)
    parts = [dataset.split(name) for name in splits]
    paths = [folder / path for part in parts for path in part.paths]
    rows = measured([prepare(path, SCALING) for path in paths])
    return Measured(rows, [patient for part in parts for patient in part.patients])


@pytest.fixture(scope="module")
def described(built) -> Appearance:
    """The drawn histology."""
    histology = built("idc")
    found = fit_appearance(rows_of(histology, "training"), rows_of(histology, "validation"), seed=7)
    assert found is not None
    return found


def test_drawn_scans_are_told_from_drawn_histology(built, described):
    unseen, scans = rows_of(built("idc"), "testing"), rows_of(built("busi"), "training")
    assert (described.distances(unseen.rows) > described.threshold).mean() <= 0.01
    assert (described.distances(scans.rows) > described.threshold).mean() >= 0.99


def test_drawn_histology_and_mammograms_are_told_from_drawn_scans(built):
    scans = rows_of(built("busi"), "training", "validation")
    found = fit_appearance(scans, rows_of(built("busi"), "testing"), seed=7)
    for other in ("idc", "mammography"):
        distances = found.distances(rows_of(built(other), "validation").rows)
        assert (distances > found.threshold).all()


def test_real_images(real_data):
    def some(pattern: str, step: int, group) -> Measured:
        paths = sorted(real_data.glob(pattern))[::step]
        paths = [path for path in paths if "_mask" not in path.name]
        rows = measured([prepare(path, SCALING) for path in paths])
        return Measured(rows, [group(path) for path in paths])

    patches = some("idc/*/*/*.png", 9, lambda path: path.parts[-3])
    scans = some("busi/*/*.png", 4, lambda path: path.name)
    seen = np.array([patient < "13" for patient in patches.patients])
    halves = [Measured(patches.rows[who], np.array(patches.patients)[who]) for who in (seen, ~seen)]
    found = fit_appearance(halves[0], Measured(halves[0].rows[:0], []), seed=7)
    assert (found.distances(halves[1].rows) > found.threshold).mean() <= 0.02
    assert (found.distances(scans.rows) > found.threshold).all()


def test_what_is_measured():
    pixels = np.zeros((3, 40, 40, 3), np.uint8)
    pixels[1, :, 20:] = (255, 55, 155)
    pixels[2] = 255
    black, halves, white = (
        dict(zip(NAMES, row, strict=True)) for row in measure(pixels, [(40, 40), (80, 20), (1, 50)])
    )
    assert black["black, share"] == black["even, share"] == white["white, share"] == 1
    assert black["colourfulness, log2"] == black["contrast at 1 px, log"] == 0
    assert halves["red - green, mean"] == 100 and halves["blue - green, mean"] == 50
    assert halves["left half - right half"] == 130 and halves["upper half - lower half"] == 0
    assert halves["contrast at 1 px, across / down, log"] > 0
    assert halves["width / height, log2"] == 2 and white["longer side in px, log2"] == np.log2(50)
    assert halves["brightness, 25 % quantile"] == 0 and halves["brightness, 75 % quantile"] == 130


@pytest.mark.parametrize("side", [2, 8, 31, 48, 300])
def test_every_size_of_a_network_is_measured(side):
    pixels = np.random.default_rng(1).integers(0, 256, (2, side, side, 3), np.uint8)
    found = measure(pixels, [(side, side)] * 2)
    assert found.shape == (2, len(MEASURES)) and np.isfinite(found).all()


def alike(patients: int, images: int = 20) -> Measured:
    """Images that differ a little, in all measures."""
    random = np.random.default_rng(5)
    least = np.array([each.least for each in MEASURES])
    rows = 100 + least * random.normal(0, 2, (patients * images, len(least)))
    return Measured(rows, [f"p{number // images}" for number in range(len(rows))])


def test_one_odd_patient_does_not_set_the_threshold():
    usual = alike(20)
    odd = Measured(usual.rows.copy(), usual.patients)
    odd.rows[:20] += 300
    thresholds = [fit_appearance(each, each, seed=1).threshold for each in (usual, odd)]
    assert thresholds[1] < 2 * thresholds[0]


def test_of_a_few_patients_an_odd_one_does_not_put_the_threshold_beyond_everything():
    few = alike(3)
    few.rows[:20] += 300
    found = fit_appearance(few, Measured(few.rows[:0], []), seed=1)
    left_out = np.median(found.distances(few.rows))
    assert left_out < found.threshold and np.isfinite(found.threshold) and MOST < 10


def test_too_little_to_describe():
    nobody = Measured(alike(1).rows[:0], [])
    assert fit_appearance(alike(1), nobody, seed=1) is None
    assert fit_appearance(alike(2, images=9), nobody, seed=1) is None


def test_images_that_are_all_the_same_are_described():
    same = Measured(np.ones((40, len(MEASURES))), [f"p{number % 4}" for number in range(40)])
    found = fit_appearance(same, same, seed=1)
    assert found.threshold > 0 and np.isfinite(found.distances(same.rows)).all()


def test_the_description_is_kept_as_json(described, built):
    kept = from_json(Appearance, as_json(described))
    rows = rows_of(built("idc"), "testing").rows
    assert kept == described and kept.is_known
    assert np.array_equal(kept.distances(rows), described.distances(rows))
    assert len(str(as_json(described))) < 20_000


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ("threshold", 0), ("threshold", None), ("turn", "no base64"), ("turn", "AAAA"),
        ("references", ""), ("spread", {}), ("spread", dict.fromkeys(NAMES, 0.0)),
        ("references", packed(np.full((1, len(NAMES)), np.nan))),
    ],
)  # fmt: skip
def test_a_damaged_description_is_refused(described, entry, value):
    with pytest.raises(EntryError):
        from_json(Appearance, {**as_json(described), entry: value})


def test_a_description_by_other_measures_is_not_used(described):
    names = [f"later {name}" for name in NAMES]
    other = dataclasses.replace(
        described,
        typical=dict(zip(names, described.typical.values(), strict=True)),
        spread=dict(zip(names, described.spread.values(), strict=True)),
    )
    assert not other.is_known
