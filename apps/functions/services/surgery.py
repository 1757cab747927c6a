"""What is done to a label in one go and undone as one: renaming, describing, recolouring, merging, retiring.

These are the label's own rows. What its samples say follows a floor above (`samples.services.surgery`), in chunks: a
merge or a deletion is in force with its first transaction here, and what was not moved yet is moved by the sweeper.
"""

from collections.abc import Iterable, Mapping
from typing import cast

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.engine.rules import pattern_words
from apps.events.kinds import Audit
from apps.events.services import JsonValue
from apps.functions.models import Act, ActKind, KeywordRule, Label, OutputKind
from apps.functions.names import label_description, label_name
from apps.functions.services.acts import begin_act
from apps.functions.services.changes import (
    ROWS_PER_TRANSACTION,
    NameTaken,
    announce_change,
    lock,
    note_data_change,
    record_label,
)
from apps.functions.services.labels import label_metadata, named_the_same, refuse_taken, require_in_use

MENDABLE = {
    ActKind.RENAME_LABEL: "name",
    ActKind.DESCRIBE_LABEL: "description",
    ActKind.RECOLOUR_LABEL: "colour",
}
"""Acts that change one column of a label, and which."""
_AUDIT = {
    ActKind.RENAME_LABEL: Audit.LABEL_RENAMED,
    ActKind.DESCRIBE_LABEL: Audit.LABEL_DESCRIBED,
    ActKind.RECOLOUR_LABEL: Audit.LABEL_RECOLOURED,
}


@transaction.atomic
def rename_label(*, label: Label, name: str, actor: User | None = None) -> Act | None:
    """Change how a label is displayed; what was labelled with it stays so. None where it is called so already.

    Who calls the function hears the old name until a model with the new one is published: so one is asked for.
    """
    clean_name = label_name(name)
    lock(label.function_id)
    require_in_use(label)
    if clean_name == label.name:
        return None
    refuse_taken(label.function, clean_name, but=label)
    return _change(label, ActKind.RENAME_LABEL, clean_name, actor)


@transaction.atomic
def describe_label(*, label: Label, description: str, actor: User | None = None) -> Act | None:
    """Say what a label means. Before there is a model samples are likened to it, so it is learned from anew."""
    clean = label_description(description)
    lock(label.function_id)
    require_in_use(label)
    return None if clean == label.description else _change(label, ActKind.DESCRIBE_LABEL, clean, actor)


@transaction.atomic
def recolour_label(*, label: Label, colour: int, actor: User | None = None) -> Act | None:
    """Give a label another colour of the palette."""
    if not 0 <= colour < Label.N_COLOURS:
        raise InvalidInput("Choose one of the colours shown.")
    lock(label.function_id)
    require_in_use(label)
    return None if colour == label.colour else _change(label, ActKind.RECOLOUR_LABEL, colour, actor)


@transaction.atomic
def edit_label(
    *,
    label: Label,
    name: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, str] | None = None,
    actor: User | None = None,
) -> Label:
    """Change what is given of a label, None leaves it; what programs keep with it (`metadata`) concerns them alone.

    Upper and lower case of names are kept apart, as when programs make labels. Raises NameTaken.
    """
    lock(label.function_id)
    require_in_use(label)
    if name is not None and (clean_name := label_name(name)) != label.name:
        other = named_the_same(label.function, clean_name, but=label)
        if other is not None:
            raise NameTaken(f"A label “{other.name}” already exists.", existing_id=other.public_id)
        _change(label, ActKind.RENAME_LABEL, clean_name, actor)
    if description is not None:
        describe_label(label=label, description=description, actor=actor)
    if metadata is not None and (clean := label_metadata(metadata)) != label.metadata:
        Label.objects.filter(pk=label.pk).update(metadata=clean)
        label.metadata = clean
        record_label(Audit.LABEL_METADATA_CHANGED, label, actor, name=label.name)
    return label


def _change(label: Label, kind: ActKind, value: str | int, actor: User | None) -> Act:
    """Write one column and the act that undoes it."""
    column = MENDABLE[kind]
    old = getattr(label, column)
    facts: dict[str, JsonValue] = {"label": label.public_id, "name": label.name, "before": old, "after": value}
    act = begin_act(function=label.function, kind=kind, person=actor, facts=facts)
    _write(label, kind, value, actor)
    return act


