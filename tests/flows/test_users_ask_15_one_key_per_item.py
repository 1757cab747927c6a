"""Row 15 of what users ask for: the next item comes by itself, and one key per item is enough."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.desk import make_desk
from tests.browser.label_page import labelled, press
from tests.live_up import LiveUp

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

N = 20
COUNT_KEYS = """
window.n_keys = 0;
addEventListener("keydown", () => { window.n_keys += 1; }, { capture: true });
"""


def test_users_ask_15_one_key_per_item(page: Page, shared_up: LiveUp) -> None:
    desk = make_desk(shared_up, texts=[f"Is message {n} spam?" for n in range(N + 10)], labels=("Spam", "Fine"))
    desk.open(page)
    page.evaluate(COUNT_KEYS)

    given = [(press(page, "1" if n % 2 else "2"), "Spam" if n % 2 else "Fine") for n in range(N)]

    labelled(page, N)
    assert page.evaluate("window.n_keys") == N
    assert [(row["text"], row["label"]) for row in desk.annotations()] == given
