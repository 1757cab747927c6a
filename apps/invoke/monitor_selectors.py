"""What the monitor page and the API say of a function's calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from apps.engine.metrics import wilson_interval
from apps.functions.models import Function, Label, OutputKind
from apps.invoke.models import DriftAlarm, DriftWatch, Invocation
from apps.invoke.usage import Tally, tallies
from apps.samples.models import Capture, SampleTag

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_JUDGED = 5_000
MOST_ALARMS = 20
ACCURACY_DAYS = 30


@dataclass(frozen=True)
class Range:
    """A stretch of time up to now, and in what steps it is shown."""

    key: str
    title: str
    n: int
    step: timedelta


RANGES = {
    one.key: one
    for one in (
        Range("day", "24 hours", 24, timedelta(hours=1)),
        Range("week", "7 days", 28, timedelta(hours=6)),
        Range("month", "30 days", 30, timedelta(days=1)),
    )
}


@dataclass(frozen=True)
class Stretch:
    """The calls from `start` up to `end`."""

    start: datetime
    end: datetime
    tally: Tally

    @property
    def review_share(self) -> float | None:
        return self.tally.n_for_review / self.tally.n_answered if self.tally.n_answered else None


@dataclass(frozen=True)
class Production:
    """How many of the calls drawn at random were answered as a person labelled them afterwards; the true share lies
    between `low` and `high` with a probability of 0.9."""

    n: int
    n_right: int

    @property
    def share(self) -> float:
        return self.n_right / self.n if self.n else 0.0

    @property
    def low(self) -> float:
        return wilson_interval(self.n_right, self.n)[0]

    @property
    def high(self) -> float:
        return wilson_interval(self.n_right, self.n)[1]


def stretches(function: Function, start: datetime, end: datetime, step: timedelta) -> list[Stretch]:
    """Return all of them from that of `start` to that of `end`, those without calls too. Steps are whole hours."""
    first = start - (start - EPOCH) % step
    found: list[Stretch] = []
    while first < end:
        found.append(Stretch(first, first + step, Tally()))
        first += step
    if found:
        for hour, tally in tallies(function, found[0].start, end - timedelta(microseconds=1)).items():
            found[(hour - found[0].start) // step].tally.add(tally)
    return found


def stretches_of(function: Function, chosen: Range) -> list[Stretch]:
    """Return the last ones of a range, the one that is not over among them."""
    now = timezone.now()
    end = now - (now - EPOCH) % chosen.step + chosen.step
    return stretches(function, end - chosen.n * chosen.step, end, chosen.step)


def sum_of(found: Iterable[Stretch]) -> Tally:
    whole = Tally()
    for stretch in found:
        whole.add(stretch.tally)
    return whole


def commonest_labels(function: Function, whole: Tally, most: int) -> list[Label]:
    """Return the labels answered most often, those deleted since too."""
    by_id = {label.public_id: label for label in Label.objects.filter(function=function)}
    return [by_id[key] for key, _n in whole.labels.most_common() if key in by_id][:most]


def production_accuracy(function: Function, since: datetime) -> Production:
    """Judge the calls kept by chance alone that somebody has labelled; guesses before there was a model do not count.

    Two queries, three where the function gives tags.
    """
    kept = Capture.objects.filter(function=function, is_random=True, created_at__gte=since).exclude(model="")
    kept = kept.filter(sample__annotation__isnull=False, sample__deleted_at=None).order_by("-created_at")
    root_of = {
        pk: (merged or pk, key)
        for pk, merged, key in Label.objects.filter(function=function).values_list("pk", "merged_into", "public_id")
    }
    if function.output_kind == OutputKind.TAGS:
        return _judged_tags(kept, {key: root for root, key in root_of.values()})
    pairs = list(kept.values_list("label", "sample__label")[:MOST_JUDGED])
    n_right = sum(said is not None and root_of.get(said, (said, ""))[0] == is_so for said, is_so in pairs)
    return Production(len(pairs), n_right)


def _judged_tags(kept: QuerySet[Capture], root_of: dict[str, int]) -> Production:
    said = {
        sample_id: {root_of[tag] for tag in tags or () if tag in root_of}
        for sample_id, tags in kept.values_list("sample", "tags")[:MOST_JUDGED]
    }
    there: dict[int, set[int]] = {sample_id: set() for sample_id in said}
    rows = SampleTag.objects.filter(sample__in=kept.values("sample"), is_present=True)
    for sample_id, label_id in rows.values_list("sample", "label"):
        if sample_id in there:
            there[sample_id].add(label_id)
    return Production(len(said), sum(tags == there[sample_id] for sample_id, tags in said.items()))


def alarms_of(function: Function) -> list[DriftAlarm]:
    """Return the newest alarms, those nobody has seen first."""
    rows = list(function.drift_alarms.select_related("seen_by", "model").order_by("-pk")[:MOST_ALARMS])
    return sorted(rows, key=lambda alarm: (alarm.seen_at is not None, -alarm.pk))


def watch_of(function: Function) -> DriftWatch | None:
    """Return how far calls have been compared; None before the first."""
    return DriftWatch.objects.filter(function=function).defer("state").first()


def calls_of(
    function: Function,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    label: Label | None = None,
    only: str = "",
) -> QuerySet[Invocation]:
    """Return calls, the newest first; `only` is "review" or "errors", or empty for all."""
    rows = Invocation.objects.filter(function=function)
    if start is not None:
        rows = rows.filter(created_at__gte=start)
    if end is not None:
        rows = rows.filter(created_at__lt=end)
    if label is not None:
        rows = rows.filter(label=label)
    if only == "review":
        rows = rows.filter(is_for_review=True)
    elif only == "errors":
        rows = rows.exclude(error="")
    return rows.select_related("label", "key", "sample", "model").order_by("-created_at", "-pk")


def shares_of(tally: Tally, labels: Iterable[Label]) -> Counter[str]:
    """Return how many calls each of some labels has, and under "" how many all others have."""
    found = Counter({label.public_id: tally.labels.get(label.public_id, 0) for label in labels})
    found[""] = tally.n_answered - sum(found.values())
    return found
