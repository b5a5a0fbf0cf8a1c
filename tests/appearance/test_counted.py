"""How many testing images are unlike the training images: in figures, remarks and reports."""

import dataclasses

import pytest

from cancernet.measures.assess import ScoreSet, assess_at
from cancernet.measures.remarks import Kind, short_sentences
from cancernet.measures.scored import added_up, joined
from cancernet.report.page import report_page
from cancernet.report.terminal import text_report
from cancernet.runs.metrics_file import metrics_of
from tests.helpers.evaluation_examples import assessed, report_content, scored


def judged(unlike: int | None):
    """An assessment of 240 testing images."""
    *_, found = assessed()
    testing = dataclasses.replace(found.scored["testing"], unlike=unlike)
    scores = ScoreSet(
        classes=found.classes,
        words=found.words,
        positive=found.positive,
        scored={**found.scored, "testing": testing},
        operating_point=found.operating_point,
    )
    return assess_at(scores, seed=1, resamples=20)


def test_metrics_have_the_count_and_its_share():
    told = metrics_of(judged(6)).unlike_training
    assert set(told) == {"testing"}
    assert (told["testing"].images, told["testing"].unlike) == (240, 6)
    assert told["testing"].share == pytest.approx(0.025)
    assert metrics_of(judged(None)).unlike_training is None


@pytest.mark.parametrize(("unlike", "warned"), [(None, False), (2, False), (3, True)])
def test_many_are_warned_of(unlike, warned):
    kinds = [each.kind for each in judged(unlike).remarks]
    assert (Kind.MANY_UNLIKE_TRAINING in kinds) == warned


def test_the_warning_has_the_share():
    told = short_sentences(judged(6).remarks, "patient")
    assert "2.5 % of the testing images are unlike the training images" in told


def test_text_and_report_have_the_count(undrawn):
    found = judged(2)
    said = "2 of 240 images (0.8 %) are unlike the training images"
    assert said in " ".join(text_report(found).split())
    assert said in " ".join(report_page(report_content(assessment=found)).split())
    assert "unlike the training" not in text_report(judged(None))


def test_parts_are_added_up():
    parts = [dataclasses.replace(scored(seed), unlike=seed) for seed in (1, 2)]
    assert joined(parts).unlike == 3
    assert added_up([1, None]) is None and added_up([True, False, True]) == 2
