"""The label page as a desk: all of it by keyboard, wide and narrow, light and dark, with a network and without."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.browser.label_page import SPECIMEN, STATUS, WAITING, WHY, labelled, noted, press, specimen, standing
from tests.live_up import LiveUp, wait_until

TEXTS = [f"Please refund order {n}" for n in range(30)] + [f"Where is my parcel {n}?" for n in range(30)]
WINDOWS = {"wide, light": (1280, 800, "light"), "telephone, dark": (390, 844, "dark")}
CUT_SECONDS = 60


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=TEXTS)


@pytest.fixture(params=WINDOWS)
def window(request: pytest.FixtureRequest, browser: Browser, base_url: str) -> Iterator[Page]:
    width, height, theme = WINDOWS[request.param]
    with browser.new_context(
        base_url=base_url, viewport={"width": width, "height": height}, color_scheme=theme
    ) as context:
        yield context.new_page()


@pytest.fixture
def quiet_console(page: Page) -> Iterator[list[str]]:
    """No page may complain; tests in which requests must fail clear the list at their end."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield complaints
    assert complaints == []


def test_everything_by_keyboard_alone(window: Page, desk: Desk) -> None:
    page, errors = window, []
    page.on("pageerror", lambda error: errors.append(str(error)))
    desk.open(page)

    plain = press(page, "1")
    taken_back = press(page, "2")
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(taken_back)
    skipped = press(page, "Space")
    doubted = specimen(page)
    page.keyboard.press("q")
    expect(page.get_by_role("button", name="Not sure")).to_have_attribute("aria-pressed", "true")
    press(page, "2")
    expect(page.locator(STATUS)).to_contain_text("not sure")
    flagged = specimen(page)
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.keyboard.type("Is a voucher a refund, too? 12")
    page.keyboard.press("Enter")
    expect(page.locator("#label-remarks")).to_contain_text("You Is a voucher a refund, too? 12")
    assert violations(page) == []
    press(page, "1")

    page.keyboard.press("ArrowLeft")
    expect(page.locator(WHY)).to_have_text("Looking back: you said Refund")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(SPECIMEN)).to_have_text(plain)
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(WHY)).not_to_contain_text("Looking back")

    labelled(page, 3)
    rows = wait_until(lambda: len(noted(desk)) == 3 and noted(desk), what="all that was said")
    assert {text: row["label"] for text, row in rows.items()} == {
        plain: "Shipping",
        doubted: "Shipping",
        flagged: "Refund",
    }
    assert rows[doubted]["marks"] == ["unsure"]
    assert (rows[flagged]["marks"], rows[flagged]["comments"]) == (["flag"], ["Is a voucher a refund, too? 12"])
    assert standing(desk)[skipped]["skips"] == 1
    assert errors == []


