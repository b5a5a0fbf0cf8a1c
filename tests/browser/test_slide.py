"""The slide map on the page: a folder chosen or dropped, in context and alone, zoomed and moved."""

import re

import pytest
from playwright.sync_api import expect

from tests.helpers.browsing import map_slide, patches_of, read_download
from tests.helpers.serving_examples import BLUE, RED, picture


def test_a_folder_of_patches_becomes_a_slide_map(page, tmp_path):
    for x in (1, 51, 101):
        for y in (1, 51):
            colour = BLUE if (x, y) == (51, 1) else RED
            name = f"8863_idx5_x{x}_y{y}_class0.png"
            (tmp_path / name).write_bytes(picture(colour))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "plain.png").write_bytes(picture())
    page.set_input_files("#folder", tmp_path)
    expect(page.locator("#status")).to_have_text("Slide map of 6 patches.")
    expect(page.locator("#slide-ways")).to_be_hidden()
    expect(page.locator("#slide-figures")).to_contain_text("1 patch, 16.7 % of the area")
    expect(page.locator("#slide-left-out summary")).to_have_text("1 file is not on the map")
    page.locator("#slide-frame").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#slide-patch")).to_contain_text("x 51, y 1: probability of IDC 0.982")
    middle = "c => [...c.getContext('2d').getImageData({}, 30, 1, 1).data.slice(0, 3)]"
    tissue = page.locator("#slide-tissue")
    assert tissue.evaluate(middle.replace("{}", "80")) == list(BLUE)
    assert tissue.evaluate(middle.replace("{}", "30")) == list(RED)
    heat = page.locator("#slide-heat")
    bright, dark = (sum(heat.evaluate(middle.replace("{}", x))) for x in ("80", "30"))
    assert bright > dark + 200
    page.set_viewport_size({"width": 340, "height": 700})
    frame = page.locator("#slide-frame").bounding_box()
    assert frame["x"] >= 0 and frame["x"] + frame["width"] <= 340
    with page.expect_download() as download:
        page.click("#slide-csv")
    assert download.value.suggested_filename == "cancernet-8863.csv"
    rows = read_download(page, "#slide-csv")
    assert len(rows) == 6 and [row["x"] for row in rows if row["positive"] == "true"] == ["51"]


def test_a_folder_is_dropped(page, tmp_path):
    (tmp_path / "slide" / "0").mkdir(parents=True)
    for name, content in patches_of("8863", side=11):  # more than a folder gives at a time
        (tmp_path / "slide" / "0" / name).write_bytes(content)
    protocol = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(tmp_path / "slide")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"type": kind, "x": 300, "y": 300, "data": data}
        protocol.send("Input.dispatchDragEvent", place)
    expect(page.locator("#status")).to_have_text("Slide map of 121 patches.")
    expect(page.locator(".card")).to_have_count(0)


def test_a_slide_map_is_shown_in_context_and_alone(page_in_context, tmp_path):
    page = page_in_context
    lone = ("8863_idx5_x2001_y1.png", picture((90, 0, 110)))
    map_slide(page, tmp_path / "slide", [*patches_of("8863"), lone])
    figures, line = page.locator("#slide-figures"), page.locator("#slide-patch")
    expect(figures).to_contain_text("Operating point0.600")
    expect(figures).to_contain_text("Without neighbours1 patch, judged alone")
    expect(figures).to_contain_text("Judged with4.0 of 8 neighbours on average")  # 40 of 10 patches
    page.locator("#slide-frame").focus()
    page.keyboard.press("ArrowRight")
    expect(line).to_contain_text("judged with 3 of 8 neighbours; alone: 0.119")
    heat = "c => c.getContext('2d').getImageData(30, 30, 1, 1).data.slice(0, 3).join()"
    in_context = page.locator("#slide-heat").evaluate(heat)
    page.check("#slide-alone")
    expect(figures).to_contain_text("Operating point0.400")
    expect(figures).not_to_contain_text("neighbours")
    expect(line).to_contain_text(
        "probability of IDC 0.119, below the operating point; judged alone"
    )
    assert page.locator("#slide-heat").evaluate(heat) != in_context
    page.check("#slide-in-context")
    assert page.locator("#slide-heat").evaluate(heat) == in_context
    rows = {(row["x"], row["y"]): row for row in read_download(page, "#slide-csv")}
    assert rows["51", "51"]["neighbours"] == "8" and rows["51", "51"]["operating point"] == "0.6"
    lone = rows["2001", "1"]
    assert lone["neighbours"] == "0" and lone["operating point"] == "0.4"
    assert lone["probability of IDC alone"] == lone["probability of IDC"]


