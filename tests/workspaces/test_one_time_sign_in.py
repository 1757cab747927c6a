"""The link for a lost password: it signs in once, and then a new password can be set without the old one."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import LinkPurpose, User
from apps.accounts.services import create_link
from apps.events.models import Event
from apps.workspaces.sign_in import CAME_BY_LINK
from tests.conftest import PASSWORD, client_of

NEW_PASSWORD = "an entirely new passphrase"


@pytest.fixture
def token(member: User) -> str:
    return create_link(purpose=LinkPurpose.SIGN_IN, user=member)


def signed_in_by(token: str) -> Client:
    client = Client()
    response = client.post(f"/enter/{token}/")
    assert (response.status_code, response.headers["Location"]) == (302, "/profile/")
    return client


def test_opening_it_signs_nobody_in(token: str) -> None:
    client = Client()
    for _ in range(2):
        assert "Mika Member" in client.get(f"/enter/{token}/").content.decode()
    assert "_auth_user_id" not in client.session


def test_pressing_the_button_signs_in_and_is_on_record(token: str, member: User) -> None:
    client = signed_in_by(token)
    assert client.session["_auth_user_id"] == str(member.pk)
    event = Event.objects.get(kind="person.signed_in")
    assert (event.actor, event.data) == (member.public_id, {"by": "link", "address": "127.0.0.1"})


def test_it_works_once(token: str) -> None:
    signed_in_by(token)
    for response in (Client().get(f"/enter/{token}/"), Client().post(f"/enter/{token}/")):
        assert response.status_code == 404
        assert "sign_in_link" in response.content.decode()


def test_afterwards_a_new_password_needs_no_old_one(token: str, member: User) -> None:
    client = signed_in_by(token)
    assert "Set a new password" in client.get("/profile/").content.decode()
    assert client.post("/profile/password/", {"new_password": NEW_PASSWORD}).status_code == 302
    member.refresh_from_db()
    assert member.check_password(NEW_PASSWORD)
    assert client.get("/profile/").status_code == 200
    # The link has stood for the old password once; now there is one again.
    assert client.post("/profile/password/", {"new_password": PASSWORD}).status_code == 422


def test_that_lasts_a_quarter_of_an_hour(token: str, member: User) -> None:
    client = signed_in_by(token)
    session = client.session
    session[CAME_BY_LINK] = (timezone.now() - timedelta(minutes=16)).timestamp()
    session.save()
    assert client.post("/profile/password/", {"new_password": NEW_PASSWORD}).status_code == 422
    member.refresh_from_db()
    assert member.check_password(PASSWORD)


def test_someone_switched_off_does_not_get_in(token: str) -> None:
    User.objects.update(is_active=False)
    client = Client()
    assert client.post(f"/enter/{token}/").status_code == 404
    assert "_auth_user_id" not in client.session


def test_someone_else_who_is_signed_in_becomes_that_person_in_a_new_session(token: str, owner: User) -> None:
    client = client_of(owner)
    session = client.session
    session["left_over"] = True
    session.save()
    client.post(f"/enter/{token}/")
    assert "left_over" not in client.session
