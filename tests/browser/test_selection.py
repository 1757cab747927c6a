"""Choosing some of many: what keys, clicks and ranges do to a list of samples, on a page that is nothing but one."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

# Nine samples in rows of three, and a field to type in beside them.
BOARD = """
(async () => {
  document.body.innerHTML = '<input id="field"><div id="board" aria-label="Samples"></div>';
  const board = document.getElementById("board");
  board.style.cssText = "display: grid; grid-template-columns: repeat(3, 80px); gap: 8px";
  for (const id of "abcdefghi") {
    const item = document.createElement("div");
    item.dataset.sample = id;
    item.textContent = id;
    item.style.height = "40px";
    board.append(item);
  }
  const { Selection } = await import("/static/js/selection.js");
  window.changes = [];
  window.selection = new Selection(board, { keys_from: document });
  selection.addEventListener("change", ({ detail }) => changes.push(detail.ids.join("")));
})()
"""


@pytest.fixture
def board(page: Page, base_url: str) -> Page:
    page.goto("/sign-in/")
    page.evaluate(BOARD)
    return page


def chosen(page: Page) -> str:
    """Return what is chosen, once the elements say the same."""
    ids: list[str] = page.evaluate("selection.ids")
    expect(page.locator("[data-sample][aria-selected=true]")).to_have_text(ids)
    return "".join(ids)


def press(page: Page, *keys: str) -> str:
    for key in keys:
        page.keyboard.press(key)
    return chosen(page)


def test_it_is_a_list_that_says_what_is_chosen_and_where_the_cursor_is(board: Page) -> None:
    listbox = board.get_by_role("listbox", name="Samples")
    expect(listbox).to_have_attribute("aria-multiselectable", "true")
    expect(listbox.get_by_role("option")).to_have_count(9)
    press(board, "ArrowRight", "ArrowRight", "x")
    expect(listbox).to_have_attribute("aria-activedescendant", "option-b")
    expect(board.get_by_role("option", name="b")).to_have_attribute("aria-selected", "true")


def test_arrows_move_over_rows_and_x_and_space_choose(board: Page) -> None:
    assert press(board, "ArrowRight", "x", "ArrowDown", "ArrowRight", "Space") == "ae"
    assert press(board, "ArrowUp", "x", "ArrowDown", "x") == "ab"
    assert press(board, "End", "x", "ArrowDown", "ArrowRight", "Home", "x") == "bi"
    assert board.evaluate("changes") == ["a", "ae", "abe", "ab", "abi", "bi"]


def test_shift_with_arrows_chooses_a_range_and_gives_back_what_it_leaves(board: Page) -> None:
    assert press(board, "End", "x", "Home", "Shift+ArrowDown") == "abcdi"
    assert press(board, "Shift+ArrowRight") == "abcdei"
    assert press(board, "Shift+ArrowUp") == "abi"
    assert press(board, "Escape") == ""


def test_everything_at_once_and_nothing(board: Page) -> None:
    assert press(board, "Control+a") == "abcdefghi"
    assert press(board, "Escape") == ""


def test_a_click_chooses_and_one_with_shift_everything_between(board: Page) -> None:
    board.get_by_text("b", exact=True).click()
    board.get_by_text("e", exact=True).click(modifiers=["Shift"])
    assert chosen(board) == "bcde"
    board.get_by_text("c", exact=True).click()
    assert chosen(board) == "bde"
    assert press(board, "ArrowDown", "x") == "bdef"


def test_keys_in_a_field_and_behind_a_dialog_are_left_alone(board: Page) -> None:
    press(board, "ArrowRight")
    board.locator("#field").focus()
    assert press(board, "x", "Control+a") == ""
    board.evaluate(
        "document.body.append(document.createElement('dialog')), document.querySelector('dialog').showModal()"
    )
    assert press(board, "x") == ""


def test_another_key_or_none_can_choose(board: Page) -> None:
    board.evaluate("selection.toggle_key = 'j'")
    assert press(board, "ArrowRight", "x", "j") == "a"
    board.evaluate("selection.toggle_key = ''")
    assert press(board, "ArrowRight", "j", "Space") == "ab"


def test_what_is_gone_is_not_chosen_any_more(board: Page) -> None:
    press(board, "Control+a")
    board.evaluate("document.querySelectorAll('[data-sample]').forEach((item, n) => n > 1 && item.remove())")
    board.evaluate("selection.refresh()")
    assert chosen(board) == "ab"
    assert press(board, "ArrowRight", "x") == "b"
    board.evaluate("selection.select(['a', 'gone'])")
    assert chosen(board) == "a"
