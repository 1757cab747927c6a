"""The description of the API in a browser: an address of one operation opens it, and everybody can read the page."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.live_up import LiveUp


@pytest.mark.parametrize("width", [390, 1280])
def test_an_address_of_an_operation_opens_it_and_no_rule_is_broken(shared_up: LiveUp, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{shared_up.url.rstrip('/')}/api/docs/#createSamples")
    expect(page.get_by_role("heading", name="The API", exact=True)).to_be_visible()
    expect(page.locator("#createSamples")).to_be_visible()
    expect(page.locator("#createSample")).to_be_hidden()
    page.locator("#told summary").first.click()
    expect(page.locator("#told-model-trained")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
