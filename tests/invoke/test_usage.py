"""Calls counted by the hour, whoever asks, whenever their rows come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.functions.models import Function, InputKind
from apps.invoke.models import Invocation, UsageHour
from apps.invoke.usage import HOUR, Tally, clear_old_calls, hour_of, roll_up, tallies

pytestmark = pytest.mark.django_db


def call(function: Function, at: datetime, **values: object) -> Invocation:
    label = function.labels.order_by("pk").first()
    given = {"label": label, "confidence": 0.91, "milliseconds": 12.0, **values}
    return Invocation.objects.create(function=function, created_at=at, **given)


def ago(hours: float) -> datetime:
    return hour_of(timezone.now()) - timedelta(hours=hours) + timedelta(minutes=20)


def total(function: Function) -> Tally:
    found = Tally()
    for tally in tallies(function, timezone.now() - timedelta(days=400), timezone.now()).values():
        found.add(tally)
    return found


def test_calls_are_counted_by_hour_before_and_after_the_roll_up(text_function: Function) -> None:
    label = text_function.labels.order_by("pk").first()
    assert label is not None
    for hours in (0, 0, 1, 5, 5, 5, 30):
        call(text_function, ago(hours))
    call(text_function, ago(5), error="bad_input", label=None, confidence=None)
    call(text_function, ago(5), is_for_review=True, confidence=0.4, milliseconds=700)
    before = tallies(text_function, ago(48), timezone.now())
    assert [before[hour_of(ago(hours))].n_calls for hours in (30, 5, 1, 0)] == [1, 5, 1, 2]
    five = before[hour_of(ago(5))]
    assert (five.n_errors, five.n_for_review, five.n_answered) == (1, 1, 4)
    assert five.labels == {label.public_id: 4}
    assert roll_up() == 3
    assert not UsageHour.objects.filter(hour=hour_of(timezone.now())).exists()
    assert tallies(text_function, ago(48), timezone.now()) == before


def test_rolling_up_twice_changes_nothing_and_late_rows_are_counted_again(text_function: Function) -> None:
    call(text_function, ago(1))
    call(text_function, ago(2))
    assert roll_up() == 2
    assert roll_up() == 0
    call(text_function, ago(2))
    assert roll_up() == 1
    assert total(text_function).n_calls == 3


def test_what_was_counted_stays_when_rows_are_cleared(text_function: Function, settings: Settings) -> None:
    settings.CALLS_KEPT_DAYS = 10
    call(text_function, ago(24 * 11))
    call(text_function, ago(24 * 9))
    roll_up()
    assert clear_old_calls() == 1
    assert Invocation.objects.count() == 1
    assert roll_up() == 0
    assert total(text_function).n_calls == 2


def test_after_a_night_without_a_worker_its_hours_are_there_and_are_counted(text_function: Function) -> None:
    call(text_function, ago(20))
    roll_up()
    for hours in (15, 9):
        call(text_function, ago(hours))
    assert total(text_function).n_calls == 3
    assert roll_up() == 2
    assert total(text_function).n_calls == 3


def test_calls_of_another_function_are_its_own(text_function: Function) -> None:
    image_function = text_function.workspace.functions.create(name="Which colour?", input_kind=InputKind.IMAGE)
    call(text_function, ago(4))
    call(image_function, ago(4), label=None)
    roll_up()
    assert total(text_function).n_calls == 1
    assert total(image_function).n_calls == 1
    assert total(image_function).labels == {"": 1}


def test_quantiles_are_read_off_the_histogram() -> None:
    tally = Tally()
    assert tally.milliseconds_at(0.5) is None
    tally.milliseconds[3] = 90  # 10 to 15 ms
    tally.milliseconds[10] = 10  # 150 to 200 ms
    half, most = tally.milliseconds_at(0.5), tally.milliseconds_at(0.95)
    assert half is not None
    assert most is not None
    assert 10 < half < 15
    assert 150 < most < 200


def test_a_month_takes_a_handful_of_queries(
    text_function: Function, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for hours in range(0, 24 * 30, 7):
        call(text_function, ago(hours))
    roll_up()
    with django_assert_max_num_queries(8):
        found = tallies(text_function, ago(24 * 31), timezone.now())
    assert len(found) == len(range(0, 24 * 30, 7))


def test_hours_begin_on_the_hour_in_utc() -> None:
    moment = datetime(2026, 3, 1, 23, 59, 59, 5, tzinfo=UTC)
    assert hour_of(moment) + HOUR == datetime(2026, 3, 2, tzinfo=UTC)


def test_hours_that_have_not_come_are_not_asked_about(
    text_function: Function, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    call(text_function, ago(1))
    now = timezone.now()
    with django_assert_max_num_queries(10):
        assert sum(each.n_calls for each in tallies(text_function, ago(1), now + 40 * HOUR).values()) == 1
