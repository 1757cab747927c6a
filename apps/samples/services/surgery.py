"""Samples after their label was merged, parted, split or brought back.

The label's own row says at once what it is (`functions.services.surgery`); what samples repeat of it follows here, in
transactions of their own, and `finish_surgery` goes on where a process died. Annotations are never rewritten.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.kinds import Audit
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.functions.services import add_label, begin_act, count_act, note_data_change
from apps.functions.services.changes import record_label
from apps.functions.services.surgery import (
    MENDABLE,
    bring_back_label,
    discard_label,
    free_samples,
    gone_labels,
    label_of,
    make_alias,
    part_alias,
    undo_change,
)
from apps.samples.models import Annotation, PickedBy, Sample, SampleTag
from apps.samples.services.annotations import annotate_many, lock_function, samples_per_transaction, tag_many
from apps.samples.services.bulk import keys_of
from apps.samples.services.resettling import settle_disputed, settle_parted, settle_spoken_of
from apps.samples.services.saying import KnownLabels, repeat_tags
from apps.samples.services.settling import UNREVIEWED
from apps.samples.services.standing import RESTORED_AT_ONCE, point_at, put_back, standing_of

T = TypeVar("T")

OF_A_LABEL = {*MENDABLE, ActKind.MERGE_LABELS, ActKind.DELETE_LABEL}
"""Acts whose undoing begins with the label's own row."""
MOVED_AT_ONCE = 2_000
"""Samples whose label is moved in one transaction: about 20 ms of the write lock (two cores, SQLite)."""
POINTED_AT_ONCE = 1_000
SPLIT_MOST = 10_000


def merge_labels(*, source: Label, target: Label, person: User | None) -> Act:
    """Let `source` be another name of `target`; what was labelled with it counts as the other from now on."""
    n_samples = _carried(source).count()
    act = make_alias(source=source, target=target, n_samples=n_samples, actor=person)
    move_samples(source)
    settle_disputed(source.function)
    return act


def _carried(label: Label) -> "QuerySet[SampleTag] | QuerySet[Sample]":
    if label.function.output_kind == OutputKind.TAGS:
        return label.tagged.filter(is_present=True)
    return Sample.objects.filter(label=label)


def move_samples(source: Label) -> None:
    """Let samples repeat the label that theirs was merged into."""
    target = source.merged_into_id
    while pks := list(Sample.objects.filter(label=source).values_list("pk", flat=True)[:MOVED_AT_ONCE]):
        with transaction.atomic():
            lock_function(source.function_id)
            Sample.objects.filter(pk__in=pks, label=source).update(label=target)
            note_data_change(source.function_id)
    while rows := list(source.tagged.values_list("pk", "sample_id", "is_present")[:MOVED_AT_ONCE]):
        with transaction.atomic():
            lock_function(source.function_id)
            _move_tags(rows, target)
            note_data_change(source.function_id)


def _move_tags(rows: Sequence[tuple[int, int, bool]], target: int | None) -> None:
    """Where a sample has both, one row is left, and being on wins."""
    sample_ids = [sample_id for _pk, sample_id, _is_present in rows]
    both = set(SampleTag.objects.filter(sample__in=sample_ids, label=target).values_list("sample_id", flat=True))
    on = [sample_id for _pk, sample_id, is_present in rows if is_present and sample_id in both]
    SampleTag.objects.filter(sample__in=on, label=target).update(is_present=True)
    SampleTag.objects.filter(pk__in=[pk for pk, sample_id, _is_present in rows if sample_id in both]).delete()
    SampleTag.objects.filter(pk__in=[pk for pk, sample_id, _ in rows if sample_id not in both]).update(label=target)


def begin_undoing(*, act: Act, person: User | None) -> None:
    """Let the label of an act be again what it was; its samples follow. Raises Conflict where that cannot be.

    In the transaction that claims the act, so that it is claimed only if it can be undone.
    """
    if act.kind in MENDABLE:
        undo_change(act=act, actor=person)
    elif act.kind == ActKind.MERGE_LABELS:
        _source, root = part_alias(act=act, actor=person)
        act.facts = {**act.facts, "root": root.public_id}
        Act.objects.filter(pk=act.pk).update(facts=act.facts)
    elif act.kind == ActKind.DELETE_LABEL:
        bring_back_label(act=act, actor=person)


