"""Something large taken back from the history: what is said at once, and how the page follows until it is done."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

SIZES = {"wide": (1280, 800), "telephone": (390, 780)}
N_SAMPLES = 5_000
MANY_MS = 60_000

_LABEL = """
from apps.functions.models import ActKind, Function
from apps.functions.services import begin_act, count_act
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample
from apps.samples.services.intake import NewText, add_texts
function = Function.objects.get(public_id={function!r})
items = [NewText(text=f"message number {{number}}") for number in range({n})]
for start in range(0, {n}, 500):
    add_texts(function=function, items=items[start:start + 500], person=None, origin=Origin.BROWSER)
refund, shipping = function.labels.order_by("position")
person = function.workspace.memberships.get().user
act = begin_act(function=function, kind=ActKind.SELECTION, person=person, facts={{"label": "Refund"}})
samples = list(Sample.objects.filter(function=function).order_by("pk"))
pairs = [(sample.pk, refund.pk) for sample in samples]
annotate_many(function=function, pairs=pairs, person=person, picked_by=PickedBy.PERSON, act=act)
count_act(act=act, n_samples={n})
annotate_sample(sample=samples[-1], label=shipping, person=person, picked_by=PickedBy.PERSON)
"""
_LABELS = """
import json
from django.db.models import Count
from apps.samples.models import Sample
rows = Sample.objects.filter(function__public_id={function!r}).order_by()
print(json.dumps(dict(rows.values_list("label__name").annotate(n=Count("pk")))))
"""


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    desk = make_desk(shared_up, labels=["Refund", "Shipping"], texts=[])
    desk.run(_LABEL.format(function=desk.function, n=N_SAMPLES))
    return desk


@pytest.mark.parametrize("size", list(SIZES))
def test_undoing_many_samples_is_told_as_it_goes_on_and_when_it_is_done(page: Page, desk: Desk, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"/functions/{desk.function}/history/")
    page.get_by_role("button", name="Undo: Lea Labeler labelled a selection as “Refund”").focus()
    page.keyboard.press("Enter")
    said = re.compile(
        r"Undoing: [\d,]+ of 5,000 samples so far\. You can go on working; the History page shows how far it is\."
    )
    expect(page.locator(".toast", has_text=said)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Undo: "))).to_have_count(0)
    assert violations(page) == []
    expect(page.get_by_text("Undone", exact=True)).to_be_visible(timeout=MANY_MS)
    expect(page.get_by_text("1 changed since stays as it is")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []
    assert json.loads(desk.run(_LABELS.format(function=desk.function))) == {"null": N_SAMPLES - 1, "Shipping": 1}
