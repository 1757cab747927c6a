"""A search function is made, filled and searched: by a text, by "More like this", and by a picture that is chosen."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.desk import make_desk
from tests.live_up import LiveUp

TEXTS = ["please refund my money", "i want a refund of my money", "where is my parcel", "the parcel is late again"]


@pytest.fixture(autouse=True)
def signed_in(page: Page, shared_up: LiveUp) -> None:
    cookie = {"name": "hundredfold_session", "value": make_desk(shared_up).cookie, "url": shared_up.url}
    page.context.add_cookies([cookie])


def until_read(page: Page) -> None:
    """Look again until the worker has read all samples."""
    waiting = page.get_by_text("to be read, and can be found after that")
    for _look in range(60):
        if waiting.count() == 0:
            return
        page.reload()
    expect(waiting).to_have_count(0)


def make_finder(page: Page, kind: str) -> None:
    page.goto("/functions/new/")
    page.get_by_role("radio", name=kind).check()
    page.get_by_role("radio", name="Similar samples").check()
    expect(page.get_by_label("Which labels are there?")).to_be_hidden()
    page.get_by_label("What is it called?").fill(f"Find {kind}")
    page.get_by_role("button", name="Make it").click()
    expect(page.get_by_role("heading", level=1, name=f"Find {kind}")).to_be_visible()


def test_texts_are_brought_and_found(page: Page) -> None:
    make_finder(page, "Text")
    expect(page.get_by_text("They get")).to_be_hidden()
    page.get_by_label("One sample a line, or cells of a spreadsheet").fill("\n".join(TEXTS))
    page.get_by_role("button", name="Bring these lines").click()
    expect(page.get_by_text("4 added")).to_be_visible()
    page.get_by_role("link", name="Search").click()
    found = page.locator(".found")
    expect(found).to_have_count(4)
    until_read(page)
    box = page.get_by_label("Find samples like")
    box.fill(TEXTS[0])
    box.press("Enter")
    expect(page.get_by_role("heading", name="most like it")).to_be_visible()
    expect(found.first).to_contain_text(TEXTS[0])
    expect(found.first).to_contain_text("The same")
    assert "q=please" in page.url

    found.first.get_by_role("link", name="More like").click()
    expect(page.get_by_role("heading", name="More like this")).to_be_visible()
    expect(page.get_by_role("group", name="The sample that others are like")).to_contain_text(TEXTS[0])
    expect(found.first).to_contain_text(TEXTS[1])
    expect(found).to_have_count(3)
    expect(box).to_have_value("")

    page.go_back()
    expect(page.get_by_role("heading", name="most like it")).to_be_visible()
    expect(box).to_have_value(TEXTS[0])
    page.get_by_role("link", name="All samples").click()
    expect(page.get_by_role("heading", name="All samples")).to_be_visible()


def picture(path: Path, colour: str) -> Path:
    image = Image.new("RGB", (80, 60), colour)
    ImageDraw.Draw(image).ellipse((10, 10, 50, 50), fill="white")
    image.save(path)
    return path


def test_pictures_are_brought_and_found_by_a_picture(page: Page, tmp_path: Path) -> None:
    make_finder(page, "Pictures")
    files = [picture(tmp_path / f"{colour}.png", colour) for colour in ("red", "blue", "lime")]
    page.locator("#bring-files").set_input_files(files)
    page.get_by_role("link", name="Search").last.click()
    expect(page.locator(".found")).to_have_count(3)
    until_read(page)
    page.get_by_label("Choose a picture").set_input_files(picture(tmp_path / "asked.png", "blue"))
    expect(page.get_by_role("heading", name="most like it")).to_be_visible()
    expect(page.locator(".found").first.get_by_role("img", name="blue.png")).to_be_visible()
    expect(page.get_by_alt_text("The picture you chose")).to_be_visible()


def test_pages_of_labels_lead_here(page: Page) -> None:
    make_finder(page, "Text")
    page.goto(page.url.replace("/bring/", "/label/"))
    expect(page.get_by_text("there is nothing to label or to learn")).to_be_visible()
    expect(page.get_by_text("Bring samples first")).to_be_visible()
    for name in ("Label", "Review", "Models", "Rules", "Predict"):
        expect(page.get_by_role("navigation").get_by_role("link", name=name, exact=True)).to_have_count(0)
