"""The drawn sample: same seed same bytes, the published layout, marked as drawn, not trivial."""

import json
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from cancernet.base.errors import CancerNetError
from cancernet.base.images import read_rgb
from cancernet.catalog import identify_idc
from cancernet.sample import drawn_sample
from cancernet.sample.drawn_case import HAEMATOXYLIN, PATCH
from cancernet.sample.drawn_folder import MARKER, draw_folder, drawn_marker, save_png
from cancernet.sample.drawn_sample import (
    FIRST_PATIENT,
    PATIENTS,
    cut_patches,
    draw_patient,
    draw_sample,
    prevalences,
)

FEW = 3


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """A sample of few patients that no test may change."""
    folder = tmp_path_factory.mktemp("drawn") / "sample"
    draw_sample(folder, patients=FEW)
    return folder


@pytest.fixture(scope="module")
def many():
    """(mean colour, class, patient) of every patch of a third of the default patients."""
    shares = prevalences(7, PATIENTS)
    rows = []
    for place in range(0, PATIENTS, 3):
        number = FIRST_PATIENT + place
        for _, _, label, pixels in cut_patches(draw_patient(7, number, shares[place])):
            rows.append((*pixels.mean(axis=(0, 1)), label, number))
    table = np.array(rows)
    return table[:, :3], table[:, 3].astype(int), table[:, 4].astype(int)


def test_same_seed_gives_same_bytes(sample, tmp_path):
    draw_sample(tmp_path / "again", patients=FEW)
    assert content(tmp_path / "again") == content(sample)


def test_patients_do_not_depend_on_their_number(sample, tmp_path):
    draw_sample(tmp_path / "one", patients=1)
    first = str(FIRST_PATIENT)
    assert content(tmp_path / "one" / first) == content(sample / first)


def test_another_seed_gives_other_pictures(sample, tmp_path):
    draw_sample(tmp_path / "other", seed=8, patients=1)
    other = {data for name, data in content(tmp_path / "other").items() if name != MARKER}
    assert other and not other & set(content(sample).values())
    # Not only because another share of carcinoma was wanted.
    one, two = (draw_patient(seed, FIRST_PATIENT, 0.3).pixels for seed in (7, 8))
    height, width = np.minimum(one.shape, two.shape)[:2]
    assert np.mean(one[:height, :width] != two[:height, :width]) > 0.5


def test_layout_is_the_published_one(sample):
    names = [name for name in content(sample) if name != MARKER]
    found = [identify_idc(PurePosixPath(name)) for name in names]
    assert {identity.patient for identity in found} == {str(FIRST_PATIENT + i) for i in range(FEW)}
    assert {identity.label for identity in found} == {"0", "1"}
    # On one grid, and no two in one place.
    assert all(identity.x % PATCH == 1 and identity.y % PATCH == 1 for identity in found)
    assert len({(i.patient, i.x, i.y) for i in found}) == len(found)


def test_patches_are_whole_or_at_the_edge(sample):
    for path in sample.rglob("*.png"):
        image = read_rgb(path)
        assert image.mode == "RGB" and min(image.size) > 0 and max(image.size) <= PATCH
    slide = draw_patient(7, FIRST_PATIENT + 1, 0.3)
    height, width = slide.tissue.shape
    for x, y, _, pixels in cut_patches(slide):
        left, top = x - 1 - slide.origin[1], y - 1 - slide.origin[0]
        assert pixels.shape == (min(PATCH, height - top), min(PATCH, width - left), 3)


def test_default_sample_is_large_and_mixed(many):
    _, labels, patients = many
    assert PATIENTS >= 24
    assert 2_000 < 3 * labels.size < 4_000
    shares = np.array([labels[patients == number].mean() for number in np.unique(patients)])
    assert 0.2 < labels.mean() < 0.45
    assert np.mean((shares > 0) & (shares < 1)) > 0.8
    wanted = np.array(prevalences(7, PATIENTS))
    assert wanted.min() < 0.05 and wanted.max() > 0.8 and 0.25 < wanted.mean() < 0.45
    assert np.mean(wanted > 0) > 0.9


def test_prevalence_is_as_wanted(many):
    """Patches marked and carcinoma wanted agree as well as a coarse hand allows."""
    _, labels, patients = many
    numbers = np.unique(patients)
    wanted = np.array(prevalences(7, PATIENTS))[numbers - FIRST_PATIENT]
    marked = np.array([labels[patients == number].mean() for number in numbers])
    assert np.corrcoef(wanted, marked)[0, 1] > 0.9
    assert np.all(marked[wanted == 0] == 0)


def test_carcinoma_lies_together():
    """A neighbour of a class 1 patch is class 1 far more often than chance would have it."""
    labels = {(x, y): label for x, y, label, _ in cut_patches(draw_patient(7, 90008, 0.35))}
    beside = [
        labels[x + PATCH, y]
        for (x, y), label in labels.items()
        if label and (x + PATCH, y) in labels
    ]
    assert np.mean(beside) > np.mean(list(labels.values())) + 0.2


