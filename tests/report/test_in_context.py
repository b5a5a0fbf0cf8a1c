"""How a report tells what context is, how it was fitted, and what came of it."""

import dataclasses

import pytest

from cancernet.context.context import Context
from cancernet.context.judge import assess_judged
from cancernet.report.in_context import chapter
from cancernet.report.page import report_page, write_cards
from cancernet.report.terminal import text_report
from tests.evaluation.test_in_context import alone_of, put
from tests.helpers.evaluation_examples import report_content

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def judged():
    return assess_judged(put(alone_of(1)), seed=7)


@pytest.mark.parametrize(
    ("slides", "trained_on", "words"),
    [
        (0, 0, "taken from other data, since no slide was whole enough to fit them on."),
        (1, 0, "fitted on 1 whole slide, not one that the network was trained on."),
        (1, 1, "fitted on 1 whole slide, one that the network was trained on."),
        (5, 0, "fitted on 5 whole slides, none of which the network was trained on."),
        (5, 4, "fitted on 5 whole slides, 4 of which the network was trained on."),
        (5, 5, "fitted on 5 whole slides, all of which the network was trained on."),
        (5, None, "fitted on 5 whole slides."),
    ],
)
def test_which_slides_it_was_fitted_on(judged, slides, trained_on, words):
    context = Context(gain=1.234, offset=-0.5, slides=slides, trained_on=trained_on)
    found = dataclasses.replace(judged[1], contexts=(context,))
    told = chapter(report_content().assessment, found).fitted
    assert told == f"Gain 1.23, offset -0.50, {words}"


def test_page_card_and_screen_show_both_sets_of_figures(judged, tmp_path):
    assessment, context = judged
    content = report_content(assessment=assessment, context=context)
    write_cards(content, tmp_path)
    page, card = report_page(content), (tmp_path / "model_card.md").read_text()
    screen = text_report(assessment, context=context)
    alone, around = context.alone.testing.roc_auc, assessment.testing.roc_auc
    for text in (page, card, screen):
        assert f"{alone:.3f}" in text and f"{around:.3f}" in text
        assert f"{context.by_neighbours[0].expected:.3f}" in text
        assert "fitted on 3 whole slides" in text
    # Eight neighbours: negatives only, so that there is no sensitivity.
    assert context.by_neighbours[3].positives == 0
    last = page[page.index("<td>8</td>") :]
    assert "<td>undefined</td>" in last[: last.index("</tr>")]
    found = page[page.index('<div class="key">') :]
    for name in ("sensitivity", "specificity", "roc_auc"):  # one set of figures beside the other
        found = found[found.index(f"<b>{assessment.testing[name]:.3f}</b>") :]
        found = found[found.index(f"each patch by itself: {context.alone.testing[name]:.3f}") :]


def test_the_first_sentences_say_how_patches_amid_others_fare(judged):
    assessment, context = judged
    *few, eight = context.by_neighbours
    said = "Where all eight neighbours are there"
    assert said not in report_page(report_content(assessment=assessment, context=context))
    # Both are known only where there are positives and others.
    eight = dataclasses.replace(eight, sensitivity=0.9, specificity=0.48)
    context = dataclasses.replace(context, by_neighbours=[*few, eight])
    page = report_page(report_content(assessment=assessment, context=context))
    found = " ".join(page[page.index(said) :].split())
    assert "it finds 90 of 100 IDC images and wrongly calls 52 of 100 others." in found


def test_without_context_nothing_is_said_of_it(tmp_path):
    content = report_content()
    write_cards(content, tmp_path)
    texts = report_page(content), (tmp_path / "model_card.md").read_text()
    for text in (*texts, text_report(content.assessment)):
        assert "context" not in text.lower() and "alone" not in text.lower()
