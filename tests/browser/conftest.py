"""Browser tests: a real Chromium against a real `up` that they share, one after the other.

They never wait for the network to fall idle: a page keeps its event stream open. Wait for what a person would see.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.live_up import LiveUp, running_up

# Playwright's own loop runs in this thread; tests here touch the database only through pages and commands.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "1")

# What is expected comes in a moment, or on a machine that does much else in several: never wrong for being late.
expect.set_options(timeout=30_000)

HERE = Path(__file__).parent
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep them together, so that one `up` serves them all."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """This machine's Chromium, else the one Playwright installed.

    One a module and not, as the plugin has it, one until the end: Playwright keeps an event loop running in this very
    thread, beside which no later test could run one of its own.
    """
    options = {"executable_path": shutil.which("chromium"), "args": CHROMIUM_ARGUMENTS}
    with sync_playwright() as playwright, playwright.chromium.launch(**options) as browser:
        yield browser


@pytest.fixture
def context(browser: Browser, base_url: str) -> Iterator[BrowserContext]:
    """A window of its own for each test; `page.goto("/…")` means the shared `up`."""
    with browser.new_context(base_url=base_url) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="session")
def shared_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveUp]:
    """One `up` for all browser tests of this process; its one-time link is used up by whoever signs in first."""
    with running_up(tmp_path_factory.mktemp("browser") / "data") as up:
        yield up


@pytest.fixture(scope="session")
def base_url(shared_up: LiveUp) -> str:
    return shared_up.url


@pytest.fixture
def fresh_up(tmp_path: Path) -> Iterator[LiveUp]:
    """An `up` of one test's own: nobody has signed in, nothing is in it."""
    with running_up(tmp_path / "data") as up:
        yield up
