"""What a workspace may have: samples, functions, calls a day. Its own quota counts, else the installation's; 0 is none.

Calls are counted in memory, because they are many: `settle` writes what this process counted and reads what others did,
every half second while there are calls. So a workspace may get as many calls too many as it makes in that time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from enum import StrEnum
from typing import TypeVar

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Model, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from apps.core.errors import QuotaReached
from apps.events.kinds import Audit
from apps.events.services import record
from apps.workspaces.models import CallCount, Workspace

WHO_CAN = "Whoever runs this installation can raise it, with `manage.py quota`."
ROOM_SECONDS = 10.0
_FORGET_S = 60.0
_SECONDS_A_DAY = 86_400

M = TypeVar("M", bound=Model)


class Quota(StrEnum):
    """The quotas, by the names of their columns."""

    CALLS_PER_DAY = "calls_per_day"
    MAX_SAMPLES = "max_samples"
    MAX_FUNCTIONS = "max_functions"


_WORDS = {Quota.CALLS_PER_DAY: "calls a day", Quota.MAX_SAMPLES: "samples", Quota.MAX_FUNCTIONS: "functions"}


@dataclass(frozen=True)
class Usage:
    """What a workspace has used, beside what it may; 0 is no limit. Samples are counted where they are limited."""

    calls_today: int
    calls_in_30_days: int
    calls_per_day: int
    n_functions: int
    max_functions: int
    n_samples: int | None
    max_samples: int


def limit_of(workspace: Workspace, quota: Quota) -> int:
    own: int | None = getattr(workspace, quota.value)
    return settings.QUOTAS[quota.value] if own is None else own


def require_function(workspace: Workspace) -> None:
    """Raise QuotaReached if one more function would be too many. Needs a transaction; others wait for it."""
    limit = limit_of(workspace, Quota.MAX_FUNCTIONS)
    if not limit:
        return
    list(Workspace.objects.select_for_update(no_key=True).filter(pk=workspace.pk))
    if workspace.functions.count() >= limit:
        raise QuotaReached(f"This workspace may have {limit:,} functions, and has them. {WHO_CAN}")


def require_room(workspace: Workspace, *, samples: int) -> None:
    """Raise QuotaReached if so many new samples would be too many.

    Counted anew only where the end is near: with much room left, what was found counts for some seconds.
    """
    limit = limit_of(workspace, Quota.MAX_SAMPLES)
    if not limit or _room.takes(workspace.pk, limit, samples):
        return
    room = limit - n_samples_of(workspace)
    if samples > room:
        raise QuotaReached(f"This workspace may have {limit:,} samples; there is room for {max(room, 0):,}. {WHO_CAN}")
    _room.keep(workspace.pk, limit, room - samples)


def n_samples_of(workspace: Workspace) -> int:
    """Count the samples of a workspace that are not in the bin.

    As all less those in the bin: for both an index has all it takes, so that no row of a sample is read.
    """
    everywhere = _n_samples(workspace.functions.filter(samples__isnull=False))
    in_bin = _n_samples(workspace.functions.filter(samples__deleted_at__isnull=False))
    counted = Workspace.objects.filter(pk=workspace.pk).annotate(n=everywhere - in_bin)
    return int(counted.values_list("n", flat=True).get())


def _n_samples(functions: QuerySet[M]) -> Coalesce:
    """Return the number of samples that were joined to these functions, as part of a query."""
    counts = functions.order_by().values("workspace").annotate(n=Count("samples")).values("n")
    return Coalesce(Subquery(counts), 0)


def require_calls(workspace: Workspace, n: int = 1) -> None:
    """Raise QuotaReached if so many more calls today would be too many. Looks into memory alone."""
    limit = limit_of(workspace, Quota.CALLS_PER_DAY)
    if limit and _calls.of_today(workspace.pk) + n > limit:
        raise QuotaReached(f"This workspace may make {limit:,} calls a day (UTC). {WHO_CAN}")


def note_calls(workspace_id: int, n: int = 1) -> None:
    """Count calls that were answered. Looks into memory alone."""
    _calls.add(workspace_id, n)


def settle() -> None:
    """Write what was counted here and read what was counted elsewhere. Raises DatabaseError; nothing is lost then."""
    _calls.settle()


def usage_of(workspace: Workspace) -> Usage:
    """Return what the workspace has used; what other processes counted in the last half second is not in it."""
    settle()
    today = timezone.now().astimezone(UTC).date()
    max_samples = limit_of(workspace, Quota.MAX_SAMPLES)
    recent = workspace.call_counts.filter(day__gt=today - timedelta(days=30))
    per_day = dict(recent.values_list("day", "n_calls"))
    return Usage(
        calls_today=per_day.get(today, 0),
        calls_in_30_days=sum(per_day.values()),
        calls_per_day=limit_of(workspace, Quota.CALLS_PER_DAY),
        n_functions=workspace.functions.count(),
        max_functions=limit_of(workspace, Quota.MAX_FUNCTIONS),
        n_samples=n_samples_of(workspace) if max_samples else None,
        max_samples=max_samples,
    )


@transaction.atomic
def set_quotas(*, workspace: Workspace, quotas: Mapping[Quota, int | None]) -> None:
    """Give a workspace quotas of its own: 0 is no limit, None what the installation has."""
    for quota, value in quotas.items():
        setattr(workspace, quota.value, value)
    workspace.save(update_fields=[quota.value for quota in quotas])
    record(
        workspace=workspace.public_id,
        kind=Audit.QUOTA_CHANGED,
        subject=workspace.public_id,
        quotas=", ".join(f"{_WORDS[quota]} {limit_of(workspace, quota) or 'without limit'}" for quota in quotas),
    )
    _room.forget(workspace.pk)


class _Room:
    """How many more samples there is room for, where that is much: not counted again for some seconds."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, int, float]] = {}
        self._lock = threading.Lock()

    def takes(self, workspace_id: int, limit: int, n: int) -> bool:
        with self._lock:
            known_limit, room, until = self._known.get(workspace_id, (0, 0, 0.0))
            if known_limit != limit or time.monotonic() > until or room - n < limit // 10:
                return False
            self._known[workspace_id] = (limit, room - n, until)
            return True

    def keep(self, workspace_id: int, limit: int, room: int) -> None:
        with self._lock:
            self._known[workspace_id] = (limit, room, time.monotonic() + ROOM_SECONDS)

    def forget(self, workspace_id: int) -> None:
        with self._lock:
            self._known.pop(workspace_id, None)


