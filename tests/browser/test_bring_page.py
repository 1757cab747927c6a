"""Bringing samples with real files: a folder of pictures, a cut in the middle, a table that is checked first."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, FileChooser, Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

N_PICTURES = 300

_COUNTS = """
import json
from apps.samples.models import Import, Sample
rows = Sample.objects.filter(function__public_id={function!r})
job = Import.objects.filter(function__public_id={function!r}).latest("id")
print(json.dumps({{
    "labels": sorted((row.label.name if row.label else "") for row in rows.select_related("label")),
    "names": sorted(rows.values_list("original_name", flat=True)),
    "job": [job.state, job.n_read, job.n_added, job.n_duplicates, job.n_failed],
}}))
"""


def stored(desk: Desk) -> dict[str, list[str]]:
    found: dict[str, list[str]] = json.loads(desk.run(_COUNTS.format(function=desk.function)))
    return found


def write_picture(path: Path, seed: int) -> Path:
    """A picture of its own for every seed, small enough that hundreds take no time."""
    image = Image.new("RGB", (64, 48), (seed * 37 % 256, seed * 91 % 256, 90))
    image.paste((seed % 256, 40 * (seed // 256), 200), (0, 0, 16, 16))
    path.parent.mkdir(parents=True, exist_ok=True)
    out = io.BytesIO()
    image.save(out, "PNG")
    path.write_bytes(out.getvalue())
    return path


def open_bring(desk: Desk, page: Page) -> None:
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/bring/")


@pytest.fixture
def picture_desk(shared_up: LiveUp, tmp_path: Path) -> Desk:
    return make_desk(shared_up, labels=("cat", "dog"), pictures=[write_picture(tmp_path / "first.png", 9_999)])


def test_a_folder_of_pictures_brings_its_labels(picture_desk: Desk, page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "animals"
    for n, name in enumerate(("cat/1.png", "cat/2.png", "dog/3.png", "unlabeled/4.png")):
        write_picture(folder / name, n)
    (folder / "dog" / "notes.txt").write_text("not a picture")
    (folder / "dog" / ".DS_Store").write_text("junk")
    open_bring(picture_desk, page)
    page.set_input_files("#bring-folder", folder)
    expect(page.locator("#drop-state")).to_have_text("Done, except for these", timeout=20_000)
    expect(page.locator("#drop-refused > li")).to_have_count(1)
    expect(page.locator("#drop-refused")).to_contain_text("dog/notes.txt")
    found = stored(picture_desk)
    assert found["labels"] == ["", "", "cat", "cat", "dog"]
    assert found["names"] == ["cat/1.png", "cat/2.png", "dog/3.png", "first.png", "unlabeled/4.png"]
    expect(page.locator("#drop-next")).to_be_visible()


def test_hundreds_of_pictures_come_through_a_cut_and_a_killed_server(
    picture_desk: Desk, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    files = [write_picture(tmp_path / "many" / f"{n}.png", n) for n in range(N_PICTURES)]
    open_bring(picture_desk, page)
    page.set_input_files("#bring-files", files)
    expect(page.locator("#drop-files > li")).not_to_have_count(0, timeout=20_000)
    context.set_offline(True)
    expect(page.locator("#drop-state")).to_contain_text("No connection", timeout=20_000)
    assert page.evaluate("document.getElementById('drop-bar').value") < 1
    context.set_offline(False)
    picture_desk.up.kill("web")
    expect(page.locator("#drop-state")).to_have_text("Done", timeout=60_000)
    expect(page.locator("#drop-counts")).to_have_text(f"{N_PICTURES} of {N_PICTURES} · {N_PICTURES} added")
    assert stored(picture_desk)["job"] == ["done", N_PICTURES, N_PICTURES, 0, 0]
    expect(page.locator("#imports .import").first).to_contain_text(f"{N_PICTURES} added")


def test_a_table_is_checked_and_then_comes_in_while_the_page_shows_how_far_it_is(
    shared_up: LiveUp, page: Page, tmp_path: Path
) -> None:
    desk = make_desk(shared_up, texts=["hello"])
    table = tmp_path / "tickets.csv"
    rows = [f'{n};"Wo bleibt Paket {n}, bitte?";{("Versand", "Frage")[n % 2]}' for n in range(4_000)]
    table.write_text("\n".join(["Nummer;Wortlaut;Thema", *rows, "x;;Frage"]), encoding="utf-16")
    open_bring(desk, page)
    page.set_input_files("#bring-files", table)
    expect(page.get_by_role("heading", name="tickets.csv")).to_be_visible(timeout=20_000)
    expect(page.locator("#column-content")).to_have_value("Wortlaut")
    expect(page.locator("#column-label")).to_have_value("Thema")
    page.locator("#preview-more summary").click()
    page.locator("#delimiter").select_option("comma")
    expect(page.locator("#column-content")).not_to_have_value("Wortlaut")
    expect(page.locator("#preview-more")).to_have_attribute("open", "")
    page.locator("#delimiter").select_option("semicolon")
    expect(page.locator("#column-content")).to_have_value("Wortlaut")
    page.get_by_role("button", name="Bring them in").click()
    expect(page.locator("progress.progress")).to_be_visible(timeout=20_000)
    seen: set[int] = set()
    while page.locator("progress.progress").count():
        value = page.evaluate("document.querySelector('progress.progress')?.value")
        if value is not None:
            seen.add(value)
    expect(page.locator(".import-counts")).to_contain_text("4,000 added · 4,000 labelled · 1 did not go in")
    assert len(seen) > 2, "the bar did not move"
    expect(page.locator(".import-problems tbody tr")).to_have_count(1)
    expect(page.locator(".import-problems")).to_contain_text("4002")


def test_the_page_works_by_keyboard_and_without_sideways_scrolling(shared_up: LiveUp, page: Page) -> None:
    desk = make_desk(shared_up, texts=["hello"])
    page.set_viewport_size({"width": 390, "height": 800})
    open_bring(desk, page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    pick = page.get_by_role("button", name="Choose a file")
    choosers: list[FileChooser] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.wait_for_timeout(200)  # Chromium hands choosers to us from here on
    pick.focus()
    page.keyboard.press("Enter")
    deadline = time.monotonic() + 20
    while not choosers:
        assert time.monotonic() < deadline, "the keyboard opened no file chooser"
        page.wait_for_timeout(50)
    page.locator("#lines-text").focus()
    page.keyboard.insert_text("Where is my parcel?\nhello\n")
    for _ in range(5):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Bring these lines":
            break
    page.keyboard.press("Enter")
    expect(page.locator(".import-counts").first).to_have_text("1 added · 1 already here", timeout=20_000)
    expect(page.locator("#lines-text")).to_have_value("")
