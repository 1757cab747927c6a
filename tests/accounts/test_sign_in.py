"""S04 and S06: the door. Closed to newcomers, slow for those who guess, and silent about who is known."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.cache import cache
from django.test import Client, override_settings
from django.urls import NoReverseMatch, reverse

from apps.accounts.models import User
from apps.events.models import Event
from apps.workspaces.models import Workspace
from tests.conftest import PASSWORD, make_user
from tests.private_redis import killable_redis

SIGN_IN = "/sign-in/"


@pytest.fixture(autouse=True)
def fresh_counters() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def attempt(email: str, password: str, *, client: Client | None = None, **extra: str) -> tuple[int, str]:
    response = (client or Client()).post(SIGN_IN, {"login": email, "password": password}, **extra)
    return response.status_code, response.content.decode()


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_the_right_password_lets_in(owner: User) -> None:
    client = Client()
    response = client.post(SIGN_IN, {"login": owner.email, "password": PASSWORD})
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert is_signed_in(client)


def test_upper_case_in_the_address_does_not_matter(owner: User) -> None:
    client = Client()
    client.post(SIGN_IN, {"login": "OLGA@Example.com", "password": PASSWORD})
    assert is_signed_in(client)


def test_s58_sign_in_is_on_record_in_each_of_the_persons_workspaces(owner: User, workspace: Workspace) -> None:
    other = Workspace.objects.create(name="Other")
    other.memberships.create(user=owner, role="viewer")
    Client().post(SIGN_IN, {"login": owner.email, "password": PASSWORD})
    events = Event.objects.filter(kind="person.signed_in")
    assert {event.workspace_id for event in events} == {workspace.public_id, other.public_id}
    assert all(event.actor == owner.public_id for event in events)


def test_one_is_sent_back_to_where_one_wanted_to_go_but_not_elsewhere(owner: User) -> None:
    for wanted, got in [("/profile/", "/profile/"), ("https://evil.example/", "/"), ("//evil.example/", "/")]:
        response = Client().post(SIGN_IN, {"login": owner.email, "password": PASSWORD, "next": wanted})
        assert response.headers["Location"] == got


def normalised(page: str, email: str) -> str:
    """Leave out what differs by nature: the address typed and the CSRF token."""
    page = page.replace(email, "ADDRESS")
    page = re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", page)
    return re.sub(r"X-CSRFToken[^}]+", "", page)


def test_s06_an_unknown_person_and_a_wrong_password_read_the_same(owner: User) -> None:
    known_status, known = attempt(owner.email, "not the password")
    unknown_status, unknown = attempt("nobody@example.com", "not the password")
    assert known_status == unknown_status
    assert normalised(known, owner.email) == normalised(unknown, "nobody@example.com")


def test_s06_an_unknown_person_costs_as_much_work_as_a_wrong_password(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts the password hashes instead of the seconds: they are what takes the time."""
    hashes: list[str] = []
    real = MD5PasswordHasher.encode

    def counted(self: MD5PasswordHasher, password: str, salt: str) -> str:
        hashes.append(password)
        return real(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    attempt(owner.email, "not the password")
    n_known = len(hashes)
    attempt("nobody@example.com", "not the password")
    assert len(hashes) - n_known == n_known > 0


def test_s06_guessing_one_account_is_stopped_after_five_even_with_the_right_password(owner: User) -> None:
    for number in range(5):
        attempt(owner.email, f"guess {number}", REMOTE_ADDR=f"192.0.2.{number}")
    client = Client()
    status, page = attempt(owner.email, PASSWORD, client=client, REMOTE_ADDR="192.0.2.99")
    assert not is_signed_in(client)
    assert status == 200
    assert "Too many" in page


def test_s06_the_count_is_kept_in_redis_where_every_web_process_sees_it(owner: User, tmp_path: Path) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    with killable_redis(tmp_path) as server:
        # One cache per web process, as it were: nothing is shared but the server.
        for number in range(5):
            with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": server.url}}):
                attempt(owner.email, f"guess {number}", REMOTE_ADDR=f"192.0.2.{number}")
        client = Client()
        with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": server.url}}):
            attempt(owner.email, PASSWORD, client=client, REMOTE_ADDR="192.0.2.99")
    assert not is_signed_in(client)


def test_s06_guessing_from_one_address_is_stopped_over_all_accounts(owner: User) -> None:
    for number in range(10):
        attempt(f"person{number}@example.com", "guess", REMOTE_ADDR="192.0.2.7")
    client = Client()
    attempt(owner.email, PASSWORD, client=client, REMOTE_ADDR="192.0.2.7")
    assert not is_signed_in(client)
    attempt(owner.email, PASSWORD, client=client, REMOTE_ADDR="192.0.2.8")
    assert is_signed_in(client)


def test_s06_an_unknown_account_is_stopped_in_the_same_words(owner: User) -> None:
    for number in range(5):
        attempt(owner.email, "guess", REMOTE_ADDR=f"192.0.2.{number}")
        attempt("nobody@example.com", "guess", REMOTE_ADDR=f"198.51.100.{number}")
    _status, known = attempt(owner.email, "guess", REMOTE_ADDR="192.0.2.99")
    _status, unknown = attempt("nobody@example.com", "guess", REMOTE_ADDR="198.51.100.99")
    assert normalised(known, owner.email) == normalised(unknown, "nobody@example.com")


def test_those_who_sign_in_rightly_are_not_counted(owner: User) -> None:
    for _ in range(8):
        client = Client()
        attempt(owner.email, PASSWORD, client=client)
        assert is_signed_in(client)


def test_s06_an_account_that_is_switched_off_reads_as_a_wrong_password(owner: User) -> None:
    _status, wrong = attempt(owner.email, "not the password")
    User.objects.update(is_active=False)
    client = Client()
    status, switched_off = attempt(owner.email, PASSWORD, client=client)
    assert not is_signed_in(client)
    assert status == 200
    assert normalised(switched_off, owner.email) == normalised(wrong, owner.email)


@pytest.mark.django_db
def test_a_dead_broker_is_told_in_words() -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": "unix:///nowhere/redis.sock"}}):
        status, page = attempt("olga@example.com", PASSWORD)
    assert status == 503
    assert "Try again in a few seconds" in page


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["signup", "reset_password", "change_password", "email", "inactive"])
def test_s04_nothing_else_of_the_sign_in_library_has_an_address(page: str) -> None:
    with pytest.raises(NoReverseMatch):
        reverse(f"account_{page}")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/signup/", "/sign-up/", "/accounts/signup/", "/accounts/login/", "/admin/"])
