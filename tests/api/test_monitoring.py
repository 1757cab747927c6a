"""How calls went, over the API: the numbers of the monitor page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.functions.models import Function
from apps.invoke.models import DriftAlarm, DriftKind, DriftWatch, Invocation
from apps.invoke.usage import hour_of, roll_up
from tests.api.conftest import KeyClient

pytestmark = pytest.mark.django_db


def path_of(function: Function, name: str) -> str:
    return f"/v1/functions/{function.public_id}/{name}"


@pytest.fixture
def called(text_function: Function) -> Function:
    refund, shipping = text_function.labels.order_by("position")
    for hours, label, confidence in ((0, refund, 0.93), (3, refund, 0.97), (3, shipping, 0.6)):
        Invocation.objects.create(
            function=text_function,
            label=label,
            confidence=confidence,
            is_for_review=confidence < 0.7,
            novelty=0.3,
            milliseconds=12.5,
            created_at=timezone.now() - timedelta(hours=hours),
        )
    Invocation.objects.create(
        function=text_function,
        error="invalid_input",
        milliseconds=1,
        created_at=timezone.now() - timedelta(hours=3),
    )
    return text_function


def test_calls_are_told_by_the_hour(called: Function, key_client: KeyClient) -> None:
    body = key_client.get(path_of(called, "monitoring")).json()
    total = body["total"]
    assert (total["callCount"], total["errorCount"], total["reviewCount"]) == (4, 1, 1)
    assert total["labels"][0]["callCount"] == 2
    assert total["labels"][0]["labelName"] == "Refund"
    assert total["milliseconds"]["p50"] <= total["milliseconds"]["p95"]
    assert len(body["stretches"]) in {24, 25}
    assert sum(stretch["callCount"] for stretch in body["stretches"]) == 4
    empty = next(stretch for stretch in body["stretches"] if not stretch["callCount"])
    assert not {"milliseconds", "confidence"} & empty.keys()
    assert "production" not in body
    roll_up()
    assert key_client.get(path_of(called, "monitoring")).json()["total"] == total


def test_calls_are_told_by_the_day_and_for_the_time_asked(called: Function, key_client: KeyClient) -> None:
    asked: dict[str, object] = {"from": (timezone.now() - timedelta(days=6)).isoformat(), "by": "day"}
    assert len(key_client.get(path_of(called, "monitoring"), asked).json()["stretches"]) == 7
    hour = hour_of(timezone.now() - timedelta(hours=3))
    asked = {"from": hour.isoformat(), "to": (hour + timedelta(hours=1)).isoformat()}
    body = key_client.get(path_of(called, "monitoring"), asked).json()
    assert [stretch["callCount"] for stretch in body["stretches"]] == [3]


@pytest.mark.parametrize(
    "asked",
    [
        {"by": "minute"},
        {"from": "soon"},
        {"from": "2026-02-30T00:00:00Z"},
        {"from": "2020-01-01T00:00:00Z"},
        {"from": "2026-02-02T00:00:00Z", "to": "2026-02-01T00:00:00Z"},
        {"from": "0001-01-01T00:00:00Z"},
        {"to": "9999-12-31T23:59:59Z"},
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(
    called: Function, key_client: KeyClient, asked: dict[str, object]
) -> None:
    response = key_client.get(path_of(called, "monitoring"), asked)
    assert response.status_code == 400
    assert response.json()["message"]


def test_calls_are_listed_and_paged(called: Function, key_client: KeyClient) -> None:
    calls = key_client.get(path_of(called, "calls")).json()
    assert calls[0]["labelName"] == "Refund"
    assert len(calls) == 4
    failed = next(call for call in calls if "error" in call)
    assert failed["error"] == "invalid_input"
    assert not {"decision", "labelId", "confidence"} & failed.keys()
    page = key_client.get(path_of(called, "calls"), {"count": 3})
    assert len(page.json()) == 3
    assert "startIndex=3" in page["Link"]


def test_calls_are_found_by_label_and_by_what_became_of_them(called: Function, key_client: KeyClient) -> None:
    shipping = called.labels.get(name="Shipping").public_id
    assert len(key_client.get(path_of(called, "calls"), {"labelId": shipping}).json()) == 1
    assert [call["decision"] for call in key_client.get(path_of(called, "calls"), {"only": "review"}).json()] == [
        "review"
    ]
    assert len(key_client.get(path_of(called, "calls"), {"only": "errors"}).json()) == 1
    assert key_client.get(path_of(called, "calls"), {"only": "others"}).status_code == 400
    assert key_client.get(path_of(called, "calls"), {"labelId": "label_nothing"}).status_code == 404


def test_alarms_are_told_with_what_they_are_about(called: Function, key_client: KeyClient) -> None:
    assert key_client.get(path_of(called, "drift")).json() == {"comparedCallCount": 0, "alarms": []}
    DriftWatch.objects.create(function=called, n_calls=412)
    alarm = DriftAlarm.objects.create(
        function=called,
        kind=DriftKind.INPUT,
        began_at=timezone.now(),
        facts={
            "watched": "novelty",
            "is_more": True,
            "now": 0.4,
            "usual": 0.05,
            "calls": [{"at": "2026-03-01T08:00:00+00:00", "label": "", "confidence": None, "novelty": 0.99}],
        },
    )
    body = key_client.get(path_of(called, "drift")).json()
    assert body["comparedCallCount"] == 412
    told = body["alarms"][0]
    assert (told["id"], told["kind"], told["now"]) == (alarm.public_id, "input", 0.4)
    assert told["calls"] == [{"createdAt": "2026-03-01T08:00:00+00:00", "novelty": 0.99}]
    assert "seenAt" not in told


@pytest.mark.parametrize("name", ["monitoring", "drift", "calls"])
def test_of_another_workspace_nothing_is_told(called: Function, outsider_key_client: KeyClient, name: str) -> None:
    assert outsider_key_client.get(path_of(called, name)).status_code == 404
