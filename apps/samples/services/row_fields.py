"""Changing a column where rows are stored already: its values are read again from what was written, nothing is lost.

Rows are rewritten in short transactions, each under the function's lock. Whoever is cut off in between says it once
more: until then values of the old type are read as the new one where they can be.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import cast

from django.db import connection, transaction

from apps.accounts.models import User
from apps.core.jobs import JobName, enqueue_on_commit
from apps.engine.tables import find_facts
from apps.functions.models import Field, FieldType, Function
from apps.functions.services import delete_field, note_data_change, rename_field, set_field_type, set_field_use
from apps.samples.media import forget_pictures
from apps.samples.models import Sample
from apps.samples.rows import (
    PICTURES,
    WRITTEN,
    Picture,
    RowJson,
    TypedField,
    cells_of,
    searched_text,
    typed,
    value_and_written,
)
from apps.samples.sent_rows import forget_sent
from apps.samples.services.annotations import lock_function

ROWS_PER_TRANSACTION = 200
ROWS_FOR_FACTS = 10_000
EMBEDDED = frozenset({FieldType.TEXT.value, FieldType.IMAGE.value})


def retype_field(*, field: Field, type: str, actor: User | None) -> int:
    """Say what a column holds, and read its cells as that. Returns how many could not be, and count as missing now."""
    old_type, function = field.type, field.function
    facts = find_facts(_written_cells(function, field.public_id))
    is_new = set_field_type(field=field, type=type, facts=facts.to_json(), actor=actor)
    if not is_new:
        return 0
    read_as = typed([field])[0]
    n_misfits = 0

    def reread(row: RowJson) -> bool:
        nonlocal n_misfits
        text = cells_of(row).get(field.public_id)
        if text is not None:
            n_misfits += _put(row, read_as, text)
        return text is not None

    _rewrite(function, reread)
    _learn_anew(function, is_read_anew=bool({old_type, type} & EMBEDDED))
    return n_misfits


def _put(row: RowJson, field: TypedField, text: str) -> bool:
    """Store a cell as its field reads it. Returns whether it could not be read. A picture waits for its type."""
    forget_sent(row, field.key)
    pictures = dict(cast("dict[str, Picture]", row.pop(PICTURES, None) or {}))
    picture = row.get(field.key)
    if isinstance(picture, dict):
        pictures[field.key] = cast("Picture", picture)
    find = (lambda _name: pictures[field.key]) if field.key in pictures else None
    written = dict(cast("dict[str, str]", row.pop(WRITTEN, None) or {}))
    row.pop(field.key, None)
    written.pop(field.key, None)
    value, kept, note = value_and_written(text, field, find)
    if value is not None:
        row[field.key] = value
    if kept:
        written[field.key] = kept
    if isinstance(value, dict):
        pictures.pop(field.key)
    if written:
        row[WRITTEN] = written
    if pictures:
        row[PICTURES] = pictures
    return bool(note)


def use_field(*, field: Field, is_used: bool, actor: User | None) -> None:
    """Say whether models learn from a column. Texts and pictures not learned from so far are read first."""
    if field.is_used == is_used:
        return
    set_field_use(field=field, is_used=is_used, actor=actor)
    if is_used and field.type in EMBEDDED:
        _learn_anew(field.function, is_read_anew=True)


def name_field(*, field: Field, name: str, actor: User | None) -> None:
    """Change what a column is called, also in the words by which rows are found."""
    old_name, function = field.name, field.function
    rename_field(field=field, name=name, actor=actor)
    if field.name == old_name:
        return
    _rewrite(function, lambda row: field.public_id in cells_of(row))


def remove_field(*, field: Field, actor: User | None) -> None:
    """Delete a column with its cells. Rows stay apart that only differed in it."""
    function, key, files = field.function, field.public_id, list[str]()

    def take_out(row: RowJson) -> bool:
        written = dict(cast("dict[str, str]", row.pop(WRITTEN, None) or {}))
        pictures = dict(cast("dict[str, Picture]", row.pop(PICTURES, None) or {}))
        found = (row.pop(key, None), written.pop(key, None), pictures.pop(key, None), forget_sent(row, key) or None)
        files.extend(str(each["file"]) for each in found if isinstance(each, dict))
        if written:
            row[WRITTEN] = written
        if pictures:
            row[PICTURES] = pictures
        return any(each is not None for each in found)

    _rewrite(function, take_out)
    delete_field(field=field, actor=actor)
    transaction.on_commit(lambda: forget_pictures(files), robust=True)


def _rewrite(function: Function, change: Callable[[RowJson], bool]) -> None:
    """Let `change` change every row that there is, in the order they came, and say its words anew where it did."""
    after = 0
    while True:
        with transaction.atomic():
            lock_function(function.pk)
            names = dict(function.fields.order_by("position", "pk").values_list("public_id", "name"))
            rows = Sample.everywhere.filter(function=function, pk__gt=after, row__isnull=False).order_by("pk")
            page = list(rows.values_list("pk", "row")[:ROWS_PER_TRANSACTION])
            if not page:
                return
            _store([(pk, row, searched_text(cells_of(row), names)) for pk, row in page if row and change(row)])
            after = page[-1][0]


def _store(rows: Sequence[tuple[int, RowJson, str]]) -> None:
    """Write rows and their words. By hand: the ORM's bulk update takes twenty times as long (4,000 rows: 4 s)."""
    column = Sample._meta.get_field("row")
    table, name = connection.ops.quote_name(Sample._meta.db_table), connection.ops.quote_name("row")
    values = [(column.get_db_prep_save(row, connection), text, pk) for pk, row, text in rows]
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE {table} SET {name} = %s, text = %s WHERE id = %s", values)  # noqa: S608  # our own names


@transaction.atomic
def _learn_anew(function: Function, *, is_read_anew: bool) -> None:
    lock_function(function.pk)
    if is_read_anew:
        function.samples.update(is_embedded=False)
        enqueue_on_commit(JobName.EMBED_FUNCTION, function.pk)
    note_data_change(function.pk)


def _written_cells(function: Function, key: str) -> Iterator[str]:
    rows = function.samples.filter(row__isnull=False).order_by("-pk").values_list("row", flat=True)
    for row in rows[:ROWS_FOR_FACTS]:
        text = cells_of(row or {}).get(key)
        if text is not None:
            yield text
