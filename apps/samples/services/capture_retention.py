"""Captured calls that nobody had anything to say of go after a while, as if somebody had deleted them for good."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from apps.core.errors import NotFound
from apps.samples.models import Annotation, CapturePolicy, Comment, Feedback, Mark, Origin, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.bin import PURGED_AT_ONCE, purge_now

MOST_AT_ONCE = 2_000
"""Of one function in one sweep: the others have their turn, and the next sweep goes on within a minute."""


def forget_old_captures() -> int:
    """Delete captured samples past their days, in short transactions. Returns how many those were.

    Kept is what people have had in their hands: what was ever labelled, flagged, commented or reported.
    """
    rules = list(CapturePolicy.objects.values_list("function_id", "days_kept"))
    return sum(_forget(function_id, days) for function_id, days in rules)


def _forget(function_id: int, days_kept: int) -> int:
    n = 0
    while n < MOST_AT_ONCE:
        try:
            n_gone = _forget_some(function_id, days_kept)
        except NotFound:  # the function has been deleted meanwhile, and they with it
            return n
        if not n_gone:
            return n
        n += n_gone
    return n


@transaction.atomic
def _forget_some(function_id: int, days_kept: int) -> int:
    due = _due(function_id, days_kept)
    if not due.exists():  # nearly always: nobody waits for that
        return 0
    lock_function(function_id)
    keys = list(due.values_list("pk", flat=True)[:PURGED_AT_ONCE])
    return purge_now(function_id=function_id, sample_keys=keys) if keys else 0


def _due(function_id: int, days_kept: int) -> QuerySet[Sample]:
    """Without an order: the index has them by time."""
    old = Sample.objects.filter(
        function=function_id,
        origin=Origin.CAPTURE,
        annotation=None,
        created_at__lt=timezone.now() - timedelta(days=days_kept),
        capture__isnull=False,
    )
    touched = (model.objects.filter(sample=OuterRef("pk")) for model in (Annotation, Comment, Mark, Feedback))
    return old.order_by().filter(*(~Exists(rows) for rows in touched))
