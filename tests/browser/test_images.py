"""Images on the page: good, bad and many; sorted, filtered, enlarged; their heat maps and table."""

import re

import pytest
from playwright.sync_api import expect

from cancernet.base.words import score_text
from tests.conftest import give_three_classes, write_tiny_run
from tests.helpers.browsing import opened, patches_of, read_download, served, upload
from tests.helpers.serving_examples import BLUE, RED, noisy, picture

TOKEN = "a-token-of-enough-characters"


def test_the_page_rounds_as_the_terminal_does(page):
    script = "async s => { const m = await import('/page/scale.js'); return s.map(x => m.%s); }"
    scores = [0.0, 1.0, 0.00049, 0.0005, 0.0625, 0.1235, 0.1875, 0.3125, 0.9994, 0.9995]
    assert page.evaluate(script % "short(x)", scores) == [score_text(score) for score in scores]
    shares = [6.25, 18.75, 31.25, 33.333, 100.0]  # of the area of a slide
    assert page.evaluate(script % "rounded(x, 1)", shares) == [f"{share:.1f}" for share in shares]
    told = page.evaluate(script % "beside(x, 0.00042)", [1.23e-05])
    assert told == [["0.0000123", "0.00042"]]


def test_good_bad_and_many_images(page):
    page.set_input_files("#files", upload("=good_mask.png", picture(BLUE)))
    card = page.locator(".card").first
    expect(card.locator(".word")).to_have_text("IDC")
    expect(card.locator(".judged")).to_be_hidden()
    expect(card.locator(".mask")).to_contain_text("Named like a segmentation mask")
    expect(page.locator("#rows")).to_contain_text("IDC (named like a mask)")
    expect(card.locator(".gauge")).to_have_attribute(
        "aria-label", "Probability of IDC: 0.982, at or above the operating point 0.400"
    )
    mark, track = card.locator(".mark").bounding_box(), card.locator(".track").bounding_box()
    place = (mark["x"] + mark["width"] / 2 - track["x"]) / track["width"]
    assert place == pytest.approx(0.4, abs=0.01)

    bad = [("empty.png", b""), ("text.png", b"text"), ("cut.tif", noisy("TIFF")[:300])]
    page.set_input_files("#files", [upload(*file) for file in bad])
    failed = page.locator(".card.failed")
    expect(failed).to_have_count(3)
    expect(failed.nth(0).locator(".problem").first).to_have_text("The file is empty (0 bytes).")
    expect(failed.nth(1)).to_contain_text("not a PNG, JPEG, TIFF")
    for number in range(3):  # what is no image is not half shown
        expect(failed.nth(number).locator(".no-preview")).to_have_text("No preview.")
        expect(failed.nth(number).locator("img")).to_be_hidden()
    # In the table the reason has the room of all columns.
    reason = page.locator("#rows tr").nth(1).locator("td").nth(1)
    expect(reason).to_have_attribute("colspan", "3")

    many = [upload(f"{n:02}.png", picture(RED if n % 2 else BLUE)) for n in range(20)]
    page.set_input_files("#files", many)
    expect(page.locator("#status")).to_have_text("21 of 24 images scored; 3 could not be scored.")
    words = page.locator(".card .word").all_inner_texts()
    assert words == ["IDC", *["Not scored"] * 3, *["IDC", "no IDC"] * 10]
    assert page.locator("#rows tr").count() == 24
    expect(page.locator(".mask:visible")).to_have_count(1)
    expect(page.locator(".notice")).to_be_visible()

    rows = read_download(page, "#csv")
    assert [row["image"] for row in rows[:3]] == ["'=good_mask.png", "empty.png", "text.png"]
    assert (rows[0]["named like a mask"], rows[-1]["named like a mask"]) == ("true", "false")
    assert float(rows[0]["probability of IDC"]) == pytest.approx(0.982, abs=1e-3)
    assert rows[1]["problem"] and "not for diagnosis" in rows[0]["notice"]
    page.click("#clear")
    expect(page.locator(".card")).to_have_count(0)


def test_images_are_dropped(page):
    dropped = page.evaluate_handle(
        "bytes => { const all = new DataTransfer();"
        " all.items.add(new File([new Uint8Array(bytes)], 'dropped.png')); return all; }",
        list(picture(RED)),
    )
    page.dispatch_event("#drop", "dragover", {"dataTransfer": dropped})
    expect(page.locator("#drop.over")).to_be_attached()
    page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    expect(page.locator(".card .word")).to_have_text("no IDC")
    expect(page.locator(".card .name")).to_have_text("dropped.png")


