"""The page in a real browser: images good, bad and many; heat map, slide map, table."""

import contextlib
import csv
import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.conftest import give_context, give_three_classes, write_tiny_run
from tests.helpers.serving_examples import BLUE, RED, noisy, picture

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000  # milliseconds; a busy machine is no failure
expect.set_options(timeout=PATIENCE)
TOKEN = "a-token-of-enough-characters"


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        names = ("chromium", "chromium-browser", "google-chrome")
        found = next(filter(None, map(shutil.which, names)), own if Path(own).exists() else None)
        if found is None:
            pytest.skip(f"no browser here: none of {', '.join(names)}, nor Playwright's own")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def start(run, *arguments):
    """Starts serve.py; returns the process and its address."""
    process = subprocess.Popen(
        [sys.executable, "serve.py", "--run", str(run), "--port", "0", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    address = re.search(r"http://\S+", process.stderr.readline())
    assert address, process.stderr.read()
    return process, address[0]


def stop(process):
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_tiny_run(tmp_path_factory.mktemp("page") / "tiny")


@pytest.fixture(scope="module")
def address(run):
    process, address = start(run)
    yield address
    stop(process)


@pytest.fixture
def page(browser, address):
    """An open page; at the end nothing was complained of and no other host asked."""
    with opened(browser, address) as page:
        yield page


@pytest.fixture
def page_in_context(browser, tmp_path):
    """The page of a run that judges patches in context."""
    process, address = start(give_context(write_tiny_run(tmp_path / "tiny")))
    with opened(browser, address) as page:
        yield page
    stop(process)


@contextlib.contextmanager
def opened(browser, address):
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    said, hosts = [], set()
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(address)
    expect(page.locator("body[data-ready]")).to_be_attached()
    yield page
    assert said == []
    assert hosts - {""} == {urlsplit(address).netloc}  # blob: and data: have no host
    context.close()


def upload(name, content):
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def read_download(page, button):
    with page.expect_download() as download:
        page.click(button)
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_good_bad_and_many_images(page):
    page.set_input_files("#files", upload("=good.png", picture(BLUE)))
    card = page.locator(".card").first
    expect(card.locator(".word")).to_have_text("IDC")
    expect(card.locator(".judged")).to_be_hidden()
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
    expect(page.locator(".notice")).to_be_visible()

    rows = read_download(page, "#csv")
    assert [row["image"] for row in rows[:3]] == ["'=good.png", "empty.png", "text.png"]
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
    canvas = card.locator("canvas")
    expect(canvas).to_be_hidden()
    card.locator(".heat").click()
    expect(canvas).to_be_visible()
    assert canvas.bounding_box() == card.locator("img").bounding_box()
    colours = canvas.evaluate(
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size"
    )
    assert colours > 20
    slider = card.locator(".opacity input")
    slider.focus()
    slider.press("Home")
    assert canvas.evaluate("c => c.style.opacity") == "0"
    slider.press("End")
    assert canvas.evaluate("c => c.style.opacity") == "1"
    card.get_by_role("button", name="Hide heat map of a.png").click()
    expect(canvas).to_be_hidden()


def test_a_tiff_is_shown_with_the_server_s_help(page):
    page.set_input_files("#files", upload("a.tif", noisy("TIFF")))
    image = page.locator(".card img")
    expect(page.locator(".card .word")).to_have_text("IDC")
    expect(image).to_have_attribute("src", re.compile("^data:image/png"))
    expect(image).to_be_visible()
    expect(page.locator(".card .no-preview")).to_be_hidden()


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


def patches_of(patient, side=3):
    """A square of patches that turn from red to blue, as (name, content)."""
    for x in range(side):
        for y in range(side):
            colour = (max(150 - 40 * x, 0), 0, min(50 + 40 * x, 255))
            yield f"{patient}_idx5_x{1 + 50 * x}_y{1 + 50 * y}_class0.png", picture(colour)


def test_patches_are_judged_with_those_of_their_patient(page_in_context):
    """All of a patient go in one request, however many; the answer says with how many."""
    page = page_in_context
    files = [*patches_of("8863", 5), *patches_of("9000"), ("plain.png", picture())]
    page.set_input_files("#files", [upload(*file) for file in files])
    expect(page.locator("#status")).to_have_text("35 of 35 images scored.")
    judged = page.locator(".card .judged").all_inner_texts()
    counts = [
        int(found[1]) for text in judged if (found := re.match(r"Judged with (\d) of 8", text))
    ]
    assert counts.count(8) == 9 + 1 and counts.count(5) == 12 + 4 and counts.count(3) == 8
    assert judged[-1] == "Judged alone, without neighbours."
    expect(page.locator("#neighbours-head")).to_be_visible()
    rows = read_download(page, "#csv")
    by_name = {row["image"]: row for row in rows}
    middle = by_name["9000_idx5_x51_y51_class0.png"]
    assert middle["neighbours"] == "8" and middle["operating point"] == "0.6"
    assert middle["probability of IDC alone"] != middle["probability of IDC"]
    lone = by_name["plain.png"]
    assert lone["neighbours"] == "" and lone["operating point"] == "0.4"
    assert lone["probability of IDC alone"] == lone["probability of IDC"]


def test_a_slide_map_is_shown_in_context_and_alone(page_in_context, tmp_path):
    page, folder = page_in_context, tmp_path / "slide"
    folder.mkdir()
    for name, content in [*patches_of("8863"), ("8863_idx5_x2001_y1.png", picture((90, 0, 110)))]:
        (folder / name).write_bytes(content)
    page.set_input_files("#folder", folder)
    expect(page.locator("#status")).to_have_text("Slide map of 10 patches.")
    figures, line = page.locator("#slide-figures"), page.locator("#slide-patch")
    expect(figures).to_contain_text("Operating point0.600")
    expect(figures).to_contain_text("Without neighbours1 patch, judged alone")
    page.locator("#slide-frame").focus()
    page.keyboard.press("ArrowRight")
    expect(line).to_contain_text("judged with 3 of 8 neighbours; alone: 0.119")
    heat = "c => c.getContext('2d').getImageData(30, 30, 1, 1).data.slice(0, 3).join()"
    in_context = page.locator("#slide-heat").evaluate(heat)
    page.check("#slide-alone")
    expect(figures).to_contain_text("Operating point0.400")
    expect(figures).not_to_contain_text("Without neighbours")
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


def test_of_more_than_two_classes_the_call_comes_first(browser, tmp_path):
    process, address = start(give_three_classes(write_tiny_run(tmp_path / "three")))
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("body[data-ready]")).to_be_attached()
    page.set_input_files("#files", upload("a.png", picture(BLUE)))
    expect(page.locator(".card .word")).to_have_text("positive")
    expect(page.locator(".card .most")).to_have_text(
        "Most probable class: B 0.965, although the call is positive."
    )
    [row] = read_download(page, "#csv")
    assert (row["class"], row["call"], row["positive"]) == ("b", "positive", "true")
    page.close()
    stop(process)


def test_a_token_is_asked_for_and_a_wrong_one_named(browser, run):
    process, address = start(run, "--token", TOKEN)
    page = browser.new_page()
    page.goto(address)
    for token in ("wrong", TOKEN):
        page.fill("#token", token)
        page.click("#token-form button")
        if token == "wrong":
            expect(page.locator("#token-problem")).to_have_text("The server refuses this token.")
    expect(page.locator("body[data-ready]")).to_be_attached()
    page.set_input_files("#files", upload("a.png", picture()))
    expect(page.locator(".card .word")).to_have_text("IDC")
    page.close()
    stop(process)
