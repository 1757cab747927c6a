"""A function of table rows, from its CSV to a call: columns shown and corrected, rows labelled by keys and judged."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

SPECIMEN = "[data-part=specimen]"
PATIENCE_MS = 60_000
N_LABELS = 16
TYPES = {
    "customer id": "external_id",
    "age": "number",
    "plan": "category",
    "monthly price": "number",
    "since": "date",
    "country": "keep",
    "floor": "number",
}


def table() -> str:
    """Eighty customers; the young leave, whatever else is known of them, and nobody is of middle age."""
    lines = ["customer id,age,plan,monthly price,since,country,floor"]
    for n in range(80):
        age = "about forty" if n == 50 else str((20 if n % 2 else 60) + n // 4)
        price = f'"1,{200 + n}.50"' if n % 3 else f"{90 + n}.50"
        plan = ("gold", "silver", "basic", "")[n * 7 % 4]
        lines.append(f"C-{n:03},{age},{plan},{price},{1 + n % 28:02}/{1 + n % 12:02}/2023,Austria,{n * 5 % 9 + n % 2}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=["Not of this test"])


def sign_in(page: Page, desk: Desk) -> None:
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])


def make_function(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.up.url}/functions/new/")
    page.get_by_text("Table rows", exact=True).click()
    page.locator("[name=name]").fill("Who leaves?")
    for label in ("Leaves", "Stays"):
        page.locator("#id_labels").fill(label)
        page.keyboard.press("Enter")
    page.get_by_role("button", name="Make it").click()
    expect(page).to_have_url(re.compile(r"/functions/function_\w+/bring/"))


def uses(page: Page) -> dict[str, str]:
    """What each column is taken for, as the preview shows it."""
    names = page.locator(".uses [data-label=Column]").all_inner_texts()
    return dict(zip(names, (select.input_value() for select in page.locator("[name=use]").all()), strict=True))


def choose(page: Page, column: str, use: str) -> None:
    """Correct one column; the preview is drawn anew."""
    with page.expect_response(re.compile(r"/check/$")):
        page.get_by_label(f"{column} is").select_option(use)
    expect(page.get_by_label(f"{column} is")).to_have_value(use)


def cells(page: Page) -> dict[str, str]:
    """The row in view on the label page."""
    pairs = page.locator(f"{SPECIMEN} dl > div")
    expect(pairs.first).to_be_visible(timeout=PATIENCE_MS)
    return dict(pair.split("\n", 1) for pair in pairs.all_inner_texts())


def label_some(page: Page) -> None:
    for n in range(1, N_LABELS + 1):
        row = cells(page)
        shown = page.locator(f"{SPECIMEN} dl").element_handle()
        page.keyboard.press("1" if row.get("age", "").isdigit() and int(row["age"]) < 60 else "2")
        shown.wait_for_element_state("hidden")
        expect(page.locator(f"[data-n-labelled='{n}']")).to_be_visible(timeout=PATIENCE_MS)


def make_key(page: Page) -> tuple[str, str]:
    page.locator("nav.tabs").get_by_role("link", name="Call", exact=True).click()
    page.locator("#key-name").fill("Website")
    page.keyboard.press("Enter")
    expect(page.locator("#new-key")).to_have_text(re.compile(r"hf_\S{12}_\S{43}"))
    return page.locator("#invoke-url").inner_text().strip(), page.locator("#new-key").inner_text().strip()


def test_from_a_csv_to_a_call(page: Page, desk: Desk, tmp_path: Path) -> None:
    sign_in(page, desk)
    make_function(page, desk)
    home_url = page.url.replace("/bring/", "/")

    file = tmp_path / "customers.csv"
    file.write_text(table())
    page.set_input_files("#bring-files", file)
    expect(page).to_have_url(re.compile("/imports/"))
    assert uses(page) == TYPES
    expect(page.get_by_text("Always “Austria”: nothing to learn from it.")).to_be_visible()
    expect(page.get_by_text("A few values are no number, such as “about forty”.")).to_be_visible()
    choose(page, "floor", "category")
    choose(page, "country", "leave_out")
    page.get_by_role("button", name="Bring them in").click()
    expect(page.locator(".import-counts")).to_contain_text("80 added", timeout=PATIENCE_MS)
    expect(page.get_by_text("Column “age”: “about forty” is no number.")).to_be_visible()

    page.goto(f"{home_url}fields/")
    expect(page.get_by_label("It holds")).to_have_count(5)
    expect(page.locator("[name=type]").last).to_have_value("category")

    page.goto(f"{home_url}label/")
    label_some(page)
    page.goto(home_url)
    expect(page.locator(f"[data-n-judged='{N_LABELS}']")).to_be_visible(timeout=PATIENCE_MS)
    row = page.locator("[data-verdict=right]").first
    expect(row.locator(".row-card dt").first).to_have_text("age")
    page.goto(f"{home_url}?tab=unlabelled")
    expect(page.locator(".sample-row [data-predicted]").first).to_be_visible(timeout=PATIENCE_MS)

    url, key = make_key(page)
    for age, plan, label in ((24, "gold", "Leaves"), (71, None, "Stays")):
        data = {"Age": age, "plan": plan, "monthly price": 130.5, "since": "2023-04-01", "shoe size": 43}
        answer = httpx.post(url, headers={"Authorization": f"Bearer {key}"}, json={"data": data}, timeout=30)
        assert answer.status_code == 200, answer.text
        assert answer.json()["labelName"] == label
    for refused in ("31", {"age": "1,240.50"}):
        answer = httpx.post(url, headers={"Authorization": f"Bearer {key}"}, json={"data": refused}, timeout=30)
        assert answer.status_code == 400


def test_cells_are_pasted_and_a_column_is_corrected_later(page: Page, desk: Desk) -> None:
    sign_in(page, desk)
    make_function(page, desk)
    home_url = page.url.replace("/bring/", "/")
    page.locator("#lines-text").fill('code\tnote\n007\t"two\nlines"\n012\tone line\n')
    page.get_by_role("button", name="Bring these cells").click()
    expect(page).to_have_url(re.compile("/imports/"))
    assert uses(page) == {"code": "category", "note": "category"}
    choose(page, "code", "number")
    page.get_by_role("button", name="Bring them in").click()
    expect(page.locator(".import-counts")).to_contain_text("2 added", timeout=PATIENCE_MS)
    page.goto(f"{home_url}fields/")
    page.get_by_label("It holds").first.select_option("category")
    page.get_by_role("button", name="Save code").click()
    expect(page.get_by_text("“code” is saved.")).to_be_visible()
    page.goto(f"{home_url}?tab=unlabelled")
    expect(page.locator(".row-card dd", has_text="007")).to_be_visible()
