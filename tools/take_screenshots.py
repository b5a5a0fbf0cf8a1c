"""Pictures of the page for the docs, from the drawn sample and a run on it.

    make
    .venv/bin/python tools/take_screenshots.py datasets/sample/idc output/idc-cancernet-001

Needs the extra `dev` and Chromium. Everything in the pictures is drawn by the program.
"""

import argparse
import collections
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
MOST_BYTES = 400_000
IMAGES = 6
HEAT_MAPS = 2


def main() -> None:
    """Starts the server, uses the page like a person, and takes pictures of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images")
    arguments = parser.parse_args()
    server = subprocess.Popen(
        [sys.executable, "serve.py", "--run", str(arguments.run.resolve()), "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stderr is not None
        found = re.search(r"http://\S+", server.stderr.readline())
        if found is None:
            sys.exit(server.stderr.read())
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox"],
            )
            picture(browser, found[0], arguments, "page.png", (1180, 1860), "light")
            picture(browser, found[0], arguments, "page-narrow.png", (400, 1300), "dark")
            browser.close()
    finally:
        server.terminate()
        server.wait()


def picture(
    browser: Browser,
    address: str,
    arguments: argparse.Namespace,
    name: str,
    size: tuple[int, int],
    colours: Literal["light", "dark"],
) -> None:
    """Takes one picture with images, heat maps and a slide map on the page."""
    page = browser.new_page(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=colours,
    )
    page.goto(address)
    expect(page.locator("body[data-ready]")).to_be_attached()
    use(page, sorted((arguments.data / "testing").rglob("*.png")))
    target = arguments.output / name
    target.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(target))
    page.close()
    # Eight bits of palette are enough for the docs, and small.
    with Image.open(target) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(
            target, optimize=True
        )
    if target.stat().st_size > MOST_BYTES:
        sys.exit(f"{target} is larger than {MOST_BYTES:,} bytes")
    print(target, f"{target.stat().st_size:,} bytes")


def use(page: Page, paths: list[Path]) -> None:
    """Scores a few images, asks for heat maps, and shows the largest slide."""
    patients = collections.Counter(path.name.partition("_")[0] for path in paths)
    largest = patients.most_common(1)[0][0]
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            if path.name.startswith(f"{largest}_"):
                shutil.copy(path, folder)
        page.set_input_files("#folder", folder)
        expect(page.locator("#status")).to_contain_text("Slide map of")
    whole = [path for path in paths if Image.open(path).size == (50, 50)]
    positive = [path for path in whole if path.parent.name == "1"]
    negative = [path for path in whole if path.parent.name == "0"]
    step = max(1, len(positive) // IMAGES)
    chosen = [*positive[:: 2 * step][: IMAGES // 2], *negative[:: 4 * step][: IMAGES // 2]]
    page.set_input_files("#files", chosen)
    expect(page.locator("#status")).to_contain_text("images scored")
    for number in range(HEAT_MAPS):
        card = page.locator(".card").nth(number)
        card.locator(".heat").click()
        expect(card.locator(".picture canvas")).to_be_visible(timeout=120_000)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(600)


if __name__ == "__main__":
    main()
