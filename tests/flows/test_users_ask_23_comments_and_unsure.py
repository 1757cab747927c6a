"""Row 23 of what users ask for: comments, "I am not sure", asking the reviewer, asking for a label while labelling."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import make_desk
from tests.browser.label_page import STATUS, labelled, press, specimen, standing
from tests.live_up import LiveUp, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

TEXTS = [f"The bank took order {n} back" for n in range(8)]


def test_users_ask_23_comments_and_unsure(page: Page, shared_up: LiveUp) -> None:
    """A labeler doubts, flags, writes and asks for a label, each by one key; none of it takes the labels' place."""
    desk = make_desk(shared_up, texts=TEXTS, role="labeler")
    desk.open(page)
    text = specimen(page)
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.keyboard.type("Is this a refund?")
    page.keyboard.press("Enter")
    page.keyboard.press("n")
    page.keyboard.type("Charge back")
    page.keyboard.press("Enter")
    expect(page.locator(STATUS)).to_contain_text("“Charge back” is suggested")
    page.keyboard.press("q")
    press(page, "1")

    labelled(page, 1)
    row = wait_until(lambda: standing(desk)[text]["label"] and standing(desk)[text], what="the answer")
    assert (row["label"], row["marks"], row["comments"]) == ("Refund", ["flag", "unsure"], ["Is this a refund?"])
    waiting = desk.run(
        "from apps.functions.models import LabelProposal;"
        f"print(LabelProposal.objects.get(function__public_id={desk.function!r}, state='open').name)"
    )
    assert waiting == "Charge back"
