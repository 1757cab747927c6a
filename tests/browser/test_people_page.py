"""The people page: one person's many answers are set aside while somebody looks, and come back by one press."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import ROOT, LiveUp, running_up

N_ANSWERS = 450
# A worker that has just been started first loads what it needs.
LONG_MS = 60_000

_ANSWER = """
from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
theo = User.objects.create_user(email="theo@example.com", name="Theo Thorough", password=None)
function.workspace.memberships.create(user=theo, role="labeler")
label = function.labels.get(name="Refund")
pairs = [(pk, label.pk) for pk in function.samples.order_by("pk").values_list("pk", flat=True)]
for start in range(0, len(pairs), 200):
    annotate_many(function=function, pairs=pairs[start : start + 200], person=theo, picked_by=PickedBy.QUEUE)
"""

_COUNT = """
from apps.samples.models import Sample
print(Sample.objects.filter(function__public_id={function!r}, label__isnull=False).count())
"""

# As on a machine where what a request may take is over after the first of its small steps.
_BEGIN = """
from functools import partial
from unittest.mock import patch
from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.services import set_aside
with patch.object(set_aside, "go_on_setting_aside", partial(set_aside.go_on_setting_aside, budget_seconds=0.0)):
    set_aside.set_answers_aside(
        function=Function.objects.get(public_id={function!r}),
        person=User.objects.get(email="theo@example.com"),
        actor=User.objects.get(public_id={person!r}),
    )
"""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Nobody works in the background yet, so that what is half done stays half done for as long as one looks."""
    with running_up(tmp_path / "data", "--no-worker") as up:
        made = make_desk(up, texts=[f"message {n}" for n in range(N_ANSWERS)])
        made.run(_ANSWER.format(function=made.function))
        yield made


@contextmanager
def worker(up: LiveUp) -> Iterator[None]:
    with up.log_path.open("ab") as log:
        command = [sys.executable, str(ROOT / "manage.py"), "worker"]
        process = subprocess.Popen(command, env=up.environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()


def open_people(desk: Desk, page: Page) -> None:
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/people/")


def n_labelled(desk: Desk) -> int:
    return int(desk.run(_COUNT.format(function=desk.function)))


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_how_far_it_is_is_said_until_a_worker_is_done_with_it(desk: Desk, page: Page, width: int, theme: str) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    desk.run(_BEGIN.format(function=desk.function, person=desk.person))
    open_people(desk, page)
    progress = page.locator("#setting-aside")
    expect(progress).to_contain_text(f"The answers of Theo Thorough are being set aside: 200 of {N_ANSWERS}.")
    assert violations(page) == []
    with worker(desk.up):
        expect(page.get_by_text("The answers are set aside.")).to_be_visible(timeout=LONG_MS)  # nobody reloads
        expect(progress).to_have_count(0)
        assert n_labelled(desk) == 0


def test_the_history_counts_on_by_itself(desk: Desk, page: Page) -> None:
    desk.run(_BEGIN.format(function=desk.function, person=desk.person))
    open_people(desk, page)
    page.locator("#setting-aside").get_by_role("link", name="history").click()
    line = page.locator("#acts tr", has_text="set a person's answers aside")
    expect(line).to_contain_text("200 so far")
    with worker(desk.up):
        expect(line.locator("[data-label=Samples]")).to_have_text(str(N_ANSWERS), timeout=LONG_MS)


def test_undone_half_way_it_stops_and_brings_back_what_it_took(desk: Desk, page: Page) -> None:
    desk.run(_BEGIN.format(function=desk.function, person=desk.person))
    open_people(desk, page)
    page.locator("#setting-aside").get_by_role("link", name="history").click()
    page.get_by_role("button", name="Undo: Lea Labeler set a person's answers aside").click()
    with worker(desk.up):
        expect(page.locator("#acts").get_by_text("Undone", exact=True)).to_be_visible(timeout=LONG_MS)
        assert n_labelled(desk) == N_ANSWERS
        open_people(desk, page)
        expect(page.locator("#setting-aside")).to_have_count(0)


def test_few_answers_are_set_aside_at_once(desk: Desk, page: Page) -> None:
    open_people(desk, page)
    page.get_by_role("button", name="Set the answers of Theo Thorough aside").click()
    page.get_by_role("dialog").get_by_role("button", name="Set aside", exact=True).click()
    expect(page.get_by_text(f"{N_ANSWERS} answers of Theo Thorough are set aside.")).to_be_visible()
    expect(page.locator("#setting-aside")).to_have_count(0)
    assert n_labelled(desk) == 0
