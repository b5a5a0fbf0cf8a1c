"""Classes of very few patients, or of none."""

import dataclasses

import numpy as np
import pytest

from cancernet.base.errors import SplitError
from cancernet.catalog import dataset
from cancernet.config import SPLITS, split_ratios
from cancernet.dataset.notices import NoticeKind
from cancernet.dataset.splitting import notice_scarce, scarce_classes, split_by_patient
from tests.dataset.test_splitting import images_of

RATIOS = split_ratios()
THREE = dataclasses.replace(
    dataset("idc"), classes=("a", "b", "c"), words=("A", "B", "C"), positive=("a",)
)


def counts_with(having):
    """Nine patients with a and b; `having` of them with one image of c."""
    counts = np.full((9, 3), 4)
    counts[:, 2] = np.arange(9) < having
    return counts


@pytest.mark.parametrize(("having", "scarce"), [(1, [2]), (2, [2]), (3, []), (9, [])])
def test_a_class_is_scarce_with_fewer_patients_than_splits(having, scarce):
    assert scarce_classes(counts_with(having), THREE).tolist() == scarce


@pytest.mark.parametrize("having", [1, 2])
def test_only_patients_who_have_the_class_are_counted(having):
    images = images_of(counts_with(having))
    splits = split_by_patient(images, THREE, RATIOS, seed=3)
    counts = images.counts(3)
    [notice] = notice_scarce(counts, images.label, splits, THREE)
    assert (notice.kind, notice.count, notice.unit) == (NoticeKind.FEW_UNITS, having, "patient")
    own = splits[images.label == 2]
    assert notice.splits == tuple(name for place, name in enumerate(SPLITS) if place in own)
    assert notice_scarce(counts_with(3), images.label, splits, THREE) == []


def test_a_class_that_no_patient_has_is_refused():
    with pytest.raises(SplitError, match="C"):
        split_by_patient(images_of(counts_with(0)), THREE, RATIOS, seed=3)


def test_of_two_classes_none_may_be_scarce():
    counts = counts_with(9)[:, :2]
    counts[1:, 1] = 0
    two = dataclasses.replace(THREE, classes=("a", "b"), words=("A", "B"))
    assert scarce_classes(counts, two).tolist() == []


def test_positives_and_the_rest_each_keep_a_class_that_is_not_scarce():
    counts = counts_with(1)
    counts[1:, 1] = 0  # b and c are all that is not positive
    assert scarce_classes(counts, THREE).tolist() == []
