"""How many calls, how fast, how sure: counted once for each hour that is over, and from the rows for newer ones.

Rows are written a moment after their calls, and later where the database was away. The hours just over are therefore
counted again, once a minute, until `SETTLED_HOURS` later an hour is taken as it stands.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db.models import Case, Count, IntegerField, Max, Min, QuerySet, Value, When
from django.utils import timezone

from apps.functions.models import Function, Label
from apps.invoke.models import Invocation, UsageHour

MILLISECOND_BOUNDS = (2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1_000, 2_000, 5_000, 60_000)
CONFIDENCE_BOUNDS = tuple(step / 20 for step in range(1, 20))
SETTLED_HOURS = 3
SWEEP_SECONDS = 60.0
CLEARED_AT_ONCE, LOTS = 500, 40
HOUR = timedelta(hours=1)


@dataclass
class Tally:
    """Calls counted: histograms have a count below each bound, and one beyond the last. `labels` by public id.

    Of calls that were not answered only the number is known.
    """

    n_calls: int = 0
    n_errors: int = 0
    n_for_review: int = 0
    milliseconds: list[int] = field(default_factory=lambda: [0] * (len(MILLISECOND_BOUNDS) + 1))
    confidence: list[int] = field(default_factory=lambda: [0] * (len(CONFIDENCE_BOUNDS) + 1))
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def n_answered(self) -> int:
        return self.n_calls - self.n_errors

    def milliseconds_at(self, share: float) -> float | None:
        """Return below which time so many of the answers came, None without any."""
        return _quantile(self.milliseconds, MILLISECOND_BOUNDS, share)

    def confidence_at(self, share: float) -> float | None:
        """Return below which confidence so many of the answers were, None without any."""
        return _quantile(self.confidence, (*CONFIDENCE_BOUNDS, 1.0), share)

    def add(self, other: Tally) -> None:
        self.n_calls += other.n_calls
        self.n_errors += other.n_errors
        self.n_for_review += other.n_for_review
        self.milliseconds = [one + two for one, two in zip(self.milliseconds, other.milliseconds, strict=True)]
        self.confidence = [one + two for one, two in zip(self.confidence, other.confidence, strict=True)]
        self.labels.update(other.labels)


def hour_of(moment: datetime) -> datetime:
    """Return the beginning of its hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def tallies(function: Function, since: datetime, until: datetime) -> dict[datetime, Tally]:
    """Return the calls of each hour that has any, from the hour of `since` to that of `until`.

    One query for the hours counted already, and one for each hour that is not: a handful.
    """
    since, until = hour_of(since), hour_of(min(until, timezone.now()))  # an hour that has not come has no calls
    open_from = max(since, _open_from())
    rows = UsageHour.objects.filter(function=function, hour__gte=since, hour__lt=min(open_from, until + HOUR))
    found = {row.hour: _tally_of(row) for row in rows}
    names = dict(Label.objects.filter(function=function).values_list("pk", "public_id"))
    hour = open_from
    while hour <= until:
        counted = _count(hour, names, Invocation.objects.filter(function=function)).get(function.pk)
        if counted is not None:
            found[hour] = counted
        hour += HOUR
    return found


def roll_up() -> int:
    """Count the hours that are over; those that were counted lately, again. Returns how many rows it wrote.

    Safe to run in several workers at once: all of them write the same.
    """
    now = timezone.now()
    hour, n_written = _first_to_count(), 0
    while hour is not None and hour + HOUR <= now:
        n_written += _roll_up_hour(hour)
        hour = _next_with_calls(hour + HOUR)
    return n_written


def clear_old_calls() -> int:
    """Delete the rows of calls older than they are kept, a few thousand at a time; what was counted of them stays."""
    oldest_kept = timezone.now() - timedelta(days=settings.CALLS_KEPT_DAYS)
    n_cleared = 0
    for _lot in range(LOTS):
        old = Invocation.objects.filter(created_at__lt=oldest_kept).order_by("created_at")
        keys = list(old.values_list("pk", flat=True)[:CLEARED_AT_ONCE])
        Invocation.objects.filter(pk__in=keys).delete()
        n_cleared += len(keys)
        if len(keys) < CLEARED_AT_ONCE:
            break
    return n_cleared