def test_a_doubt_is_taken_back_with_its_answer_and_a_flag_by_the_same_key(
    page: Page, desk: Desk, quiet_console: list[str]
) -> None:
    desk.open(page)
    doubted = specimen(page)
    page.keyboard.press("f")
    page.keyboard.press("q")
    press(page, "1")
    labelled(page, 1)
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(doubted)
    expect(page.get_by_role("button", name="Not sure")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("q")
    page.keyboard.press("f")
    press(page, "2")

    labelled(page, 1)
    wait_until(lambda: standing(desk)[doubted]["label"] == "Shipping", what="the answer mended")
    wait_until(lambda: standing(desk)[doubted]["marks"] == [], what="the marks taken off")


def test_escape_closes_the_comment_and_keeps_what_was_begun(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    text = specimen(page)
    page.keyboard.press("c")
    page.keyboard.type("1 begun")
    page.keyboard.press("Escape")
    expect(page.locator("#label-comment")).to_be_hidden()
    press(page, "1")
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(text)
    page.keyboard.press("c")

    expect(page.locator("#label-comment-text")).to_have_value("1 begun")
    page.keyboard.type(" and ended")
    page.keyboard.press("Enter")
    wait_until(lambda: standing(desk)[text]["comments"] == ["1 begun and ended"], what="the comment")


def test_a_minute_without_a_network_loses_nothing_and_doubles_nothing(
    page: Page, desk: Desk, quiet_console: list[str]
) -> None:
    """The network is really gone for that minute, and work goes on: more samples were fetched than are labelled."""
    desk.open(page)
    specimen(page)
    expect(page.locator(WAITING)).to_be_hidden()
    page.wait_for_timeout(
        1_500
    )  # the samples to come are fetched meanwhile, as they are while somebody reads the first
    page.context.set_offline(True)
    cut_at = time.monotonic()

    given = []
    for key, label in (("1", "Refund"), ("2", "Shipping"), ("1", "Refund")):
        given.append((specimen(page), label))
        press(page, key)
    page.keyboard.press("f")
    page.keyboard.press("c")
    page.keyboard.type("Nobody heard this yet")
    page.keyboard.press("Enter")
    page.keyboard.press("q")
    noted_one = specimen(page)
    given.append((noted_one, "Shipping"))
    press(page, "2")
    taken_back = press(page, "1")
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(taken_back)
    expect(page.locator(WAITING)).to_contain_text("answers and notes waiting for the network")
    page.wait_for_timeout(1_000 * max(0.0, CUT_SECONDS - (time.monotonic() - cut_at)))
    assert desk.annotations() == []

    page.context.set_offline(False)

    expect(page.locator(WAITING)).to_be_hidden(timeout=15_000)
    labelled(page, len(given))
    assert [(row["text"], row["label"]) for row in desk.annotations()] == given
    row = standing(desk)[noted_one]
    assert (row["marks"], row["comments"]) == (["flag", "unsure"], ["Nobody heard this yet"])
    assert standing(desk)[taken_back]["label"] is None
    quiet_console.clear()


def show_tab(page: Page, *, is_hidden: bool) -> None:
    page.evaluate(
        f"Object.defineProperty(document, 'hidden', {{ value: {str(is_hidden).lower()}, configurable: true }})"
    )
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_time_at_work_leaves_pauses_and_hidden_tabs_out(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    page.clock.install()
    desk.open(page)
    specimen(page)
    page.clock.fast_forward(20_000)
    page.mouse.move(10, 10)
    page.clock.fast_forward(300_000)
    page.mouse.move(20, 20)
    show_tab(page, is_hidden=True)
    page.clock.fast_forward(40_000)
    show_tab(page, is_hidden=False)
    page.clock.fast_forward(10_000)

    text = press(page, "1")

    ms = wait_until(lambda: standing(desk)[text]["ms"], what="the answer with its time")
    assert 30_000 <= ms < 60_000, "twenty seconds and ten, neither the pause nor what was hidden"


def test_what_the_page_holds_is_let_go_when_it_closes(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    held = specimen(page)
    wait_until(lambda: standing(desk)[held]["handouts"] == 1, what="the sample in hand")

    page.goto("about:blank")

    wait_until(
        lambda: not any(row["handouts"] for row in standing(desk).values()),
        what="everything let go",
    )


def item(n: int, **changes: object) -> dict[str, Any]:
    return {
        "sampleId": f"sample_{n:016}",
        "text": f"text {n}",
        "isCut": False,
        "cells": None,
        "imageUrl": None,
        "widthPx": None,
        "heightPx": None,
        "name": "",
        "reason": {"kind": "new", "labels": []},
        "proof": "x",
        "suggestion": None,
        "suggestions": None,
        "said": [],
        "isFlagged": False,
        "comments": [],
        "sentBack": None,
        "mayNotSuggest": False,
        **changes,
    }


def labels() -> list[dict[str, Any]]:
    names = ["Refund", "Shipping", "Scam"]
    return [
        {"id": f"label_{place}", "name": name, "description": "", "colour": place} for place, name in enumerate(names)
    ]


def reason(kind: str, *ids: str) -> dict[str, object]:
    return {"reason": {"kind": kind, "labels": list(ids)}}


REASONS: list[tuple[dict[str, object], str, str]] = [
    (reason("typical"), "Typical of many of your samples", "It has not read this one yet."),
    (reason("torn", "label_0", "label_1"), "Torn between Refund and Shipping", "It has not read this one yet."),
    (reason("torn", "label_0", "gone"), "In two minds about Refund", "It has not read this one yet."),
    (reason("torn"), "The model is in two minds here", "It has not read this one yet."),
    (reason("rare", "label_2"), "May be Scam, of which there are few", "It has not read this one yet."),
    (reason("new"), "The model has not looked at it yet", "It has not read this one yet."),
    (reason("random"), "Drawn at random, so that the score stays honest", "No suggestion on this one."),
    (
        reason("opinion"),
        "Asked of several people: you see no suggestion",
        "Say what you see: others are asked, too.",
    ),
    (
        {**reason("sent_back"), "sentBack": {"who": "Ana", "text": "Look at the <b>date</b>", "at": "2026-01-02"}},
        "Sent back to you",
        "It has not read this one yet.",
    ),
]


def test_every_reason_is_one_line_in_plain_words(page: Page, shared_up: LiveUp, quiet_console: list[str]) -> None:
    desk = make_desk(shared_up)
    answer = {
        "items": [item(n, **changes) for n, (changes, _why, _hint) in enumerate(REASONS)],
        "labels": labels(),
        "nGiven": 0,
        "hasSamples": True,
        "hasModel": True,
        "nSkipped": 0,
    }
    page.route("**/queue/?*", lambda route: route.fulfill(json=answer))
    page.route("**/answers/", lambda route: route.fulfill(json={"saved": [], "refused": []}))
    page.route("**/holding/", lambda route: route.fulfill(json={"kept": []}))
    desk.open(page)

    for n, (changes, why, hint) in enumerate(REASONS):
        expect(page.locator(SPECIMEN)).to_have_text(f"text {n}")
        expect(page.locator(WHY)).to_have_text(why)
        expect(page.locator("[data-part=no-suggestion]")).to_have_text(hint)
        if changes.get("sentBack"):
            expect(page.get_by_text("Ana sent this back: Look at the <b>date</b>")).to_be_visible()
        else:
            expect(page.locator("[data-part=sent-back]")).to_be_hidden()
        page.keyboard.press("1")


def test_a_key_is_remapped_refused_given_up_and_remembered(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    first = specimen(page)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Take the last thing back: U. Change").click()
    page.keyboard.press("f")
    expect(dialog.get_by_role("alert")).to_contain_text("F already means “Flag the sample for a reviewer")
    dialog.get_by_role("button", name="Take the last thing back: U. Change").click()
    page.keyboard.press("Backspace")
    expect(dialog.get_by_role("alert")).to_contain_text("belongs to the browser")
    dialog.get_by_role("button", name="Take the last thing back: U. Change").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Take the last thing back: U. Change").click()
    page.keyboard.press("z")
    expect(dialog.get_by_role("button", name="Take the last thing back: Z. Change")).to_be_visible()
    dialog.get_by_role("button", name="Give up the key of: Skip this sample for now").click()
    expect(dialog.get_by_role("button", name="Skip this sample for now: no key. Change")).to_be_visible()
    dialog.get_by_text("Keys of the first 20 labels").click()
    dialog.get_by_role("button", name="Give label 1: 1. Change").click()
    page.keyboard.press("r")
    expect(dialog.get_by_role("button", name="Give label 1: R. Change")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(page.locator(".label-key").first.locator("kbd")).to_have_text("R")
    expect(page.locator("[data-action=undo] kbd")).to_have_text("Z")
    expect(page.locator("[data-action=skip] kbd")).to_be_hidden()

    page.reload()
    page.keyboard.press("Space")
    page.keyboard.press("1")
    page.keyboard.press("u")
    assert specimen(page) in {first, *TEXTS}
    text = press(page, "r")
    page.keyboard.press("z")
    expect(page.locator(SPECIMEN)).to_have_text(text)

    page.keyboard.press("?")
    dialog.get_by_role("button", name="Back to the usual keys").click()
    expect(dialog.get_by_role("button", name="Take the last thing back: U. Change")).to_be_visible()
    page.keyboard.press("Escape")
    assert press(page, "1") == text
    labelled(page, 1)
    assert [row["label"] for row in desk.annotations()][-1] == "Refund"
    quiet_console.clear()  # the two refusals


def test_the_instructions_stand_beside_the_labels_and_leave_the_keys_alone(window: Page, shared_up: LiveUp) -> None:
    page = window
    desk = make_desk(shared_up, texts=TEXTS)
    desk.run(
        "from apps.functions.models import Function;"
        f"Function.objects.filter(public_id={desk.function!r}).update(instructions='**Refund** is money back')"
    )
    is_wide = page.viewport_size is not None and page.viewport_size["width"] > 1200
    desk.open(page)
    specimen(page)
    panel = page.get_by_role("dialog", name="Instructions")
    if not is_wide:
        expect(panel).to_be_hidden()
        page.keyboard.press("i")
        expect(panel).to_contain_text("Refund is money back")
        assert violations(page) == []
        page.keyboard.press("Escape")
    else:
        expect(panel).to_contain_text("Refund is money back")
        press(page, "Space")  # and not its button, though it was opened
        assert violations(page) == []
        page.keyboard.press("i")
    expect(panel).to_be_hidden()

    page.reload()
    press(page, "1")
    expect(panel).to_be_hidden()
    labelled(page, 1)


def test_how_it_is_going_unfolds_and_keeps_up(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    desk.open(page)
    page.get_by_text("How it is going").click()
    expect(page.locator(".label-bars")).to_have_text("Refund 0 Shipping 0")
    press(page, "1")

    expect(page.locator(".label-bars")).to_have_text("Refund 1 Shipping 0", timeout=15_000)
    expect(page.get_by_role("link", name="Refund")).to_have_attribute("href", filter_link(desk))
    assert violations(page) == []


def filter_link(desk: Desk) -> str:
    code = (
        "from apps.functions.models import Label;"
        f"print(Label.objects.get(function__public_id={desk.function!r}, name='Refund').public_id)"
    )
    return f"/functions/{desk.function}/?label={desk.run(code)}"


def test_a_suggested_label_waits_for_its_owner(page: Page, shared_up: LiveUp, quiet_console: list[str]) -> None:
    desk = make_desk(shared_up, texts=TEXTS[:4])
    desk.run(
        "from apps.functions.models import Function;"
        f"Function.objects.get(public_id={desk.function!r}).proposals.create(name='Charge back')"
    )
    desk.open(page)
    page.get_by_role("link", name="1 label suggested").click()
    page.get_by_role("button", name="Add it: Charge back").click()
    expect(page.get_by_text("“Charge back” is a label now.")).to_be_visible()
    page.get_by_role("link", name="Label", exact=True).click()

    expect(page.locator(".label-key")).to_have_count(3)
    assert page.locator(".label-key-name").all_inner_texts() == ["Refund", "Shipping", "Charge back"]
