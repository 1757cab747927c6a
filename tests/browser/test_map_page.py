"""The map: looked over and labelled by keyboard alone, and by pointer."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

COLOURS = ("red", "blue", "green", "lime", "pink", "gold", "teal", "grey")
TEXTS = [
    *(f"please refund the money for order {word}" for word in COLOURS),
    *(f"parcel delivery of {word} things is late" for word in COLOURS),
    *(f"{word} weather in {word} town" for word in COLOURS),
]
# Read, looked over and drawn by the worker: its sweeper asks every few seconds.
LONG_MS = 30_000


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=TEXTS)


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[None]:
    """No page may complain: no script error, no report of the content security policy."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert complaints == []


def open_map(desk: Desk, page: Page) -> None:
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/map/")
    expect(page.locator("#map-samples [data-sample]")).to_have_count(24, timeout=LONG_MS)


def tab_to(page: Page, element_id: str) -> None:
    for _press in range(80):
        if page.evaluate("document.activeElement.id") == element_id:
            return
        page.keyboard.press("Tab")
    pytest.fail(f"no way to #{element_id} by the keyboard")


def labels(desk: Desk) -> list[object]:
    return [each["label"] for each in desk.annotations()]


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_by_keyboard_alone_samples_are_chosen_on_the_maps_list_labelled_and_taken_back(
    desk: Desk, page: Page, width: int, theme: str
) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_map(desk, page)
    tab_to(page, "map-samples")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    dock = page.locator("#label-dock")
    expect(dock.locator("[data-chosen]")).to_have_text("3 selected")
    page.keyboard.press("1")
    expect(page.locator(".toast")).to_contain_text("3 samples labelled Refund")
    expect(page.locator("#map-samples .chip", has_text="Refund")).to_have_count(3)
    expect(page.locator("[data-legend] button", has_text="Refund")).to_contain_text("3")
    assert labels(desk) == ["Refund"] * 3
    assert violations(page) == []
    page.keyboard.press("u")
    expect(page.locator("[data-legend] button", has_text="Refund")).to_have_count(0)
    expect(page.locator("#map-samples .chip", has_text="Refund")).to_have_count(0)
    assert labels(desk) == ["Refund"] * 3 + [None] * 3


def test_a_sample_is_opened_by_key_with_those_most_like_it_and_the_page_of_similar_ones(desk: Desk, page: Page) -> None:
    open_map(desk, page)
    tab_to(page, "map-samples")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("o")
    panel = page.locator("[data-panel]")
    expect(panel.locator(".near-few > li")).to_have_count(6)
    shown = panel.locator("[data-specimen]").inner_text()
    page.keyboard.press("ArrowDown")
    expect(panel.locator("[data-specimen]")).not_to_have_text(shown)
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    page.keyboard.press("s")
    page.wait_for_url("**/similar/")
    expect(page.locator("#similar-samples [data-sample]")).to_have_count(23)
    assert violations(page) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.keyboard.press("2")
    expect(page.locator(".toast")).to_contain_text("1 sample labelled Shipping")
    expect(page.locator("#similar-samples .chip", has_text="Shipping")).to_have_count(1)
    assert labels(desk) == ["Shipping"]


def test_a_dot_says_what_it_is_under_the_pointer_and_opens_by_a_press(desk: Desk, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    open_map(desk, page)
    content = page.request.get(f"{desk.up.url}/functions/{desk.function}/map/points/").body()
    [length] = struct.unpack("<I", content[:4])
    n = json.loads(content[4 : 4 + length])["n"]
    across, down = (struct.unpack_from("<H", content, 4 + length + column * 2 * n)[0] / 65_535 for column in (0, 1))
    box = page.locator("#map-canvas").bounding_box()
    assert box
    side = min(box["width"], box["height"]) * 0.94
    x = box["x"] + box["width"] / 2 + (across - 0.5) * side
    y = box["y"] + box["height"] / 2 + (down - 0.5) * side
    page.mouse.move(x, y)
    card = page.locator("[data-hover]")
    expect(card).to_be_visible()
    said = card.locator(".near-text").inner_text()
    assert said in TEXTS
    page.mouse.click(x, y)
    expect(page.locator("[data-panel] [data-specimen]")).to_have_text(said)
    expect(card).to_be_hidden()


def test_a_rectangle_selects_what_is_in_it_and_a_press_opens(desk: Desk, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 900})
    open_map(desk, page)
    box = page.locator("#map-canvas").bounding_box()
    assert box
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + box["height"] - 4, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    expect(page.locator("[data-chosen]")).to_have_text("24 selected")
    expect(page.locator("#map-list-title")).to_have_text("Selected")
    expect(page.locator("#map-samples [aria-selected=true]")).to_have_count(24)
    # One of them is let go in the list, and stays as it is.
    page.locator("#map-samples [data-sample]").first.click()
    expect(page.locator("[data-chosen]")).to_have_text("23 selected")
    page.locator("#label-dock button", has_text="Shipping").click()
    expect(page.locator(".toast")).to_contain_text("23 samples labelled Shipping")
    expect(page.locator("[data-chosen]")).to_have_text("Nothing selected")
    assert labels(desk) == ["Shipping"] * 23
    page.locator(".toast button", has_text="Undo").click()
    expect(page.locator("[data-legend] button", has_text="no label")).to_contain_text("24")


