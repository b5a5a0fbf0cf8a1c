"""A run on one sheet: what it shows, what it says is missing, and whom it does not name."""

import dataclasses

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from cancernet.measures.assess import FoldScores, ScoreSet, assess_at
from cancernet.measures.calls import Calls
from cancernet.report.figures.summary import COLOURS, draw_summary, examples
from tests.helpers.evaluation_examples import report_content


def words_of(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def take_scores(found):
    names = [field.name for field in dataclasses.fields(ScoreSet)]
    return ScoreSet(**{name: getattr(found, name) for name in names})


def test_the_examples_are_right_wrong_and_unsure():
    truth, score = [1, 1, 1, 1, 0, 0, 0], [0.95, 0.8, 0.7, 0.1, 0.2, 0.45, 0.6]
    # Of the right positives that of median score; the miss is further off than the false alarm.
    assert examples(Calls(truth, score, 0.5)) == [1, 5, 3, 6]
    assert examples(Calls([1, 1], [0.9, 0.8], 0.5)) == [0, None, None, 1]


def test_the_sheet_says_what_was_tested_and_names_nobody(tmp_path):
    content = report_content(title="$a$ \udcff", drawn=True, unit="source", image_folder=tmp_path)
    shown = examples(content.assessment.calls())[0]
    path = tmp_path / content.assessment.scored["testing"].paths[shown]
    path.parent.mkdir(parents=True)
    Image.new("RGB", (19, 50), (90, 30, 90)).save(path)
    figure = draw_summary(content)
    words = words_of(figure)
    assert tuple(figure.get_size_inches()) == (13.333, 7.5)
    assert {content.notice, "Drawn data, not real tissue.", "idc: IDC"} <= set(words)
    assert r"\$a\$ \udcff (cancernet): tested on 240 images of 12 sources" in words
    figure.draw_without_rendering()
    testing = content.assessment.testing
    assert f"AUC {testing.roc_auc:.3f}" in words
    assert [words.count(each) for each in ("right", "wrong", "unsure")] == [2, 1, 1]
    verdicts = [text for text in figure.findobj(Text) if text.get_text() in COLOURS]
    assert len({round(each.get_window_extent().x0) for each in verdicts}) == 1
    # One file is there, and is not stretched.
    assert [axes.images[0].get_size() for axes in figure.axes[2:] if axes.images] == [(50, 19)]
    assert words.count("not at hand") == 3
    named = [row["patient"] for row in content.assessment.per_patient]
    assert not [word for word in words for name in (*named, ".png") if name in word]


@pytest.mark.parametrize(("classes", "folds"), [(2, 0), (2, 2), (8, 0)])
def test_legend_and_title_cross_nothing(classes, folds):
    content = report_content(classes)
    fold = FoldScores(**vars(take_scores(content.assessment)), name="fold-01")
    figure = draw_summary(dataclasses.replace(content, folds=[fold] * folds))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    legend = axes.get_legend().get_window_extent()
    title = figure.axes[1].title.get_window_extent()
    assert title.x1 < figure.axes[2].get_window_extent().x0
    assert legend.y1 < axes.xaxis.label.get_window_extent().y0 and legend.y0 > 0.05 * figure.bbox.y1


def test_what_is_undefined_is_said_in_its_place():
    content = report_content()
    scores, testing = content.assessment, content.assessment.scored["testing"]
    positives = testing[np.flatnonzero(testing.truth == 1)]
    scores = take_scores(
        dataclasses.replace(scores, scored={**scores.scored, "testing": positives})
    )
    content = dataclasses.replace(content, assessment=assess_at(scores, seed=7, resamples=20))
    words = words_of(draw_summary(content))
    assert "specificity undefined" in words and "AUC undefined" in words
    assert words.count("no interval") == 2
    assert "undefined: all images are\npositive" in words and "no such call" in words
