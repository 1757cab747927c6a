"""What is remembered of callers is forgotten the moment it may not hold any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import NotFound, NotSignedIn
from apps.events.kinds import Live
from apps.events.live import LiveEvent
from apps.functions.models import Function
from apps.functions.services import rename_function
from apps.invoke import lookup
from apps.invoke.lookup import TOLD_SECONDS, VOUCHED_SECONDS, Admitted, Lookup, admit
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.services import authenticate, revoke_key
from tests.clock import Clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    seen: list[str] = []

    def counting(bearer: str, function_id: str, model_id: str) -> Admitted:
        seen.append(function_id)
        return admit(bearer, function_id, model_id)

    monkeypatch.setattr(lookup, "admit", counting)
    return seen


@pytest.fixture
def vouched(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> list[str]:
    """The keys that were asked about by themselves."""
    seen: list[str] = []

    def counting(bearer: str) -> ApiKey:
        seen.append(bearer)
        return authenticate(bearer)

    def whole(bearer: str, function_id: str, model_id: str) -> Admitted:
        asked.append(function_id)
        n_before = len(seen)
        admitted = admit(bearer, function_id, model_id)
        del seen[n_before:]
        return admitted

    monkeypatch.setattr(lookup, "authenticate", counting)
    monkeypatch.setattr(lookup, "admit", whole)
    return seen


@pytest.fixture
def told(clock: Clock) -> Lookup:
    """A look-up that hears of every change."""
    return Lookup(clock=clock, is_told=lambda: True)


def event(kind: Live, subject: str = "") -> LiveEvent:
    return LiveEvent(kind.value, subject, {})


def test_while_changes_are_heard_of_the_database_is_asked_once_in_seconds(
    trained: Function, secret: str, told: Lookup, clock: Clock, asked: list[str]
) -> None:
    for _ in range(5):
        told.find(secret, trained.public_id).result(10)
        clock.now += TOLD_SECONDS / 5 - 0.01
    assert len(asked) == 1
    clock.now += VOUCHED_SECONDS
    told.find(secret, trained.public_id).result(10)
    assert len(asked) == 2


def test_after_seconds_the_key_is_asked_about_once_for_all_functions_it_calls(
    trained: Function, secret: str, told: Lookup, clock: Clock, asked: list[str], vouched: list[str]
) -> None:
    addresses = [trained.public_id, trained.public_id.removeprefix("function_")]
    for n in range(3):
        found = [told.find(secret, address).result(10) for address in addresses]
        assert [one.function for one in found] == [trained, trained]
        assert len(vouched) == n
        clock.now += TOLD_SECONDS
    assert asked == addresses


def test_a_change_that_was_not_heard_of_is_found_out_after_seconds(
    trained: Function, secret: str, told: Lookup, clock: Clock, asked: list[str]
) -> None:
    told.find(secret, trained.public_id).result(10)
    rename_function(function=trained, name="Another name")
    clock.now += TOLD_SECONDS
    assert told.find(secret, trained.public_id).result(10).function.name == "Another name"
    assert len(asked) == 2


def test_a_key_revoked_unheard_is_refused_after_seconds(
    trained: Function, key: tuple[ApiKey, str], owner: User, told: Lookup, clock: Clock
) -> None:
    told.find(key[1], trained.public_id).result(10)
    revoke_key(key=key[0], actor=owner)
    clock.now += TOLD_SECONDS
    with pytest.raises(NotSignedIn):
        told.find(key[1], trained.public_id).result(10)


def test_a_key_that_was_asked_about_before_something_happened_vouches_for_nothing_after_it(
    trained: Function, secret: str, workspace: Workspace, told: Lookup, clock: Clock, vouched: list[str]
) -> None:
    addresses = [trained.public_id, trained.public_id.removeprefix("function_")]
    for address in addresses:
        told.find(secret, address).result(10)
    clock.now += TOLD_SECONDS
    told.find(secret, addresses[0]).result(10)
    told.forget("workspace_another")
    told.find(secret, addresses[1]).result(10)
    assert len(vouched) == 2


def test_a_database_that_failed_once_does_not_fail_all_functions_of_the_key(
    trained: Function, secret: str, told: Lookup, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [trained.public_id, trained.public_id.removeprefix("function_")]
    for address in addresses:
        told.find(secret, address).result(10)
    clock.now += TOLD_SECONDS

    def away(_bearer: str) -> ApiKey:
        raise OperationalError

    with monkeypatch.context() as patched:
        patched.setattr(lookup, "authenticate", away)
        with pytest.raises(OperationalError):
            told.find(secret, addresses[0]).result(10)
    assert told.find(secret, addresses[1]).result(10).function == trained


def test_once_nothing_is_heard_it_is_asked_after_a_second(
    trained: Function, secret: str, clock: Clock, asked: list[str]
) -> None:
    is_told = True
    found = Lookup(clock=clock, is_told=lambda: is_told)
    found.find(secret, trained.public_id).result(10)
    clock.now += 1.0
    found.find(secret, trained.public_id).result(10)
    assert len(asked) == 1
    is_told = False
    found.find(secret, trained.public_id).result(10)
    assert len(asked) == 2


def test_a_revoked_key_is_refused_at_once(
    trained: Function, key: tuple[ApiKey, str], owner: User, workspace: Workspace, told: Lookup
) -> None:
    told.find(key[1], trained.public_id).result(10)
    revoke_key(key=key[0], actor=owner)
    told.heard(workspace.public_id, event(Live.KEYS_CHANGED))
    with pytest.raises(NotSignedIn):
        told.find(key[1], trained.public_id).result(10)


def test_an_answer_on_its_way_while_something_changes_is_not_kept(
    trained: Function, secret: str, workspace: Workspace, told: Lookup, asked: list[str]
) -> None:
    told.find(secret, trained.public_id)
    told.forget(workspace.public_id)
    told.find(secret, trained.public_id).result(10)
    assert len(asked) == 2


@pytest.mark.parametrize(
    "kind", [Live.ACCESS_CHANGED, Live.KEYS_CHANGED, Live.RECORDED, Live.ANNOTATIONS_CHANGED, Live.PREDICTIONS_CHANGED]
)
def test_whatever_may_change_an_answer_is_asked_again(
    trained: Function, secret: str, workspace: Workspace, told: Lookup, asked: list[str], kind: Live
) -> None:
    told.find(secret, trained.public_id).result(10)
    told.heard(workspace.public_id, event(kind, trained.public_id))
    told.find(secret, trained.public_id).result(10)
    assert len(asked) == 2


def test_what_happens_elsewhere_changes_nothing_here(
    trained: Function, secret: str, workspace: Workspace, told: Lookup, asked: list[str]
) -> None:
    told.find(secret, trained.public_id).result(10)
    told.heard("workspace_another", event(Live.KEYS_CHANGED))
    told.heard(workspace.public_id, event(Live.PREDICTIONS_CHANGED, "function_another"))
    told.heard(workspace.public_id, event(Live.SAMPLES_CHANGED, trained.public_id))
    told.find(secret, trained.public_id).result(10)
    assert len(asked) == 1


def test_after_a_gap_everything_is_asked_again(trained: Function, secret: str, told: Lookup, asked: list[str]) -> None:
    told.find(secret, trained.public_id).result(10)
    told.missed()
    told.find(secret, trained.public_id).result(10)
    assert len(asked) == 2


def test_a_deleted_function_is_found_no_more(
    trained: Function, secret: str, workspace: Workspace, told: Lookup
) -> None:
    told.find(secret, trained.public_id).result(10)
    function_id = trained.public_id
    trained.delete()
    told.heard(workspace.public_id, event(Live.RECORDED, function_id))
    with pytest.raises(NotFound):
        told.find(secret, function_id).result(10)


def test_a_key_that_ends_is_asked_for_at_its_end(
    trained: Function, key: tuple[ApiKey, str], clock: Clock, told: Lookup, monkeypatch: pytest.MonkeyPatch
) -> None:
    ApiKey.objects.filter(pk=key[0].pk).update(expires_at=timezone.now() + timedelta(seconds=30))
    told.find(key[1], trained.public_id).result(10)
    clock.now += 2
    told.find(key[1], trained.public_id).result(10)
    after = time.time() + 31
    monkeypatch.setattr("apps.invoke.lookup.time.time", lambda: after)
    ApiKey.objects.filter(pk=key[0].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotSignedIn):
        told.find(key[1], trained.public_id).result(10)


def test_every_change_is_heard_of_by_those_who_watch(trained: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from apps.events import live
    from apps.events.channels import channel_of
    from apps.events.live import Hub

    heard: list[tuple[str, str]] = []
    gaps: list[str] = []

    class Watcher:
        def heard(self, workspace: str, event: LiveEvent) -> None:
            heard.append((workspace, event.kind))

        def missed(self) -> None:
            gaps.append("missed")

    async def messages(_url: str):  # type: ignore[no-untyped-def]  # as the real one
        yield None
        body = b'{"kind": "keys", "subject": "", "data": {}}'
        yield {"type": b"pmessage", "channel": channel_of("workspace_1").encode(), "data": body}
        raise OSError("gone")

    async def run(until: Callable[[], bool]) -> None:
        hub = Hub("redis://nowhere")
        hub.watch(Watcher())
        async with asyncio.timeout(10):
            while not until():
                await asyncio.sleep(0.005)
        assert not hub.is_connected or len(heard) > 1
        hub._watchers.clear()
        hub._rest()

    monkeypatch.setattr(live, "_messages", messages)
    asyncio.run(run(lambda: bool(gaps)))
    assert heard[0] == ("workspace_1", "keys")
    assert gaps
