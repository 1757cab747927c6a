"""Row 3 of what users ask for: submit in one key, remappable, no clash with other keys, more than ten labels."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import make_desk
from tests.browser.label_page import labelled, press
from tests.live_up import LiveUp, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

LABELS = [f"Shelf {n}" for n in range(1, 23)]
TEXTS = [f"Parcel number {n} of the day" for n in range(12)]


def test_users_ask_03_shortcuts(page: Page, shared_up: LiveUp) -> None:
    """Of twenty-two labels the first twenty take one key, the others their name; a key of one's own works, too."""
    desk = make_desk(shared_up, texts=TEXTS, labels=LABELS)
    desk.open(page)
    keys = page.locator(".label-key > kbd")
    shown = keys.all_inner_texts()
    assert shown[:20] == [*"1234567890", *(f"⇧{digit}" for digit in "1234567890")]

    said = {press(page, "1"): "Shelf 1", press(page, "0"): "Shelf 10", press(page, "Shift+Digit0"): "Shelf 20"}
    page.keyboard.press("/")
    page.keyboard.type("shelf 22")
    said[press(page, "Enter")] = "Shelf 22"

    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    dialog.get_by_text("Keys of the first 20 labels").click()
    dialog.get_by_role("button", name="Give label 12: ⇧2. Change").click()
    page.keyboard.press("u")
    expect(dialog.get_by_role("alert")).to_contain_text("U already means “Take the last thing back”")
    dialog.get_by_role("button", name="Give label 12: ⇧2. Change").click()
    page.keyboard.press("w")
    expect(dialog.get_by_role("alert")).to_contain_text("W already means “Keep this filter by name” in review")
    dialog.get_by_role("button", name="Give label 12: ⇧2. Change").click()
    page.keyboard.press("Shift+E")
    expect(dialog.get_by_role("button", name="Give label 12: ⇧E. Change")).to_be_visible()
    page.keyboard.press("Escape")
    said[press(page, "Shift+E")] = "Shelf 12"

    labelled(page, len(said))
    wait_until(lambda: len(desk.annotations()) == len(said), what="all answers")
    assert {str(row["text"]): row["label"] for row in desk.annotations()} == said