def place_of(page):
    """Scale, and where the upper left corner of the map lies, in frames."""
    frame = page.locator("#slide-frame").bounding_box()
    view = page.locator("#slide-view").bounding_box()
    scale = view["width"] / frame["width"]
    left, top = (
        (view[at] - frame[at]) / frame[side] for at, side in (("x", "width"), ("y", "height"))
    )
    return scale, left, top


def test_a_slide_map_is_zoomed_and_moved(page, tmp_path):
    map_slide(page, tmp_path / "slide", patches_of("8863", side=5))
    assert place_of(page) == pytest.approx((1, 0, 0), abs=0.01)
    page.click("#slide-closer")
    assert place_of(page) == pytest.approx((1.5, -0.25, -0.25), abs=0.01)  # about the middle
    frame = page.locator("#slide-frame").bounding_box()
    middle = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 0.1 * frame["width"], middle[1] + frame["height"])
    page.mouse.up()
    assert place_of(page) == pytest.approx((1.5, -0.15, 0), abs=0.01)  # not beyond its edge
    page.mouse.move(*middle)
    for key in ("Shift", "Control"):  # with any other key the page scrolls
        page.keyboard.down(key)
        page.mouse.wheel(0, -100)
        page.keyboard.up(key)
    expect(page.locator("#slide-view")).to_have_attribute("style", re.compile(r"scale\(2\.47"))
    page.locator("#slide-frame").focus()
    for key in ("ArrowRight",) * 5 + ("ArrowDown",) * 4:
        page.keyboard.press(key)
    expect(page.locator("#slide-patch")).to_contain_text("x 201, y 201")
    here, frame = (page.locator(at).bounding_box() for at in ("#slide-here", "#slide-frame"))
    assert here["x"] + here["width"] <= frame["x"] + frame["width"] + 1  # brought into view
    assert here["y"] + here["height"] <= frame["y"] + frame["height"] + 1
    page.keyboard.press("0")
    assert place_of(page) == pytest.approx((1, 0, 0), abs=0.01)


def test_a_patch_unlike_the_training_images_is_named(page_in_context, tmp_path):
    page = page_in_context
    names = [f"8863_idx5_x{x}_y1.png" for x in (1, 51)]
    map_slide(page, tmp_path / "slide", zip(names, map(picture, (RED, BLUE)), strict=True))
    expect(page.locator("#slide-figures")).to_contain_text("Unlike the training images1 patch")
    middles = page.locator("#slide-heat").evaluate(
        "c => [30, 80].map(x => [...c.getContext('2d').getImageData(x, 30, 1, 1).data].join())"
    )
    assert middles[1] == "16,19,26,255" != middles[0]  # the second has a cross
    page.locator("#slide-frame").focus()
    for unlike in (False, True):
        page.keyboard.press("ArrowRight")
        line = page.locator("#slide-patch")
        expect(line).to_contain_text(f"x {51 if unlike else 1}, y 1")
        assert ("Unlike the training images" in line.inner_text()) == unlike
    rows = read_download(page, "#slide-csv")
    assert [row["unlike the training images"] for row in rows] == ["false", "true"]