def test_the_heat_map_lies_over_its_image(page):
    page.set_input_files("#files", upload("a.png", noisy("PNG")))
    card = page.locator(".card")
    canvas = card.locator(".picture canvas")
    expect(canvas).to_be_hidden()
    card.locator(".heat").click()
    expect(canvas).to_be_visible()
    assert canvas.bounding_box() == card.locator("img").bounding_box()
    colours = canvas.evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert colours > 20
    legend = card.locator(".legend")
    expect(legend).to_be_visible()
    expect(legend).to_contain_text("most for IDC")
    ends = "c => [0, 255].map(x => [...c.getContext('2d').getImageData(x, 0, 1, 1).data][0])"
    assert legend.locator("canvas").evaluate(ends) == [13, 252]  # of the scale of the heat maps
    slider = card.locator(".opacity input")
    slider.focus()
    slider.press("Home")
    assert canvas.evaluate("c => c.style.opacity") == "0"
    slider.press("End")
    assert canvas.evaluate("c => c.style.opacity") == "1"
    card.get_by_role("button", name="Hide heat map of a.png").click()
    expect(canvas).to_be_hidden()
    expect(legend).to_be_hidden()


def test_a_tiff_is_shown_with_the_server_s_help(page):
    page.set_input_files("#files", upload("a.tif", noisy("TIFF")))
    image = page.locator(".card img")
    expect(page.locator(".card .word")).to_have_text("IDC")
    expect(image).to_have_attribute("src", re.compile("^data:image/png"))
    expect(image).to_be_visible()
    expect(page.locator(".card .no-preview")).to_be_hidden()


def test_patches_are_judged_with_those_of_their_patient(page_in_context):
    """All of a patient go in one request, however many; the answer says with how many."""
    page = page_in_context
    files = [*patches_of("8863", 5), *patches_of("9000"), ("plain.png", picture())]
    page.set_input_files("#files", [upload(*file) for file in files])
    expect(page.locator("#status")).to_have_text("35 of 35 images scored.")
    counts = page.locator("#rows td:last-child").all_inner_texts()
    assert counts.count("8") == 9 + 1 and counts.count("5") == 12 + 4 and counts.count("3") == 8
    assert page.locator(".card .judged").nth(6).inner_text().startswith("Judged with 8 of 8 neigh")
    page.click("#next")
    judged = page.locator(".card .judged").last
    expect(judged).to_have_text("Judged alone, without neighbours.")
    expect(page.locator("#neighbours-head")).to_be_visible()
    rows = read_download(page, "#csv")
    by_name = {row["image"]: row for row in rows}
    middle = by_name["9000_idx5_x51_y51_class0.png"]
    assert middle["neighbours"] == "8" and middle["operating point"] == "0.6"
    assert middle["probability of IDC alone"] != middle["probability of IDC"]
    lone = by_name["plain.png"]
    assert lone["neighbours"] == "" and lone["operating point"] == "0.4"
    assert lone["probability of IDC alone"] == lone["probability of IDC"]


def test_it_is_used_by_keyboard_and_fits_a_narrow_screen(page):
    page.set_viewport_size({"width": 340, "height": 700})
    page.set_input_files("#files", upload("x" * 120 + ".png", picture()))
    expect(page.locator(".card .word")).to_have_text("IDC")
    assert page.evaluate("document.documentElement.scrollWidth") <= 340
    page.locator("body").press("Tab")
    seen = []
    for _ in range(12):
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    assert {"files", "folder", "csv", "clear", "heat"} <= set(seen)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, button')].filter(e => e.type !== 'hidden' && "
        "!e.labels?.length && !e.ariaLabel && !e.textContent.trim()).length"
    )
    assert unnamed == 0


def shown(page):
    return [name.removesuffix(".png") for name in page.locator(".card .name").all_inner_texts()]


def test_images_are_sorted_and_filtered(page_in_context):
    page = page_in_context
    colours = {"b10": (60, 0, 140), "b9": RED, "a": (90, 0, 110), "c": BLUE}
    files = [upload(f"{name}.png", picture(colour)) for name, colour in colours.items()]
    page.set_input_files("#files", [*files, upload("bad.png", b"")])
    expect(page.locator("#status")).to_have_text("4 of 5 images scored; 1 could not be scored.")
    assert shown(page) == ["b10", "b9", "a", "c", "bad"]
    for order, names in (
        ("highest", ["c", "b10", "a", "b9", "bad"]),
        ("lowest", ["b9", "a", "b10", "c", "bad"]),
        ("name", ["a", "b9", "b10", "bad", "c"]),
    ):
        page.select_option("#order", order)
        assert shown(page) == names
        assert page.locator("#rows td:first-child").all_inner_texts() == [f"{n}.png" for n in names]
    for kind, names in (
        ("positive", ["a", "b10", "c"]),
        ("unlike", ["a", "b10", "c"]),  # all but the red one
        ("failed", ["bad"]),
    ):
        expect(page.locator(f"#of-{kind}")).to_have_text(f"{len(names)}")
        page.check(f"[value={kind}]")
        assert shown(page) == names and page.locator("#rows tr").count() == len(names)
    expect(page.locator("#none")).to_be_hidden()
    page.click("#clear")
    page.set_input_files("#files", files[0])
    expect(page.locator("#of-all")).to_have_text("1")
    expect(page.locator("#none")).to_be_visible()  # of the kind that is still chosen