def _write(label: Label, kind: ActKind, value: str | int, actor: User | None) -> None:
    column, old_name = MENDABLE[kind], label.name
    Label.objects.filter(pk=label.pk).update(**{column: value})
    setattr(label, column, value)
    record_label(_AUDIT[kind], label, actor, name=label.name, old_name=old_name)
    if kind is ActKind.RECOLOUR_LABEL:
        announce_change(label.function)
    else:
        note_data_change(label.function_id)


@transaction.atomic
def undo_change(*, act: Act, actor: User | None) -> None:
    """Give a label its former name, description or colour. Raises Conflict where it has been given another since."""
    kind, label = ActKind(act.kind), label_of(act, "label")
    require_in_use(label)
    before = cast("str | int", act.facts["before"])
    if getattr(label, MENDABLE[kind]) != act.facts["after"]:
        raise Conflict(f"The label “{label.name}” has been changed again since. Change it by hand.")
    if kind is ActKind.RENAME_LABEL:
        refuse_taken(act.function, str(before), but=label)
    _write(label, kind, before, actor)


def label_of(act: Act, name: str) -> Label:
    """Return the label an act's facts name so. Raises Conflict where there is none any more."""
    label = Label.objects.filter(function=act.function_id, public_id=act.facts.get(name, "")).first()
    if label is None:
        raise Conflict("The label is not there any more.")
    label.function = act.function
    return label


@transaction.atomic
def make_alias(*, source: Label, target: Label, n_samples: int, actor: User | None) -> Act:
    """Let one label be another name of the other, with its keyword rules and whatever had been merged into it.

    Instant, whatever there is of samples. Raises InvalidInput or Conflict where the two cannot become one.
    """
    lock(source.function_id)
    if source.function_id != target.function_id or source.pk == target.pk:
        raise InvalidInput("Choose another label of this function to merge it into.")
    require_in_use(source)
    require_in_use(target)
    followers = list(source.aliases.values_list("public_id", flat=True))
    source.aliases.update(merged_into=target)
    rules, dropped = _move_rules(source, target)
    Label.objects.filter(pk=source.pk).update(merged_into=target)
    source.merged_into = target
    facts: dict[str, JsonValue] = {
        "source": source.public_id,
        "target": target.public_id,
        "name": source.name,
        "into": target.name,
        "aliases": cast("JsonValue", followers),
        "rules": cast("JsonValue", rules),
        "rules_dropped": cast("JsonValue", dropped),
    }
    act = begin_act(function=source.function, kind=ActKind.MERGE_LABELS, person=actor, facts=facts)
    _count(act, n_samples)
    record_label(Audit.LABEL_MERGED, source, actor, name=source.name, into=target.name, n_samples=n_samples)
    note_data_change(source.function_id)
    return act


def _move_rules(source: Label, target: Label) -> tuple[list[str], list[str]]:
    """Return the rules that went to the target by public id, and the words of those it had already."""
    had = {pattern_words(rule.words) for rule in target.rules.all()}
    moved, dropped = [], []
    for rule in source.rules.all():
        if pattern_words(rule.words) in had:
            dropped.append(rule.words)
            rule.delete()
        else:
            moved.append(rule.public_id)
            KeywordRule.objects.filter(pk=rule.pk).update(label=target)
    return moved, dropped


@transaction.atomic
def part_alias(*, act: Act, actor: User | None) -> tuple[Label, Label]:
    """Let a merged label stand for itself again, with what came along with it. Returns it, and what it had become.

    Raises Conflict where it has been parted already, or its name was given to another.
    """
    source = label_of(act, "source")
    root = source.merged_into
    if root is None or source.deleted_at:
        raise Conflict(f"“{source.name}” is a label of its own already.")
    refuse_taken(act.function, source.name)
    Label.objects.filter(pk=source.pk).update(merged_into=None)
    source.merged_into = None
    followers = Label.objects.filter(public_id__in=_texts(act, "aliases"), merged_into=root)
    followers.update(merged_into=source)
    KeywordRule.objects.filter(public_id__in=_texts(act, "rules"), label=root).update(label=source)
    _make_rules(source, _texts(act, "rules_dropped"))
    record_label(Audit.LABEL_UNMERGED, source, actor, name=source.name, into=root.name)
    note_data_change(act.function_id)
    return source, root


