"""Row 25 of what users ask for: dark, small screens, and a save that is never lost in silence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.desk import make_desk
from tests.browser.label_page import SPECIMEN, WAITING, labelled, specimen
from tests.live_up import LiveUp, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TEXTS = [f"Where is my parcel {n}, it should have been here a week ago?" for n in range(20)]
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
HIDDEN = """(button) => {
  const box = button.getBoundingClientRect();
  return !box.width || box.right > innerWidth || box.bottom > innerHeight || box.top < 0;
}"""


@pytest.fixture
def small_dark_page(browser: Browser, base_url: str) -> Iterator[Page]:
    window = {"width": 360, "height": 740}
    with browser.new_context(base_url=base_url, viewport=window, color_scheme="dark", has_touch=True) as context:
        yield context.new_page()


def test_users_ask_25_dark_small_screens_lost_saves(small_dark_page: Page, shared_up: LiveUp) -> None:
    """At 360 pixels all labels are under the thumb; answers given while the network is gone outlive the page."""
    page = small_dark_page
    desk = make_desk(shared_up, texts=TEXTS, labels=("Refund", "Shipping", "Address"))
    desk.open(page)
    specimen(page)
    assert not page.evaluate(TOO_WIDE)
    for button in page.locator(".label-key, .label-actions > :visible").all():
        assert not button.evaluate(HIDDEN), button.inner_text()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(int(part) for part in background.removeprefix("rgb(").removesuffix(")").split(",")) < 60
    assert violations(page) == []

    given = []
    page.route("**/answers/", lambda route: route.abort())
    for name in ("Shipping", "Refund", "Shipping"):
        text = specimen(page)
        given.append((text, name))
        page.get_by_role("button", name=name).last.tap()
        expect(page.locator(SPECIMEN)).not_to_have_text(text)
    expect(page.locator(WAITING)).to_contain_text("3 answers waiting for the network. They are kept here")
    assert desk.annotations() == []
    page.on("dialog", lambda dialog: dialog.accept())  # it warns before leaving
    page.goto("about:blank")
    page.unroute("**/answers/")
    desk.open(page)

    labelled(page, 3)
    wait_until(lambda: len(desk.annotations()) == 3, what="all answers")
    assert [(row["text"], row["label"]) for row in desk.annotations()] == given
