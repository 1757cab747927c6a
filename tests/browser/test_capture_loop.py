"""From production back and forth: odd calls are kept, a person says what they are, and the same calls answer right."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp, wait_until

PATIENCE_MS = 90_000
PATIENCE_S = 90.0
WORDS = ["order", "shoes", "jacket", "lamp", "book", "phone", "table", "chair"]
REFUNDS = [f"please give me my money back for the {word}" for word in WORDS]
PARCELS = [f"where is the parcel with my {word}, it has not arrived" for word in WORDS]
LOGIN = "Login trouble"
ODD = [
    f"the login screen rejects my password on the {word}"
    for word in ["website", "tablet", "laptop", "browser", "app", "kiosk"]
]
CARD = "4111 1111 1111 1111"

_LABEL = """
from apps.functions.models import Function
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_many
function = Function.objects.get(public_id={function!r})
key_of = dict(function.labels.values_list("name", "pk"))
samples = function.samples.order_by("pk")
pairs = [(sample.pk, key_of["Shipping" if "parcel" in sample.text else "Refund"]) for sample in samples]
annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.RANDOM)
"""

_KEY = """
from apps.functions.models import Function
from apps.accounts.models import User
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key
function = Function.objects.get(public_id={function!r})
owner = User.objects.get(public_id={person!r})
print(create_key(workspace=function.workspace, owner=owner, name="Website", actions=[Action.INVOKE])[1])
"""


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    made = make_desk(shared_up, labels=["Refund", "Shipping", LOGIN], texts=[*REFUNDS, *PARCELS])
    made.run(_LABEL.format(function=made.function))
    return made


@pytest.fixture
def caller(desk: Desk) -> Iterator[httpx.Client]:
    """A program with a key that may call and nothing else."""
    key = desk.run(_KEY.format(function=desk.function, person=desk.person))
    headers = {"Authorization": f"Bearer {key}"}
    base = f"{desk.up.url}/v1/functions/{desk.function}"
    with httpx.Client(base_url=base, headers=headers, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[None]:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield
    assert complaints == []


def call(caller: httpx.Client, text: str, **query: str) -> dict[str, object]:
    reply = caller.post("/invoke", json={"data": text}, params=query)
    assert reply.status_code == 200, reply.text
    answer: dict[str, object] = reply.json()
    return answer


def is_answered_by_a_model(caller: httpx.Client) -> bool:
    return "modelId" in call(caller, REFUNDS[0], capture="false")


def open_at(page: Page, desk: Desk, path: str) -> None:
    page.context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
    page.goto(f"{desk.up.url}/functions/{desk.function}/{path}")


def shown(page: Page) -> str:
    return page.locator(".desk-item:not([hidden]) [data-specimen]").inner_text()


def keep_calls(page: Page, desk: Desk) -> None:
    """Say on the page that calls are kept."""
    open_at(page, desk, "monitor/")
    panel = page.locator("#capture")
    panel.get_by_label("Every call").check()
    panel.get_by_role("button", name="Save").click()
    expect(panel.get_by_role("status")).to_have_text("Saved. It holds from now on.")
    assert violations(page) == []


def test_odd_calls_are_kept_labelled_learned_and_then_answered_right(
    page: Page, desk: Desk, caller: httpx.Client
) -> None:
    wait_until(lambda: is_answered_by_a_model(caller), seconds=PATIENCE_S, what="a first model")
    before = call(caller, ODD[0])
    assert before["labelName"] != LOGIN
    assert "sampleId" not in before
    keep_calls(page, desk)

    kept = [call(caller, f"{text}, card {CARD}", externalId=f"call-{n}") for n, text in enumerate(ODD)]
    assert all(str(answer["sampleId"]).startswith("sample_") for answer in kept)
    assert "sampleId" not in call(caller, "the login screen again", capture="false")

    open_at(page, desk, "review/")
    page.locator("a", has_text="Captured").first.click()
    expect(page.locator(".desk-item:not([hidden])")).to_be_visible()
    assert violations(page) == []
    for text in reversed(ODD):  # the newest first
        assert shown(page) == f"{text}, card [card]"
        expect(page.locator(".desk-item:not([hidden]) .desk-reason")).to_contain_text("It was answered")
        page.keyboard.press("3")
        expect(page.locator("[data-status]")).to_have_text(f"Labelled {LOGIN}.")
        expect(page.locator(f".desk-decided li:has-text('{text}')")).to_be_visible()
    expect(page.locator("[data-done]")).to_contain_text("Every call that was kept has been looked at.")

    wait_until(lambda: call(caller, ODD[0], capture="false")["labelName"] == LOGIN, seconds=PATIENCE_S, what=LOGIN)


def test_a_reported_answer_comes_first_and_who_reported_sees_when_it_is_learned(
    page: Page, desk: Desk, caller: httpx.Client
) -> None:
    wait_until(lambda: is_answered_by_a_model(caller), seconds=PATIENCE_S, what="a first model")
    keep_calls(page, desk)
    sample_id = call(caller, ODD[0], externalId="ticket-7")["sampleId"]
    said = {"verdict": "Wrong", "labelName": LOGIN, "externalId": "ticket-7", "note": "No money", "reporter": "desk-4"}
    reported = caller.post("/feedback", json=said).json()
    assert (reported["sampleId"], reported["state"]) == (sample_id, "waiting")

    open_at(page, desk, "")
    page.get_by_text("1 reported answer waits for you").click()
    item = page.locator(".desk-item:not([hidden])")
    expect(item.locator(".desk-reason")).to_contain_text(f"desk-4 says it was wrong, and should be {LOGIN}")
    expect(item.locator(".desk-reason")).to_contain_text("No money")
    assert violations(page) == []
    page.keyboard.press("Enter")
    expect(page.locator("[data-status]")).to_have_text(f"Labelled {LOGIN}.")
    expect(page.locator("[data-settled] li").first).to_contain_text(f"desk-4 says it was wrong, and should be {LOGIN}")
    page.keyboard.press("u")
    expect(page.locator("[data-status]")).to_have_text("Undone.")
    assert state_of(caller, str(reported["id"])) == "waiting"
    page.keyboard.press("Enter")
    expect(page.locator("[data-settled] li[data-state='learned']")).to_be_visible(timeout=PATIENCE_MS)

    learned = json.loads(caller.get("/feedback", params={"state": "learned"}).text)
    assert [each["id"] for each in learned] == [reported["id"]]
    assert learned[0]["learnedIn"].startswith("model_")


def state_of(caller: httpx.Client, feedback_id: str) -> str:
    return next(str(each["state"]) for each in caller.get("/feedback").json() if each["id"] == feedback_id)
