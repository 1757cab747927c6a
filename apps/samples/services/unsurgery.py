"""What samples repeat of a label, given back to it after its merge, deletion or split was undone.

The label's own row is set right when the act is claimed (`begin_undoing`); samples follow in stages. A label that went
again meanwhile gets nothing back.
"""

from collections.abc import Sequence
from functools import partial

from django.db.models import Exists, OuterRef, QuerySet

from apps.accounts.models import User
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.functions.services import note_data_change
from apps.functions.services.surgery import (
    MENDABLE,
    bring_back_label,
    discard_label,
    free_samples,
    label_of,
    part_alias,
    undo_change,
)
from apps.samples.models import Annotation, Sample
from apps.samples.services.annotations import lock_function, samples_per_transaction
from apps.samples.services.resettling import SETTLED_AT_ONCE, agreed_on_one_of, settle_chosen, spoken_of
from apps.samples.services.saying import KnownLabels, repeat_tags
from apps.samples.services.settling import UNREVIEWED
from apps.samples.services.stages import SLICE_KEYS, Done, Stage, single
from apps.samples.services.standing import RESTORED_AT_ONCE, point_at, put_back, standing_of
from apps.samples.services.surgery import MOVED_AT_ONCE, carried

OF_A_LABEL = {*MENDABLE, ActKind.MERGE_LABELS, ActKind.DELETE_LABEL}
"""Acts whose undoing begins with the label's own row."""
POINTED_AT_ONCE = 1_000


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


def stages_of(act: Act) -> list[Stage]:
    """Return how samples are given back to the label of an act."""
    if act.kind == ActKind.MERGE_LABELS:
        is_tags = act.function.output_kind == OutputKind.TAGS
        given = _retelling(act, "source") if is_tags else Stage(_merged, _give_back, MOVED_AT_ONCE)
        return [given, Stage(_parted, _settle_parted, SETTLED_AT_ONCE), *_freed_with_root(act)]
    if act.kind != ActKind.DELETE_LABEL:
        return []
    settled = Stage(_spoken_of, _settle_spoken_of, SETTLED_AT_ONCE)
    if act.function.output_kind == OutputKind.TAGS:
        return [_retelling(act, "label"), settled]
    pointed = Stage(_plain_ones, _point_back, POINTED_AT_ONCE)
    return [pointed, Stage(_bare_ones, _relabel, RESTORED_AT_ONCE), settled]


def _freed_with_root(act: Act) -> list[Stage]:
    """What the label it had been merged into took from samples when that was deleted itself."""
    if label_of(act, "root").deleted_at is None:
        return []
    if act.function.output_kind == OutputKind.TAGS:
        return []  # rows of tags were made anew from what was said
    return [Stage(partial(_bare_ones, name="source"), partial(_relabel, name="source"), RESTORED_AT_ONCE)]


def stages_of_split(act: Act) -> list[Stage]:
    """After a split was undone: the label it made goes, unless a sample has it."""
    return [single(_drop_split_off)] if act.kind == ActKind.SPLIT_LABEL else []


def _own(act: Act, name: str) -> list[Label]:
    """The label an act's facts name so with what is merged into it; none where it went again."""
    label = label_of(act, name)
    return [] if label.deleted_at or label.merged_into_id else [label, *label.aliases.all()]


def _keys(own: Sequence[Label]) -> list[int]:
    return [label.pk for label in own]


def _merged(act: Act, after: int) -> list[int]:
    """The samples that count as the root though what is in force of them says the source, or what went along."""
    rows = _still_merged(act).filter(pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:SLICE_KEYS])


def _still_merged(act: Act) -> "QuerySet[Sample]":
    root = label_of(act, "root")
    return Sample.objects.filter(label=root, annotation__label__in=_own(act, "source"))


def _give_back(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    source = label_of(act, "source")
    # Asked again under the lock: somebody may have answered anew.
    n = _still_merged(act).filter(pk__in=keys).update(label=source)
    note_data_change(act.function_id)
    return Done(n_restored=n)


def _parted(act: Act, after: int) -> list[int]:
    rows = agreed_on_one_of(act.function, _keys(_own(act, "source"))).filter(pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:SLICE_KEYS])


