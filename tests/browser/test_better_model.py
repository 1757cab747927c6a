"""The better model: it comes by itself while somebody looks, and the pages say what it changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp
from tests.training.hard_texts import hard_texts

PAIRS = hard_texts(60)
SLOW_MS = 60_000

_LABEL = """
from apps.functions.models import Function
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
key_of = dict(function.labels.values_list("name", "pk"))
pairs = [(sample.pk, key_of[name]) for sample, name in zip(function.samples.order_by("pk"), {names!r})]
annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)
"""

_BEGIN = """
from datetime import timedelta
from django.utils import timezone
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function
from apps.training.models import FunctionWork
function = Function.objects.get(public_id={function!r})
FunctionWork.objects.update_or_create(
    function=function,
    kind="adapt",
    defaults=dict(
        lease_holder="a worker elsewhere",
        lease_expires_at=timezone.now() + timedelta(hours=1),
        wanted_revision=function.data_revision + 1,
    ),
)
announce(workspace=function.workspace.public_id, kind=Live.TRAINING_STARTED, subject=function.public_id)
"""


@pytest.fixture
def home(browser: Browser, desk: Desk) -> Iterator[Page]:
    """The function's home in a window of its own, open all the while."""
    with browser.new_context() as context:
        context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
        page = context.new_page()
        page.goto(f"{desk.up.url}/functions/{desk.function}/")
        yield page


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=[text for text, _name in PAIRS])


def test_it_comes_by_itself_and_says_what_it_changed(desk: Desk, page: Page, home: Page) -> None:
    desk.open(page)
    desk.run(_LABEL.format(function=desk.function, names=[name for _text, name in PAIRS]))
    said = page.locator("#label-progress [data-better]")
    expect(said).to_contain_text("more right", timeout=SLOW_MS)  # nobody reloads

    sentence = said.inner_text()
    assert violations(page) == []
    expect(home.locator("#figures [data-better]")).to_have_text(sentence)  # here, too, nobody reloads
    assert violations(home) == []

    page.goto(f"{desk.up.url}/functions/{desk.function}/models/")
    newest = page.locator("tbody tr").first
    expect(newest).to_contain_text(sentence.removeprefix("A better model: ").removesuffix("."))
    newest.get_by_text("Details").click()
    expect(newest).to_contain_text("taught with your 60 labels")


def test_while_it_is_being_made_the_open_pages_say_so(desk: Desk, page: Page, home: Page) -> None:
    desk.open(page)
    expect(page.locator("#label-progress")).to_contain_text("of a first hundred")
    desk.run(_BEGIN.format(function=desk.function))
    expect(page.locator("#label-progress [data-better]")).to_have_text("A better model is on its way.")
    desk.run(_LABEL.format(function=desk.function, names=[name for _text, name in PAIRS]))
    expect(home.locator("#figures [data-better]")).to_have_text("A better model is on its way.", timeout=SLOW_MS)
    expect(page.locator("#label-progress")).to_contain_text("60 of a first hundred")
    expect(page.locator("#label-progress [data-better]")).to_have_text("A better model is on its way.")
