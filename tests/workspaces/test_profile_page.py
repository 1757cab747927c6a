"""One's own name and password."""

import pytest
from django.test import Client

from apps.accounts.models import User
from tests.conftest import PASSWORD, client_of

NEW_PASSWORD = "an entirely new passphrase"


def change(client: Client, old: str = PASSWORD, new: str = NEW_PASSWORD) -> int:
    return client.post("/profile/password/", {"old_password": old, "new_password": new}).status_code


def test_the_name_can_be_changed(member: User, member_client: Client) -> None:
    assert "Mika Member" in member_client.get("/profile/").content.decode()
    assert member_client.post("/profile/", {"name": " Mika M. "}).status_code == 302
    member.refresh_from_db()
    assert member.name == "Mika M."
    assert member_client.post("/profile/", {"name": ""}).status_code == 422


def test_a_new_password_needs_the_old_one(member: User, member_client: Client) -> None:
    assert change(member_client, old="not it") == 422
    member.refresh_from_db()
    assert member.check_password(PASSWORD)
    assert change(member_client) == 302
    member.refresh_from_db()
    assert member.check_password(NEW_PASSWORD)


def test_weak_passwords_are_refused_with_the_reason(member_client: Client) -> None:
    response = member_client.post("/profile/password/", {"old_password": PASSWORD, "new_password": "mika"})
    assert response.status_code == 422
    assert "too short" in response.content.decode()


def test_a_new_password_signs_every_other_session_out_and_this_one_not(
    member: User, member_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[User] = []
    monkeypatch.setattr("apps.workspaces.services.announce_access_change", lambda *, person: told.append(person))
    elsewhere = client_of(member)
    assert elsewhere.get("/profile/").status_code == 200
    change(member_client)
    assert member_client.get("/profile/").status_code == 200
    assert elsewhere.get("/profile/").status_code == 302
    assert told == [member]


def test_the_profile_of_nobody_is_the_sign_in_page(client: Client, db: None) -> None:
    for response in (client.get("/profile/"), client.post("/profile/password/", {})):
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/sign-in/")