@dataclass
class _Count:
    """The calls of a workspace on one day: what all processes wrote, and what waits here."""

    n_written: int = 0
    n_waiting: int = 0
    touched_at: float = 0.0


class _Calls:
    """Counts calls. `add` and `of_today` take a microsecond; `settle` asks the database twice for each that calls."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, int], _Count] = {}
        self._lock = threading.Lock()
        self._settling = threading.Lock()

    def of_today(self, workspace_id: int) -> int:
        with self._lock:
            count = self._today(workspace_id)
            return count.n_written + count.n_waiting

    def add(self, workspace_id: int, n: int) -> None:
        with self._lock:
            self._today(workspace_id).n_waiting += n

    def settle(self) -> None:
        with self._settling:
            for (workspace_id, day), n_calls in self._lately():
                n_written = _written(workspace_id, day, n_calls)
                with self._lock:
                    count = self._counts[workspace_id, day]
                    count.n_waiting -= n_calls
                    count.n_written = n_written

    def _today(self, workspace_id: int) -> _Count:
        slot = (workspace_id, int(time.time()) // _SECONDS_A_DAY)
        count = self._counts.get(slot)
        if count is None:
            count = self._counts[slot] = _Count()
        count.touched_at = time.monotonic()
        return count

    def _lately(self) -> list[tuple[tuple[int, int], int]]:
        """Return what waits, and who called a moment ago: others may have counted for them as well."""
        idle_since = time.monotonic() - _FORGET_S
        with self._lock:
            for slot, count in list(self._counts.items()):
                if not count.n_waiting and count.touched_at < idle_since:
                    del self._counts[slot]
            return [(slot, count.n_waiting) for slot, count in self._counts.items()]


def _written(workspace_id: int, day_number: int, n_calls: int) -> int:
    """Add to the count of a day, and return what it is then."""
    day = date(1970, 1, 1) + timedelta(days=day_number)
    rows = CallCount.objects.filter(workspace=workspace_id, day=day)
    if n_calls and not rows.update(n_calls=F("n_calls") + n_calls):
        try:
            with transaction.atomic():
                CallCount.objects.create(workspace_id=workspace_id, day=day, n_calls=n_calls)
        except IntegrityError:  # another process was first, or the workspace has been deleted
            rows.update(n_calls=F("n_calls") + n_calls)
    return rows.values_list("n_calls", flat=True).first() or 0


_room = _Room()
_calls = _Calls()
