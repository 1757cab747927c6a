"""S06, S07 and S16 for tokens: who gets one, what it does, and when it ends."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.db import connections
from django.utils import timezone

from apps.accounts.models import User
from apps.core import caller
from apps.core.errors import NotSignedIn, Throttled
from apps.core.throttling import Throttle
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action, Role
from apps.workspaces.services import authenticate, authentication, create_key, exchange, remove_member, revoke_key
from tests.workspaces.conftest import Join, membership_of

CHOSEN = "a-secret-of-many-years-01"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_guesses", authentication._Guesses())
    monkeypatch.setattr(authentication, "_known", authentication._Known())


@pytest.fixture
def key_and_text(workspace: Workspace, owner: User) -> tuple[ApiKey, str]:
    return create_key(workspace=workspace, owner=owner, name="Help desk", actions=[Action.INVOKE])


@pytest.fixture
def chosen(key_and_text: tuple[ApiKey, str]) -> ApiKey:
    key = key_and_text[0]
    key.client_id, key.chosen_hash, key.secret_hash = "our-old-client", make_password(CHOSEN), ""
    key.save(update_fields=["client_id", "chosen_hash", "secret_hash"])
    return key


def token_of(client_id: str, secret: str) -> str:
    return exchange(client_id=client_id, secret=secret).text


def test_a_generated_keys_text_is_also_the_secret_of_its_client_id(key_and_text: tuple[ApiKey, str]) -> None:
    key, text = key_and_text
    token = exchange(client_id=key.client_id, secret=text)
    assert token.text.startswith("hft_")
    assert token.lifetime_s == 3600
    found = authenticate(token.text)
    assert found == key
    assert found.allows(Action.INVOKE)
    assert not found.allows(Action.VIEW)


def test_a_chosen_secret_gets_tokens_and_is_no_bearer_itself(chosen: ApiKey) -> None:
    assert authenticate(token_of("our-old-client", CHOSEN)) == chosen
    with pytest.raises(NotSignedIn):
        authenticate(CHOSEN)


@pytest.mark.parametrize(
    ("client_id", "secret"),
    [
        ("our-old-client", CHOSEN + "x"),
        ("our-old-client", ""),
        ("our-old-client", "x" * 1000),
        ("somebody-else", CHOSEN),
        ("", CHOSEN),
        ("our-old-client" * 20, CHOSEN),
        ("OUR-OLD-CLIENT", CHOSEN),
        ("our-old-client", "hf_aaaaaaaaaaaa_" + "A" * 43),
    ],
)
def test_s06_every_wrong_pair_reads_the_same(chosen: ApiKey, client_id: str, secret: str) -> None:
    with pytest.raises(NotSignedIn) as caught:
        exchange(client_id=client_id, secret=secret)
    assert caught.value.message == authentication.WRONG_PAIR
    chosen.refresh_from_db()
    assert chosen.last_used_at is None


def test_s06_an_unknown_client_costs_the_work_of_a_wrong_secret(chosen: ApiKey, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    ApiKey.objects.update(chosen_hash=make_password(CHOSEN))

    def seconds(client_id: str) -> float:
        started = time.thread_time()
        with pytest.raises(NotSignedIn):
            exchange(client_id=client_id, secret="not this one at all")
        return time.thread_time() - started

    known, unknown = (min(seconds(name) for _ in range(2)) for name in ("our-old-client", "somebody-else"))
    assert 0.5 < known / unknown < 2
    assert unknown > 0.02


def test_a_right_secret_is_checked_slowly_once(chosen: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    token_of("our-old-client", CHOSEN)
    monkeypatch.setattr(authentication, "check_password", None)
    assert authenticate(token_of("our-old-client", CHOSEN)) == chosen


def test_s06_guessing_is_slowed_down_for_the_address_and_for_the_client(
    chosen: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    guesses = authentication._Guesses()
    guesses._addresses, guesses._clients = Throttle(0.1, 3), Throttle(0.1, 5)
    monkeypatch.setattr(authentication, "_guesses", guesses)

    def guess(address: str, client_id: str = "our-old-client") -> None:
        with caller.calling(address):
            exchange(client_id=client_id, secret="hf_aaaaaaaaaaaa_" + "A" * 43)

    for _ in range(3):
        with pytest.raises(NotSignedIn):
            guess("203.0.113.1")
    with pytest.raises(Throttled) as caught:
        guess("203.0.113.1", "another-client")
    assert 1 <= caught.value.retry_after_s <= 10
    for address in ("203.0.113.2", "203.0.113.3"):
        with pytest.raises(NotSignedIn):
            guess(address)
    with pytest.raises(Throttled):
        guess("203.0.113.4")


def test_who_is_right_gets_in_while_others_guess(chosen: ApiKey) -> None:
    token_of("our-old-client", CHOSEN)
    authentication._guesses._clients.take("our-old-client", 59)
    with pytest.raises(Throttled):
        token_of("our-old-client", CHOSEN + "x")
    assert token_of("our-old-client", CHOSEN)


def test_a_token_ends(key_and_text: tuple[ApiKey, str], monkeypatch: pytest.MonkeyPatch) -> None:
    key, text = key_and_text
    token = token_of(key.client_id, text)
    authenticate(token)
    later = time.time() + 3601
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(NotSignedIn, match="ended"):
        authenticate(token)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token[:17] + "f" * 8 + token[25:],
        lambda token: token.replace("hft_", "hf_"),
        lambda token: "hft_" + "a" * 12 + token[16:],
        lambda token: token + "\n",
        lambda token: token.upper(),
    ],
)
def test_s07_a_token_cannot_be_mended(key_and_text: tuple[ApiKey, str], mangle: Any) -> None:
    key, text = key_and_text
    with pytest.raises(NotSignedIn):
        authenticate(mangle(token_of(key.client_id, text)))


def test_s07_a_token_is_of_no_other_installation(key_and_text: tuple[ApiKey, str], settings: Any) -> None:
    key, text = key_and_text
    token = token_of(key.client_id, text)
    settings.SECRET_KEY = "another secret key, as long as it has to be, of some server"
    with pytest.raises(NotSignedIn):
        authenticate(token)


def test_s16_tokens_die_with_their_key(key_and_text: tuple[ApiKey, str], owner: User) -> None:
    key, text = key_and_text
    token = token_of(key.client_id, text)
    revoke_key(key=key, actor=owner)
    with pytest.raises(NotSignedIn):
        authenticate(token)
    with pytest.raises(NotSignedIn):
        token_of(key.client_id, text)


def test_tokens_die_when_their_key_expires(key_and_text: tuple[ApiKey, str]) -> None:
    key, text = key_and_text
    token = token_of(key.client_id, text)
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotSignedIn):
        authenticate(token)
    with pytest.raises(NotSignedIn):
        token_of(key.client_id, text)


def test_s16_tokens_die_with_their_owners_membership(workspace: Workspace, owner: User, join: Join) -> None:
    admin = join(Role.ADMIN)
    key, text = create_key(workspace=workspace, owner=admin, name="Theirs", actions=[Action.INVOKE])
    token = token_of(key.client_id, text)
    remove_member(membership=membership_of(admin, workspace), actor=owner)
    with pytest.raises(NotSignedIn):
        authenticate(token)
    with pytest.raises(NotSignedIn):
        token_of(key.client_id, text)


def test_a_token_costs_one_query(key_and_text: tuple[ApiKey, str], django_assert_num_queries: Any) -> None:
    key, text = key_and_text
    token = token_of(key.client_id, text)
    with django_assert_num_queries(1):
        authenticate(token)


@pytest.mark.django_db(transaction=True)
def test_strangers_who_guess_do_not_keep_the_database_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = connections["default"]
    was_free: list[bool] = []

    def check(_secret: str, _kept: list[str]) -> str:
        was_free.append(mine.connection is None)
        return ""

    monkeypatch.setattr(authentication, "_checked_slowly", check)
    with pytest.raises(NotSignedIn):
        exchange(client_id="nobody", secret="a guess")  # it is none
    assert was_free == [True]
