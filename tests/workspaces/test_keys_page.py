"""The page of API keys."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import NotSignedIn
from apps.functions.models import Function
from apps.functions.services import rename_function
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action, Role, may
from apps.workspaces.scopes import ACTIONS, Scope
from apps.workspaces.services import authenticate
from apps.workspaces.services.quotas import Quota, note_calls, set_quotas
from tests.conftest import client_of
from tests.workspaces.conftest import Join


@pytest.fixture
def page(workspace: Workspace) -> str:
    return f"/workspaces/{workspace.public_id}/keys/"


def test_a_key_is_shown_once_and_works(page: str, owner_client: Client) -> None:
    response = owner_client.post(f"{page}new/", {"name": "Help desk", "scopes": ["invoke"], "days": ""})
    match = re.search(r"hf_[a-z0-9]{12}_[\w-]{43}", response.content.decode())
    assert match is not None
    assert "no-store" in response.headers["Cache-Control"]
    key = authenticate(match[0])
    assert (key.name, key.actions, key.expires_at) == ("Help desk", ["invoke"], None)
    later = owner_client.get(page).content.decode()
    assert match[0] not in later
    assert f"<code>{key.client_id}</code>" in later
    assert key.client_id in response.content.decode()


def test_a_key_can_be_made_for_a_while(page: str, owner_client: Client) -> None:
    owner_client.post(f"{page}new/", {"name": "Trial", "scopes": ["invoke"], "days": "30"})
    expires_at = ApiKey.objects.get().expires_at
    assert expires_at is not None
    assert timedelta(days=29) < expires_at - timezone.now() <= timedelta(days=30)


@pytest.mark.parametrize(
    "data",
    [
        {"name": "", "scopes": ["invoke"], "days": ""},
        {"name": "None", "scopes": [], "days": ""},
        {"name": "Odd", "scopes": ["everything"], "days": ""},
        {"name": "Long", "scopes": ["invoke"], "days": "99999"},
    ],
)
def test_a_mistaken_form_makes_none(page: str, owner_client: Client, data: dict[str, object]) -> None:
    response = owner_client.post(f"{page}new/", data)
    assert response.status_code == 422
    assert "data-open" in response.content.decode()
    assert not ApiKey.objects.exists()


def test_s14_an_admins_key_gets_no_more_than_admins_have(page: str, join: Join) -> None:
    scopes = [scope.value for scope in Scope]
    client_of(join(Role.ADMIN)).post(f"{page}new/", {"name": "All", "scopes": scopes, "days": ""})
    assert set(ApiKey.objects.get().actions) == {action.value for action in Action if may(Role.ADMIN, action)}


def test_the_scopes_divide_all_actions_among_them() -> None:
    assert sorted(action for actions in ACTIONS.values() for action in actions) == sorted(Action)


def test_a_key_can_be_of_one_function(page: str, owner_client: Client, text_function: Function, owner: User) -> None:
    rename_function(function=text_function, name="Which desk now?", actor=owner)
    assert "Which desk now?" in owner_client.get(page).content.decode()
    form = {"name": "One", "scopes": ["invoke"], "days": "", "only_function": text_function.public_id}
    response = owner_client.post(f"{page}new/", form)
    assert "with “Which desk now?” only" in response.content.decode()
    assert ApiKey.objects.get().only_function == text_function.public_id
    refused = owner_client.post(f"{page}new/", form | {"only_function": "function_0000000000000000"})
    assert refused.status_code == 422


def test_a_key_is_rotated_on_its_page_and_the_new_secret_shown_once(page: str, owner_client: Client) -> None:
    first = secret_in(owner_client.post(f"{page}new/", {"name": "Shop", "scopes": ["invoke"], "days": ""}))
    key = ApiKey.objects.get()
    response = owner_client.post(f"/keys/{key.public_id}/rotate/", {"hours": "24"})
    assert "no-store" in response.headers["Cache-Control"]
    second = secret_in(response)
    assert authenticate(first) == authenticate(second) == key
    later = owner_client.get(page).content.decode()
    assert second not in later
    assert "old secret until" in later
    third = secret_in(owner_client.post(f"/keys/{key.public_id}/rotate/", {"hours": "0"}))
    assert authenticate(third) == key
    for dead in (first, second):
        with pytest.raises(NotSignedIn):
            authenticate(dead)
    assert "old secret until" not in owner_client.get(page).content.decode()


@pytest.mark.parametrize("hours", ["", "2", "99999", "x"])
def test_an_overlap_that_is_not_offered_changes_nothing(page: str, owner_client: Client, hours: str) -> None:
    text = secret_in(owner_client.post(f"{page}new/", {"name": "Shop", "scopes": ["invoke"], "days": ""}))
    response = owner_client.post(f"/keys/{ApiKey.objects.get().public_id}/rotate/", {"hours": hours})
    assert response.status_code == 400
    assert authenticate(text)


def test_other_peoples_keys_can_be_revoked_and_not_rotated(page: str, owner_client: Client, join: Join) -> None:
    admin_client = client_of(join(Role.ADMIN))
    owner_client.post(f"{page}new/", {"name": "Shop", "scopes": ["invoke"], "days": ""})
    key = ApiKey.objects.get()
    seen = admin_client.get(page).content.decode()
    assert f'data-dialog-open="revoke-{key.public_id}"' in seen
    assert "rotate-key_" not in seen
    assert admin_client.post(f"/keys/{key.public_id}/rotate/", {"hours": "0"}).status_code == 403


def secret_in(response: Any) -> str:
    match = re.search(r"hf_[a-z0-9]{12}_[\w-]{43}", response.content.decode())
    assert match is not None
    return match[0]


def test_revoking_is_one_click_and_final(page: str, owner_client: Client) -> None:
    owner_client.post(f"{page}new/", {"name": "Old", "scopes": ["invoke"], "days": ""})
    key = ApiKey.objects.get()
    response = owner_client.post(f"/keys/{key.public_id}/revoke/", follow=True)
    text = response.content.decode()
    assert "does not work any more" in text
    assert "revoked" in text
    assert f'data-dialog-open="revoke-{key.public_id}"' not in text


def test_the_list_tells_who_made_it_and_when_it_was_used(page: str, owner_client: Client) -> None:
    response = owner_client.post(f"{page}new/", {"name": "Seen", "scopes": ["read"], "days": ""})
    assert "never" in owner_client.get(page).content.decode()
    match = re.search(r"hf_[a-z0-9]{12}_[\w-]{43}", response.content.decode())
    assert match is not None
    authenticate(match[0])
    text = owner_client.get(page).content.decode()
    assert "never" not in text
    assert "Olga Owner" in text


def test_the_page_says_what_was_used_and_of_what(page: str, owner_client: Client, workspace: Workspace) -> None:
    note_calls(workspace.pk, 1204)
    plain = " ".join(owner_client.get(page).content.decode().split())
    assert "<strong>1,204</strong> calls today (UTC); 1,204 in the last 30 days." in plain
    assert "of at most" not in plain
    limits = {Quota.CALLS_PER_DAY: 10_000, Quota.MAX_FUNCTIONS: 5, Quota.MAX_SAMPLES: 2_000}
    set_quotas(workspace=workspace, quotas=limits)
    limited = owner_client.get(page).content.decode()
    for words in ("calls today (UTC), of at most 10,000;", "functions, of at most 5.", "samples, of at most 2,000."):
        assert words in limited
