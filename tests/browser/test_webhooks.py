"""A webhook made on its page hears of an import and of the model that learned from it, and can tell it is from us."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from apps.workspaces.webhook_words import PYTHON
from tests.browser.axe import violations
from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp, running_up
from tests.workspaces.webhook_receiver import Received, WebhookReceiver, receiving_webhooks

_WORKSPACE = """
from apps.functions.models import Function
print(Function.objects.get(public_id={function!r}).workspace.public_id)
"""


@pytest.fixture(scope="module")
def allowing_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveUp]:
    """An `up` whose operator lets webhooks reach this very machine."""
    allowed = {"HUNDREDFOLD_OUTBOUND_ALLOW": "127.0.0.1"}
    with running_up(tmp_path_factory.mktemp("webhooks") / "data", environment=allowed) as up:
        yield up


@pytest.fixture
def desk(allowing_up: LiveUp) -> Desk:
    return make_desk(allowing_up, texts=["hello"])


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with receiving_webhooks() as receiver:
        yield receiver


def is_genuine(one: Received, secret: str) -> bool:
    said: dict[str, Callable[[str, str, bytes], bool]] = {}
    exec(PYTHON, said)  # what receivers copy from the page
    return said["is_from_hundredfold"](secret, one.headers["hundredfold-signature"], one.body)


def make_webhook(desk: Desk, page: Page, url: str) -> str:
    """Make it on the page and return the secret that this shows."""
    desk.open(page)
    workspace = desk.run(_WORKSPACE.format(function=desk.function))
    page.goto(f"{desk.up.url}/workspaces/{workspace}/webhooks/")
    page.get_by_role("button", name="Make a webhook").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill(url)
    dialog.get_by_role("button", name="Make the webhook").click()
    return page.locator("#webhook-secret").inner_text()


def webhook_address(desk: Desk, page: Page) -> str:
    page.goto(f"{desk.up.url}/workspaces/{desk.run(_WORKSPACE.format(function=desk.function))}/webhooks/")
    return str(page.locator("tbody a").first.get_attribute("href"))


def test_an_import_and_its_model_are_heard_checked_logged_and_sent_again(
    desk: Desk, page: Page, receiver: WebhookReceiver, tmp_path: Path
) -> None:
    secret = make_webhook(desk, page, receiver.url)
    table = tmp_path / "tickets.csv"
    texts = {"Refund": "give me my money back please", "Shipping": "where is my parcel now"}
    rows = [f"{text} {n},{label}" for n in range(12) for label, text in texts.items()]
    table.write_text("\n".join(["text,label", *rows]))
    page.goto(f"{desk.up.url}/functions/{desk.function}/bring/")
    page.set_input_files("#bring-files", table)
    page.get_by_role("button", name="Bring them in").click()

    (done,) = receiver.wait_for(1, kind="import.done")
    (trained, *_more) = receiver.wait_for(1, kind="model.trained", seconds=60)
    (published, *_more) = receiver.wait_for(1, kind="model.published")
    for one in (done, trained, published):
        assert is_genuine(one, secret)
        assert not is_genuine(one, "whsec_of_somebody_else")
        assert not is_genuine(Received(one.path, one.headers, one.body + b" "), secret)
        assert json.loads(one.body)["functionId"] == desk.function
    assert json.loads(done.body)["data"]["addedCount"] == 24
    said = json.loads(trained.body)["data"]
    assert 0 < said["annotationCount"] <= 24  # learning may begin while the rest is still coming in
    assert 0 <= said["accuracyLow"] <= said["accuracy"] <= said["accuracyHigh"] <= 1

    page.goto(desk.up.url + webhook_address(desk, page))
    row = page.locator("tbody tr", has_text="Samples were brought in")
    expect(row).to_contain_text("received (200")
    assert "inner secrets" not in page.content()
    row.get_by_role("button", name="Send again").click()
    again = receiver.wait_for(2, kind="import.done")[1]
    assert again.body == done.body
    assert again.headers["hundredfold-delivery"] == done.headers["hundredfold-delivery"]
    assert is_genuine(again, secret)


def test_one_that_fails_is_shown_by_itself_and_gets_through_later(
    desk: Desk, page: Page, receiver: WebhookReceiver
) -> None:
    receiver.status = 500
    make_webhook(desk, page, receiver.url)
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#webhook-log")).to_contain_text("answered with the code 500", timeout=20_000)
    expect(page.locator("#webhook-log")).to_contain_text("Next try at")
    receiver.status = 204
    expect(page.locator("#webhook-log")).to_contain_text("received (204", timeout=40_000)


def test_the_pages_are_whole_on_a_telephone_and_to_a_screen_reader(
    desk: Desk, browser: Browser, page: Page, receiver: WebhookReceiver
) -> None:
    make_webhook(desk, page, receiver.url + "?" + "a" * 300)
    receiver.wait_for(0)
    one = webhook_address(desk, page)
    page.goto(desk.up.url + one)
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#webhook-log")).to_contain_text("received", timeout=20_000)
    everything = str(page.url), page.locator(".page-header a").get_attribute("href")
    for (width, height), theme in product([(1280, 800), (390, 780)], ["light", "dark"]):
        with browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme) as context:
            context.add_cookies([{"name": "hundredfold_session", "value": desk.cookie, "url": desk.up.url}])
            window = context.new_page()
            for address in (everything[0], f"{desk.up.url}{everything[1]}"):
                window.goto(address)
                assert violations(window) == []
                assert window.evaluate("document.documentElement.scrollWidth") <= width
