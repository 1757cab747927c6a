"""Calls of another kind, sent to a function that runs: the monitor page says so by itself."""

from __future__ import annotations

import json
import urllib.request
from random import Random

from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

PATIENCE_MS = 60_000
SUBJECTS = ["order", "card", "parcel", "bill", "shirt", "phone", "lamp", "ticket", "chair", "book", "shoe", "bag"]
WISHES = {
    "Refund": ["please refund my {}", "money back for the {}", "i want to return this {}", "charged twice for a {}"],
    "Delivery": ["where is my {}", "the {} is late", "track the {} please", "my {} was never delivered"],
}
STRANGE = ["zqx", "wvv", "kjh", "qqp", "xzz", "vvw", "jqk", "hhx", "yyq", "wqz", "pxx", "kkv", "qjx", "zzw"]

_TEACH = """
import json, time
from apps.functions.models import Function
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Prediction, TrainedModel
from apps.training.selectors import is_finished
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key
function = Function.objects.get(public_id={function!r})
given = json.loads({given!r})
add_texts(function=function, items=[NewText(text, label) for text, label in given], person=None, origin="import")
until = time.monotonic() + 60
while not is_finished(function.pk) or Prediction.objects.filter(function=function).count() < len(given):
    assert time.monotonic() < until, "nothing was learned"
    time.sleep(0.2)
owner = function.workspace.memberships.first().user
print(create_key(workspace=function.workspace, owner=owner, name="Shop", actions=[Action.INVOKE])[1])
"""


def usual(n: int, *, seed: int) -> list[tuple[str, str]]:
    draw = Random(seed)
    found: dict[str, str] = {}
    while len(found) < n:
        label = draw.choice(sorted(WISHES))
        text = (
            f"{draw.choice(WISHES[label]).format(draw.choice(SUBJECTS))}, {draw.choice(SUBJECTS)} {draw.randrange(99)}"
        )
        found[text] = label
    return list(found.items())


def strange(n: int) -> list[str]:
    draw = Random(5)
    return [" ".join(draw.choices(STRANGE, k=draw.randrange(4, 9))) for _ in range(n)]


def taught(desk: Desk) -> str:
    """Bring samples, three in four without a label, wait until all are predicted, and return a key."""
    samples = usual(200, seed=1)
    given = [(text, label if place % 4 == 0 else "") for place, (text, label) in enumerate(samples)]
    return desk.run(_TEACH.format(function=desk.function, given=json.dumps(given))).strip()


def send(up: LiveUp, function: str, key: str, texts: list[str]) -> list[str]:
    """Call with many texts at once; return the labels answered."""
    body = json.dumps({"items": [{"data": text} for text in texts]}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    asked = urllib.request.Request(f"{up.url}/v1/functions/{function}/invoke/batch", body, headers)
    with urllib.request.urlopen(asked, timeout=60) as response:
        return [result.get("labelName", "") for result in json.load(response)["items"]]


def test_a_shift_of_the_calls_is_told_by_itself_until_somebody_has_seen_it(shared_up: LiveUp, page: Page) -> None:
    desk = make_desk(shared_up, labels=["Refund", "Delivery"], texts=[])
    key = taught(desk)
    desk.open(page)
    monitor = f"{shared_up.url}/functions/{desk.function}/monitor/"
    page.goto(monitor)
    expect(page.get_by_text("Nobody has called it")).to_be_visible()
    fresh = [text for text, _label in usual(400, seed=2)]
    assert set(send(shared_up, desk.function, key, fresh[:1])) <= {"Refund", "Delivery"}
    for start in range(1, 151, 50):
        send(shared_up, desk.function, key, fresh[start : start + 50])
    expect(page.locator("#drift")).to_contain_text("Nothing that was noticed")
    for start in range(0, 300, 100):
        send(shared_up, desk.function, key, strange(300)[start : start + 100])
    alarms = page.locator("[data-alarm]")
    expect(alarms.first).to_be_visible(timeout=PATIENCE_MS)
    page.reload()
    expect(page.locator(".plot-drawing")).to_have_count(5)
    expect(page.locator("dl.monitor-figures")).to_contain_text("451")
    alarms.first.get_by_text("of the calls", exact=False).first.click()
    n_alarms = alarms.count()
    while page.get_by_role("button", name="I have seen it").count():
        page.get_by_role("button", name="I have seen it").first.click()
        n_alarms -= 1
        expect(page.get_by_role("button", name="I have seen it")).to_have_count(n_alarms)
    expect(alarms.first).to_contain_text("seen by")


def test_a_point_of_a_plot_leads_to_its_calls_and_a_table_says_the_same(shared_up: LiveUp, page: Page) -> None:
    desk = make_desk(shared_up, labels=["Refund", "Delivery"], texts=[])
    key = taught(desk)
    send(shared_up, desk.function, key, [text for text, _label in usual(20, seed=3)])
    desk.open(page)
    page.goto(f"{shared_up.url}/functions/{desk.function}/call/")
    page.get_by_role("link", name="Monitor", exact=True).click()
    calls = page.locator("#plot-calls")
    calls.locator("summary").click()
    expect(calls.locator("tbody tr")).to_have_count(1)
    expect(calls.locator("tbody td").first).to_have_text("20")
    calls.locator("a.plot-column").last.click()
    expect(page.get_by_role("heading", name="Calls", exact=True)).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(20)
    expect(page.locator("tbody tr").first).to_contain_text("Shop")