def _settle_parted(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    settle_chosen(act.function, keys)
    return Done()


def _retelling(act: Act, name: str) -> Stage:
    """Let the rows of tags be what annotations that speak of these labels come to now."""

    def left(act: Act, after: int) -> list[int]:
        public_ids = [label.public_id for label in _own(act, name)]
        rows = Sample.objects.filter(function=act.function_id, annotation__tags__has_any_keys=public_ids)
        return list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:SLICE_KEYS])

    return Stage(left, _retell, samples_per_transaction(n_tags(act.function), RESTORED_AT_ONCE))


def n_tags(function: Function) -> int:
    """How many tags are written with each sample; 0 where a sample has one label."""
    return function.labels.in_use().count() if function.output_kind == OutputKind.TAGS else 0


def _retell(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    known = KnownLabels(act.function_id)
    said = Sample.objects.filter(pk__in=keys).values_list("pk", "annotation__tags")
    repeat_tags({pk: known.by_key(tags) for pk, tags in said})
    note_data_change(act.function_id)
    return Done(n_restored=len(keys))


def _plain(own: Sequence[Label]) -> "QuerySet[Annotation]":
    """The plain ones, which are nearly all: nothing was said since the label, and only one person was asked."""
    newer = Annotation.objects.filter(sample=OuterRef("sample"), pk__gt=OuterRef("pk"))
    plain = Annotation.objects.filter(~Exists(newer), label__in=own, undoes=None, is_opinion=False)
    return plain.filter(sample__annotation=None, sample__deleted_at=None, sample__n_opinions=0)


def _plain_ones(act: Act, after: int) -> list[int]:
    rows = _plain(_own(act, "label")).filter(sample__gt=after).order_by("sample_id")
    return list(rows.values_list("sample_id", flat=True)[:SLICE_KEYS])


def _point_back(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    still = dict(_plain(_own(act, "label")).filter(sample__in=keys).values_list("sample_id", "pk"))
    point_at(still, {"label": label_of(act, "label"), **UNREVIEWED})
    note_data_change(act.function_id)
    return Done(n_restored=len(still))


def _bare_ones(act: Act, after: int, *, name: str = "label") -> list[int]:
    """Of samples that nobody has labelled since their label was deleted, those that had it."""
    said = Annotation.objects.filter(label__in=_own(act, name), sample__annotation=None, sample__deleted_at=None)
    rows = said.filter(sample__gt=after).order_by("sample_id").values_list("sample_id", flat=True)
    return list(rows.distinct()[:SLICE_KEYS])


def _relabel(act: Act, _person: User | None, keys: Sequence[int], *, name: str = "label") -> Done:
    own = set(_keys(_own(act, name)))
    bare = Sample.objects.filter(pk__in=keys, annotation=None).values_list("pk", flat=True)
    states = {pk: stack[-1] if stack else None for pk, stack in standing_of(list(bare)).items()}
    states = {pk: state for pk, state in states.items() if state is None or state.label_id in own}
    gives = lock_function(act.function_id)
    put_back(gives=gives, labels=KnownLabels(act.function_id), states=states)
    note_data_change(act.function_id)
    # Counted by what came of it: to several people's answers no single state belongs.
    return Done(n_restored=Sample.objects.filter(pk__in=states, label__in=own).count())


def _spoken_of(act: Act, after: int) -> list[int]:
    rows = spoken_of(_keys(_own(act, "label"))).filter(sample__gt=after).order_by("sample_id")
    return list(rows.values_list("sample_id", flat=True).distinct()[:SLICE_KEYS])


def _settle_spoken_of(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    """Whoever gave a label that was brought back is heard again."""
    with_one = Sample.objects.filter(pk__in=keys, label__in=_own(act, "label"))
    n_before = with_one.count()
    settle_chosen(act.function, keys)
    return Done(n_restored=max(0, with_one.count() - n_before))


def _drop_split_off(act: Act, person: User | None) -> None:
    new = label_of(act, "label")
    if new.deleted_at is None and new.merged_into_id is None and not carried(new).exists():
        discard_label(label=new, actor=person)
        free_samples(new)
