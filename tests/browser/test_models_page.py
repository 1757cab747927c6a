"""Going back to an earlier model with one click: calls are answered by it, until it is unpinned with another."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp, wait_until

REFUNDS = ["refund my money", "a refund please", "money back now", "refund the charge"]
PARCELS = ["where is my parcel", "parcel is late", "track my parcel", "parcel not delivered"]

_LABEL = """
from apps.functions.models import Function
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_sample
function = Function.objects.get(public_id={function!r})
for text, name in {pairs!r}:
    annotate_sample(
        sample=function.samples.get(text=text),
        label=function.labels.get(name=name),
        person=None,
        picked_by=PickedBy.PERSON,
    )
"""

_KEY = """
from apps.accounts.models import User
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key
user = User.objects.get(public_id={person!r})
workspace = user.memberships.get().workspace
print(create_key(workspace=workspace, owner=user, name="Test", actions=[Action.INVOKE])[1])
"""


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=[*REFUNDS, *PARCELS])


def say(desk: Desk, pairs: list[tuple[str, str]]) -> None:
    desk.run(_LABEL.format(function=desk.function, pairs=pairs))


class Caller:
    """A program with a key."""

    def __init__(self, desk: Desk) -> None:
        self.url = f"{desk.up.url}/v1/functions/{desk.function}/invoke"
        self.headers = {"Authorization": f"Bearer {desk.run(_KEY.format(person=desk.person)).strip()}"}

    def ask(self, text: str) -> dict[str, Any]:
        reply = httpx.post(self.url, content=json.dumps({"data": text}), headers=self.headers, trust_env=False)
        body: dict[str, Any] = reply.json()
        return body | {"status": reply.status_code}


def test_one_click_goes_back_and_one_click_lets_go(desk: Desk, page: Page) -> None:
    say(desk, [(text, "Refund") for text in REFUNDS[:3]] + [(text, "Shipping") for text in PARCELS[:3]])
    caller = Caller(desk)
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/models/")
    newest = page.locator("tbody tr").first  # six answers may make one model, or one for the first few and one for all
    expect(newest).to_contain_text("6 labels", timeout=10_000)
    first = newest.get_attribute("id")
    wait_until(lambda: caller.ask("a refund please").get("modelId") == first, what="the model of all six answers")

    say(desk, [(REFUNDS[3], "Refund"), (PARCELS[3], "Shipping")])
    expect(newest).to_contain_text("8 labels", timeout=10_000)  # by itself, without a reload
    newer = newest.get_attribute("id")
    wait_until(lambda: caller.ask("a refund please")["modelId"] == newer, what="the newer one")

    back = page.locator(f"#{first}").get_by_role("button", name="Go back to model")
    name = (back.get_attribute("aria-label") or "").removeprefix("Go back to m")
    back.click()
    expect(page.locator("#models .notice-title")).to_have_text(f"M{name} is pinned")
    wait_until(lambda: caller.ask("a refund please")["modelId"] == first, what="calls go to the pinned one")

    say(desk, [(REFUNDS[0], "Shipping"), (REFUNDS[0], "Refund")])
    expect(newest).not_to_have_id(newer or "", timeout=10_000)
    assert caller.ask("a refund please")["modelId"] == first

    page.get_by_role("button", name="Unpin: let the newest answer").click()
    expect(page.locator("#models .notice-title")).to_have_count(0)
    expect(newest).to_contain_text("answers now")
    wait_until(lambda: caller.ask("a refund please")["modelId"] == newest.get_attribute("id"))


def test_what_a_model_learned_from_is_one_click_away(desk: Desk, page: Page) -> None:
    say(desk, [(text, "Refund") for text in REFUNDS[:2]] + [(text, "Shipping") for text in PARCELS[:2]])
    desk.open(page)
    page.goto(f"{desk.up.url}/functions/{desk.function}/models/")
    page.get_by_role("link", name="4 labels").first.click()
    expect(page.locator(".sample-row")).to_have_count(4)
    expect(page.locator(".sample-row", has_text=REFUNDS[0])).to_contain_text("Refund")