def test_many_images_come_a_page_at_a_time(page):
    files = [upload(f"{number:03}.png", picture(RED)) for number in range(400)]
    page.set_input_files("#files", files)
    expect(page.locator("#status")).to_have_text("400 of 400 images scored.", timeout=60_000)
    assert shown(page) == [f"{number:03}" for number in range(24)]
    for width in (390, 1300):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollHeight") < 10_000
    for page_number in range(2, 18):
        page.click("#next")
        last = min(24 * page_number, 400)
        expect(page.locator("#place")).to_have_text(f"{24 * page_number - 23} to {last} of 400")
    assert shown(page) == [f"{number:03}" for number in range(384, 400)]
    expect(page.locator("#next")).to_be_disabled()
    page.click("#previous")
    assert shown(page)[0] == "360"


def test_the_bar_shows_how_many_are_done(page):
    held = []
    page.route("**/predict/batch", lambda route: held.append(route))
    page.set_input_files("#files", [upload(f"{n:02}.png", picture()) for n in range(24)])
    bar = page.locator("#progress")
    for done in (0, 8, 16):  # in requests of 8
        expect(bar).to_have_js_property("value", done)
        expect(bar).to_have_js_property("max", 24)
        while len(held) <= done // 8:
            page.wait_for_timeout(20)
        held[done // 8].continue_()
    expect(bar).to_be_hidden()
    expect(page.locator("#status")).to_have_text("24 of 24 images scored.")


def test_an_image_is_enlarged(page):
    names = ("first", "second")
    page.set_input_files("#files", [upload(f"{n}.png", noisy("PNG")) for n in names])
    expect(page.locator("#status")).to_have_text("2 of 2 images scored.")
    page.locator(".heat").first.click()
    expect(page.locator(".picture canvas").first).to_be_visible()
    page.get_by_role("button", name="Enlarge first.png").click()
    large, small = page.locator("#large-image"), page.locator(".card img").first
    expect(page.get_by_role("dialog", name="first.png")).to_be_visible()
    assert large.bounding_box()["width"] > 2 * small.bounding_box()["width"]
    assert page.locator("#large-heat").bounding_box() == large.bounding_box()
    expect(page.locator("#large-said")).to_contain_text("Probability of IDC")
    expect(page.locator("#large-previous")).to_be_disabled()
    expect(page.locator("#large-next")).to_be_enabled()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name="second.png")).to_be_visible()
    expect(page.locator("#large-heat")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#large")).to_be_hidden()


def test_an_empty_page_offers_two_drawn_images(page):
    expect(page.locator("#examples-box")).to_contain_text("drawn by a program")
    page.click("#examples")
    expect(page.locator("#status")).to_have_text("2 of 2 images scored.")
    assert shown(page) == ["idc-drawn-0", "idc-drawn-1"]
    expect(page.locator("#examples")).to_be_hidden()


def test_of_more_than_two_classes_the_call_comes_first(browser, tmp_path):
    run = give_three_classes(write_tiny_run(tmp_path / "three"))
    with served(run) as address, opened(browser, address) as page:
        page.set_input_files("#files", upload("a.png", picture(BLUE)))
        expect(page.locator(".card .word")).to_have_text("positive")
        expect(page.locator(".card .most")).to_have_text(
            "Most probable class: B 0.965, although the call is positive."
        )
        [row] = read_download(page, "#csv")
        assert (row["class"], row["call"], row["positive"]) == ("b", "positive", "true")
        # No other threshold where nobody knows what validation gives at it.
        expect(page.locator("#thresholds")).to_be_hidden()


def test_a_token_is_asked_for_and_a_wrong_one_named(browser, run):
    with served(run, "--token", TOKEN) as address:
        page = browser.new_page()
        page.goto(address)
        for token in ("wrong", TOKEN):
            page.fill("#token", token)
            page.click("#token-form button")
            if token == "wrong":
                said = "The server refuses this token."
                expect(page.locator("#token-problem")).to_have_text(said)
        expect(page.locator("body[data-ready]")).to_be_attached()
        page.set_input_files("#files", upload("a.png", picture()))
        expect(page.locator(".card .word")).to_have_text("IDC")
        page.close()
