"""The review desk by keyboard alone, on a wide screen and a narrow one: a wrong label is fixed, a slice is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

# Learning and looking everything over follow in seconds; on a machine that does much else, in more.
PATIENCE_MS = 90_000
SIZES = [(1280, 800), (390, 844)]
WORDS = ["order", "shoes", "jacket", "lamp", "book", "phone", "table", "chair", "watch", "bag", "bottle", "bicycle"]
REFUNDS = [f"please give me my money back for the {word}" for word in WORDS]
PARCELS = [f"where is the parcel with my {word}, it has not arrived" for word in WORDS]
WRONG = REFUNDS[3]

_LABEL = """
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
for sample in Sample.objects.filter(function__public_id={function!r}).order_by("pk"):
    name = "Shipping" if "parcel" in sample.text or sample.text == {wrong!r} else "Refund"
    label = sample.function.labels.get(name=name)
    annotate_sample(sample=sample, label=label, person=None, picked_by=PickedBy.RANDOM)
"""

_FLAG = """
from apps.accounts.models import User
from apps.samples.models import MarkKind, Sample
from apps.samples.services.marks import set_mark
person = User.objects.get(public_id={person!r})
for sample in Sample.objects.filter(function__public_id={function!r}).order_by("pk")[:{n}]:
    set_mark(sample=sample, person=person, kind=MarkKind.FLAG, is_on=True)
"""


@pytest.fixture(scope="module")
def desk(shared_up: LiveUp) -> Desk:
    made = make_desk(shared_up, texts=[*REFUNDS, *PARCELS])
    made.run(_LABEL.format(function=made.function, wrong=WRONG))
    return made


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[None]:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    # The browser itself says of a refused request that it was refused.
    assert [each for each in complaints if "409" not in each] == []


def open_at(page: Page, desk: Desk, path: str, size: tuple[int, int] = SIZES[0]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"{desk.up.url}/functions/{desk.function}/{path}")


def shown(page: Page) -> str:
    return page.locator(".desk-item:not([hidden]) [data-specimen]").inner_text()


@pytest.mark.parametrize("size", SIZES)
def test_a_wrong_label_is_fixed_taken_back_and_fixed_again(page: Page, desk: Desk, size: tuple[int, int]) -> None:
    desk.run(_LABEL.format(function=desk.function, wrong=WRONG))  # wrong again, whatever an earlier size did
    open_at(page, desk, "review/", size)
    count = page.locator("[data-count='wrong-labels']")
    expect(count).not_to_have_text("0", timeout=PATIENCE_MS)
    page.locator("a", has_text="Likely wrong labels").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".desk-item:not([hidden])")).to_be_visible()
    assert shown(page) == WRONG
    page.keyboard.press("Enter")
    status = page.locator("[data-status]")
    expect(status).to_have_text("Changed Shipping to Refund.")
    assert desk.annotations()[-1]["label"] == "Refund"
    expect(page.locator("[data-effect]")).to_contain_text("right", timeout=PATIENCE_MS)
    page.keyboard.press("u")
    expect(status).to_have_text("Undone.")
    assert shown(page) == WRONG
    page.keyboard.press("1")
    expect(status).to_have_text("Changed Shipping to Refund.")
    assert desk.annotations()[-1]["label"] == "Refund"


@pytest.mark.parametrize("size", SIZES)
def test_a_slice_is_kept_by_keyboard_alone(page: Page, desk: Desk, size: tuple[int, int]) -> None:
    name = f"Parcels at {size[0]}"
    open_at(page, desk, "", size)
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("parcel")
    expect(page.locator("#samples li")).to_have_count(len(PARCELS))
    page.locator("#list").evaluate("element => { element.tabIndex = -1; element.focus(); }")
    page.keyboard.press("w")
    expect(page.locator("#slice-name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/slices/$"))
    line = page.locator(".slice", has_text=name)
    expect(line.locator(".slice-figures")).to_contain_text(f"of {len(PARCELS)} right", timeout=PATIENCE_MS)
    line.locator("h3 a").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#samples li")).to_have_count(len(PARCELS))


def test_what_was_flagged_is_kept_doubted_skipped_and_written_about_key_by_key(page: Page, desk: Desk) -> None:
    desk.run(_FLAG.format(person=desk.person, function=desk.function, n=4))
    open_at(page, desk, "review/flagged/")
    first = shown(page)
    page.keyboard.press("c")
    page.keyboard.type("Which of the two?")
    page.keyboard.press("Enter")
    expect(page.locator(".desk-item:not([hidden]) .remarks")).to_contain_text("Which of the two?")
    page.keyboard.press("k")
    expect(page.locator("[data-status]")).to_have_text("Kept Refund.")
    second = shown(page)
    assert second != first
    page.keyboard.press("q")
    expect(page.locator("[data-status]")).to_contain_text("Not sure")
    third = shown(page)
    page.keyboard.press("Space")
    assert shown(page) not in {first, second, third}
    page.keyboard.press("ArrowLeft")
    assert shown(page) == third
    page.keyboard.press("ArrowLeft")
    assert shown(page) == second
    expect(page.locator(".desk-item:not([hidden]) [data-verdict]")).to_contain_text("Not sure")


def test_a_refused_decision_brings_its_sample_back(page: Page, desk: Desk) -> None:
    desk.run(_FLAG.format(person=desk.person, function=desk.function, n=6))
    open_at(page, desk, "review/flagged/")
    first = shown(page)
    page.route(
        "**/samples/*/review/", lambda route: route.fulfill(status=409, json={"message": "Somebody was faster."})
    )
    page.on("console", lambda _message: None)
    page.keyboard.press("k")
    expect(page.locator("#toasts")).to_contain_text("Somebody was faster.")
    assert shown(page) == first


def test_many_are_selected_labelled_at_once_and_taken_back(page: Page, desk: Desk) -> None:
    open_at(page, desk, "samples/select/?q=parcel")
    expect(page.locator("#pick-samples [role=option]")).to_have_count(len(PARCELS))
    page.locator("#pick-samples").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("[data-chosen]")).to_have_text("3 selected")
    page.keyboard.press("1")
    expect(page.locator("#pick-samples .near-said", has_text="Refund")).to_have_count(3)
    page.keyboard.press("u")
    expect(page.locator("#pick-samples .chip", has_text="Refund")).to_have_count(0)


def test_selected_samples_become_known_answers_by_one_press(page: Page, desk: Desk) -> None:
    open_at(page, desk, "samples/select/?q=parcel")
    known = page.get_by_role("button", name="Use as known answers")
    expect(known).to_be_disabled()
    page.locator("#pick-samples").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.keyboard.press("Shift+ArrowDown")
    expect(page.locator("[data-known-words]")).to_contain_text("The labels of the 2 selected samples count")
    known.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("2 samples more with a known answer.")
    expect(known).to_be_disabled()


def test_what_comes_to_be_asked_is_shown_without_reloading(page: Page, shared_up: LiveUp) -> None:
    empty = make_desk(shared_up, texts=REFUNDS[:3])
    open_at(page, empty, "review/flagged/")
    expect(page.locator(".desk [data-done]")).to_be_visible()
    empty.run(_FLAG.format(person=empty.person, function=empty.function, n=2))
    expect(page.locator(".desk-item:not([hidden])")).to_be_visible(timeout=PATIENCE_MS)
    assert shown(page) == REFUNDS[0]
    page.keyboard.press("d")
    expect(page.locator("[data-status]")).to_have_text("Seen to.")
    assert shown(page) == REFUNDS[1]
    expect(page.locator("[data-count='flagged']")).to_have_text("1", timeout=PATIENCE_MS)
