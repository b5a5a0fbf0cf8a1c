"""Images of another kind are told from those of unseen patients."""

import dataclasses
import functools
import math

import numpy as np
import pytest
from PIL import Image

from cancernet.appearance import fit
from cancernet.appearance.appearance import MEASURES, Appearance, measure, packed, unpacked
from cancernet.appearance.fit import (
    BEYOND,
    MOST,
    Files,
    Measured,
    _described,
    _threshold,
    describe_files,
    fit_appearance,
)
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


def test_every_measure_by_its_definition():
    pixels = np.random.default_rng(3).integers(0, 256, (2, 12, 10, 3), np.uint8)
    for image, row in zip(pixels.astype(float), measure(pixels, [(10, 12)] * 2), strict=True):
        red, green, blue = image.transpose(2, 0, 1)
        grey, red, blue = (red + 2 * green + blue) / 4, red - green, blue - green
        ordered = sorted(int(value) for value in grey.ravel())
        wanted = [ordered[120 * percent // 100] for percent in (2, 25, 50, 75, 98)]
        wanted += [red.mean(), blue.mean(), grey.std(), red.std(), blue.std()]
        for colour in (red, blue):
            together = ((grey - grey.mean()) * (colour - colour.mean())).mean()
            wanted.append(together / (grey.std() + 5))
        wanted.append(np.log2(1 + (np.abs(red) + np.abs(blue)).mean() / 2))
        shares = (red + blue < -10, blue - red > 20, red - blue > 30, grey < 16, grey > 240)
        wanted += [share.mean() for share in shares]
        steps = {
            apart: [np.abs(green[:, apart:] - green[:, :-apart]),
                    np.abs(green[apart:] - green[:-apart])]
            for apart in (1, 2, 4, 8)
        }  # fmt: skip
        wanted += [np.log(1 + along.mean() + down.mean()) for along, down in steps.values()]
        for apart in (1, 4):
            along, down = (each.mean() for each in steps[apart])
            wanted.append(np.log((1 + along) / (1 + down)))
        both = np.concatenate([each.ravel() for each in steps[1]])
        gathered = np.log(1 + np.sqrt(2 * (both**2).mean()))
        along, down = (each.mean() for each in steps[1])
        wanted += [gathered - np.log(1 + along + down), (both < 2).mean()]
        wanted += [abs(grey[:6].mean() - grey[6:].mean())]
        wanted += [abs(grey[:, :5].mean() - grey[:, 5:].mean())]
        wanted += [np.log2(12), np.log2(10 / 12)]
        assert row == pytest.approx(wanted, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "without", "within"),
    [
        ("greenish, share", (95, 100, 95), (94, 100, 95)),
        ("bluish, share", (100, 100, 120), (100, 100, 121)),
        ("reddish, share", (130, 100, 100), (131, 100, 100)),
        ("black, share", (16, 16, 16), (15, 16, 16)),
        ("white, share", (240, 240, 240), (241, 240, 240)),
    ],
)
def test_where_a_colour_begins(name, without, within):
    pixels = np.array([without, within], np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    assert measure(pixels, [(4, 4)] * 2)[:, NAMES.index(name)].tolist() == [0, 1]


def test_some_points_of_a_large_image_are_measured():
    pixels = np.zeros((1, 96, 64, 3), np.uint8)  # every third line, every second column
    pixels[:, ::3, ::2] = 200
    found = dict(zip(NAMES, measure(pixels, [(64, 96)])[0], strict=True))
    assert found["brightness, 2 % quantile"] == 200 and found["upper half - lower half"] == 0
    assert found["contrast at 2 px, log"] == pytest.approx(np.log(1 + 0 + 200))
    pixels[:, 47:] = pixels[:, :, 31:] = 0
    found = dict(zip(NAMES, measure(pixels, [(64, 96)])[0], strict=True))
    assert found["left half - right half"] == found["upper half - lower half"] == 100


BY_HAND = Appearance(
    typical={"a": 1.0, "b": 2.0},
    spread={"a": 2.0, "b": 1.0},
    turn=packed(np.array([[0, 1], [1, 0]])),
    references=packed(np.array([[0, 0], [3, 4]])),
    threshold=1.0,
    images=7,
)


def test_the_nearest_reference_counts():
    rows = np.array(
        [[1, 2], [1, 5], [201, 2], [-199, 2]]
    )  # after the turn (0, 0), (3, 0), (0, ±20)
    found = BY_HAND.distances(rows)
    assert found == pytest.approx([0, 3, np.hypot(3, 16), 20])
    assert BY_HAND.unlike(np.zeros((3, 4, 4, 3), np.uint8), [(4, 4)] * 3) == [None] * 3


def test_a_matrix_is_packed_as_it_was():
    matrix = np.array([[1, 2.5, -3], [4, 5, 6]])
    assert unpacked(packed(matrix), columns=3).tolist() == matrix.tolist()
    for text, columns in ((packed(matrix), 4), ("AAA", 1), (packed(matrix * np.inf), 3), ("é", 1)):
        with pytest.raises(ValueError):
            unpacked(text, columns=columns)


@pytest.mark.parametrize(
    "entry",
    [
        {"typical": {"b": 1.0, "a": 2.0}},
        {"typical": {"a": math.inf, "b": 2.0}},
        {"spread": {"a": 0.0, "b": 1.0}},
        {"threshold": 0.0},
        {"threshold": math.nan},
        {"turn": packed(np.eye(2)[:1])},
        {"turn": packed(np.ones((3, 2)))},
        {"references": ""},
        {"typical": {}, "spread": {}},
    ],
)
def test_numbers_that_no_fit_gives_are_refused(entry):
    with pytest.raises(ValueError):
        dataclasses.replace(BY_HAND, **entry)


@pytest.mark.parametrize(
    ("height", "width"), [(2, 2), (2, 31), (31, 2), (8, 8), (48, 48), (300, 300)]
)
def test_every_size_of_a_network_is_measured(height, width):
    pixels = np.random.default_rng(1).integers(0, 256, (2, height, width, 3), np.uint8)
    found = measure(pixels, [(width, height)] * 2)
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


def test_the_threshold_lies_beyond_the_tail():
    for far, expected in ((1.0, 1), (2.0, 2**BEYOND), (3.0, MOST), (1e9, MOST)):
        assert _threshold(np.array([1.0] * 90 + [far] * 10)) == pytest.approx(expected)
    assert _threshold(np.zeros(9)) > 0


@pytest.mark.parametrize(("patients", "doubt"), [(5, 0.5), (15, 0.25), (1000, 0.1)])
def test_training_images_vary_alike_in_every_direction(patients, doubt):
    rows = alike(3).rows
    found = _described(rows, patients, 1)
    typical, spread = (np.array(list(each.values())) for each in (found.typical, found.spread))
    low, median, high = np.quantile(rows, (0.05, 0.5, 0.95), axis=0)
    least = [each.least for each in MEASURES]
    assert typical == pytest.approx(median)
    assert spread == pytest.approx(np.maximum((high - low) / 3.29, least))
    assert list(found.typical) == NAMES and found.images == 60
    varied = np.cov((rows - typical) / spread, rowvar=False)
    mixed = (1 - doubt) * varied + doubt * np.eye(30) * np.trace(varied) / 30
    turn = unpacked(found.turn, columns=30)
    assert turn.T @ mixed @ turn == pytest.approx(np.eye(30), abs=1e-3)
    assert len(unpacked(found.references, columns=30)) == 30  # half as many as images
    many = _described(alike(7).rows, patients, 1)
    assert len(unpacked(many.references, columns=30)) == 64


def test_patients_are_left_out_to_find_the_threshold():
    training, others = alike(3), Measured(alike(1).rows + 500, ["q"] * 20)
    alone = fit_appearance(training, Measured(others.rows[:0], []), seed=1)
    both = fit_appearance(training, others, seed=1)
    assert both.threshold > alone.threshold and both.turn == alone.turn
    known = alone.distances(training.rows)
    assert np.quantile(known, 0.5) < alone.threshold  # unseen patients are further away
    assert fit_appearance(training, others, seed=1) == both


def test_files_are_measured_at_the_size_of_the_network(tmp_path, monkeypatch):
    for name, size in (("a.png", (8, 8)), ("b.png", (16, 8)), ("c.png", (8, 32))):
        Image.new("RGB", size, (10, 20, 30)).save(tmp_path / name)
    (tmp_path / "d.png").write_bytes(b"x")
    small = Input(width=4, height=4, interpolation="nearest")
    files = Files(
        folder=tmp_path, paths=["a.png", "b.png", "c.png", "d.png"], patients=list("pqrs"),
        prepare=functools.partial(prepare, scaling=small),
    )  # fmt: skip
    found = files.measured(seed=1)
    longer = dict(zip(found.patients, found.rows[:, NAMES.index("longer side in px, log2")],
                      strict=True))  # fmt: skip
    assert longer == {"p": 3, "q": 4, "r": 5} and found.rows.shape == (3, 30)
    monkeypatch.setattr(fit, "_BATCH", 1)  # the damaged one is a batch of its own
    assert files.measured(seed=1).patients == found.patients
    monkeypatch.setattr(fit, "MOST_IMAGES", 2)
    assert len(files.measured(seed=2).rows) <= 2
    assert describe_files(files, files, seed=1) is None


def test_too_little_to_describe():
    nobody = Measured(alike(1).rows[:0], [])
    assert fit_appearance(alike(2, images=10), nobody, seed=1) is not None
    fewer = Measured(alike(2, images=10).rows[:19], ["p"] * 10 + ["q"] * 9)
    assert fit_appearance(fewer, nobody, seed=1) is None
    assert fit_appearance(alike(1), nobody, seed=1) is None
    assert fit_appearance(alike(2, images=9), nobody, seed=1) is None


def test_images_that_are_all_the_same_are_described():
    same = Measured(np.ones((40, len(MEASURES))), [f"p{number % 4}" for number in range(40)])
    found = fit_appearance(same, same, seed=1)
    assert found.threshold > 0 and np.isfinite(found.distances(same.rows)).all()
    assert found.spread == {each.name: each.least for each in MEASURES}


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
