"""What tests of the label page look at and wait for."""

from __future__ import annotations

import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.desk import Desk

SPECIMEN = "[data-part=specimen]"
STATUS = "#label-status"
WHY = "[data-part=why]"
WAITING = "#label-waiting"

_STANDING = """
import json
from apps.samples.models import Sample
rows = Sample.objects.filter(function__public_id={function!r}).select_related("label", "annotation")
print(json.dumps({{row.text: {{
    "label": row.label.name if row.label else None,
    "ms": row.annotation.active_ms if row.annotation else None,
    "marks": sorted(row.marks.values_list("kind", flat=True)),
    "comments": list(row.comments.order_by("pk").values_list("text", flat=True)),
    "skips": row.skips.count(),
    "handouts": row.handouts.count(),
}} for row in rows}}))
"""


def specimen(page: Page) -> str:
    """Return the text shown, once there is one: on a busy machine the next may still be on its way."""
    expect(page.locator(SPECIMEN)).not_to_have_text("", timeout=15_000)
    return page.locator(SPECIMEN).inner_text()


def press(page: Page, key: str) -> str:
    """Press a key that deals with the sample shown, and wait for the next. Returns the one it was pressed on."""
    text = specimen(page)
    page.keyboard.press(key)
    expect(page.locator(SPECIMEN)).not_to_have_text(text)
    return text


def labelled(page: Page, n: int) -> None:
    expect(page.locator(f"[data-n-labelled='{n}']")).to_be_visible(timeout=15_000)


def standing(desk: Desk) -> dict[str, dict[str, Any]]:
    """What the server holds of each sample: its label in force, and what is beside it."""
    rows: dict[str, dict[str, Any]] = json.loads(desk.run(_STANDING.format(function=desk.function)))
    return rows


def noted(desk: Desk) -> dict[str, dict[str, Any]]:
    """Only the samples that anything was said of."""
    return {text: row for text, row in standing(desk).items() if row["label"] or row["marks"] or row["comments"]}
