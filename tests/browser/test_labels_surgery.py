"""Labels merged, split, recoloured and brought back by keyboard alone, wide and on a telephone."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

SIZES = {"wide": (1280, 800), "telephone": (390, 780)}
TEXTS = [f"message number {number}" for number in range(6)]

_LABEL = """
from apps.functions.models import Function
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
labels = {{label.name: label.pk for label in function.labels.in_use()}}
keys = Sample.objects.filter(function=function).order_by("pk").values_list("pk", flat=True)
pairs = list(zip(keys, [labels[name] for name in {names!r}]))
annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)
"""
_LABELS = """
import json
from apps.samples.models import Sample
rows = Sample.objects.filter(function__public_id={function!r}).order_by("pk")
print(json.dumps(list(rows.values_list("label__name", flat=True))))
"""

BEFORE = ["Refund", "Refund", "Money back", "Money back", "Shipping", "Shipping"]


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    desk = make_desk(shared_up, labels=["Refund", "Money back", "Shipping"], texts=TEXTS)
    desk.run(_LABEL.format(function=desk.function, names=BEFORE))
    return desk


@pytest.fixture(params=list(SIZES))
def desk_page(request: pytest.FixtureRequest, page: Page, desk: Desk) -> Page:
    """The settings page, opened by the function's owner."""
    width, height = SIZES[request.param]
    page.set_viewport_size({"width": width, "height": height})
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"/functions/{desk.function}/settings/")
    return page


def labels_of(desk: Desk) -> list[str]:
    found: list[str] = json.loads(desk.run(_LABELS.format(function=desk.function)))
    return found


def open_menu(page: Page, name: str) -> None:
    more = page.get_by_label(f"More for {name}")
    more.focus()
    page.keyboard.press("Enter")


def tab_to(page: Page, words: str) -> None:
    """Go on by Tab until what says this has the focus."""
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text().strip() == words:
            return
    pytest.fail(f"Tab does not come to “{words}”.")


def test_two_labels_become_one_and_two_again_by_keyboard(desk_page: Page, desk: Desk) -> None:
    open_menu(desk_page, "Money back")
    desk_page.keyboard.press("Tab")
    expect(desk_page.get_by_role("link", name="Merge into another…").and_(desk_page.locator(":focus"))).to_be_visible()
    desk_page.keyboard.press("Enter")
    dialog = desk_page.get_by_role("dialog", name="Merge Money back into")
    expect(dialog).to_contain_text("2 samples labelled Money back will count as that label.")
    expect(dialog.get_by_label("The label that stays")).to_be_focused()
    assert violations(desk_page) == []
    desk_page.keyboard.press("Tab")
    desk_page.keyboard.press("Tab")
    desk_page.keyboard.press("Enter")
    toast = desk_page.locator(".toast", has_text="2 samples labelled “Money back” now count as “Refund”.")
    expect(toast.get_by_role("button", name="Undo")).to_be_visible()
    expect(desk_page.get_by_label("Name of the label Money back")).to_have_count(0)
    expect(desk_page.locator(".label-line", has=desk_page.get_by_label("Name of the label Refund"))).to_contain_text(
        "4 samples"
    )
    assert labels_of(desk) == ["Refund"] * 4 + ["Shipping"] * 2
    expect(desk_page.get_by_label("More for Shipping")).to_be_focused()  # the line that took its place

    desk_page.keyboard.press("Control+z")
    expect(desk_page.locator(".toast", has_text="Undone: 2 samples as before.")).to_be_visible()
    expect(desk_page.get_by_label("Name of the label Money back")).to_be_visible()
    assert labels_of(desk) == BEFORE


def test_some_samples_get_a_label_of_their_own_by_keyboard(desk_page: Page, desk: Desk) -> None:
    open_menu(desk_page, "Shipping")
    tab_to(desk_page, "Split…")
    desk_page.keyboard.press("Enter")
    expect(desk_page.get_by_role("heading", name="Split Shipping")).to_be_visible()
    assert violations(desk_page) == []
    desk_page.get_by_label("The new label").fill("Customs")
    samples = desk_page.get_by_role("listbox", name="Samples to choose from")
    samples.focus()
    desk_page.keyboard.press("ArrowDown")
    desk_page.keyboard.press("Space")
    expect(desk_page.get_by_role("option", selected=True)).to_have_count(1)
    desk_page.get_by_label("The new label").focus()
    desk_page.keyboard.press("Enter")
    expect(desk_page.locator(".toast", has_text="“Customs” is a label of its own, with 1 sample.")).to_be_visible()
    expect(desk_page.get_by_role("option")).to_have_count(1)
    assert labels_of(desk)[-2:] in (["Shipping", "Customs"], ["Customs", "Shipping"])
    desk_page.locator(".toast").get_by_role("button", name="Undo").focus()
    desk_page.keyboard.press("Enter")
    expect(desk_page.get_by_role("option")).to_have_count(2)
    assert labels_of(desk) == BEFORE


def test_a_colour_is_chosen_from_the_palette_and_a_deleted_label_comes_back(desk_page: Page, desk: Desk) -> None:
    colour = desk_page.get_by_label("Colour of Refund: blue")
    colour.focus()
    desk_page.keyboard.press("Enter")
    desk_page.keyboard.press("Tab")
    desk_page.keyboard.press("Tab")
    desk_page.keyboard.press("Enter")
    expect(desk_page.get_by_label("Colour of Refund: orange")).to_be_focused()
    open_menu(desk_page, "Refund")
    tab_to(desk_page, "Delete: 2 samples will be unlabelled")
    desk_page.keyboard.press("Enter")
    expect(
        desk_page.locator(".toast", has_text="“Refund” is deleted. 2 samples went back to unlabelled.")
    ).to_be_visible()
    assert labels_of(desk)[:2] == [None, None]
    expect(desk_page.get_by_label("More for Money back")).to_be_focused()
    desk_page.goto(f"/functions/{desk.function}/history/")
    assert violations(desk_page) == []
    desk_page.get_by_role("button", name="Undo: Lea Labeler deleted the label “Refund”").focus()
    desk_page.keyboard.press("Enter")
    expect(desk_page.get_by_text("Undone", exact=True)).to_have_count(1)
    assert labels_of(desk) == BEFORE


def test_a_deleted_sample_is_found_in_the_bin(desk_page: Page, desk: Desk) -> None:
    desk_page.goto(f"/functions/{desk.function}/bin/")
    assert violations(desk_page) == []
    desk.run(_BIN.format(function=desk.function))
    desk_page.reload()
    assert violations(desk_page) == []
    desk_page.get_by_role("button", name="Restore message number 0").focus()
    desk_page.keyboard.press("Enter")
    expect(desk_page.get_by_text("1 sample came back, with what it had.")).to_be_visible()
    assert labels_of(desk) == BEFORE


_BIN = """
from apps.functions.models import Function
from apps.samples.services.bin import bin_samples
function = Function.objects.get(public_id={function!r})
ids = list(function.samples.order_by("pk").values_list("public_id", flat=True)[:1])
bin_samples(function=function, sample_ids=ids, person=None)
"""
