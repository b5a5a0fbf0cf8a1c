"""One browser and two servers for all tests of what a person looks at."""

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.conftest import give_context
from tests.helpers.appearance import give_appearance
from tests.helpers.browsing import opened, served
from tests.helpers.evaluation_examples import finished_run


@pytest.fixture(scope="package")
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


@pytest.fixture(scope="package")
def run(tmp_path_factory):
    """A run with validation's predictions; patches of 50 pixels are like its training images."""
    return finished_run(tmp_path_factory.mktemp("page") / "tiny", temperature=1)


@pytest.fixture(scope="package")
def address(run):
    with served(run) as address:
        yield address


@pytest.fixture(scope="package")
def address_in_context(tmp_path_factory):
    """Of a run that judges patches in context and knows what its training images look like."""
    run = finished_run(tmp_path_factory.mktemp("page-in-context") / "tiny", temperature=1)
    with served(give_context(give_appearance(run))) as address:
        yield address


@pytest.fixture
def page(browser, address):
    with opened(browser, address) as page:
        yield page


@pytest.fixture
def page_in_context(browser, address_in_context):
    with opened(browser, address_in_context) as page:
        yield page
