"""Figures and report: written whole, of the right numbers, and harmless."""

import dataclasses
import html.parser
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from jinja2 import Environment, StrictUndefined
from PIL import Image

from cancernet.base.verdicts import CheckVerdict, Verdict
from cancernet.config import TrainConfig
from cancernet.measures.calibration import calibration_metrics
from cancernet.measures.call_value import decision_curve
from cancernet.measures.calls import Calls
from cancernet.measures.class_measures import class_table
from cancernet.measures.scored import Classes
from cancernet.report.content import Asked, Network, TrainingFacts
from cancernet.report.figures import classes as class_figures
from cancernet.report.figures import curves
from cancernet.report.figures.drawings import Figures
from cancernet.report.figures.style import add_footer, save_figure
from cancernet.report.page import report_page as page
from cancernet.report.page import write_cards, write_report
from tests.helpers.evaluation_examples import assess, report_content

TRUTH, SCORE = [0, 0, 1, 1, 0, 1], [0.1, 0.4, 0.35, 0.8, 0.2, 0.9]
HISTORY = {"loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.4, 0.6], "accuracy": [0.5, 0.6, 0.7]}

FIGURES = {
    "history": lambda: add_footer(curves.draw_history(HISTORY), "drawn data"),
    "matrix": lambda: class_figures.draw_confusion_matrix([[3, 1], [0, 4]], ["no", "yes"]),
    "roc": lambda: add_footer(curves.draw_roc(Calls(TRUTH, SCORE)), "drawn"),
    "pr": lambda: curves.draw_precision_recall(Calls(TRUTH, SCORE, 0.5)),
    "calibration": lambda: curves.draw_calibration(Calls(TRUTH, SCORE)),
}


@pytest.mark.parametrize("name", FIGURES)
def test_writes_png_and_svg_and_nothing_else(tmp_path, name):
    written = save_figure(FIGURES[name](), tmp_path / "figure.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.png", "figure.svg"]
    with Image.open(written[0]) as image:
        # Not an empty canvas: many shades, at a readable size.
        assert image.width >= 500
        assert image.mode == "RGB"  # nothing is transparent, so nothing has to say so
        assert len(np.unique(np.asarray(image.convert("L")))) > 20
    assert "<svg" in written[1].read_text()


def test_the_same_numbers_give_the_same_file(tmp_path):
    for name in ("a", "b"):
        save_figure(FIGURES["roc"](), tmp_path / name / "roc.png")
    for suffix in ("png", "svg"):
        first, second = (tmp_path / name / f"roc.{suffix}" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_what_was_begun_is_not_drawn_again(tmp_path):
    figures = Figures(report_content())
    figures.begin(lambda _, content, names: lambda: {f"{one}.svg": one.encode() for one in names})
    assert figures["roc"].content == b"roc"
    figures.write(tmp_path)
    assert (tmp_path / "calibration.svg").read_bytes() == b"calibration"


def line(figure, label):
    found = [row for row in figure.axes[0].lines if str(row.get_label()).startswith(label)]
    assert len(found) == 1
    return found[0].get_xydata()


def test_roc_goes_through_the_right_points():
    figure = curves.draw_roc(Calls(TRUTH, SCORE, 0.5))
    expected = [(0, 0), (0, 1 / 3), (0, 2 / 3), (1 / 3, 2 / 3), (1 / 3, 1), (2 / 3, 1), (1, 1)]
    np.testing.assert_allclose(line(figure, "AUC 0.889"), expected)
    # At 0.5: two of three positives and no negative is called.
    np.testing.assert_allclose(line(figure, "operating point"), [(0, 2 / 3)])


def test_precision_recall_goes_through_the_right_points():
    figure = curves.draw_precision_recall(Calls(TRUTH, SCORE, 0.36))
    curve = line(figure, "average precision")
    np.testing.assert_allclose(curve[:, 0], [0, 1 / 3, 2 / 3, 2 / 3, 1, 1, 1])
    np.testing.assert_allclose(curve[:, 1], [1, 1, 1, 2 / 3, 3 / 4, 3 / 5, 1 / 2])
    np.testing.assert_allclose(line(figure, "operating point"), [(2 / 3, 2 / 3)])


@pytest.mark.parametrize("draw", [curves.draw_roc, curves.draw_precision_recall])
def test_one_class_is_said_and_not_drawn(draw):
    figure = draw(Calls([1, 1], [0.2, 0.3]))
    assert "all images are\npositive" in figure.axes[0].texts[0].get_text()


@pytest.mark.parametrize(("given", "marked"), [(None, 2), (3, 3)])
def test_history_marks_the_epoch_that_was_kept(given, marked):
    figure = curves.draw_history(HISTORY, best_epoch=given)
    assert line(figure, f"kept: epoch {marked}")[0][0] == marked


def test_history_of_one_epoch_without_validation_is_drawn():
    figure = curves.draw_history({"loss": [0.5]})
    assert figure.axes[1].texts[0].get_text() == "not recorded"


def test_confusion_matrix_shows_counts_and_shares_of_the_truth():
    figure = class_figures.draw_confusion_matrix([[3, 1], [0, 0]], ["no", "yes"])
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["3\n75.0\u00a0%", "1\n25.0\u00a0%", "0", "0"]
    rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert rows == ["no\n4 images", "yes\n0 images"]
    with pytest.raises(ValueError, match="does not fit 3 classes"):
        class_figures.draw_confusion_matrix([[3, 1], [0, 0]], ["a", "b", "c"])


class Reader(html.parser.HTMLParser):
    """Collects what a browser would fetch, and checks that tags close."""

    EMPTY = frozenset({"meta", "img", "br", "link"})

    def __init__(self):
        super().__init__()
        self.open, self.addresses, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "action")]
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("classes", [2, 4])
def test_report_is_one_well_formed_page_that_fetches_nothing(tmp_path, classes):
    write_report(report_content(classes), tmp_path)
    written = ["figures", "patients.csv", "report.html"]
    assert sorted(child.name for child in tmp_path.iterdir()) == written
    reader = Reader()
    reader.feed((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert reader.open == []
    assert not {"script", "link", "iframe"} & set(reader.tags)
    pictures = [address for address in reader.addresses if not address.startswith("#")]
    assert all(address.startswith("data:") for address in pictures)
    assert len(pictures) == (7 if classes == 2 else 9)


def test_a_mistyped_figure_is_named_with_the_known_ones():
    known = Figures(report_content())
    with pytest.raises(ValueError, match=r"unknown figure 'rocs' \(did you mean roc\?\); known"):
        Environment(undefined=StrictUndefined).from_string("{{ f.rocs.kind }}").render(f=known)


def test_a_figure_that_cannot_be_drawn_is_not_taken_for_a_missing_one(monkeypatch):
    monkeypatch.setattr(curves, "draw_roc", lambda calls: None)
    with pytest.raises(RuntimeError, match="'roc' cannot be drawn: TypeError"):
        page(report_content())


def test_the_figure_that_failed_is_named_whichever_was_asked_for(monkeypatch):
    monkeypatch.setattr(curves, "draw_roc", lambda calls: None)
    figures = Figures(report_content())
    figures.begin(lambda draw, content, names: partial(draw, content, {"roc"} & {*names}))
    with pytest.raises(RuntimeError, match="the figure 'roc' cannot be drawn: TypeError"):
        figures["calibration"]
    figures.begin(lambda *_: None)  # the process cannot be sent its work
    with pytest.raises(RuntimeError, match="the figures cannot be drawn: TypeError"):
        figures["calibration"]


@pytest.mark.usefixtures("undrawn")
def test_report_holds_the_figures_and_the_notice():
    content = report_content()
    text = page(content)
    testing = content.assessment.testing
    assert text.count(content.notice) == 2  # first and last
    for name in ("sensitivity", "specificity", "roc_auc", "mcc"):
        assert f"{testing[name]:.3f}" in text
    key = re.search(r"<b>([\d.]+)</b><span>sensitivity: share of the IDC images", text)
    assert key[1] == f"{testing['sensitivity']:.3f}"
    for needed in (content.command, content.fingerprint, content.split_method, "not an image"):
        assert needed in text
    for row in content.assessment.per_patient:
        assert row["patient"] in text


@pytest.mark.usefixtures("undrawn")
def test_report_shows_what_reviewers_ask_for():
    content = report_content()
    text = page(content)
    truth = content.assessment.scored["testing"].truth
    score = content.assessment.scored["testing"].probabilities[:, 1]
    found = calibration_metrics(Calls(truth, score), seed=content.seed)
    for name in ("ece", "ece_if_perfect", "slope", "log_loss"):
        assert f"<td>{found[name]:.3f}</td>" in text, name
    assert "resamples of the patients" in text
    assert "All 12 patients are positive" in text
    assert f"<td>{100 * truth.mean():.3g} %</td>" in text
    for low, high in decision_curve(Calls(truth, score)).useful_stretches():
        assert (f"{low:.2f} to {high:.2f}" if high > low else f"{low:.2f}") in text


@pytest.mark.usefixtures("undrawn")
def test_report_says_where_acting_on_the_score_is_worse_than_always_or_never():
    content = report_content()
    scored = content.assessment.scored
    truth, score = [1] * 4 + [0] * 6, [0.9, 0.9, 0.3, 0.3, *[0.6] * 3, *[0.1] * 3]
    times = len(scored["testing"].truth) // len(truth)
    positive = np.tile(score, times)
    testing = dataclasses.replace(
        scored["testing"],
        truth=np.tile(truth, times),
        probabilities=np.stack([1 - positive, positive], axis=1),
    )
    assessment = assess(
        scored["validation"],
        testing,
        Classes(classes=("0", "1"), words=("no IDC", "IDC"), positive=("1",)),
        config=TrainConfig(),
        resamples=20,
    )
    point = assessment.operating_point.threshold
    assert 0.31 <= point <= 0.6
    text = " ".join(page(dataclasses.replace(content, assessment=assessment)).split())
    assert "at thresholds of 0.11 to 0.30 and 0.61 to 0.90, compared in steps of 0.01." in text
    assert f"At the operating point, {point:.4g}, it is not." in text


@pytest.mark.usefixtures("undrawn")
def test_report_of_one_class_validation_is_written():
    content = report_content()
    scored = content.assessment.scored
    assessment = assess(
        scored["validation"][np.flatnonzero(scored["validation"].truth == 0)],
        scored["testing"],
        Classes(classes=("0", "1"), words=("no IDC", "IDC"), positive=("1",)),
        config=TrainConfig(),
        resamples=20,
    )
    text = page(dataclasses.replace(content, assessment=assessment))
    assert "All validation images are negative" in text
    assert "All validation images are of one class" in text
    assert "undefined" in text


def test_model_card_and_checklist(tmp_path):
    content = report_content(title="a|b <i>", leak="Patients are in two splits.")
    write_cards(content, tmp_path)
    card, listed = (
        (tmp_path / name).read_text(encoding="utf-8") for name in ("model_card.md", "checklist.md")
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checklist.md", "model_card.md"]
    for text in (card, listed):
        assert content.notice in text
        assert "Patients are in two splits." in text
        assert "a\\|b \\<i\\>" in text
        assert "<i>" not in text
    assert f"| {content.assessment.testing['sensitivity']:.3f} |" in card
    assert content.command in card
    assert content.fingerprint in card
    assert "| testing | 12 | 240 | 120 |" in card
    rows = [line for line in listed.splitlines() if line.startswith("| ")]
    assert len(rows) == 52 + 42 + 2 * 2
    assert {line.count(" | ") for line in rows} == {2}


@pytest.mark.parametrize("guideline", ["TRIPOD+AI", "CLAIM"])
@pytest.mark.usefixtures("undrawn")
def test_checklists_name_sections_that_exist(guideline, tmp_path):
    """What an item points to is a heading of the report or a file of the run."""
    plain = report_content()
    write_cards(plain, tmp_path)
    listed = (tmp_path / "checklist.md").read_text("utf-8").partition(f"## {guideline}\n")[2]
    listed = listed.partition("\n## ")[0]
    items = [line.strip("| ").split(" | ") for line in listed.splitlines() if line[:1] == "|"][2:]
    answered = sum("**" not in where for *_, where in items)
    assert f"The run answers {answered} of {len(items)} items" in listed
    row = {
        **plain.assessment.testing,
        "group": "north",
        "limits": plain.assessment.intervals["testing"].limits,
    }
    text = page(report_content(image_folder=tmp_path, subgroups={"site": [row]}))
    headings = set(re.findall(r"<h[23]>([^<]+)</h", text))
    assert len({number for number, *_ in items}) == len(items)
    for number, _, where in items:
        if not where.startswith("report: "):
            continue
        for place in where.removeprefix("report: ").split("; "):
            name = place.partition(" (")[0]
            known = name in headings or "yours" in name or name.startswith("model")
            assert known, f"{number}: {name}"


@pytest.mark.usefixtures("undrawn")
def test_everything_from_outside_is_escaped():
    evil = '<img src="https://example.org/x" onerror=alert(1)>&\udcff'
    content = report_content(
        title=evil,
        asked=Asked(
            data_set=evil, recipe=evil, network=Network(name=evil, width=48, height=48), run=evil
        ),
        left_out={evil: 1},
        split_method=evil,
        leak=evil,
        command=evil,
        fingerprint=evil,
        settings={evil: evil},
        versions={evil: evil},
        commit=evil,
        created=evil,
        training=TrainingFacts(machine=evil, finished=evil),
    )
    text = page(content)
    assert '<img src="https' not in text
    assert "&lt;img src=&#34;https" in text


@pytest.mark.usefixtures("undrawn")
def test_strange_bytes_in_names_do_not_stop_the_report(tmp_path):
    write_report(report_content(title="broken\udcff"), tmp_path)
    assert "broken\\udcff" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("undrawn")
def test_warnings_stand_right_below_the_key_figures():
    content = report_content(drawn=True, leak="patients are in two splits.")
    text = page(content)
    for warning in ("drawn by a program", "patients are in two splits."):
        assert text.index('class="key"') < text.index(warning) < text.index("<section")
    assert "Drawn data, not real tissue." in text.partition("</thead>")[0]
    assert "Read first" not in page(report_content(assessment=quiet(content.assessment)))


def test_a_leak_that_an_audit_found_is_a_band_too():
    clean = [
        CheckVerdict("near duplicates", Verdict.OK, "none were found."),
        CheckVerdict("stain", Verdict.WARNING, "two differ."),
    ]
    content = report_content(audit=clean)
    assert not content.leaking and "leak" not in " ".join(content.warnings)
    leak = CheckVerdict("groups", Verdict.LEAK, "2 of 9 are in two splits.")
    content = report_content(audit=[*clean, leak])
    assert content.leaking and "Leaking split" in content.footer
    assert "The audit found a leak (groups): 2 of 9 are in two splits." in content.warnings


def quiet(assessment):
    return dataclasses.replace(assessment, remarks=())


def test_a_report_without_its_notice_is_refused():
    with pytest.raises(ValueError, match="intended use"):
        report_content(notice=" ")


def test_importing_evaluation_is_quick_and_light():
    code = (
        "import sys, cancernet.measures.assess, cancernet.report.page, cancernet.report.terminal; "
        "heavy = {'jinja2', 'sklearn', 'scipy', 'matplotlib', 'tensorflow', 'keras'}; "
        "heavy &= set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_figures_leave_no_state_behind():
    code = (
        "import sys, pathlib, tempfile, matplotlib\n"
        "from cancernet.measures.calls import Calls\n"
        "from cancernet.report.figures.curves import draw_roc\n"
        "from cancernet.report.figures.style import save_figure\n"
        # Reading rcParams['backend'] would itself import pyplot.
        "state = lambda: {key: matplotlib.rcParams[key] for key in matplotlib.rcParams"
        " if key != 'backend'}\n"
        "before = state()\n"
        "figure = draw_roc(Calls([0, 1], [0.1, 0.9]))\n"
        "save_figure(figure, pathlib.Path(tempfile.mkdtemp()) / 'roc.png')\n"
        "assert state() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_bars_leave_out_the_accuracy_against_the_others_and_name_what_is_undefined():
    # All benign: 0.82 of the calls are right about `malignant`, which is always missed.
    found = class_table([[41, 0, 0], [9, 0, 0], [0, 0, 0]], ("benign", "malignant", "normal"))
    figure = class_figures.draw_class_measures({"Class by class": found})
    (axes,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "precision",
        "recall",
        "F1",
    ]
    assert [bar.get_height() for bar in axes.patches[1::3]] == [0, 0, 0]  # of `malignant`
    words = [text.get_text() for text in axes.texts]
    assert words.count("undefined") == 4 and words.count("0") == 2


def test_the_legend_of_the_decision_curve_covers_nothing():
    calls = Calls([0, 1, 0, 1], [0.2, 0.9, 0.4, 0.8], 0.82)
    figure = add_footer(curves.draw_decision_curve(calls), "drawn")
    figure.draw_without_rendering()
    (axes,), (footer,) = figure.axes, figure.texts
    legend = axes.get_legend().get_window_extent()
    assert footer.get_window_extent().y1 <= legend.y0
    assert legend.y1 <= axes.xaxis.get_tightbbox().y0


def test_the_contents_lead_to_every_chapter_and_folded_ones_are_closed():
    text = page(report_content(2))
    inside = text.partition('<nav aria-label="Contents">')[2].partition("</nav>")[0]
    links = re.findall(r'href="#(.*?)">(.*?)</a>', inside)
    assert [title for _, title in links] == re.findall("<h2>(.*?)</h2>", text)
    assert [target for target, _ in links] == re.findall('<section id="(.*?)">', text)
    assert "<details open" not in text and "<summary><h2>How to repeat it</h2>" in text


def test_the_report_has_one_main_part_and_no_empty_table_head():
    text = page(report_content(2))
    assert text.count("<main>") == 1 and not re.search("<th[^>]*></th>", text)
