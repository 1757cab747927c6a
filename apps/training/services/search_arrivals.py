"""Samples that were read and may not be in the index yet: so that each can be found at once."""

from __future__ import annotations

from collections.abc import Sequence

from apps.core.jobs import JobName, enqueue_on_commit
from apps.training.models import SearchArrival
from apps.training.services.work import want_index

ROWS_AT_ONCE = 500


def note_arrivals(function_id: int, sample_ids: Sequence[int]) -> None:
    """Note samples that have their vectors, in the transaction that says so, whose caller holds the function's lock.

    Under that lock keys grow as transactions commit: whoever has read up to one misses none before it.
    """
    SearchArrival.objects.bulk_create(SearchArrival(function_id=function_id, sample_id=pk) for pk in sample_ids)
    want_index(function_id)
    enqueue_on_commit(JobName.INDEX_FUNCTION, function_id)


def last_arrival(function_id: int) -> int:
    """Return the key of the newest, 0 where there is none."""
    rows = SearchArrival.objects.filter(function=function_id).order_by("-pk")
    return rows.values_list("pk", flat=True).first() or 0


def arrivals(function_id: int, *, after: int = 0) -> list[tuple[int, int]]:
    """Return the keys of those behind one, with the samples they are of."""
    rows = SearchArrival.objects.filter(function=function_id, pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", "sample_id"))


def forget_arrivals(function_id: int, *, up_to: int) -> None:
    """Remove those that an index holds by now, a short transaction at a time."""
    rows = SearchArrival.objects.filter(function=function_id, pk__lte=up_to)
    while keys := list(rows.values_list("pk", flat=True)[:ROWS_AT_ONCE]):
        SearchArrival.objects.filter(pk__in=keys).delete()
