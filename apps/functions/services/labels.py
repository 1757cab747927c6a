"""Adding, naming and deleting labels."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Function, KeywordRule, Label, Weight
from apps.functions.names import label_description, label_name
from apps.functions.services.changes import (
    ROWS_PER_TRANSACTION,
    actor_id,
    announce_change,
    lock,
    note_data_change,
    record_label,
)


@transaction.atomic
def add_label(*, function: Function, name: str, actor: User | None = None) -> Label:
    """Add a label at the end. Raises Conflict when one of that name is there, whatever its upper and lower case."""
    clean_name = label_name(name)
    lock(function.pk)
    _refuse_taken(function, clean_name)
    label = _new_labels(function, [clean_name])[0]
    record_label(Audit.LABEL_CREATED, label, actor, labels=[clean_name])
    return label


@transaction.atomic
def get_or_create_labels(*, function: Function, names: Iterable[str], actor: User | None = None) -> dict[str, Label]:
    """Return the label of each name as it was given, making those that are missing, in the order given.

    For imports: names are tidied but their upper and lower case kept apart, since data may mean it so.
    """
    clean_names = {name: label_name(name) for name in dict.fromkeys(names)}
    lock(function.pk)
    known = {label.name: label for label in function.labels.in_use()}
    missing = [name for name in dict.fromkeys(clean_names.values()) if name not in known]
    known |= {label.name: label for label in _new_labels(function, missing)}
    if missing:
        record(
            workspace=function.workspace.public_id,
            kind=Audit.LABEL_CREATED,
            actor=actor_id(actor),
            subject=function.public_id,
            labels=missing,
        )
    return {name: known[clean] for name, clean in clean_names.items()}


@transaction.atomic
def rename_label(*, label: Label, name: str, actor: User | None = None) -> Label:
    """Change how a label is displayed; what was labelled with it stays so, and nothing needs training anew."""
    clean_name, old_name = label_name(name), label.name
    lock(label.function_id)
    require_in_use(label)
    if clean_name == old_name:
        return label
    _refuse_taken(label.function, clean_name, but=label)
    Label.objects.filter(pk=label.pk).update(name=clean_name)
    label.name = clean_name
    record_label(Audit.LABEL_RENAMED, label, actor, name=clean_name, old_name=old_name)
    announce_change(label.function)
    return label


@transaction.atomic
def describe_label(*, label: Label, description: str, actor: User | None = None) -> Label:
    """Say what a label means. Before there is a model samples are likened to it, so it is learned from anew."""
    clean = label_description(description)
    lock(label.function_id)
    require_in_use(label)
    if clean == label.description:
        return label
    Label.objects.filter(pk=label.pk).update(description=clean)
    label.description = clean
    record_label(Audit.LABEL_DESCRIBED, label, actor, name=label.name)
    note_data_change(label.function_id)
    return label


@transaction.atomic
def weigh_label(*, label: Label, weight: int, actor: User | None = None) -> Label:
    """Say how much worse missing this label is than missing another.

    Nothing is learned anew: what models say of samples is decided anew, which `training.services` does.
    """
    if weight not in Weight.values:
        raise InvalidInput("Choose how bad it is to miss this label.")
    lock(label.function_id)
    require_in_use(label)
    if weight == label.weight:
        return label
    Label.objects.filter(pk=label.pk).update(weight=weight)
    label.weight = weight
    record_label(Audit.LABEL_WEIGHED, label, actor, name=label.name, weight=str(Weight(weight).label))
    return label


def delete_label(*, label: Label, actor: User | None = None) -> int:
    """Take a label out of use; its samples become unlabelled, their history stays. Returns how many there were.

    A tag only goes from the samples that have it: what was said of their other tags holds.
    """
    n_freed = 0
    while tagged := list(label.tagged.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            lock(label.function_id)
            label.tagged.filter(pk__in=tagged).delete()
    while pks := list(label.samples.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            lock(label.function_id)
            n_freed += _free_samples(label, pks)
    with transaction.atomic():
        lock(label.function_id)
        require_in_use(label)
        n_freed += _free_samples(label, None)  # those labelled since
        label.tagged.all().delete()
        label.deleted_at = timezone.now()
        Label.objects.filter(pk=label.pk).update(deleted_at=label.deleted_at)
        KeywordRule.objects.filter(label=label).delete()  # their words may mean another label from now on
        record_label(Audit.LABEL_DELETED, label, actor, name=label.name, n_samples=n_freed)
        note_data_change(label.function_id)
    return n_freed


def _refuse_taken(function: Function, name: str, but: Label | None = None) -> None:
    """Compare in Python: SQLite knows upper and lower case of ASCII only."""
    for other in function.labels.in_use():
        if other != but and other.name.casefold() == name.casefold():
            raise Conflict(f"There is already a label “{other.name}”.")


def require_in_use(label: Label) -> None:
    if not Label.objects.in_use().filter(pk=label.pk).exists():
        raise Conflict("This label has been deleted meanwhile. Reload the page.")


def _new_labels(function: Function, label_names: Sequence[str]) -> list[Label]:
    """Append labels, each in the colour seen least so far. The caller holds the function's lock."""
    last = function.labels.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    n_uses = Counter(function.labels.in_use().values_list("colour", flat=True))
    rows = []
    for offset, name in enumerate(label_names):
        colour = min(range(Label.N_COLOURS), key=lambda candidate: (n_uses[candidate], candidate))
        n_uses[colour] += 1
        rows.append(Label(function=function, name=name, position=position + offset, colour=colour))
    return Label.objects.bulk_create(rows)


def _free_samples(label: Label, pks: list[int] | None) -> int:
    samples = label.samples.all() if pks is None else label.samples.filter(pk__in=pks)
    return samples.update(label=None, annotation=None, labelled_at=None)
