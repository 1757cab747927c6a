"""A key made, rotated and revoked on its page: the very next call is answered accordingly."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, make_desk
from tests.live_up import LiveUp

_WORKSPACE = """
from apps.functions.models import Function
print(Function.objects.get(public_id={function!r}).workspace.public_id)
"""
AT_ONCE = "0"


@pytest.fixture
def desk(shared_up: LiveUp) -> Desk:
    return make_desk(shared_up, texts=["I want my money back", "Where is my parcel?"])


def open_keys(desk: Desk, page: Page) -> None:
    desk.open(page)
    page.goto(f"{desk.up.url}/workspaces/{desk.run(_WORKSPACE.format(function=desk.function))}/keys/")


def make_key(page: Page) -> tuple[str, str]:
    """Make one that may do everything; return its client id and its secret."""
    page.get_by_role("button", name="Make a key").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Shop")
    for scope in dialog.get_by_role("checkbox").all():
        scope.check()
    dialog.get_by_role("button", name="Make the key").click()
    return shown(page)


def shown(page: Page) -> tuple[str, str]:
    return page.locator("#new-key-client").inner_text().strip(), page.locator("#new-key-text").inner_text().strip()


def rotate(page: Page, hours: str) -> str:
    page.get_by_role("button", name="Rotate Shop").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox").select_option(hours)
    dialog.get_by_role("button", name="Rotate").click()
    return shown(page)[1]


def test_a_revoked_key_does_not_get_another_answer(page: Page, desk: Desk) -> None:
    open_keys(desk, page)
    client_id, first = make_key(page)
    with httpx.Client(base_url=desk.up.url, timeout=30, trust_env=False) as program:

        def statuses(bearer: str) -> set[int]:
            """Call the function, which is remembered for seconds, and read something."""
            headers = {"Authorization": f"Bearer {bearer}"}
            call = program.post(f"/v1/functions/{desk.function}/invoke", headers=headers, json={"data": "My parcel?"})
            return {call.status_code, program.get("/v1/functions", headers=headers).status_code}

        def token() -> str:
            form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": first}
            answer = program.post("/connect/token", data=form)
            assert answer.status_code == 200, answer.text
            return str(answer.json()["access_token"])

        signed_in = token()
        assert statuses(first) == statuses(signed_in) == {200}

        second = rotate(page, "24")
        assert statuses(first) == statuses(second) == statuses(signed_in) == {200}
        third = rotate(page, AT_ONCE)
        assert statuses(third) == {200}
        assert statuses(second) == {401}

        page.get_by_role("button", name="Revoke Shop").click()
        page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        expect(page.get_by_text("does not work any more")).to_be_visible()
        for bearer in (first, second, third, signed_in):
            assert statuses(bearer) == {401}