@transaction.atomic
def retire_label(*, label: Label, n_samples: int, actor: User | None) -> Act:
    """Take a label out of use, with its rules: their words may mean another label from now on."""
    lock(label.function_id)
    require_in_use(label)
    rules = list(label.rules.values_list("words", flat=True))
    label.deleted_at = timezone.now()
    Label.objects.filter(pk=label.pk).update(deleted_at=label.deleted_at)
    label.rules.all().delete()
    facts: dict[str, JsonValue] = {"label": label.public_id, "name": label.name, "rules": cast("JsonValue", rules)}
    act = begin_act(function=label.function, kind=ActKind.DELETE_LABEL, person=actor, facts=facts)
    _count(act, n_samples)
    record_label(Audit.LABEL_DELETED, label, actor, name=label.name, n_samples=n_samples)
    note_data_change(label.function_id)
    return act


@transaction.atomic
def bring_back_label(*, act: Act, actor: User | None) -> Label:
    """Take a deleted label into use again, with its rules. Raises Conflict where its name was given to another."""
    label = label_of(act, "label")
    if label.deleted_at is None:
        raise Conflict(f"“{label.name}” is there already.")
    refuse_taken(act.function, label.name)
    Label.objects.filter(pk=label.pk).update(deleted_at=None)
    label.deleted_at = None
    _make_rules(label, _texts(act, "rules"))
    record_label(Audit.LABEL_RESTORED, label, actor, name=label.name)
    note_data_change(act.function_id)
    return label


@transaction.atomic
def discard_label(*, label: Label, actor: User | None) -> None:
    """Take a label that no sample has out of use, as part of undoing what made it."""
    lock(label.function_id)
    label.deleted_at = timezone.now()
    Label.objects.filter(pk=label.pk).update(deleted_at=label.deleted_at)
    label.rules.all().delete()
    record_label(Audit.LABEL_DELETED, label, actor, name=label.name, n_samples=0)
    note_data_change(label.function_id)


def delete_label(*, label: Label, actor: User | None = None) -> Act:
    """Take a label out of use; its samples become unlabelled, their history stays. Its act says how many there were.

    A tag only goes from the samples that have it: what was said of their other tags holds. The samples follow in
    chunks of a transaction each, reached by way of the label since they live a floor above.
    """
    n_samples = label.tagged.filter(is_present=True).count() or label.samples.count()
    act = retire_label(label=label, n_samples=n_samples, actor=actor)
    free_samples(label)
    return act


def free_samples(label: Label) -> None:
    """Take a deleted label from what still says it, unless it is brought back meanwhile."""
    while tagged := list(label.tagged.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            lock(label.function_id)
            if not _is_deleted(label):
                return
            label.tagged.filter(pk__in=tagged).delete()
    while pks := list(label.samples.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            lock(label.function_id)
            if not _is_deleted(label):
                return
            label.samples.filter(pk__in=pks).update(label=None, annotation=None, labelled_at=None)
            note_data_change(label.function_id)


def _is_deleted(label: Label) -> bool:
    return Label.objects.filter(pk=label.pk, deleted_at__isnull=False).exists()


def gone_labels() -> list[Label]:
    """Return what is no label of its own any more, merged or deleted, in all functions."""
    return list(Label.objects.exclude(deleted_at=None, merged_into=None).select_related("function", "merged_into"))


def _make_rules(label: Label, words: Iterable[str]) -> None:
    """Make rules anew, but for words that have come to mean another label meanwhile."""
    others = KeywordRule.objects.filter(label__function=label.function_id).exclude(label=label)
    taken = {pattern_words(rule.words) for rule in others} if label.function.output_kind == OutputKind.LABEL else set()
    for each in words:
        if pattern_words(each) not in taken:
            KeywordRule.objects.get_or_create(label=label, words=each)


def _texts(act: Act, name: str) -> list[str]:
    found = act.facts.get(name, [])
    return [str(each) for each in found] if isinstance(found, list) else []


def _count(act: Act, n_samples: int) -> None:
    act.n_samples = n_samples
    act.save(update_fields=["n_samples"])
