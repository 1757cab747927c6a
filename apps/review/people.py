"""What each person did in a function: how much, in which time, how often right where the answer is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Count, Max, Q, Sum

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Annotation, PickedBy

MS_PER_MINUTE = 60_000


@dataclass(frozen=True)
class Work:
    """How many answers a person gave that nobody took back, and how long they were at those that were timed."""

    n_answers: int = 0
    active_ms: int = 0
    n_timed: int = 0
    last_at: object = None

    @property
    def minutes(self) -> int:
        return round(self.active_ms / MS_PER_MINUTE)

    @property
    def seconds_each(self) -> float | None:
        """Seconds a sample, of those that were timed."""
        return self.active_ms / 1000 / self.n_timed if self.n_timed else None


def work_by_person(function: Function, person: User | None = None) -> Mapping[int, Work]:
    """Return what each person did, by key; what was brought with its label is nobody's work. One query."""
    rows = Annotation.objects.filter(sample__function=function, undoes=None, undone_by=None, person__isnull=False)
    if person is not None:
        rows = rows.filter(person=person)
    rows = rows.filter(Q(label__isnull=False) | Q(tags__isnull=False)).exclude(picked_by=PickedBy.IMPORT)
    figures = (
        rows.order_by()
        .values("person")
        .annotate(n=Count("pk"), ms=Sum("active_ms"), n_timed=Count("active_ms"), last_at=Max("created_at"))
    )
    return {row["person"]: Work(row["n"], row["ms"] or 0, row["n_timed"], row["last_at"]) for row in figures}


def people_of(function: Function, keys: Sequence[int]) -> list[User]:
    """Return the members of the workspace, and whoever did something here and has left since."""
    members = Q(memberships__workspace=function.workspace_id)
    return list(User.objects.filter(members | Q(pk__in=keys)).distinct().order_by("name", "email"))