def go_on_undoing(*, act: Act) -> int:
    """Give samples back to the label of an act. Returns how many; again, those that are left."""
    if act.kind == ActKind.MERGE_LABELS:
        source = label_of(act, "source")
        n_restored = _give_back(source, label_of(act, "root"))
        settle_parted(source.function, _with_aliases(source))
        return n_restored
    if act.kind != ActKind.DELETE_LABEL:
        return 0
    label = label_of(act, "label")
    n_restored = _relabel(label)
    return n_restored + settle_spoken_of(label.function, _with_aliases(label))


def _with_aliases(label: Label) -> list[int]:
    return [label.pk, *label.aliases.values_list("pk", flat=True)]


def _give_back(source: Label, root: Label) -> int:
    """The samples that count as `root` though what is in force of them says `source`, or what went along with it."""
    own = [source, *source.aliases.all()]
    if source.function.output_kind == OutputKind.TAGS:
        return _retell_tags(source.function, own)
    sample_ids = list(Sample.objects.filter(label=root, annotation__label__in=own).values_list("pk", flat=True))
    for pks in _chunks(sample_ids, MOVED_AT_ONCE):
        with transaction.atomic():
            lock_function(source.function_id)
            # Asked again under the lock: somebody may have answered anew.
            Sample.objects.filter(pk__in=pks, label=root, annotation__label__in=own).update(label=source)
            note_data_change(source.function_id)
    return len(sample_ids)


def _retell_tags(function: Function, labels: Sequence[Label]) -> int:
    """Let the rows of tags be what annotations that speak of these labels come to now."""
    speaking = Sample.objects.filter(
        function=function, annotation__tags__has_any_keys=[one.public_id for one in labels]
    )
    sample_ids = list(speaking.values_list("pk", flat=True))
    n_at_once = samples_per_transaction(function.labels.in_use().count(), RESTORED_AT_ONCE)
    for pks in _chunks(sample_ids, n_at_once):
        with transaction.atomic():
            lock_function(function.pk)
            known = KnownLabels(function.pk)
            said = Sample.objects.filter(pk__in=pks).values_list("pk", "annotation__tags")
            repeat_tags({pk: known.by_key(tags) for pk, tags in said})
            note_data_change(function.pk)
    return len(sample_ids)


def _relabel(label: Label) -> int:
    """Of samples that nobody has labelled since their label was deleted, those that had it."""
    own = [label, *label.aliases.all()]
    if label.function.output_kind == OutputKind.TAGS:
        return _retell_tags(label.function, own)
    n_restored = _point_back(label, own)
    said = Annotation.objects.filter(label__in=own, sample__annotation=None, sample__deleted_at=None)
    sample_ids = sorted(set(said.values_list("sample_id", flat=True)))
    keys = {one.pk for one in own}
    for pks in _chunks(sample_ids, RESTORED_AT_ONCE):
        with transaction.atomic():
            gives = lock_function(label.function_id)
            bare = Sample.objects.filter(pk__in=pks, annotation=None).values_list("pk", flat=True)
            stacks = standing_of(list(bare))
            states = {pk: stack[-1] if stack else None for pk, stack in stacks.items()}
            states = {pk: state for pk, state in states.items() if state is None or state.label_id in keys}
            put_back(gives=gives, labels=KnownLabels(label.function_id), states=states)
            note_data_change(label.function_id)
            # Counted by what came of it: to several people's answers no single state belongs.
            n_restored += Sample.objects.filter(pk__in=states, label__in=own).count()
    return n_restored


def _point_back(label: Label, own: Sequence[Label]) -> int:
    """The plain ones, which are nearly all: nothing was said since the label, and only one person was asked."""
    newer = Annotation.objects.filter(sample=OuterRef("sample"), pk__gt=OuterRef("pk"))
    plain = Annotation.objects.filter(~Exists(newer), label__in=own, undoes=None, is_opinion=False)
    plain = plain.filter(sample__annotation=None, sample__deleted_at=None, sample__n_opinions=0)
    sample_ids = list(plain.order_by("sample_id").values_list("sample_id", flat=True))
    n_restored = 0
    for pks in _chunks(sample_ids, POINTED_AT_ONCE):
        with transaction.atomic():
            lock_function(label.function_id)
            still = dict(plain.filter(sample__in=pks).values_list("sample_id", "pk"))
            point_at(still, {"label": label, **UNREVIEWED})
            note_data_change(label.function_id)
        n_restored += len(still)
    return n_restored


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


def drop_split_off(*, act: Act, person: User | None) -> None:
    """After a split was undone: the label it made goes, unless a sample has it."""
    new = label_of(act, "label")
    if new.deleted_at is None and new.merged_into_id is None and not _carried(new).exists():
        discard_label(label=new, actor=person)
        free_samples(new)


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
