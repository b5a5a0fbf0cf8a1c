"""A server of a run, and its page in a browser."""

import contextlib
import csv
import io
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.helpers.serving_examples import picture

ROOT = Path(__file__).parents[2]
PATIENCE = 60_000  # milliseconds; a busy machine is no failure
expect.set_options(timeout=PATIENCE)


@contextlib.contextmanager
def served(run, *arguments):
    """Runs serve.py; gives its address."""
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
    yield address[0]
    process.terminate()
    assert process.wait(timeout=60) == 0
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()


@contextlib.contextmanager
def opened(browser, address):
    """Gives an open page; at the end nothing was complained of and no other host asked."""
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


def patches_of(patient, side=3):
    """A square of patches that turn from red to blue, as (name, content)."""
    for x in range(side):
        for y in range(side):
            colour = (max(150 - 40 * x, 0), 0, min(50 + 40 * x, 255))
            yield f"{patient}_idx5_x{1 + 50 * x}_y{1 + 50 * y}_class0.png", picture(colour)


def map_slide(page, folder, files):
    """Writes files into a folder and shows them as a slide."""
    folder.mkdir(exist_ok=True)
    for name, content in files:
        (folder / name).write_bytes(content)
    page.set_input_files("#folder", folder)
    expect(page.locator("#status")).to_contain_text("Slide map of")
