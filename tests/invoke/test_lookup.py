"""Who may call: asked once a second per key and function, and never answered for somebody else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connections

from apps.core.errors import NotSignedIn
from apps.functions.models import Function
from apps.invoke import lookup
from apps.invoke.database import in_database_thread
from apps.invoke.lookup import Admitted, Lookup, admit
from apps.workspaces.models import ApiKey
from tests.clock import Clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What reached the database."""
    seen: list[tuple[str, str]] = []

    def counting(bearer: str, function_id: str, model_id: str) -> Admitted:
        seen.append((bearer, function_id))
        return admit(bearer, function_id, model_id)

    monkeypatch.setattr(lookup, "admit", counting)
    return seen


def test_within_a_second_the_database_is_asked_once(
    trained: Function, secret: str, asked: list[tuple[str, str]]
) -> None:
    clock = Clock()
    found = Lookup(clock=clock)
    first = found.find(secret, trained.public_id).result(10)
    clock.now += 0.99
    assert found.find(secret, trained.public_id).result(10) is first
    assert len(asked) == 1
    clock.now += 0.01
    found.find(secret, trained.public_id).result(10)
    assert len(asked) == 2


def test_callers_who_come_together_share_one_question(
    trained: Function, secret: str, asked: list[tuple[str, str]]
) -> None:
    found = Lookup(clock=Clock())
    futures = [found.find(secret, trained.public_id) for _ in range(32)]
    assert len({id(future.result(10)) for future in futures}) == 1
    assert len(asked) == 1


def test_a_refusal_is_asked_again(trained: Function, secret: str, asked: list[tuple[str, str]]) -> None:
    found = Lookup(clock=Clock())
    for _ in range(2):
        with pytest.raises(NotSignedIn):
            found.find("hf_wrong", trained.public_id).result(10)
    assert len(asked) == 2


def test_another_key_is_another_question(
    trained: Function, key: tuple[ApiKey, str], asked: list[tuple[str, str]]
) -> None:
    found = Lookup(clock=Clock())
    found.find(key[1], trained.public_id).result(10)
    with pytest.raises(NotSignedIn):
        found.find(key[1] + "x", trained.public_id).result(10)
    assert len(asked) == 2


def test_what_is_remembered_is_bounded(
    trained: Function, secret: str, monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(lookup, "MAX_ENTRIES", 1)
    found = Lookup(clock=Clock())
    bare = trained.public_id.removeprefix("function_")
    for function_id in (trained.public_id, bare, trained.public_id):
        found.find(secret, function_id).result(10)
    assert len(asked) == 3


def test_a_database_thread_keeps_no_connection_behind(trained: Function) -> None:
    def use_and_look() -> Callable[[], object]:
        assert Function.objects.filter(pk=trained.pk).exists()
        return lambda: connections["default"].connection

    look = in_database_thread(use_and_look).result(10)
    # The wrapper is of that thread; with CONN_MAX_AGE 0 its connection is closed by the end of the job.
    assert in_database_thread(look).result(10) is None
