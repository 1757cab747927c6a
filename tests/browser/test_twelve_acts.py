"""Twelve acts by keyboard alone, wide and on a telephone, light and dark; axe-core on each page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.browser.grid import CARD, look, train
from tests.browser.label_page import SPECIMEN, press, specimen
from tests.live_up import LiveUp, wait_until

SIZES = {"wide": (1280, 800), "telephone": (390, 844)}
THEMES = ("light", "dark")
REFUNDS = [f"Please refund order {n} at once" for n in range(60)]
PARCELS = [f"Where is my parcel {n} now?" for n in range(60)]
BILLS = [f"The invoice number {n} is wrong" for n in range(30)]
# Said of the first thirty: two of them not so.
SAID = {
    **dict.fromkeys(REFUNDS[:12], "Refund"),
    **dict.fromkeys(PARCELS[:12], "Shipping"),
    **dict.fromkeys(BILLS[:8], "Billing"),
    REFUNDS[3]: "Shipping",
    PARCELS[5]: "Refund",
}
LONG_MS = 60_000
_STANDING = """
import json
from apps.samples.models import Sample
rows = Sample.objects.filter(function__public_id={function!r})
print(json.dumps({{row.text: {{
    "label": row.label.name if row.label else None,
    "marks": list(row.marks.values_list("kind", flat=True)),
    "comments": list(row.comments.values_list("text", flat=True)),
    "skips": row.skips.count(),
}} for row in rows.select_related("label")}}))
"""
_LABELS = """
import json
from apps.functions.models import Function
function = Function.objects.get(public_id={function!r})
print(json.dumps([label.name for label in function.labels.in_use()]))
"""
_SLICES = "from apps.review.models import Slice; print(Slice.objects.filter(function__public_id={function!r}).count())"


@pytest.fixture(params=[f"{size}, {theme}" for size, theme in product(SIZES, THEMES)])
def page(request: pytest.FixtureRequest, browser: Browser, base_url: str) -> Iterator[Page]:
    size, theme = request.param.split(", ")
    width, height = SIZES[size]
    with browser.new_context(
        base_url=base_url, viewport={"width": width, "height": height}, color_scheme=theme
    ) as context:
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        assert complaints == []


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    """A desk whose model tells three kinds apart, and has been told two wrong labels."""
    desk = make_desk(shared_up, labels=["Refund", "Shipping", "Billing"], texts=[*REFUNDS, *PARCELS, *BILLS])
    train(desk, SAID)
    return desk


def standing(desk: Desk, text: str) -> dict[str, object]:
    rows: dict[str, dict[str, object]] = json.loads(desk.run(_STANDING.format(function=desk.function)))
    return rows[text]


def open_page(page: Page, desk: Desk, path: str) -> None:
    page.goto(f"{desk.up.url}/functions/{desk.function}/{path}")
    assert violations(page) == []


def tab_to(page: Page, is_there: Callable[[], bool], what: str) -> None:
    for _press in range(200):
        if is_there():
            return
        page.keyboard.press("Tab")
    pytest.fail(f"no way to {what} by the keyboard")


def focused(page: Page, attribute: str) -> str:
    return str(page.evaluate("name => document.activeElement.getAttribute(name) ?? ''", attribute))


def test_twelve_acts_by_keyboard_alone(page: Page, desk: Desk) -> None:
    desk.open(page)
    assert violations(page) == []
    label_undo_skip_flag_and_comment(page, desk)
    accept_a_grid_and_label_a_range(page, desk)
    fix_a_wrong_label(page, desk)
    save_a_slice(page, desk)
    select_on_the_list_of_the_map(page, desk)
    merge_and_undo(page, desk)


def label_undo_skip_flag_and_comment(page: Page, desk: Desk) -> None:
    labelled = press(page, "1")
    taken_back = press(page, "2")
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(taken_back)
    skipped = press(page, "Space")
    flagged = specimen(page)
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.keyboard.type("Which order does it mean?")
    page.keyboard.press("Enter")
    expect(page.locator("#label-remarks")).to_contain_text("Which order does it mean?")
    wait_until(lambda: standing(desk, flagged)["comments"], what="the comment has arrived")
    assert standing(desk, labelled)["label"] == "Refund"
    assert (standing(desk, taken_back)["label"], standing(desk, skipped)["skips"]) == (None, 1)
    assert standing(desk, flagged)["marks"] == ["flag"]


def accept_a_grid_and_label_a_range(page: Page, desk: Desk) -> None:
    page.keyboard.press("g")
    expect(page.locator(CARD).first).to_be_visible(timeout=15_000)
    look(page)
    assert violations(page) == []
    shown = [text.strip() for text in page.locator(f"{CARD} .grid-card-text").all_inner_texts()]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("3")
    wait_until(lambda: standing(desk, shown[2])["label"] == "Billing", what="the range is labelled")
    assert [standing(desk, text)["label"] for text in shown[:3]] == ["Billing"] * 3
    wanted = page.locator("#grid-title .chip").inner_text()

    def accepted() -> bool:
        look(page)
        page.keyboard.press("Enter")
        return standing(desk, shown[3])["label"] == wanted

    wait_until(accepted, what="the grid is accepted")


def fix_a_wrong_label(page: Page, desk: Desk) -> None:
    def has_found_some() -> bool:
        open_page(page, desk, "review/wrong-labels/")
        return page.locator("#desk-items article:not([hidden])").count() == 1

    wait_until(has_found_some, what="likely wrong labels", seconds=LONG_MS / 1000)
    item = page.locator("#desk-items article:not([hidden])")
    text = item.locator(".specimen").first.inner_text().strip()
    before = standing(desk, text)["label"]
    right = "Refund" if "refund" in text else "Shipping" if "parcel" in text else "Billing"
    assert before != right
    page.keyboard.press({"Refund": "1", "Shipping": "2", "Billing": "3"}[right])
    wait_until(lambda: standing(desk, text)["label"] == right, what="the label is right")


def save_a_slice(page: Page, desk: Desk) -> None:
    open_page(page, desk, "?verdict=wrong")
    page.keyboard.press("w")
    expect(page.locator("#slice")).to_be_visible()
    page.keyboard.type("What it gets wrong")
    page.keyboard.press("Enter")
    wait_until(lambda: desk.run(_SLICES.format(function=desk.function)).strip() == "1", what="the slice is kept")


def select_on_the_list_of_the_map(page: Page, desk: Desk) -> None:
    open_page(page, desk, "map/")
    expect(page.locator("#map-samples [data-sample]").first).to_be_visible(timeout=LONG_MS)
    tab_to(page, lambda: focused(page, "id") == "map-samples", "the list of the map")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("#label-dock [data-chosen]")).to_have_text("2 selected")


def merge_and_undo(page: Page, desk: Desk) -> None:
    def names() -> list[str]:
        found: list[str] = json.loads(desk.run(_LABELS.format(function=desk.function)))
        return found

    open_page(page, desk, "settings/")
    tab_to(page, lambda: focused(page, "aria-label") == "More for Billing", "what can be done with a label")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#merge-into")).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("S")  # Shipping
    tab_to(page, lambda: focused(page, "type") == "submit" or "primary" in focused(page, "class"), "the merge itself")
    page.keyboard.press("Enter")
    wait_until(lambda: "Billing" not in names(), what="the labels are one")
    expect(page.locator(".toast [data-undo-url]")).to_be_visible()
    page.keyboard.press("Control+z")
    wait_until(lambda: names() == ["Refund", "Shipping", "Billing"], what="the labels are two again")
