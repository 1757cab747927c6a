"""The grid as hands meet it: accept, pick out, ranges, undo, hunting, by keys and by taps, wide and narrow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.browser.grid import CARD, Hands, label_looked_for, look, open_grid, texts_on, train
from tests.live_up import LiveUp, wait_until

TEXTS = [f"Please refund order {n} at once" for n in range(60)] + [f"Where is my parcel {n} now?" for n in range(60)]
STATUS = "#label-status"
SAID = """
import json
from apps.samples.models import Sample
rows = Sample.objects.filter(function__public_id={function!r})
print(json.dumps(dict(rows.values_list("text", "label__name"))))
"""
SIZES = {"wide": (1280, 800), "telephone": (390, 844)}


def truth(text: str) -> str:
    return "Refund" if "refund" in text else "Shipping"


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    """A desk whose model tells the two kinds apart."""
    desk = make_desk(shared_up, texts=TEXTS)
    train(desk, {text: truth(text) for text in (*TEXTS[:10], *TEXTS[60:70])})
    return desk


@pytest.fixture
def untrained(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=TEXTS)


@pytest.fixture(params=SIZES)
def window(request: pytest.FixtureRequest, page: Page) -> Page:
    width, height = SIZES[request.param]
    page.set_viewport_size({"width": width, "height": height})
    return page


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[list[str]]:
    """No page may complain: no script error, no report of the content security policy."""
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield complaints
    assert complaints == []


def said(desk: Desk) -> dict[str, str | None]:
    """What is in force of every sample, by its text."""
    code = (
        "import json\nfrom apps.samples.models import Sample\nrows = Sample.objects.filter(function__public_id={!r})\n"
    )
    code += "print(json.dumps(dict(rows.values_list('text', 'label__name'))))"
    found: dict[str, str | None] = json.loads(desk.run(code.format(desk.function)))
    return found


def given(desk: Desk) -> dict[str, str | None]:
    """What was said beyond what the model learned from."""
    learned = {*TEXTS[:10], *TEXTS[60:70]}
    return {text: label for text, label in said(desk).items() if label and text not in learned}


def accept(page: Page) -> list[str]:
    """Accept all that is on the screen, with as many presses as it takes to see it."""
    hands = Hands(page, lambda _text: label_looked_for(page), {})
    return hands.go_through_a_grid()


def test_an_easy_set_takes_less_than_a_third_of_a_key_a_sample(page: Page, desk: Desk) -> None:
    open_grid(page, desk)
    hands = Hands(page, truth, {"Refund": "1", "Shipping": "2"})
    for _ in range(8):
        hands.go_through_a_grid()
        if not page.locator(CARD).count():
            expect(page.locator("#grid-none")).to_be_visible(timeout=15_000)
            break
    if page.locator("#grid-none").is_visible():
        hands.press(".")
        expect(page.locator(CARD).first).to_be_visible(timeout=15_000)
        while page.locator(CARD).count():
            hands.go_through_a_grid()
            page.wait_for_timeout(200)

    wait_until(lambda: len(given(desk)) >= 80, what="what was accepted has arrived")
    labelled = given(desk)
    assert hands.n_pressed / len(labelled) <= 0.3
    assert [text for text, label in labelled.items() if label != truth(text)] == []


def test_accepted_ones_are_remembered_as_such_and_those_picked_out_as_chosen(window: Page, desk: Desk) -> None:
    open_grid(window, desk)
    wanted = label_looked_for(window)
    other = "Shipping" if wanted == "Refund" else "Refund"
    shown = texts_on(window)
    window.keyboard.press("ArrowRight")
    window.keyboard.press("x")
    window.keyboard.press("ArrowRight")
    window.keyboard.press("ArrowRight")
    window.keyboard.press("x")
    expect(window.locator("#grid-go-on")).to_contain_text(f"Yes, the other {len(shown) - 2} are {wanted}")
    window.keyboard.press("1" if other == "Refund" else "2")
    accept(window)

    wait_until(lambda: len(given(desk)) == len(shown), what="all of the grid has arrived")
    rows = [row for row in desk.annotations() if row["picked_by"] != "random"]
    assert {row["text"] for row in rows if row["picked_by"] == "person"} == {shown[0], shown[2]}
    assert {(row["picked_by"], row["label"]) for row in rows} == {("person", other), ("grid", wanted)}


def test_a_range_is_labelled_with_one_key_and_taken_back_with_another(window: Page, untrained: Desk) -> None:
    open_grid(window, untrained)
    shown = texts_on(window)
    window.keyboard.press("ArrowRight")
    for _ in range(4):
        window.keyboard.press("Shift+ArrowRight")
    expect(window.locator("#grid-picked")).to_have_text("Label the 5 selected as")
    window.keyboard.press("2")
    expect(window.locator(".grid-card.is-settled")).to_have_count(5)
    expected = dict.fromkeys(shown[:5], "Shipping")
    wait_until(lambda: {t: n for t, n in said(untrained).items() if n} == expected, what="the range is labelled")

    window.keyboard.press("u")
    expect(window.locator(".grid-card.is-settled")).to_have_count(0)
    expect(window.locator("#toasts .toast-action")).to_have_count(0)
    assert texts_on(window) == shown
    wait_until(lambda: not any(said(untrained).values()), what="the range is taken back")


def test_an_accepted_grid_comes_back_by_key_and_by_its_toast(window: Page, desk: Desk) -> None:
    open_grid(window, desk)
    shown = accept(window)
    wait_until(lambda: set(given(desk)) == set(shown), what="the grid is labelled")
    window.keyboard.press("Control+z")
    expect(window.locator(f"{CARD} .grid-card-text").first).to_have_text(shown[0])
    wait_until(lambda: given(desk) == {}, what="the grid is taken back")

    accept(window)
    window.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(window.locator(f"{CARD} .grid-card-text").first).to_have_text(shown[0])
    wait_until(lambda: given(desk) == {}, what="the grid is taken back once more")


def test_an_enter_too_soon_or_before_all_was_seen_accepts_nothing(page: Page, desk: Desk) -> None:
    page.set_viewport_size({"width": 1280, "height": 500})
    open_grid(page, desk)
    shown = texts_on(page)
    page.keyboard.press("Enter")
    expect(page.locator(STATUS)).to_contain_text("more to look at")
    assert texts_on(page) == shown
    assert page.evaluate("scrollY") > 0
    assert given(desk) == {}


def test_a_network_that_goes_loses_no_grid(page: Page, desk: Desk, quiet_console: list[str]) -> None:
    open_grid(page, desk)
    page.context.set_offline(True)
    shown = accept(page)
    expect(page.locator("#label-waiting")).to_contain_text("waiting for the network")
    assert given(desk) == {}
    page.context.set_offline(False)
    wait_until(lambda: set(given(desk)) == set(shown), what="the grid arrived after all")
    expect(page.locator("#label-waiting")).to_be_hidden()
    assert len([row for row in desk.annotations() if row["picked_by"] == "grid"]) == len(shown)
    quiet_console.clear()


def test_it_works_by_tapping_alone(browser: Browser, desk: Desk) -> None:
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        open_grid(page, desk)
        wanted = label_looked_for(page)
        other = "Shipping" if wanted == "Refund" else "Refund"
        shown = texts_on(page)
        page.locator(CARD).nth(1).tap()
        page.locator("#label-keys").get_by_role("button", name=other).tap()
        expect(page.locator(".grid-card.is-settled .chip")).to_have_text(other)
        for _ in range(12):
            look(page)
            page.locator("#grid-go-on").tap()
            if given(desk).get(shown[0]):
                break
        assert given(desk) == {text: other if text == shown[1] else wanted for text in shown}


def test_the_label_looked_for_changes_by_key_and_by_choice(page: Page, desk: Desk) -> None:
    open_grid(page, desk)
    first = label_looked_for(page)
    page.keyboard.press(".")
    expect(page.locator("#grid-title .chip")).not_to_have_text(first)
    second = label_looked_for(page)
    expect(page.locator(CARD).first).to_be_visible()
    assert {truth(text) for text in texts_on(page)} == {second}
    page.locator("#grid-label").select_option(index=0 if first == "Refund" else 1)
    expect(page.locator("#grid-title .chip")).to_have_text(first)
    expect(page.locator(CARD).first).to_be_visible()


def test_hunting_accepts_nothing_by_itself(page: Page, desk: Desk) -> None:
    open_grid(page, desk)
    page.keyboard.press("h")
    expect(page.locator("#grid-title")).to_contain_text("Which of these are")
    wanted = label_looked_for(page)
    expect(page.locator(CARD)).to_have_count(40)
    look(page)
    first = texts_on(page)
    page.keyboard.press("Enter")
    wait_until(lambda: not {*first} & {*texts_on(page)}, what="others are shown")
    assert given(desk) == {}

    expect(page.locator(CARD).first).to_be_visible()
    look(page)
    chosen = texts_on(page)[:2]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#grid-go-on")).to_contain_text(f"These 2 are {wanted}")
    page.keyboard.press("Enter")
    wait_until(lambda: given(desk) == dict.fromkeys(chosen, wanted), what="those chosen are labelled")
    assert {row["picked_by"] for row in desk.annotations()} == {"random", "person"}


def test_a_flag_and_a_new_label_go_from_here_too(page: Page, untrained: Desk) -> None:
    open_grid(page, untrained)
    text = texts_on(page)[1]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("f")
    expect(page.locator(".grid-card.is-flagged")).to_have_text(re.compile(text))
    code = "from apps.samples.models import Mark; print([mark.sample.text for mark in Mark.objects.all()])"
    wait_until(lambda: text in untrained.run(code), what="the flag has arrived")

    page.keyboard.press("n")
    page.get_by_role("textbox", name="Name").fill("Praise")
    page.keyboard.press("Enter")
    expect(page.locator("#label-keys").get_by_role("button", name="Praise")).to_be_visible()
    page.keyboard.press("3")
    expect(page.locator(".grid-card.is-settled .chip")).to_have_text("Praise")
    wait_until(lambda: said(untrained)[text] == "Praise", what="the label has arrived")


def test_g_goes_from_one_by_one_to_the_grid_and_back(page: Page, desk: Desk) -> None:
    open_grid(page, desk)
    page.keyboard.press("g")
    page.wait_for_url("**/label/")
    expect(page.locator("[data-part=specimen]")).not_to_have_text("")
    page.keyboard.press("g")
    page.wait_for_url("**/grid/")


def test_pictures_have_sizes_that_are_remembered_and_can_be_looked_at_closely(
    page: Page, shared_up: LiveUp, tmp_path: Path
) -> None:
    pictures = [tmp_path / f"{name}.png" for name in ("crimson", "navy", "green")]
    for path in pictures:
        Image.new("RGB", (640, 480), path.stem).save(path)
    desk = make_desk(shared_up, pictures=pictures)
    open_grid(page, desk)
    width = page.locator(CARD).first.bounding_box()
    page.keyboard.press("+")
    larger = page.locator(CARD).first.bounding_box()
    assert width is not None
    assert larger is not None
    assert larger["width"] > width["width"]
    page.reload()
    expect(page.locator("#grid-list")).to_have_attribute("data-size", "l")
    expect(page.locator(CARD)).to_have_count(3)

    page.keyboard.press("ArrowRight")
    page.keyboard.press("o")
    zoom = page.get_by_role("dialog")
    expect(zoom.locator("img")).to_be_visible()
    first = zoom.get_by_role("heading").inner_text()
    page.keyboard.press("x")
    expect(zoom.get_by_role("button", name="Select")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowRight")
    expect(zoom.get_by_role("heading")).not_to_have_text(first)
    page.keyboard.press("Escape")
    expect(page.locator(f"{CARD}[aria-selected=true]")).to_have_count(1)
    page.locator(CARD).nth(2).hover()
    page.locator(CARD).nth(2).locator("[data-own-click]").click()
    expect(zoom.locator("img")).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_core_finds_nothing_wrong_with_it(window: Page, desk: Desk, theme: str) -> None:
    window.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_grid(window, desk)
    window.keyboard.press("ArrowRight")
    window.keyboard.press("x")
    window.keyboard.press("ArrowRight")
    expect(window.locator("#grid-picked")).to_have_text("Label the one selected as")
    assert violations(window) == []
    assert not window.evaluate("document.documentElement.scrollWidth > innerWidth")
