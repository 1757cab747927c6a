"""Keeping a function's search index: written anew once enough has changed, and exchanged in one step.

Nothing waits for it: samples that came since are compared one by one, and without an index all are.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from django.db import transaction
from django.utils import timezone

from apps.engine.runtime import one_thread
from apps.functions.models import Function, OutputKind
from apps.samples.models import Sample
from apps.training.models import FunctionWork, SearchArrival, SearchIndex, WorkKind
from apps.training.services.mapped_file import folder_of
from apps.training.services.search_arrivals import forget_arrivals, last_arrival
from apps.training.services.search_index_file import drop_other_indexes, write_index
from apps.training.services.search_space import Space, embedded, read_all, space_of
from apps.training.services.work import LeaseLost, Progress, do_wanted_work, require_mine, want_index

logger = structlog.get_logger(__name__)

FEWEST = 500
"""Fewer are read from the database faster than a file is found to be whole."""
GROWTH = 0.2
"""Of the samples that are in it, so many may have come since: together they cost no more than they did before."""
REST_SECONDS = 2.0


def index_function(*, function_id: int) -> Progress:
    """Write a function's index anew if enough has changed. Running it twice gives the same file."""
    function = Function.objects.select_related("workspace").filter(pk=function_id, output_kind=OutputKind.SEARCH)
    found = function.first()
    if found is None:
        return Progress.DONE
    return do_wanted_work(
        function_id=function_id,
        kind=WorkKind.INDEX,
        do=lambda work: _index(found, work),
        rest_seconds=REST_SECONDS,
    )


def forget_searched(workspace_ids: Sequence[int] | None = None) -> None:
    """Ask for new indexes where the last one holds samples that were deleted for good. For the sweeper."""
    indexes = SearchIndex.objects.filter(function__work__kind=WorkKind.INDEX)
    if workspace_ids is not None:
        indexes = indexes.filter(function__workspace__in=workspace_ids)
    for pk, last, n_then in indexes.values_list("function_id", "last_sample_id", "function__work__cursor"):
        if _n_up_to(pk, last) < n_then:
            want_index(pk)


def _index(function: Function, work: FunctionWork) -> None:
    space = space_of(function)
    if not _has_changed(function, space, work):
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=work.wanted_revision)
        return
    seen = last_arrival(function.pk)
    hash_of = embedded(function.pk)
    if len(hash_of) < FEWEST:
        SearchIndex.objects.filter(function=function).delete()
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=work.wanted_revision)
        drop_other_indexes(folder_of(function), "")
        return
    with one_thread():
        space = space.fitted(hash_of)
        sample_ids, vectors = read_all(space, hash_of)
        sha256 = write_index(folder_of(function), sample_ids, vectors, space.to_state())
    _publish(function, work, space, sha256, last=max(hash_of), n_samples=len(sample_ids))
    forget_arrivals(function.pk, up_to=seen)


def _has_changed(function: Function, space: Space, work: FunctionWork) -> bool:
    index = SearchIndex.objects.filter(function=function).first()
    if index is None or (index.backbone, index.version) != (space.source.backbone, space.source.version):
        return True
    n_new = SearchArrival.objects.filter(function=function).count()
    return n_new > GROWTH * index.n_samples or _n_up_to(function.pk, index.last_sample_id) < work.cursor


def _publish(function: Function, work: FunctionWork, space: Space, sha256: str, *, last: int, n_samples: int) -> None:
    folder = folder_of(function)
    try:
        with transaction.atomic():
            require_mine(work)
            SearchIndex.objects.update_or_create(
                function=function,
                defaults={
                    "backbone": space.source.backbone,
                    "version": space.source.version,
                    "file": f"search-{sha256[:32]}.safetensors",
                    "sha256": sha256,
                    "n_samples": n_samples,
                    "last_sample_id": last,
                    "created_at": timezone.now(),
                },
            )
            FunctionWork.objects.filter(pk=work.pk).update(
                done_revision=work.wanted_revision, cursor=_n_up_to(function.pk, last)
            )
    except LeaseLost:
        current = SearchIndex.objects.filter(function=function).values_list("sha256", flat=True).first()
        drop_other_indexes(folder, current or "")
        raise
    drop_other_indexes(folder, sha256)
    logger.info("search_index_written", function=function.public_id, n_samples=n_samples)


def _n_up_to(function_id: int, last: int) -> int:
    return Sample.everywhere.filter(function=function_id, pk__lte=last).count()