class _Turn:
    """When this process is to count again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next_at = 0.0

    def is_due(self) -> bool:
        with self._lock:
            is_due = time.monotonic() >= self._next_at
            if is_due:
                self._next_at = time.monotonic() + SWEEP_SECONDS
            return is_due


_turn = _Turn()


def keep_usage() -> None:
    """What a worker does about usage when it sweeps: once a minute it counts, then clears."""
    if _turn.is_due():
        roll_up()
        clear_old_calls()


def _open_from() -> datetime:
    """Return the first hour that has not been counted; what comes late to one that has been is there a minute later."""
    now = hour_of(timezone.now())
    counted = UsageHour.objects.aggregate(last=Max("hour"))["last"]
    if counted is None:
        first = Invocation.objects.aggregate(first=Min("created_at"))["first"]
        return min(now, hour_of(first)) if first else now
    later = Invocation.objects.filter(created_at__gte=counted + HOUR).aggregate(first=Min("created_at"))["first"]
    return min(now, hour_of(later)) if later else now


def _first_to_count() -> datetime | None:
    counted = UsageHour.objects.aggregate(last=Max("hour"))["last"]
    if counted is None:
        return _next_with_calls(None)
    settled = hour_of(timezone.now()) - SETTLED_HOURS * HOUR
    return _next_with_calls(min(counted + HOUR, settled))


def _next_with_calls(hour: datetime | None) -> datetime | None:
    rows = Invocation.objects.all() if hour is None else Invocation.objects.filter(created_at__gte=hour)
    first = rows.aggregate(first=Min("created_at"))["first"]
    return hour_of(first) if first else None


def _roll_up_hour(hour: datetime) -> int:
    within = Invocation.objects.filter(created_at__gte=hour, created_at__lt=hour + HOUR)
    there = dict(within.order_by().values_list("function").annotate(n=Count("pk")))
    counted = dict(UsageHour.objects.filter(hour=hour).values_list("function", "n_calls"))
    moved = [function_id for function_id, n in there.items() if counted.get(function_id, 0) < n]
    if not moved:
        return 0
    names = dict(Label.objects.filter(function__in=moved).values_list("pk", "public_id"))
    for function_id, tally in _count(hour, names, Invocation.objects.filter(function__in=moved)).items():
        UsageHour.objects.update_or_create(
            function_id=function_id,
            hour=hour,
            defaults={
                "n_calls": tally.n_calls,
                "n_errors": tally.n_errors,
                "n_for_review": tally.n_for_review,
                "milliseconds": tally.milliseconds,
                "confidence": tally.confidence,
                "labels": dict(tally.labels),
            },
        )
    return len(moved)


def _count(hour: datetime, names: Mapping[int, str], rows: QuerySet[Invocation]) -> dict[int, Tally]:
    """Count one hour by function, in the database: at most a few thousand different kinds of rows come back."""
    within = rows.filter(created_at__gte=hour, created_at__lt=hour + HOUR).order_by()
    kinds = within.annotate(
        time_bin=_bin_of("milliseconds", MILLISECOND_BOUNDS),
        sureness_bin=_bin_of("confidence", CONFIDENCE_BOUNDS),
        failed=Case(When(error="", then=Value(0)), default=Value(1), output_field=IntegerField()),
    ).values_list("function", "label", "is_for_review", "failed", "time_bin", "sureness_bin")
    found: defaultdict[int, Tally] = defaultdict(Tally)
    for function_id, label_id, is_for_review, failed, time_bin, sureness_bin, n in kinds.annotate(n=Count("pk")):
        tally = found[function_id]
        tally.n_calls += n
        if failed:
            tally.n_errors += n
            continue
        tally.n_for_review += n if is_for_review else 0
        tally.milliseconds[time_bin] += n
        tally.labels[names.get(label_id, "")] += n
        if sureness_bin is not None:
            tally.confidence[sureness_bin] += n
    return dict(found)


def _bin_of(column: str, bounds: Sequence[float]) -> Case:
    """The number of the bin a value is in; of none where there is no value."""
    whens = [When(**{f"{column}__lt": bound}, then=Value(number)) for number, bound in enumerate(bounds)]
    beyond = When(**{f"{column}__isnull": False}, then=Value(len(bounds)))
    return Case(*whens, beyond, default=None, output_field=IntegerField(null=True))


def _tally_of(row: UsageHour) -> Tally:
    return Tally(
        row.n_calls, row.n_errors, row.n_for_review, list(row.milliseconds), list(row.confidence), Counter(row.labels)
    )


def _quantile(counts: Sequence[int], bounds: Sequence[float], share: float) -> float | None:
    """Return where so many of the counted lie, as if they lay evenly within their bin."""
    wanted, before = share * sum(counts), 0
    if not wanted:
        return None
    for number, count in enumerate(counts):
        if count and before + count >= wanted:
            low = bounds[number - 1] if number else 0.0
            high = bounds[min(number, len(bounds) - 1)]
            return float(low + (high - low) * (wanted - before) / count)
        before += count
    return float(bounds[-1])
