"""Predicting files with a real worker: drop, watch, take home, and have the unsure rows labelled."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

PATIENCE_MS = 60_000
N_ROWS = 3_000

_TEACH = """
import json
from apps.functions.models import Function
from apps.samples.services.intake import NewText, add_texts
function = Function.objects.get(public_id={function!r})
words = {{"Refund": "please refund order", "Shipping": "where is parcel"}}
items = [NewText(f"{{text}} {{n}}", label) for n in range(20) for label, text in words.items()]
add_texts(function=function, items=items, person=None, origin="import")
print(json.dumps(len(items)))
"""


def teach(desk: Desk, page: Page) -> None:
    """Bring labelled texts and wait until a model answers."""
    assert desk.run(_TEACH.format(function=desk.function)) == "40"
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/call/")
    expect(page.locator("#try .notice")).to_have_count(0, timeout=PATIENCE_MS)
    page.get_by_role("link", name="Predict", exact=True).click()


def drop_file(page: Page, name: str, text: str) -> None:
    """Drop a file onto the page, as from a folder of the desktop."""
    transfer = page.evaluate_handle(
        """([name, text]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], name));
            return transfer;
        }""",
        [name, text],
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": transfer})


def downloaded(page: Page) -> list[dict[str, str]]:
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download as CSV").click()
    return list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text(encoding="utf-8"), newline="")))


def test_a_file_is_predicted_through_a_killed_worker_and_its_unsure_rows_are_labelled(
    shared_up: LiveUp, page: Page
) -> None:
    desk = make_desk(shared_up)
    teach(desk, page)
    known = [f"please refund order {n + 100}" for n in range(N_ROWS - 3)]
    texts = [*known[:7], "zebra zebra", "", *known[7:], "a song about rain"]
    drop_file(page, "tickets.csv", "nr;what they wrote\n" + "".join(f"{n};{text}\n" for n, text in enumerate(texts)))
    expect(page.get_by_role("heading", name="tickets.csv")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#column-content")).to_have_value("what they wrote")
    page.get_by_role("button", name="Predict it").click()
    expect(page.locator("progress.progress")).to_be_visible()
    expect(page.locator("#n-rows")).not_to_have_text("0", timeout=PATIENCE_MS)
    shared_up.kill("worker")
    expect(page.locator(".badge-right", has_text="Done")).to_be_visible(timeout=2 * PATIENCE_MS)
    rows = downloaded(page)
    assert [(row["nr"], row["what they wrote"]) for row in rows] == [(str(n), text) for n, text in enumerate(texts)]
    assert [bool(row["label"]) for row in rows[:10]] == [True] * 8 + [False] + [True]
    unsure = {row["what they wrote"] for row in rows if row["decision"] == "review"}
    assert unsure
    page.get_by_role("button", name="Queue").click()
    expect(page.locator("#sent")).to_contain_text(f"{len(unsure):,} unsure", timeout=PATIENCE_MS)
    page.get_by_role("link", name="Label them").click()
    expect(page.locator("[data-part=specimen]")).not_to_have_text("", timeout=PATIENCE_MS)
    assert page.locator("[data-part=specimen]").inner_text() in unsure


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Two pictures with something in between that is none."""
    for name, colour in (("1.png", "red"), ("3.png", "blue")):
        Image.new("RGB", (40, 30), colour).save(tmp_path / name)
    (tmp_path / "2.png").write_text("not a picture")
    return sorted(tmp_path.iterdir())


_TEACH_PICTURES = """
import json
from apps.functions.models import Function, Label
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
labels = dict(function.labels.values_list("name", "pk"))
pairs = [(pk, labels[name.split("-")[0]]) for pk, name in function.samples.values_list("pk", "original_name")]
print(json.dumps(annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.IMPORT)))
"""


def test_pictures_are_dropped_on_a_phone_and_each_keeps_its_row(
    shared_up: LiveUp, page: Page, pictures: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("taught")
    for n in range(8):
        Image.new("RGB", (40, 30), (255 - n, n, n)).save(folder / f"red-{n}.png")
        Image.new("RGB", (40, 30), (n, n, 255 - n)).save(folder / f"blue-{n}.png")
    desk = make_desk(shared_up, labels=("red", "blue"), pictures=sorted(folder.iterdir()))
    assert json.loads(desk.run(_TEACH_PICTURES.format(function=desk.function))) == 16
    page.set_viewport_size({"width": 390, "height": 800})
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/call/")
    expect(page.locator("#try .notice")).to_have_count(0, timeout=PATIENCE_MS)
    page.goto(f"{desk.up.url}/functions/{desk.function}/predict/")
    expect(page.get_by_role("link", name="Predict", exact=True)).to_be_in_viewport()
    page.set_input_files("#predict-files", pictures)
    expect(page.locator(".badge-right", has_text="Done")).to_be_visible(timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    rows = downloaded(page)
    assert [(row["file"], row["label"]) for row in rows] == [("1.png", "red"), ("2.png", ""), ("3.png", "blue")]
    assert "not a picture" in rows[1]["reason"]
