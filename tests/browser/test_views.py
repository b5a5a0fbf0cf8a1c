"""Every view: no violation of axe-core's rules, light and dark, and none wider than its screen."""

import contextlib
import dataclasses
import functools

import pytest
from playwright.sync_api import expect

from cancernet.auditing import audit
from cancernet.evaluation import compare_runs
from cancernet.evaluation.evaluate_run import examine
from cancernet.evaluation.evaluation_report import report_content as evaluation_content
from cancernet.evaluation.run_results import read_finished
from cancernet.evaluation.settings import EvaluationSettings
from cancernet.measures.assess import FoldScores, ScoreSet
from cancernet.report.content import FlowStep
from cancernet.report.figures import drawings
from cancernet.report.page import report_page
from tests.helpers.browsing import map_slide, opened, patches_of, upload
from tests.helpers.building_trees import write_patch
from tests.helpers.evaluation_examples import finished_run, report_content
from tests.helpers.serving_examples import RED, noisy, picture
from tests.report.test_portrait import portrait

WIDTHS = (390, 800, 1300)


@pytest.fixture(scope="module")
def axe():
    """Checks an open view; gives what axe-core finds wrong, in its own words."""
    module = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )

    def violations(page, **options):
        found = module.Axe().run(page, options={"resultTypes": ["violations"], **options})
        return found.generate_report() if found.violations_count else ""

    return violations


def check(page, axe):
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert axe(page) == ""
    page.emulate_media(color_scheme="dark")
    assert axe(page, runOnly=["color-contrast"]) == ""  # nothing else hangs on colours


def check_widths(page):
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def make_evaluation(folder, run):
    table = folder / "sites.csv"
    table.write_text("patient,site\n" + "".join(f"{10_000 + n},{'AB'[n % 2]}\n" for n in range(12)))
    settings = EvaluationSettings(subgroups=table, prevalence=(0.01,))
    finished = read_finished(run)
    return report_page(evaluation_content(finished, examine(finished, settings), settings, ""))


def make_comparison(folder, run):
    other = finished_run(folder / "other")
    sides = compare_runs.read_side(run), compare_runs.read_side(other)
    return compare_runs.page(compare_runs.compare_sides(*sides), *sides)


def make_audit(folder, _):
    for number in range(12):  # the last six show what the first six show
        split = ("training", "testing")[number // 6]
        name = f"{number % 3}_idx5_x{1 + 50 * number}_y1_class{number % 2}.png"
        write_patch(folder / "set" / split / f"{number % 2}" / name, number % 6, side=50)
    return audit.page(audit.audit(folder / "set"))


def make_report(_, __, classes=2):
    return report_page(report_content(classes, leak="LEAK: a patient in two splits"))


FILES = {
    "report": make_report,
    "report of four classes": functools.partial(make_report, classes=4),
    "evaluation": make_evaluation,
    "comparison": make_comparison,
    "audit": make_audit,
}


def whole_content(classes=2, folds=0):
    """What a report shows of a run in full: warned of, with data, portrait and settings."""
    content = report_content(
        classes,
        drawn=True,
        remarks=["These images are not those of the patients that anybody would like to know of."]
        * 5,
        portrait=portrait(classes),
        flow=[
            FlowStep(name=name, patients=12, images=240, positives=120)
            for name in ("training", "validation", "testing")
        ],
        settings={f"setting_{number}": "a value" for number in range(40)},
    )
    if not folds:
        return content
    scores = {
        each.name: getattr(content.assessment, each.name) for each in dataclasses.fields(ScoreSet)
    }
    found = [FoldScores(**scores, name=f"fold-{number + 1:02}") for number in range(folds)]
    asked = dataclasses.replace(content.asked, folds_asked=folds)
    return dataclasses.replace(content, folds=found, asked=asked)


@pytest.mark.parametrize(("classes", "folds"), [(2, 0), (8, 0), (2, 5)])
def test_a_report_is_short_with_its_folds_closed(browser, tmp_path, monkeypatch, classes, folds):
    sized = '<svg xmlns="http://www.w3.org/2000/svg" width="346pt" height="367pt"/>'
    monkeypatch.setattr(drawings, "figure_files", lambda *_: {"a.svg": sized.encode()})
    path = tmp_path / "view.html"
    path.write_text(report_page(whole_content(classes, folds)), encoding="utf-8")
    with contextlib.closing(browser.new_page()) as page:
        page.goto(path.as_uri())
        check_widths(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844 if width == 390 else 900})
            assert page.evaluate("document.documentElement.scrollHeight") <= 6000
            # The contents are folded where they would push the report down, and seen beside it.
            assert page.locator("nav a").first.is_visible() == (width == 1300)
            # What it says first and the key figures are on the first screen.
            box = page.locator(".key").bounding_box()
            assert box["y"] + box["height"] <= page.viewport_size["height"]
            assert page.locator(".warnings > ul > li").count() == 3


@pytest.mark.parametrize("name", FILES)
def test_a_file_to_read(browser, axe, run, tmp_path, monkeypatch, name):
    if name != "report":  # its figures are enough to see that they fit
        monkeypatch.setattr(drawings, "figure_files", lambda *_: {"a.svg": b"<svg/>"})
    path = tmp_path / "view.html"
    path.write_text(FILES[name](tmp_path, run), encoding="utf-8")
    with contextlib.closing(browser.new_page()) as page:
        page.goto(path.as_uri())
        check_widths(page)
        if name != "report of four classes":  # of the same parts as the other
            check(page, axe)
            check_widths(page)


def show_images(page, _):
    files = [("a.png", noisy("PNG")), ("red.png", picture(RED)), ("bad.png", b"")]
    page.set_input_files("#files", [upload(*file) for file in [*files, *patches_of("8863")]])
    expect(page.locator("#status")).to_contain_text("11 of 12 images scored")
    page.locator(".heat").first.click()
    expect(page.locator(".picture canvas").first).to_be_visible()


def show_slide(page, folder):
    map_slide(page, folder / "slide", [*patches_of("8863"), ("plain.png", b"")])
    page.locator(".threshold input").first.fill("100")
    page.locator("#slide-frame").press("ArrowRight")


def show_enlarged(page, _):
    page.set_input_files("#files", upload("a.png", noisy("PNG")))
    expect(page.locator("#status")).to_contain_text("1 of 1 image scored")
    page.locator(".enlarge").click()


STATES = {
    "empty": lambda page, _: None,
    "images": show_images,
    "slide": show_slide,
    "enlarged": show_enlarged,
}


@pytest.mark.parametrize("state", STATES)
def test_the_page(browser, address_in_context, axe, tmp_path, state):
    with opened(browser, address_in_context) as page:
        STATES[state](page, tmp_path)
        check_widths(page)
        check(page, axe)
