"""The function home as hands meet it: it follows training by itself, and never takes anything out of one's hands."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

# Training follows in a second or so; on a machine that does much else, in several.
PATIENCE_MS = 30_000
TEXTS = [f"please refund order {n}" for n in range(10)] + [f"where is parcel {n}" for n in range(10)]

_LABEL = """
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
rows = Sample.objects.filter(function__public_id={function!r}, label=None).order_by("pk")
for word, name in (("refund", "Refund"), ("parcel", "Shipping")):
    for sample in rows.filter(text__contains=word)[:{n}]:
        label = sample.function.labels.get(name=name)
        annotate_sample(sample=sample, label=label, person=None, picked_by=PickedBy.RANDOM)
"""


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    made = make_desk(shared_up, texts=TEXTS)
    label_of_each(made, 4)
    return made


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[None]:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert complaints == []


def label_of_each(desk: Desk, n: int) -> None:
    """Somebody else labels `n` more samples of each label."""
    desk.run(_LABEL.format(function=desk.function, n=n))


def open_home(page: Page, desk: Desk, query: str = "") -> None:
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"{desk.up.url}/functions/{desk.function}/{query}")
    page.evaluate("window.is_same_page = true")


def expect_judged(page: Page, n: int) -> None:
    expect(page.locator(f"[data-n-judged='{n}']")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("window.is_same_page")


def test_what_is_searched_for_is_not_lost_to_a_list_that_follows_meanwhile(page: Page, desk: Desk) -> None:
    open_home(page, desk)
    expect_judged(page, 8)
    held: list[Route] = []
    page.route(re.compile(r"[?&]q=parcel"), lambda route: held.append(route))
    with page.expect_request(re.compile(r"[?&]q=parcel")):
        page.locator("#q").press_sequentially("parcel")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('live:samples', { detail: {} }))")
    page.wait_for_timeout(1_000)  # for all that time the list would renew itself
    for route in held:
        route.continue_()
    expect(page.locator("#samples li")).to_have_count(4)


def test_figures_and_list_follow_training_and_leave_the_typing_hand_alone(page: Page, desk: Desk) -> None:
    open_home(page, desk)
    expect_judged(page, 8)
    search = page.locator("#q")
    search.click()
    page.keyboard.type("parcel")
    expect(page.locator("#samples li")).to_have_count(4)
    expect(page).to_have_url(re.compile(r"\?q=parcel$"))
    label_of_each(desk, 2)
    expect_judged(page, 12)
    expect(page.locator("#samples li")).to_have_count(6, timeout=PATIENCE_MS)
    expect(page.locator("[data-shows=nLabelled]")).to_have_text("12")
    expect(search).to_be_focused()
    page.keyboard.type(" 1")
    expect(page.locator("#samples li")).to_have_count(1)
    expect(search).to_have_value("parcel 1")


def test_a_label_is_fixed_by_keyboard_and_the_hand_stays_where_it_was(page: Page, desk: Desk) -> None:
    open_home(page, desk)
    expect_judged(page, 8)
    row = page.locator("#samples li", has_text="please refund order 2")
    button = row.locator("[data-fix]")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog#fix")
    expect(dialog).to_be_visible()
    expect(dialog.locator("[data-fix-sample]")).to_have_text("please refund order 2")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    expect(row.locator("[data-label]")).to_have_text("Shipping", timeout=PATIENCE_MS)
    expect(button).to_be_focused()
    assert desk.annotations()[-1]["label"] == "Shipping"


def test_the_list_waits_while_the_keyboard_is_in_it(page: Page, desk: Desk) -> None:
    open_home(page, desk)
    expect_judged(page, 8)
    expect(page.locator("#samples li")).to_have_count(8)
    page.locator("#samples [data-fix]").first.focus()
    page.evaluate("document.querySelector('#samples').is_untouched = true")
    label_of_each(desk, 1)
    expect_judged(page, 10)
    assert page.evaluate("document.querySelector('#samples').is_untouched")
    page.evaluate("document.activeElement.blur()")
    expect(page.locator("#samples li")).to_have_count(10, timeout=PATIENCE_MS)


def test_what_people_wrote_does_nothing(page: Page, shared_up: LiveUp) -> None:
    payload = "<img src=x onerror=alert(1)><b hx-get=/ hx-trigger=load>x</b>"
    desk = make_desk(shared_up, texts=[f"{payload} {i}" for i in range(6)], labels=[payload[:40], "Other"])
    page.on("dialog", lambda _dialog: pytest.fail("A script of a sample ran."))
    open_home(page, desk, "?tab=unlabelled")
    expect(page.locator("#samples li")).to_have_count(6)
    expect(page.locator("#samples li [data-specimen]").first).to_contain_text("onerror=alert(1)")
    page.locator("[data-fix]").first.click()
    expect(page.locator("[data-fix-sample]")).to_contain_text("onerror=alert(1)")
