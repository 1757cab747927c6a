"""Where deleted samples rest for `DAYS_IN_BIN` days: out of sight, with all they had, until they are purged.

A sample in the bin has no label, tags or predictions in force, so that nothing finds it by way of those; restoring it
reads its history. Every function works in transactions of a few hundred samples under the function's lock.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.functions.models import Act, ActKind, Function
from apps.functions.services import begin_act, count_act, is_undone, note_data_change
from apps.samples.media import forget_pictures
from apps.samples.models import Sample
from apps.samples.rows import picture_keys
from apps.samples.services.annotations import lock_function
from apps.samples.services.bulk import keys_of
from apps.samples.services.saying import KnownLabels
from apps.samples.services.stages import SLICE_KEYS, Done, Stage
from apps.samples.services.standing import RESTORED_AT_ONCE, put_back, standing_of

DAYS_IN_BIN = 30
BINNED_AT_ONCE = 300
PURGED_AT_ONCE = 100
PURGED_IN_A_REQUEST = 300
"""What goes at once when somebody empties the bin; the sweeper sees to the rest within a minute."""
OF_NO_USE_IN_THE_BIN = ("tags", "predictions", "findings", "handouts")
"""Rows that are made anew when a sample comes back: reached by name, since most live floors above."""


def in_bin(function: Function | None = None) -> QuerySet[Sample]:
    """The samples that can be restored, in all functions or one."""
    rows = Sample.everywhere.filter(deleted_at__gt=purged_before())
    return rows if function is None else rows.filter(function=function)


def due_for_purging() -> QuerySet[Sample]:
    """What is to be deleted for good: nobody sees it any more."""
    return Sample.everywhere.filter(deleted_at__lte=purged_before())


def purged_before() -> datetime:
    """What was deleted before this moment is no more, though the sweeper may not have come to it yet."""
    return timezone.now() - timedelta(days=DAYS_IN_BIN)


def bin_samples(*, function: Function, sample_ids: Sequence[str], person: User | None) -> Act:
    """Put samples (by public id) into the bin as one act. Those that are not there any more are passed over."""
    act = begin_act(function=function, kind=ActKind.DELETE_SAMPLES, person=person)
    n = put_into_bin(function=function, sample_keys=keys_of(function, sample_ids), act=act)
    with transaction.atomic():
        if n:
            _record(Audit.SAMPLES_BINNED, function, person, n)
        return count_act(act=act, n_samples=n)


def put_into_bin(*, function: Function, sample_keys: Sequence[int], act: Act, only: Q | None = None) -> int:
    """Put samples (by key) into the bin on behalf of an act, or `only` some of them. Returns how many."""
    n = 0
    for keys in _chunks(sample_keys, BINNED_AT_ONCE):
        with transaction.atomic():
            lock_function(function.pk)
            if act.kind == ActKind.DELETE_SAMPLES and is_undone(act):
                break
            rows = Sample.objects.filter(pk__in=keys).only("id", "annotation_id")
            n += _bin(function, list(rows if only is None else rows.filter(only)), act)
    return n


def _bin(function: Function, samples: Sequence[Sample], act: Act) -> int:
    if not samples:
        return 0
    keys = [sample.pk for sample in samples]
    nothing = {"label": None, "annotation": None, "labelled_at": None}
    Sample.objects.filter(pk__in=keys).update(deleted_at=timezone.now(), deleted_by=act, **nothing)
    for name in OF_NO_USE_IN_THE_BIN:
        related = Sample._meta.get_field(name).related_model
        assert related is not None
        assert not isinstance(related, str)
        related._default_manager.filter(sample__in=keys).delete()
    if any(sample.annotation_id for sample in samples):
        note_data_change(function.pk)
    _announce(function)
    return len(keys)


def restore_samples(*, function: Function, sample_ids: Sequence[str], person: User | None) -> int:
    """Take samples (by public id) out of the bin, with what they had. Returns how many."""
    rows = in_bin().filter(public_id__in=sample_ids)
    keys = [pk for pk, function_id in rows.values_list("pk", "function_id") if function_id == function.pk]
    n = take_out(function=function, sample_keys=keys)
    if n:
        with transaction.atomic():
            _record(Audit.SAMPLES_RESTORED, function, person, n)
    return n


def stages_of_binning() -> list[Stage]:
    """Taking out what an act put in, and nobody has taken out since."""
    return [Stage(_binned_by, _take_back_out, RESTORED_AT_ONCE)]


def _binned_by(act: Act, after: int) -> list[int]:
    rows = in_bin().filter(deleted_by=act, pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:SLICE_KEYS])


def _take_back_out(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    return Done(n_restored=len(take_out_now(function=act.function, sample_keys=keys)))


def take_out(*, function: Function, sample_keys: Sequence[int]) -> int:
    """Take samples (by key) out of the bin. Returns how many were still in it."""
    n = 0
    for keys in _chunks(sample_keys, RESTORED_AT_ONCE):
        with transaction.atomic():
            lock_function(function.pk)
            n += len(take_out_now(function=function, sample_keys=keys))
    return n


def take_out_now(*, function: Function, sample_keys: Sequence[int], brought_by: Act | None = None) -> list[int]:
    """Take samples out in the caller's transaction, who holds the function's lock. Returns the keys of those."""
    keys = list(in_bin().filter(pk__in=sample_keys, function=function).values_list("pk", flat=True))
    if not keys:
        return []
    # Read anew where columns changed meanwhile; what is known of it already is not computed again.
    Sample.everywhere.filter(pk__in=keys).update(deleted_at=None, deleted_by=None, is_embedded=False)
    if brought_by is not None:
        Sample.objects.filter(pk__in=keys).update(brought_by=brought_by)
    states = {pk: stack[-1] if stack else None for pk, stack in standing_of(keys).items()}
    gives = lock_function(function.pk)
    put_back(gives=gives, labels=KnownLabels(function.pk), states=states, is_new=False)
    note_data_change(function.pk)
    enqueue_on_commit(JobName.EMBED_FUNCTION, function.pk)
    _announce(function)
    return keys


def purge_samples(*, function: Function, sample_ids: Sequence[str] | None, person: User | None) -> int:
    """Delete samples in the bin for good now, all of them where none are named. Returns how many.

    Beyond `PURGED_IN_A_REQUEST` they are only out of reach at once; the sweeper deletes them.
    """
    with transaction.atomic():
        lock_function(function.pk)
        rows = in_bin(function) if sample_ids is None else in_bin(function).filter(public_id__in=sample_ids)
        keys = list(rows.order_by("pk").values_list("pk", flat=True))
        long_ago = purged_before() - timedelta(days=1)
        for chunk in _chunks(keys, BINNED_AT_ONCE):
            Sample.everywhere.filter(pk__in=chunk).update(deleted_at=long_ago)
        if keys:
            _record(Audit.SAMPLES_PURGED, function, person, len(keys))
    for chunk in _chunks(keys[:PURGED_IN_A_REQUEST], PURGED_AT_ONCE):
        with transaction.atomic():
            purge_now(function_id=function.pk, sample_keys=chunk)
    return len(keys)


def purge_old() -> int:
    """Delete what has been in the bin for long enough. Returns how many samples that were."""
    n = 0
    old = due_for_purging().order_by("function_id", "pk")
    while rows := list(old.values_list("function_id", "pk")[:PURGED_AT_ONCE]):
        function_id = rows[0][0]
        with transaction.atomic():
            n += purge_now(function_id=function_id, sample_keys=[pk for of, pk in rows if of == function_id])
    return n


def purge_now(*, function_id: int, sample_keys: Collection[int]) -> int:
    """Delete samples with their history and files, in the caller's transaction. Embeddings go with the next sweep."""
    lock_function(function_id)
    rows = Sample.everywhere.filter(pk__in=sample_keys)
    files = [key for sample in rows for key in (sample.file_key, *picture_keys(sample.row)) if key]
    _n_rows, by_model = rows.delete()
    transaction.on_commit(lambda: forget_pictures(files), robust=True)
    return by_model.get(Sample._meta.label, 0)


def _record(kind: Audit, function: Function, person: User | None, n_samples: int) -> None:
    record(
        workspace=function.workspace.public_id,
        kind=kind,
        actor=person.public_id if person else "",
        subject=function.public_id,
        n_samples=n_samples,
    )


def _announce(function: Function) -> None:
    announce(workspace=function.workspace.public_id, kind=Live.SAMPLES_CHANGED, subject=function.public_id)


def _chunks(keys: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))
