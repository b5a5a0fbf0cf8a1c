"""The drawn sample of IDC: same seed same bytes, the published layout, not trivial."""

from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from cancernet.catalog import identify_idc
from cancernet.images.reading import read_rgb
from cancernet.sample.folder import MARKER
from cancernet.sample.histology import PATCH, STAINS, draw_slide
from cancernet.sample.layouts import (
    FIRST_PATIENT,
    PATIENTS,
    cut_patches,
    draw_sample,
    prevalence_of,
)

FEW = 2


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
    draw_sample("idc", folder, patients=FEW)
    return folder


@pytest.fixture(scope="module")
def slide():
    return draw_slide(7, 90008, 0.35)


@pytest.fixture(scope="module")
def many():
    """(mean colour, class, patient) of every patch of a third of the default patients."""
    rows = []
    for place in range(0, PATIENTS, 3):
        number = FIRST_PATIENT + place
        for _, _, label, pixels in cut_patches(draw_slide(7, number, prevalence_of(7, number))):
            rows.append((*pixels.mean(axis=(0, 1)), label, number))
    table = np.array(rows)
    return table[:, :3], table[:, 3].astype(int), table[:, 4].astype(int)


def test_same_seed_gives_same_bytes(sample, tmp_path):
    draw_sample("idc", tmp_path / "again", patients=FEW)
    assert content(tmp_path / "again") == content(sample)


def test_patients_do_not_depend_on_their_number(sample, tmp_path):
    draw_sample("idc", tmp_path / "one", patients=1)
    first = str(FIRST_PATIENT)
    assert content(tmp_path / "one" / first) == content(sample / first)


def test_another_seed_gives_other_pictures(sample, slide, tmp_path):
    draw_sample("idc", tmp_path / "other", seed=8, patients=1)
    other = {data for name, data in content(tmp_path / "other").items() if name != MARKER}
    assert other and not other & set(content(sample).values())
    # Not only because another share of carcinoma was wanted.
    one, two = slide.pixels, draw_slide(8, 90008, 0.35).pixels
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


def test_patches_are_whole_or_at_the_edge(sample, slide):
    for path in sample.rglob("*.png"):
        image = read_rgb(path)
        assert image.mode == "RGB" and min(image.size) > 0 and max(image.size) <= PATCH
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
    wanted = np.array([prevalence_of(7, FIRST_PATIENT + place) for place in range(PATIENTS)])
    assert wanted.min() < 0.05 and wanted.max() > 0.8 and 0.25 < wanted.mean() < 0.45
    assert np.mean(wanted > 0) > 0.9


def test_prevalence_is_as_wanted(many):
    """Patches marked and carcinoma wanted agree as well as a coarse hand allows."""
    _, labels, patients = many
    numbers = np.unique(patients)
    wanted = np.array([prevalence_of(7, number) for number in numbers.astype(int)])
    marked = np.array([labels[patients == number].mean() for number in numbers])
    assert np.corrcoef(wanted, marked)[0, 1] > 0.9
    assert np.all(marked[wanted == 0] == 0)


def test_carcinoma_lies_together(slide):
    """A neighbour of a class 1 patch is class 1 far more often than chance would have it."""
    labels = {(x, y): label for x, y, label, _ in cut_patches(slide)}
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
    assert roc_auc_score(labels, scores) < 0.84


def test_nuclei_are_where_the_carcinoma_is(slide):
    """What a network can learn is there: more dark blue grains in the marked area."""
    density = -np.log(np.maximum(slide.pixels, 1) / 245)
    dark = density @ STAINS[0] > 1.0
    inside = slide.tissue & slide.marked
    outside = slide.tissue & ~slide.marked
    assert dark[inside].mean() > 1.3 * dark[outside].mean()
