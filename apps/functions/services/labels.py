"""Adding labels, and what they must be like."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Function, Label, Weight
from apps.functions.names import label_name
from apps.functions.services.changes import (
    actor_id,
    lock,
    record_label,
)


@transaction.atomic
def add_label(*, function: Function, name: str, actor: User | None = None) -> Label:
    """Add a label at the end. Raises Conflict when one of that name is there, whatever its upper and lower case."""
    clean_name = label_name(name)
    lock(function.pk)
    refuse_taken(function, clean_name)
    label = _new_labels(function, [clean_name])[0]
    record_label(Audit.LABEL_CREATED, label, actor, labels=[clean_name])
    return label


@transaction.atomic
def get_or_create_labels(*, function: Function, names: Iterable[str], actor: User | None = None) -> dict[str, Label]:
    """Return the label of each name as it was given, making those that are missing, in the order given.

    For imports: names are tidied but their upper and lower case kept apart, since data may mean it so. The name of a
    label that was merged means the one it was merged into.
    """
    clean_names = {name: label_name(name) for name in dict.fromkeys(names)}
    lock(function.pk)
    merged = function.labels.filter(deleted_at=None, merged_into__deleted_at=None).exclude(merged_into=None)
    known = {label.name: label.merged_into for label in merged.select_related("merged_into") if label.merged_into}
    known |= {label.name: label for label in function.labels.in_use()}
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


def refuse_taken(function: Function, name: str, but: Label | None = None) -> None:
    """Compare in Python: SQLite knows upper and lower case of ASCII only."""
    for other in function.labels.in_use():
        if other != but and other.name.casefold() == name.casefold():
            raise Conflict(f"There is already a label “{other.name}”.")


def require_in_use(label: Label) -> None:
    if not Label.objects.in_use().filter(pk=label.pk).exists():
        raise Conflict("This label has been deleted meanwhile, or merged. Reload the page.")


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
