"""A function is made by keyboard alone; labels are typed one after the other."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import make_desk
from tests.live_up import LiveUp


@pytest.fixture(autouse=True)
def signed_in(page: Page, shared_up: LiveUp) -> None:
    cookie = {"name": "hundredfold_session", "value": make_desk(shared_up).cookie, "url": shared_up.url}
    page.context.add_cookies([cookie])


def test_it_is_made_by_keyboard_alone(page: Page) -> None:
    page.goto("/functions/new/")
    expect(page.get_by_role("radio", name="Text")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(page.get_by_role("radio", name="One label")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.type("Which desk?")
    page.keyboard.press("Tab")
    for name in ("Refund", "Shipping", "refund", "Other"):
        page.keyboard.type(name)
        page.keyboard.press("Enter")
    chips = page.get_by_role("list", name="Labels so far").get_by_role("listitem")
    expect(chips).to_have_count(3)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Make it")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Which desk?")).to_be_visible()
    page.get_by_role("link", name="Settings").click()
    names = page.get_by_role("textbox", name="Name of the label")
    expect(names).to_have_count(3)
    assert [box.input_value() for box in names.all()] == ["Refund", "Shipping", "Other"]


def test_what_stands_in_the_field_counts_when_the_form_is_sent(page: Page) -> None:
    page.goto("/functions/new/")
    page.get_by_label("What is it called?").fill("Two labels")
    labels = page.get_by_label("Which labels are there?")
    labels.fill("First")
    labels.press("Enter")
    labels.fill("Second")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", level=1, name="Two labels")).to_be_visible()


def test_one_tag_is_enough_for_a_function_that_gives_tags(page: Page) -> None:
    page.goto("/functions/new/")
    page.get_by_role("radio", name="Tags").check()
    page.get_by_label("What is it called?").fill("Is it urgent?")
    labels = page.get_by_label("Which labels are there?")
    labels.press("Enter")
    expect(page.get_by_role("status").filter(has_text="At least one label.")).to_be_visible()
    labels.fill("Urgent")
    labels.press("Enter")
    labels.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Is it urgent?")).to_be_visible()


def test_pasted_lines_become_labels_and_a_cross_takes_one_away(page: Page) -> None:
    page.goto("/functions/new/")
    labels = page.get_by_label("Which labels are there?")
    labels.focus()
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.setData("text", "One\\nTwo\\n\\nThree\\n");
          const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
          document.activeElement.dispatchEvent(paste);
        }"""
    )
    chips = page.get_by_role("list", name="Labels so far").get_by_role("listitem")
    expect(chips).to_have_count(3)
    page.get_by_role("button", name="Remove Two").click()
    expect(chips).to_have_count(2)
    expect(page.get_by_role("button", name="Remove Three")).to_be_focused()


def test_labels_are_renamed_and_deleted_in_place(page: Page) -> None:
    page.goto("/functions/new/")
    page.get_by_label("What is it called?").fill("In place")
    labels = page.get_by_label("Which labels are there?")
    for name in ("Refund", "Shipping", "Other"):
        labels.fill(name)
        labels.press("Enter")
    page.get_by_role("button", name="Make it").click()
    page.get_by_role("link", name="Settings").click()

    field = page.get_by_role("textbox", name="Name of the label Refund")
    field.fill("Money back")
    field.press("Enter")
    expect(page.get_by_role("textbox", name="Name of the label Money back")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Money back")).to_be_visible()

    field = page.get_by_role("textbox", name="Name of the label Shipping")
    field.fill("other")
    field.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("already a label “Other”")

    more = page.get_by_label("More for Other")
    delete = page.locator(".label-line", has=more).get_by_role("button", name="Delete")
    more.click()
    expect(delete).to_be_visible()
    page.keyboard.press("Escape")
    expect(delete).to_be_hidden()
    more.click()
    delete.click()
    expect(page.get_by_role("textbox", name="Name of the label Other")).to_have_count(0)
    page.get_by_role("button", name="Undo").last.click()
    expect(page.get_by_role("textbox", name="Name of the label Other")).to_be_visible()
