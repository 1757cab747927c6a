"""The slider of what needs no person: moved by keyboard, said in words at once, obeyed by the very next calls."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Request, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp, wait_until

PATIENCE_MS = 30_000
KNOWN = [f"please refund order {n}" for n in range(15)] + [f"where is parcel {n}" for n in range(15)]
NEW = [f"refund order {n} today" for n in range(20, 26)] + [f"parcel {n} is late" for n in range(20, 26)]
UNSURE = "where is the refund of order 3"

_LABEL = """
from apps.functions.models import Function
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
label_of = {{label.name: label.pk for label in function.labels.all()}}
pairs = []
for sample in function.samples.filter(text__in={texts!r}):
    pairs.append((sample.pk, label_of["Refund" if "refund" in sample.text else "Shipping"]))
annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.RANDOM)
"""

_KEY = """
from apps.accounts.models import User
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key
user = User.objects.get(public_id={person!r})
workspace = user.memberships.get().workspace
print(create_key(workspace=workspace, owner=user, name="Test", actions=[Action.INVOKE])[1])
"""

_TARGET = """
from apps.functions.models import Function
print(Function.objects.get(public_id={function!r}).automation_target)
"""


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    made = make_desk(shared_up, texts=[*KNOWN, *NEW, UNSURE])
    made.run(_LABEL.format(function=made.function, texts=KNOWN))
    return made


class Caller:
    """A program with a key."""

    def __init__(self, desk: Desk) -> None:
        self.url = f"{desk.up.url}/v1/functions/{desk.function}/invoke"
        self.headers = {"Authorization": f"Bearer {desk.run(_KEY.format(person=desk.person)).strip()}"}

    def decision(self, text: str) -> str | None:
        reply = httpx.post(self.url, content=json.dumps({"data": text}), headers=self.headers, trust_env=False)
        body: dict[str, Any] = reply.json()
        return body.get("decision")


def open_home(page: Page, desk: Desk) -> None:
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"{desk.up.url}/functions/{desk.function}/")


def test_the_slider_is_moved_and_calls_obey_it(desk: Desk, page: Page) -> None:
    caller = Caller(desk)
    open_home(page, desk)
    slider, sentence = page.locator("#automation-range"), page.locator("#automation-sentence")
    expect(slider).to_be_visible(timeout=PATIENCE_MS)  # by itself, once there is a model
    expect(sentence).to_have_text(re.compile(r"^(Automate|95% right cannot)"), timeout=PATIENCE_MS)

    slider.focus()
    with page.expect_response("**/automation/target/") as saved:
        slider.press("Home")
    assert saved.value.status == 204
    expect(sentence).to_have_text(re.compile(r"^Automate .*80% right"))
    wait_until(lambda: caller.decision(KNOWN[0]) == "auto", what="an answer it is sure of passes")
    wait_until(lambda: caller.decision(UNSURE) == "auto", what="an unsure answer passes as well")

    with page.expect_response("**/automation/target/"):
        slider.press("End")
    expect(sentence).to_have_text(re.compile(r"^99.5% right cannot be promised yet"))
    wait_until(lambda: caller.decision(UNSURE) == "review", what="the unsure answer goes to a person")
    assert desk.run(_TARGET.format(function=desk.function)).strip() == "0.995"

    page.reload()
    expect(slider).to_have_value(re.compile("8"))


def test_dragging_says_each_place_and_saves_only_where_it_rests(desk: Desk, page: Page) -> None:
    open_home(page, desk)
    slider, sentence = page.locator("#automation-range"), page.locator("#automation-sentence")
    expect(slider).to_be_visible(timeout=PATIENCE_MS)
    posted: list[Request] = []
    page.on("request", lambda request: posted.append(request) if request.method == "POST" else None)
    slider.focus()
    seen = set()
    with page.expect_response("**/automation/target/"):
        for _ in range(4):
            slider.press("ArrowRight")
            seen.add(sentence.inner_text())
    assert len(seen) >= 2
    assert len(posted) == 1
    assert slider.get_attribute("aria-valuetext") == sentence.inner_text()
