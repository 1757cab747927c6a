"""Samples after their label was merged or split; taking that back is `unsurgery`.

The label's own row says at once what it is (`functions.services.surgery`); what samples repeat of it follows here, in
transactions of their own, and `finish_surgery` goes on where a process died. Annotations are never rewritten.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.kinds import Audit
from apps.functions.models import Act, ActKind, Label, OutputKind
from apps.functions.services import add_label, begin_act, count_act, note_data_change
from apps.functions.services.changes import record_label
from apps.functions.services.surgery import free_samples, gone_labels, make_alias
from apps.samples.models import PickedBy, Sample, SampleTag
from apps.samples.services.annotations import annotate_many, lock_function, tag_many
from apps.samples.services.bulk import keys_of
from apps.samples.services.resettling import settle_disputed

T = TypeVar("T")

MOVED_AT_ONCE = 2_000
"""Samples whose label is moved in one transaction: about 20 ms of the write lock (two cores, SQLite)."""
SPLIT_MOST = 10_000


def merge_labels(*, source: Label, target: Label, person: User | None) -> Act:
    """Let `source` be another name of `target`; what was labelled with it counts as the other from now on."""
    n_samples = carried(source).count()
    act = make_alias(source=source, target=target, n_samples=n_samples, actor=person)
    move_samples(source)
    settle_disputed(source.function)
    return act


def carried(label: Label) -> "QuerySet[SampleTag] | QuerySet[Sample]":
    """Return what has a label in force: samples, or rows of tags that are there."""
    if label.function.output_kind == OutputKind.TAGS:
        return label.tagged.filter(is_present=True)
    return Sample.objects.filter(label=label)


def move_samples(source: Label) -> None:
    """Let samples repeat the label that theirs was merged into, unless the two are parted meanwhile."""
    while pks := list(Sample.objects.filter(label=source).values_list("pk", flat=True)[:MOVED_AT_ONCE]):
        with transaction.atomic():
            target = _lock_merged(source)
            if target is None:
                return
            Sample.objects.filter(pk__in=pks, label=source).update(label=target)
            note_data_change(source.function_id)
    while rows := list(source.tagged.values_list("pk", "sample_id", "is_present")[:MOVED_AT_ONCE]):
        with transaction.atomic():
            target = _lock_merged(source)
            if target is None:
                return
            _move_tags(rows, target)
            note_data_change(source.function_id)


def _lock_merged(source: Label) -> int | None:
    """Lock the function. Returns what the label is another name of by now."""
    lock_function(source.function_id)
    return Label.objects.filter(pk=source.pk).values_list("merged_into", flat=True).first()


def _move_tags(rows: Sequence[tuple[int, int, bool]], target: int) -> None:
    """Where a sample has both, one row is left, and being on wins."""
    sample_ids = [sample_id for _pk, sample_id, _is_present in rows]
    both = set(SampleTag.objects.filter(sample__in=sample_ids, label=target).values_list("sample_id", flat=True))
    on = [sample_id for _pk, sample_id, is_present in rows if is_present and sample_id in both]
    SampleTag.objects.filter(sample__in=on, label=target).update(is_present=True)
    SampleTag.objects.filter(pk__in=[pk for pk, sample_id, _is_present in rows if sample_id in both]).delete()
    SampleTag.objects.filter(pk__in=[pk for pk, sample_id, _ in rows if sample_id not in both]).update(label=target)


def split_label(*, label: Label, name: str, sample_ids: Sequence[str], person: User) -> Act:
    """Make a label of its own of some samples (by public id) of another; those that are not of it are passed over.

    Raises InvalidInput where none is left, Conflict where the name is taken.
    """
    function = label.function
    if len(sample_ids) > SPLIT_MOST:
        raise InvalidInput(f"At most {SPLIT_MOST:,} samples go at once. Select fewer.")
    keys = _of_label(label, keys_of(function, sample_ids))
    if not keys:
        raise InvalidInput(f"None of the samples selected is “{label.name}”. Select some of those that shall go.")
    new = add_label(function=function, name=name, actor=person)
    facts = {"label": new.public_id, "from": label.public_id, "name": new.name, "of": label.name}
    act = begin_act(function=function, kind=ActKind.SPLIT_LABEL, person=person, facts=facts)
    act = count_act(act=act, n_samples=len(keys))
    if function.output_kind == OutputKind.TAGS:
        tags = _tags_after_split(keys, label, new)
        tag_many(function=function, tags_of=tags, person=person, picked_by=PickedBy.PERSON, act=act)
    else:
        pairs = [(key, new.pk) for key in keys]
        annotate_many(function=function, pairs=pairs, person=person, picked_by=PickedBy.PERSON, act=act)
    with transaction.atomic():
        record_label(Audit.LABEL_SPLIT, new, person, name=new.name, old_name=label.name, n_samples=len(keys))
    return act


def _of_label(label: Label, keys: Sequence[int]) -> list[int]:
    if label.function.output_kind == OutputKind.TAGS:
        return sorted(label.tagged.filter(sample__in=keys, is_present=True).values_list("sample_id", flat=True))
    return sorted(Sample.objects.filter(pk__in=keys, label=label).values_list("pk", flat=True))


def _tags_after_split(keys: Sequence[int], label: Label, new: Label) -> dict[int, dict[int, bool]]:
    tags: dict[int, dict[int, bool]] = {key: {} for key in keys}
    rows = SampleTag.objects.filter(sample__in=keys).values_list("sample_id", "label_id", "is_present")
    for sample_id, label_id, is_present in rows:
        tags[sample_id][label_id] = is_present
    return {key: {**said, label.pk: False, new.pk: True} for key, said in tags.items()}


def finish_surgery() -> int:
    """Move or free what samples still repeat of merged and deleted labels. Returns how many labels there were."""
    n_labels = 0
    for labels in _chunks(gone_labels(), 500):
        pks = [label.pk for label in labels]
        left = set(Sample.objects.filter(label__in=pks).values_list("label_id", flat=True).distinct())
        left |= set(SampleTag.objects.filter(label__in=pks).values_list("label_id", flat=True).distinct())
        for label in labels:
            if label.pk in left:
                finish: Callable[[Label], None] = free_samples if label.deleted_at else move_samples
                finish(label)
                n_labels += 1
    return n_labels


def _chunks(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))