def test_stain_and_light_differ_between_patients(many):
    colours, labels, patients = many
    means = [colours[(patients == n) & (labels == 0)].mean(axis=0) for n in np.unique(patients)]
    assert np.std(means, axis=0).min() > 5
    # The patients differ by more than the classes do: colour alone misleads.
    gap = np.abs(colours[labels == 0].mean(axis=0) - colours[labels == 1].mean(axis=0))
    assert np.all(gap < 5 * np.std(means, axis=0))


def test_mean_colour_does_not_solve_it(many):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    colours, labels, patients = many
    scores = np.full(labels.size, np.nan)
    for train, test in GroupKFold(5).split(colours, labels, patients):
        model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
        scores[test] = model.fit(colours[train], labels[train]).decision_function(colours[test])
    # 0.82 now; 0.86 when the stain is even, and then it is the colour that is learnt.
    assert roc_auc_score(labels, scores) < 0.84


def test_nuclei_are_where_the_carcinoma_is():
    """What a network can learn is there: more dark blue grains in the marked area."""
    slide = draw_patient(7, 90008, 0.35)
    density = -np.log(np.maximum(slide.pixels, 1) / 245)
    dark = density @ HAEMATOXYLIN > 1.0
    inside = slide.tissue & slide.annotated
    outside = slide.tissue & ~slide.annotated
    assert dark[inside].mean() > 1.3 * dark[outside].mean()


def test_every_picture_says_that_it_is_drawn(sample):
    for path in sample.rglob("*.png"):
        with Image.open(path) as image:
            assert image.info["Software"] == "CancerNet drawn sample"
            assert image.info["Description"] == "Drawn by a program; not a photograph of tissue."


def test_marker(sample):
    marker = json.loads((sample / MARKER).read_text(encoding="utf-8"))
    patches = len(list(sample.rglob("*.png")))
    assert marker["drawn"] is True and "finished" not in marker
    assert (marker["seed"], marker["patients"], marker["patches"]) == (7, FEW, patches)
    assert marker["version"] == drawn_sample.VERSION
    assert drawn_marker(sample) == marker


def test_drawing_again_does_nothing(tmp_path):
    folder = tmp_path / "sample"
    draw_sample(folder, patients=1)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    draw_sample(folder, patients=1)
    assert before == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_changed_sample_is_left_alone(tmp_path):
    folder = tmp_path / "sample"
    draw_sample(folder, patients=1)
    next(folder.rglob("*.png")).unlink()
    before = content(folder)
    with pytest.raises(CancerNetError, match="other settings or has been changed"):
        draw_sample(folder, patients=1)
    with pytest.raises(CancerNetError, match="other settings or has been changed"):
        draw_sample(folder, patients=1, seed=8)
    assert content(folder) == before


@pytest.mark.parametrize("name", ["note.txt", MARKER, "8863/0/8863_idx5_x1_y1_class0.png"])
def test_a_foreign_folder_is_refused(tmp_path, name):
    folder = tmp_path / "mine"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).write_text("mine", encoding="utf-8")
    with pytest.raises(CancerNetError, match="not a drawn sample"):
        draw_sample(folder, patients=1)
    assert content(folder) == {name: b"mine"}
    assert list(tmp_path.iterdir()) == [folder]


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "sample").write_text("mine", encoding="utf-8")
    with pytest.raises(CancerNetError, match="is not a folder"):
        draw_sample(tmp_path / "sample", patients=1)
    assert (tmp_path / "sample").read_text(encoding="utf-8") == "mine"


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "sample").mkdir()
    draw_folder(tmp_path / "sample", {"seed": 1}, draw=lambda staging: {"patches": 0})
    assert drawn_marker(tmp_path / "sample") is not None


def test_failure_leaves_nothing(tmp_path, monkeypatch):
    def fail(*arguments, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawn_sample, "save_png", fail)
    with pytest.raises(OSError, match="No space left"):
        draw_sample(tmp_path / "sample", patients=1)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_drawing_left_is_swept_away(tmp_path):
    left = tmp_path / ".sample.drawing"
    left.mkdir()
    (left / MARKER).write_text("", encoding="utf-8")  # killed while it was written
    (left / "90001").mkdir()
    draw_folder(tmp_path / "sample", {"seed": 1}, draw=lambda staging: {"patches": 0})
    assert list(tmp_path.iterdir()) == [tmp_path / "sample"]


def test_what_is_not_ours_is_not_swept_away(tmp_path):
    other = tmp_path / ".sample.drawing"
    other.mkdir()
    (other / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(CancerNetError, match="move it away"):
        draw_folder(tmp_path / "sample", {"seed": 1}, draw=lambda staging: {"patches": 0})
    assert content(other) == {"mine.txt": b"mine"}


def test_grey_pictures_are_marked_too(tmp_path):
    save_png(tmp_path / "grey.png", np.full((4, 5), 9, np.uint8), subject="a breast")
    with Image.open(tmp_path / "grey.png") as image:
        assert image.mode == "L" and image.size == (5, 4)
        assert image.info["Description"].endswith("not a photograph of a breast.")


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"patients": 0}])
def test_nonsense_arguments(tmp_path, wrong):
    with pytest.raises(CancerNetError, match="at least"):
        draw_sample(tmp_path / "sample", **wrong)
    assert not (tmp_path / "sample").exists()
