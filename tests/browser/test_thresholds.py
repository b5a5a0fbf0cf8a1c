"""The reader's own threshold: what it changes on the page, and that nothing stores it."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.helpers.browsing import map_slide, patches_of, read_download, upload
from tests.helpers.evaluation_examples import scored
from tests.helpers.serving_examples import RED, picture

LOW, HIGH = (99, 0, 101), (60, 0, 140)  # probabilities of 0.51 and 0.83


def figures_at(threshold):
    """Sensitivity and specificity on validation, as the page rounds them."""
    validation = scored(2)
    reached = validation.probabilities[:, 1] >= threshold
    shares = reached[validation.truth == 1].mean(), (~reached)[validation.truth == 0].mean()
    return "sensitivity {:.3f}, specificity {:.3f}".format(*shares)


def move(slider, threshold):
    """Moves to a threshold, among steps of 0.005 and one of 0.4 or 0.6 that is one of these."""
    slider.fill(f"{round(200 * threshold)}")


def test_a_threshold_is_moved_and_put_back(page):
    sent = []
    colours = {"low": LOW, "high": HIGH, "red": RED}
    page.set_input_files("#files", [upload(f"{n}.png", picture(c)) for n, c in colours.items()])
    expect(page.locator("#status")).to_have_text("3 of 3 images scored.")
    words, own = page.locator(".card .word"), page.locator(".threshold")
    assert words.all_inner_texts() == ["IDC", "IDC", "no IDC"]
    expect(own).to_contain_text(f"The stored operating point: {figures_at(0.4)} on validation")
    expect(own).to_contain_text("(240 images of 12 patients)")
    expect(own.locator("button")).to_be_hidden()
    mark, slider = (own.locator(at).bounding_box() for at in (".stored", "input"))
    assert (mark["x"] - slider["x"]) / slider["width"] == pytest.approx(0.4, abs=0.02)

    page.on("request", lambda request: sent.append(request.url))
    move(own.locator("input"), 0.7)
    assert words.all_inner_texts() == ["no IDC", "IDC", "no IDC"]
    expect(own).to_contain_text(f"Your threshold, not stored: {figures_at(0.7)} on validation")
    gauge = page.locator(".gauge").first
    expect(gauge).to_have_attribute(
        "aria-label", "Probability of IDC: 0.510, below your threshold 0.700"
    )
    expect(page.locator("#of-positive")).to_have_text("1")
    expect(page.locator("#rows tr").first).to_contain_text("no IDC (at your threshold)0.5100.700")
    rows = read_download(page, "#csv")
    stored = [(row["class"], row["positive"], row["operating point"]) for row in rows]
    assert stored == [("1", "true", "0.4"), ("1", "true", "0.4"), ("0", "false", "0.4")]
    assert [row["positive at your threshold"] for row in rows] == ["false", "true", "false"]
    assert {row["your threshold"] for row in rows} == {"0.7"}

    own.locator("button").click()
    assert words.all_inner_texts() == ["IDC", "IDC", "no IDC"]
    expect(own).to_contain_text("The stored operating point")
    assert "your threshold" not in read_download(page, "#csv")[0]
    assert [url for url in sent if not url.startswith("blob:")] == []  # the server learns nothing


def positives(page):
    return page.locator("#slide-figures dd").nth(2).inner_text()


def inside(page):
    """Whether the outline runs between two neighbouring columns of the slide."""
    return page.locator("#slide-outline").evaluate(
        "c => [0, 1, 2, 3].map(n => c.getContext('2d')"
        ".getImageData(c.width * (n + 0.1) / 3.2, c.height / 2, 1, 1).data[3] > 0)"
    )


def test_in_context_each_slider_has_its_own_images(page_in_context, tmp_path):
    page = page_in_context
    in_context, alone = (page.locator(".threshold input").nth(n) for n in (0, 1))
    files = [*patches_of("8863"), ("plain.png", picture(LOW))]
    page.set_input_files("#files", [upload(*file) for file in files])
    expect(page.locator("#status")).to_have_text("10 of 10 images scored.")
    marks = page.locator(".mark-label")
    expect(marks.first).to_contain_text("the operating point 0.600")
    move(alone, 0.9)
    expect(marks.last).to_contain_text("below your threshold 0.900")
    expect(marks.first).to_contain_text("the operating point 0.600")
    move(in_context, 0.1)
    expect(marks.first).to_contain_text("at or above your threshold 0.100")
    expect(marks.last).to_contain_text("below your threshold 0.900")
    page.get_by_role("button", name="Back to the stored point").first.click()
    page.get_by_role("button", name="Back to the stored point").click()

    map_slide(page, tmp_path / "slide", patches_of("8863"))
    stored, line = positives(page), inside(page)
    move(alone, 0.9)
    assert (positives(page), inside(page)) == (stored, line)
    probabilities = sorted({row["probability of IDC"] for row in read_download(page, "#slide-csv")})
    point = round(200 * float(np.mean([float(each) for each in probabilities[-4:-2]]))) / 200
    move(in_context, point)
    reached = sum(
        float(row["probability of IDC"]) >= point for row in read_download(page, "#slide-csv")
    )
    assert positives(page).startswith(f"{reached} patch")
    expect(page.locator("#slide-figures")).to_contain_text("Your threshold")
    expect(page.locator("#slide-geojson")).to_contain_text("at the stored point")
    page.check("#slide-alone")
    expect(page.locator("#slide-figures")).to_contain_text("Your threshold0.900")


def test_the_outline_of_the_same_patches_is_the_same(page, tmp_path):
    """Whether the server drew it at the stored point or the page beside it."""
    map_slide(page, tmp_path / "slide", patches_of("8863"))
    outline = "c => c.toDataURL()"
    before = page.locator("#slide-outline").evaluate(outline)
    move(page.locator(".threshold input"), 0.395)
    expect(page.locator("#slide-lines-text")).to_have_text("Outline of IDC at your threshold")
    same = page.locator("#slide-outline").evaluate(
        """(now, before) => new Promise((resolve) => {
             const image = new Image();
             image.onload = () => {
               const other = new OffscreenCanvas(now.width, now.height).getContext("2d");
               other.drawImage(image, 0, 0);
               const pixels = [now.getContext("2d"), other]
                 .map((c) => c.getImageData(0, 0, now.width, now.height).data);
               resolve(pixels[0].filter((v, at) => Math.abs(v - pixels[1][at]) > 40).length);
             };
             image.src = before;
           })""",
        before,
    )
    assert same < 50
