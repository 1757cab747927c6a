"""Adding labels, and what they must be like."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.texts import storable
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Function, Label, OutputKind, Weight
from apps.functions.names import label_description, label_name, sound, tidy
from apps.functions.selectors import labels_by_look
from apps.functions.services.changes import (
    NameTaken,
    actor_id,
    announce_change,
    lock,
    lock_standing,
    record_label,
)

LABELS_MAX = 10_000
METADATA_MAX = 20_000


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

    For imports: upper and lower case are kept apart, since data may mean it so. The name of a label that was merged
    means the one it was merged into.
    """
    clean_names = {name: label_name(name) for name in dict.fromkeys(names)}
    lock(function.pk)
    known = labels_by_look(function)
    first = {tidy(name): name for name in reversed(clean_names.values())}
    missing = [first[look] for look in dict.fromkeys(map(tidy, clean_names.values())) if look not in known]
    known |= {tidy(label.name): label for label in _new_labels(function, missing)}
    if missing:
        record(
            workspace=function.workspace.public_id,
            kind=Audit.LABEL_CREATED,
            actor=actor_id(actor),
            subject=function.public_id,
            labels=missing,
        )
    return {name: known[tidy(clean)] for name, clean in clean_names.items()}


@transaction.atomic
def make_label(
    *,
    function: Function,
    name: str,
    description: str = "",
    metadata: Mapping[str, str] | None = None,
    actor: User | None = None,
) -> tuple[Label, bool]:
    """Return the label of that name, and whether it was made now: one that is there stays as it is.

    For programs, which send the same again and at the same time; upper and lower case are kept apart, as in imports.
    """
    clean_name, clean_description = label_name(name), label_description(description)
    clean_metadata = label_metadata(metadata or {})
    if function.output_kind == OutputKind.SEARCH:
        raise InvalidInput("A function that finds samples has no labels.")
    lock_standing(function.pk)
    there = named_the_same(function, clean_name)
    if there is not None:
        return there, False
    if function.labels.in_use().count() >= LABELS_MAX:
        raise InvalidInput(f"A function has at most {LABELS_MAX:,} labels.")
    label = _new_labels(function, [clean_name])[0]
    if clean_description or clean_metadata:
        label.description, label.metadata = clean_description, clean_metadata
        label.save(update_fields=["description", "metadata"])
    record_label(Audit.LABEL_CREATED, label, actor, labels=[clean_name])
    announce_change(function)
    return label, True


def label_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Return what a program keeps with a label. Raises InvalidInput when it is too much, or no text."""
    kept = {str(key): str(value) for key, value in metadata.items()}
    words = [*kept, *kept.values()]
    if any(storable(each) != each for each in words):
        raise InvalidInput("The metadata holds a NUL or half a character (a lone surrogate). Send plain text.")
    if sum(map(len, words)) > METADATA_MAX:
        raise InvalidInput(f"The metadata of a label has at most {METADATA_MAX:,} characters, keys and all.")
    return kept


def named_the_same(function: Function, name: str, but: Label | None = None) -> Label | None:
    """Return the label in use whose name looks the same, upper and lower case apart."""
    labels = function.labels.in_use()
    exact = labels.filter(name=name).first()  # by the index; mostly there is nothing more to look for
    if exact is not None and exact != but:
        return exact
    alike = [pk for pk, other in labels.values_list("pk", "name") if tidy(other) == tidy(name)]
    return labels.filter(pk__in=[pk for pk in alike if but is None or pk != but.pk]).first()


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
        if other != but and sound(other.name) == sound(name):
            raise NameTaken(f"There is already a label “{other.name}”.", existing_id=other.public_id)


def require_in_use(label: Label) -> None:
    if not Label.objects.in_use().filter(pk=label.pk).exists():
        raise Conflict("This label has been deleted meanwhile, or merged. Reload the page.")


def _new_labels(function: Function, label_names: Sequence[str]) -> list[Label]:
    """Append labels, each in the colour seen least so far. The caller holds the function's lock."""
    if label_names and function.searches:
        raise InvalidInput("This function finds samples: it has no labels.")
    last = function.labels.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    n_uses = Counter(function.labels.in_use().values_list("colour", flat=True))
    rows = []
    for offset, name in enumerate(label_names):
        colour = min(range(Label.N_COLOURS), key=lambda candidate: (n_uses[candidate], candidate))
        n_uses[colour] += 1
        rows.append(Label(function=function, name=name, position=position + offset, colour=colour))
    return Label.objects.bulk_create(rows)
