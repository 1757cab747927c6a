"""A function that gives tags, through its pages: several a sample, toggled by key and by hand."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

SPECIMEN = "[data-part=specimen]"
TAGS = ("Food", "Travel", "Money")
WORDS = {"Food": "noodles and soup", "Travel": "a train to Rome", "Money": "cheap, with a refund"}
PATIENCE_MS = 60_000


def texts() -> list[str]:
    """Forty-eight texts, each about any of the three things or about none."""
    made = []
    for number in range(48):
        parts = [words for place, words in enumerate(WORDS.values()) if number >> place & 1]
        made.append(f"note {number}: {', '.join(parts) or 'nothing to report'}")
    return made


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, labels=TAGS, texts=texts(), gives="tags")


def specimen(page: Page) -> str:
    expect(page.locator(SPECIMEN)).not_to_have_text("", timeout=PATIENCE_MS)
    return page.locator(SPECIMEN).inner_text()


def true_tags(text: str) -> list[str]:
    return [tag for tag, words in WORDS.items() if words in text]


def toggle(page: Page, name: str) -> None:
    page.keyboard.press(str(TAGS.index(name) + 1))


def answer(page: Page) -> str:
    """Give the sample in view its true tags by keys; returns its text."""
    text = specimen(page)
    for name in true_tags(text):
        toggle(page, name)
    go_on(page)
    expect(page.locator(SPECIMEN)).not_to_have_text(text)
    return text


def go_on(page: Page) -> None:
    """Press Enter once it counts: with nothing on, only after there was time to look."""
    expect(page.locator("#label-go-on")).to_be_enabled()
    page.keyboard.press("Enter")


def is_on(page: Page, name: str, *, on: bool) -> None:
    button = page.locator("#label-keys").get_by_role("button", name=name)
    expect(button).to_have_attribute("aria-pressed", str(on).lower())


def saved(page: Page, n: int) -> None:
    expect(page.locator(f"[data-n-labelled='{n}']")).to_be_visible(timeout=PATIENCE_MS)


def test_number_keys_toggle_and_enter_goes_on_also_with_nothing(page: Page, desk: Desk) -> None:
    desk.open(page)
    given = [answer(page) for _ in range(9)]
    saved(page, 9)
    assert [(row["text"], row["tags"]) for row in desk.annotations()] == [(text, true_tags(text)) for text in given]


def test_a_second_press_takes_a_tag_off_and_the_button_says_what_enter_saves(page: Page, desk: Desk) -> None:
    desk.open(page)
    specimen(page)
    button = page.locator("#label-go-on")
    expect(button).to_contain_text("None of these")
    toggle(page, "Food")
    toggle(page, "Money")
    is_on(page, "Food", on=True)
    expect(button).to_contain_text("Save 2 tags")
    toggle(page, "Food")
    is_on(page, "Food", on=False)
    expect(button).to_contain_text("Save 1 tag")


def test_enter_pressed_twice_in_a_slip_says_nothing_of_the_next_sample(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    toggle(page, "Food")
    # Both within one task: no test, and no hand, is faster.
    page.evaluate(
        """() => {
          const press = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", code: "Enter" }));
          press();
          press();
        }"""
    )
    expect(page.locator(SPECIMEN)).not_to_have_text(text)
    saved(page, 1)
    assert [row["text"] for row in desk.annotations()] == [text]


def test_undo_brings_the_sample_back_with_what_was_said(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    toggle(page, "Food")
    page.keyboard.press("Enter")
    saved(page, 1)
    is_on(page, "Food", on=False)
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(text)
    is_on(page, "Food", on=True)
    toggle(page, "Travel")
    page.keyboard.press("Enter")
    saved(page, 1)
    rows = desk.annotations()
    assert [row["tags"] for row in rows] == [["Food"], None, ["Food", "Travel"]]
    page.reload()
    specimen(page)
    page.keyboard.press("u")
    expect(page.locator(SPECIMEN)).to_have_text(text)
    is_on(page, "Travel", on=True)


def test_by_mouse_and_touch_the_same(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    page.locator("#label-keys").get_by_role("button", name="Travel").click()
    page.locator("#label-keys").get_by_role("button", name="Food").click()
    page.locator("#label-go-on").click()
    expect(page.locator(SPECIMEN)).not_to_have_text(text)
    saved(page, 1)
    assert desk.annotations()[0]["tags"] == ["Food", "Travel"]


def test_with_tab_a_toggle_keeps_space_and_enter_goes_on(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    page.locator("#label-keys").get_by_role("button", name="Money").focus()
    page.keyboard.press("Space")
    is_on(page, "Money", on=True)
    page.keyboard.press("Enter")
    expect(page.locator(SPECIMEN)).not_to_have_text(text)
    saved(page, 1)
    assert desk.annotations()[0]["tags"] == ["Money"]


def test_answers_given_without_a_network_arrive_when_it_is_back(page: Page, desk: Desk) -> None:
    desk.open(page)
    specimen(page)
    page.context.set_offline(True)
    given = [answer(page) for _ in range(3)]
    page.context.set_offline(False)
    saved(page, 3)
    assert [(row["text"], row["tags"]) for row in desk.annotations()] == [(text, true_tags(text)) for text in given]


def test_a_tag_made_for_this_sample_is_on_it(page: Page, desk: Desk) -> None:
    desk.open(page)
    specimen(page)
    page.keyboard.press("n")
    page.get_by_label("Name", exact=True).fill("Urgent")
    page.keyboard.press("Enter")
    is_on(page, "Urgent", on=True)
    page.keyboard.press("Enter")
    saved(page, 1)
    assert desk.annotations()[0]["tags"] == ["Urgent"]


def test_the_help_says_what_keys_do_here(page: Page, desk: Desk) -> None:
    desk.open(page)
    specimen(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text(re.compile("with nothing on: none of these"))


def test_from_a_new_function_to_several_tags_in_an_answer(page: Page, shared_up: LiveUp) -> None:
    person = make_desk(shared_up)
    page.context.add_cookies([{"name": "hundredfold_session", "value": person.cookie, "url": shared_up.url}])
    page.goto("/functions/new/")
    page.get_by_role("radio", name="Tags").check()
    page.get_by_label("What is it called?").fill("What is it about?")
    for name in TAGS:
        page.get_by_label("Which labels are there?").fill(name)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Make it").click()
    page.get_by_label("One sample a line").fill("\n".join(texts()))
    page.get_by_role("button", name="Bring these lines").click()
    expect(page.locator(".import-counts").first).to_contain_text("48 added", timeout=PATIENCE_MS)

    page.get_by_role("link", name="Label", exact=True).click()
    n = 0
    while n < 24:
        answer(page)
        n += 1
    saved(page, n)
    page.get_by_role("link", name="Samples", exact=True).click()
    figure = page.locator(f"[data-n-judged='{n}']")
    expect(figure).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-tags]").first).to_be_visible()
    for tag in TAGS:
        expect(page.locator(".review-line").filter(has_text=tag)).to_contain_text("caught")
    n_right = int(figure.get_attribute("data-n-right") or 0)
    page.locator("#figure-right").click()
    expect(page.locator("[data-verdict=right]")).to_have_count(n_right)
    page.get_by_role("link", name="Without a label").click()
    expect(page.locator("[data-said]").first).to_be_visible(timeout=PATIENCE_MS)

    said = asked(page, f"another note: {WORDS['Food']}, {WORDS['Money']}")
    assert {tag["labelName"] for tag in said} == {"Food", "Money"}
    assert [tag["confidence"] for tag in said] == sorted((tag["confidence"] for tag in said), reverse=True)


def asked(page: Page, text: str) -> list[dict[str, object]]:
    """Make a key on the call page, and ask from outside; the page itself answers alike."""
    page.get_by_role("link", name="Call", exact=True).click()
    page.get_by_label("A text it has never seen").fill(text)
    page.get_by_role("button", name="What is there?").click()
    expect(page.locator("#answer .call-best").first).to_be_visible(timeout=PATIENCE_MS)
    shown = page.locator("#answer .call-best .chip").all_inner_texts()
    page.get_by_label("New key").fill("Website")
    page.get_by_role("button", name="Make a key").click()
    secret = page.locator("#new-key")
    expect(secret).to_have_text(re.compile(r"hf_\S+"))
    url, key = page.locator("#invoke-url").inner_text().strip(), secret.inner_text().strip()
    reply = httpx.post(url, headers={"Authorization": f"Bearer {key}"}, json={"data": text}, timeout=30)
    assert reply.status_code == 200, reply.text
    said: list[dict[str, object]] = reply.json()["tags"]
    assert [tag["labelName"] for tag in said] == shown
    return said


def test_tags_are_mended_where_they_are_judged(page: Page, desk: Desk) -> None:
    desk.open(page)
    text = specimen(page)
    go_on(page)
    saved(page, 1)
    page.get_by_role("link", name="Samples", exact=True).click()
    row = page.locator("li.review-row").filter(has_text=text)
    expect(row.locator("[data-tags]")).to_have_text("none of them")
    row.get_by_role("button", name="Change tags").click()
    page.keyboard.press("1")
    page.keyboard.press("3")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(row.locator("[data-tags]")).to_have_text("Food")
    assert [each["tags"] for each in desk.annotations()] == [[], ["Food"]]
