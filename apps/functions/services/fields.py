"""The columns of a table function: adding, naming, typing and deleting them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Max

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.kinds import Audit
from apps.events.services import JsonValue, record
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.functions.names import field_name, sound
from apps.functions.services.changes import NameTaken, actor_id, announce_change, lock, lock_standing, note_data_change

FIELDS_MAX = 1_000


@dataclass(frozen=True)
class NewField:
    """A column as its first cells show it, and as a person may have corrected it (`is_confirmed`)."""

    name: str
    type: str
    is_used: bool = True
    is_confirmed: bool = False
    advice: str = ""
    facts: Mapping[str, str | bool | None] = field(default_factory=dict)


@transaction.atomic
def get_or_create_fields(
    *, function: Function, fields: Sequence[NewField], actor: User | None = None
) -> dict[str, Field]:
    """Return the field of each name as it was given, making those that are missing; one that is there stays so."""
    if function.input_kind != InputKind.TABLE:
        raise InvalidInput("Only a function of table rows has columns.")
    lock(function.pk)
    known = {sound(known.name): known for known in function.fields.all()}
    new: dict[str, Field] = {}
    last = function.fields.aggregate(last=Max("position"))["last"]
    for wanted in fields:
        name = field_name(wanted.name)
        if sound(name) not in known and sound(name) not in new:
            position = len(new) + (0 if last is None else last + 1)
            new[sound(name)] = _row(function, wanted, name, position)
    if len(known) + len(new) > FIELDS_MAX:
        raise InvalidInput(f"A function has at most {FIELDS_MAX:,} columns. Leave some out.")
    Field.objects.bulk_create(new.values())
    if new:
        names: list[JsonValue] = [made.name for made in new.values()]
        _record(Audit.FIELD_CREATED, function, function.public_id, actor, fields=names)
        note_data_change(function.pk)
    known |= new
    return {wanted.name: known[sound(wanted.name)] for wanted in fields}


@transaction.atomic
def make_field(*, function: Function, name: str, type: str, actor: User | None = None) -> tuple[Field, bool]:
    """Return the column of that name, and whether it was made now: one that is there stays as it is.

    For programs, which send the same again and at the same time; they know what a column holds.
    """
    lock_standing(function.pk)
    clean_name = field_name(name)
    for there in function.fields.all():
        if sound(there.name) == sound(clean_name):
            return there, False
    wanted = NewField(name=clean_name, type=type, is_confirmed=True)
    return get_or_create_fields(function=function, fields=[wanted], actor=actor)[clean_name], True


def _row(function: Function, wanted: NewField, name: str, position: int) -> Field:
    return Field(
        function=function,
        name=name,
        type=_checked_type(wanted.type),
        is_used=wanted.is_used,
        is_confirmed=wanted.is_confirmed,
        advice=wanted.advice[:400],
        facts=dict(wanted.facts),
        position=position,
    )


@transaction.atomic
def rename_field(*, field: Field, name: str, actor: User | None = None) -> Field:
    """Change what a column is called, on pages and in calls. Raises Conflict when another is called so."""
    clean_name, old_name = field_name(name), field.name
    lock(field.function_id)
    if clean_name == old_name:
        return field
    for other in field.function.fields.exclude(pk=field.pk):
        if sound(other.name) == sound(clean_name):
            raise NameTaken(f"A column “{other.name}” already exists.", existing_id=other.public_id)
    _update(field, name=clean_name)
    _record(Audit.FIELD_RENAMED, field.function, field.public_id, actor, name=clean_name, old_name=old_name)
    announce_change(field.function)
    return field


@transaction.atomic
def set_field_type(
    *, field: Field, type: str, facts: Mapping[str, str | bool | None], actor: User | None = None
) -> bool:
    """Say what a column holds. Returns whether that is new; its values in samples are then to be read again."""
    lock(field.function_id)
    old_type = Field.objects.values_list("type", flat=True).get(pk=field.pk)
    _update(field, type=_checked_type(type), is_confirmed=True, facts=dict(facts))
    if type == old_type:
        return False
    _record(
        Audit.FIELD_RETYPED,
        field.function,
        field.public_id,
        actor,
        name=field.name,
        type=_type_words(type),
        old_type=_type_words(old_type),
    )
    return True


@transaction.atomic
def set_field_use(*, field: Field, is_used: bool, actor: User | None = None) -> Field:
    """Say whether models learn from a column; its values stay with the samples either way."""
    lock(field.function_id)
    if Field.objects.values_list("is_used", flat=True).get(pk=field.pk) == is_used:
        return field
    _update(field, is_used=is_used, is_confirmed=True)
    words = "yes" if is_used else "no"
    _record(Audit.FIELD_USE_CHANGED, field.function, field.public_id, actor, name=field.name, is_used=words)
    note_data_change(field.function_id)
    return field


@transaction.atomic
def delete_field(*, field: Field, actor: User | None = None) -> None:
    """Delete a column. Whoever calls this has taken its values out of the samples."""
    lock(field.function_id)
    function, public_id = field.function, field.public_id
    if Field.objects.filter(pk=field.pk).delete()[0]:
        _record(Audit.FIELD_DELETED, function, public_id, actor, name=field.name)
        note_data_change(function.pk)


def _checked_type(type: str) -> str:
    if type not in FieldType.values:
        raise InvalidInput("Choose one of the types offered for a column.")
    return type


def _type_words(type: str) -> str:
    return FieldType(type).label.lower()


def _update(field: Field, **values: object) -> None:
    if not Field.objects.filter(pk=field.pk).update(**values):
        raise Conflict("This column has been deleted meanwhile. Reload the page.")
    for name, value in values.items():
        setattr(field, name, value)


def _record(kind: Audit, function: Function, subject: str, actor: User | None, **data: JsonValue) -> None:
    record(
        workspace=function.workspace.public_id,
        kind=kind,
        actor=actor_id(actor),
        subject=subject,
        function=function.public_id,
        **data,
    )
