"""Someone is invited by link, works, is removed: the page they have open closes without a click of theirs."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, Page, expect

from tests.live_up import LiveUp

_SEED = """
import json, uuid
from django.test import Client
from apps.accounts.models import User
from apps.workspaces.models import Workspace
user = User.objects.create_user(email=f"{uuid.uuid4().hex}@example.com", name="Olga Owner", password=None)
workspace = Workspace.objects.create(name="Support desk")
workspace.memberships.create(user=user, role="owner")
client = Client()
client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
print(json.dumps([workspace.public_id, client.cookies["hundredfold_session"].value]))
"""


def test_an_invited_person_joins_and_a_removed_persons_page_closes_by_itself(
    page: Page, browser: Browser, shared_up: LiveUp
) -> None:
    done = shared_up.manage("shell", "-c", _SEED)
    workspace, cookie = json.loads(done.stdout.strip().splitlines()[-1])
    members = f"{shared_up.url}/workspaces/{workspace}/members/"
    page.context.add_cookies([{"name": "hundredfold_session", "value": cookie, "url": shared_up.url}])

    page.goto(members)
    page.get_by_role("button", name="Invite someone").press("Enter")
    page.get_by_label("E-mail").fill(f"mika-{workspace}@example.com")
    page.keyboard.press("Enter")
    link = page.locator("#invitation-link").inner_text()

    with browser.new_context() as their_context:
        theirs = their_context.new_page()
        theirs.goto(link)
        theirs.keyboard.type("Mika Member")
        theirs.get_by_label("Password").fill("another long passphrase")
        theirs.keyboard.press("Enter")
        theirs.wait_for_url(f"{shared_up.url}/")
        with theirs.expect_response(lambda response: "/live/" in response.url):
            theirs.goto(members)
        expect(theirs.get_by_text("Mika Member").first).to_be_visible()

        page.goto(members)
        page.get_by_role("button", name="Remove").press("Enter")
        page.get_by_role("dialog").get_by_role("button", name="Remove").press("Enter")
        expect(page.get_by_text("Mika Member is no longer a member.")).to_be_visible()
        theirs.wait_for_url("**/sign-in/**", timeout=5_000)