def test_the_legend_shows_only_one_sort_and_the_map_is_moved_by_keys(desk: Desk, page: Page) -> None:
    open_map(desk, page)
    tab_to(page, "map-samples")
    page.keyboard.press("Control+a")
    page.keyboard.press("1")
    expect(page.locator("[data-legend] button", has_text="Refund")).to_contain_text("24")
    page.keyboard.press("Control+z")
    expect(page.locator("[data-legend] button", has_text="no label")).to_contain_text("24")
    tab = page.locator("#map-canvas")
    tab.focus()
    for _press in range(6):
        page.keyboard.press("+")
    expect(page.locator("[data-list-words]")).not_to_have_text("24 samples")
    page.keyboard.press("Home")
    expect(page.locator("[data-list-words]")).to_have_text("24 samples")


def test_before_there_is_a_map_the_page_says_so_and_draws_it_by_itself(shared_up: LiveUp, page: Page) -> None:
    desk = make_desk(shared_up, texts=TEXTS[:5])
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/map/")
    expect(page.locator("[data-empty]")).to_contain_text("Too few samples for a map")
    desk.run(
        "from apps.functions.models import Function\n"
        "from apps.samples.services.intake import NewText, add_texts\n"
        f"function = Function.objects.get(public_id={desk.function!r})\n"
        f"add_texts(function=function, items=[NewText(text=text) for text in {TEXTS[5:]!r}], person=None,"
        ' origin="import")\n'
    )
    expect(page.locator("#map-samples [data-sample]")).to_have_count(24, timeout=LONG_MS)
    expect(page.locator("[data-empty]")).to_be_hidden()


_HOLD = """
from datetime import timedelta
from django.utils import timezone
from apps.training.models import FunctionWork
rows = FunctionWork.objects.filter(function__public_id={function!r}, kind="survey")
rows.update(lease_holder="a worker elsewhere", lease_expires_at=timezone.now() + timedelta(seconds={seconds}))
"""

_BRING = """
from apps.functions.models import Function
from apps.samples.services.intake import NewText, add_texts
function = Function.objects.get(public_id={function!r})
add_texts(function=function, items=[NewText(text=text) for text in {texts!r}], person=None, origin="import")
"""


def test_samples_that_came_since_are_counted_until_the_map_has_them(desk: Desk, page: Page) -> None:
    open_map(desk, page)
    newer = page.locator("[data-newer]")
    expect(newer).to_be_empty()
    desk.run(_HOLD.format(function=desk.function, seconds=3_600))  # or they might be on it before anybody looks
    desk.run(_BRING.format(function=desk.function, texts=["one more refund", "one more parcel"]))
    expect(newer).to_have_text("2 new samples are not on the map yet.", timeout=LONG_MS)  # nobody reloads
    expect(page.locator("#map-samples [data-sample]")).to_have_count(24)
    assert violations(page) == []
    desk.run(_HOLD.format(function=desk.function, seconds=-1))
    expect(newer).to_be_empty(timeout=LONG_MS)
    expect(page.locator("#map-samples [data-sample]")).to_have_count(26)
    expect(page.locator("[data-list-words]")).to_have_text("26 samples")


_LABEL_TWO_KINDS = """
from apps.functions.models import Function
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
refund = function.labels.get(name="Refund")
keys = Sample.objects.filter(function=function).order_by("pk").values_list("pk", flat=True)[:13]
annotate_many(function=function, pairs=[(key, refund.pk) for key in keys], person=None, picked_by=PickedBy.PERSON)
print(refund.public_id)
"""


def test_what_looks_like_a_kind_of_its_own_is_selected_on_the_page_that_splits_a_label(desk: Desk, page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 844})
    open_map(desk, page)
    label_id = desk.run(_LABEL_TWO_KINDS.format(function=desk.function)).strip()
    page.goto(f"{desk.up.url}/labels/{label_id}/split/")
    suggestion = page.locator("#split-suggestion")
    expect(suggestion).to_contain_text("5 of 13 samples")
    expect(page.get_by_role("option", selected=True)).to_have_count(5)
    for option in page.get_by_role("option", selected=True).all():
        expect(option).to_contain_text("parcel delivery")
    assert violations(page) == []
    page.get_by_role("option", selected=True).first.click()
    expect(page.locator("#split-count")).to_have_text("4")
    page.get_by_label("The new label").fill("Late")
    page.get_by_label("The new label").press("Enter")
    expect(page.locator(".toast", has_text="“Late” is a label of its own, with 4 samples.")).to_be_visible()
    expect(suggestion).to_be_hidden()
