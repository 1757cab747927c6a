"""What a function keeps of calls, read and changed by programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import CapturePolicy, CaptureReason, Missed
from apps.samples.redaction import all_kinds
from apps.samples.services.capture_policies import CaptureRules, note_missed
from apps.samples.services.capturing import Heard, capture_inputs
from tests.api.conftest import KeyClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def path(text_function: Function) -> str:
    return f"/v1/functions/{text_function.public_id}/capture"


def test_nothing_is_kept_until_somebody_says_so(key_client: KeyClient, path: str) -> None:
    reply = key_client.get(path)
    assert reply.status_code == 200
    assert reply.json() == {
        "mode": "off",
        "randomShare": 0.02,
        "perHour": 200,
        "daysKept": 90,
        "redactions": all_kinds(),
        "keptLastDay": 0,
        "missedLastHour": 0,
    }
    assert not CapturePolicy.objects.exists()


def test_what_is_left_out_stays(key_client: KeyClient, path: str) -> None:
    key_client.put(path, {"mode": "informative", "perHour": 50, "redactions": ["email"]})
    reply = key_client.put(path, {"MODE": "All", "randomshare": 0.1, "daysKept": None})
    assert reply.status_code == 200
    body = reply.json()
    assert (body["mode"], body["perHour"], body["randomShare"], body["daysKept"]) == ("all", 50, 0.1, 90)
    assert body["redactions"] == ["email"]


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "some"},
        {"randomShare": 2},
        {"randomShare": "nan"},
        {"perHour": 0},
        {"perHour": 10**9},
        {"daysKept": -1},
        {"redactions": ["names"]},
        {"redactions": "email"},
        [],
    ],
)
def test_what_cannot_be_meant_is_refused_and_changes_nothing(key_client: KeyClient, path: str, body: object) -> None:
    reply = key_client.put(path, body)
    assert reply.status_code == 400
    assert set(reply.json()) == {"message", "code", "requestId"}
    assert key_client.get(path).json()["mode"] == "off"


def test_it_says_what_was_kept_and_missed(key_client: KeyClient, path: str, text_function: Function) -> None:
    key_client.put(path, {"mode": "all"})
    heard = Heard("hello", CaptureReason.ALL, False, "", None, None, 0.5)  # in the order of its fields
    capture_inputs(function=text_function, heard=[heard], rules=CaptureRules(mode="all"))
    note_missed(function_id=text_function.pk, n_calls=2, because=Missed.LIMIT)
    note_missed(function_id=text_function.pk, n_calls=3, because=Missed.QUOTA)
    body = key_client.get(path).json()
    assert (body["keptLastDay"], body["missedLastHour"], body["missedBecause"]) == (1, 5, "Quota")


def test_who_may_change_functions_may_change_it(
    client_with: Callable[..., KeyClient], outsider_key_client: KeyClient, path: str, owner: User
) -> None:
    assert client_with("read").get(path).status_code == 200
    assert client_with("read", "write", "invoke").put(path, {"mode": "all"}).status_code == 403
    assert client_with("invoke").get(path).status_code == 403
    assert outsider_key_client.get(path).status_code == 404
    assert outsider_key_client.put(path, {"mode": "all"}).status_code == 404
    assert client_with("admin").put(path, {"mode": "all"}).status_code == 200