def test_s04_usual_addresses_of_such_pages_do_not_exist(path: str) -> None:
    assert Client().get(path).status_code == 404
    assert Client().post(path, {"email": "me@example.com", "password1": PASSWORD}).status_code == 404
    assert not User.objects.exists()


def test_signing_out_needs_a_click_and_ends_the_session(owner_client: Client) -> None:
    assert owner_client.get("/sign-out/").status_code == 200
    assert is_signed_in(owner_client)
    assert owner_client.post("/sign-out/").status_code == 302
    assert not is_signed_in(owner_client)


def test_signing_out_tells_that_persons_other_pages(
    owner: User, owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[User] = []
    monkeypatch.setattr("apps.workspaces.sign_in.announce_access_change", lambda *, person: told.append(person))
    owner_client.post("/sign-out/")
    assert told == [owner]


@pytest.mark.django_db
def test_s03_a_fresh_installation_has_nobody_to_sign_in_as() -> None:
    assert not User.objects.exists()
    for email, password in [("admin@example.com", "admin"), ("admin@localhost", "password"), ("admin", "admin")]:
        client = Client()
        attempt(email, password, client=client)
        assert not is_signed_in(client)


@pytest.mark.django_db
def test_a_person_without_a_password_cannot_sign_in_with_one() -> None:
    user = make_user("kim@example.com", "Kim")
    user.set_unusable_password()
    user.save()
    client = Client()
    for password in ("", user.password, "!"):
        attempt(user.email, password, client=client)
        assert not is_signed_in(client)
