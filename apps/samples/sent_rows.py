"""Rows that came as JSON, given back as they came: to the blank, also where that counts for nothing in learning.

Cells are stored as every row's are (`apps.samples.rows`): without blanks around them, and *NA* is nothing. Where that
is not what was sent, what was sent is kept beside it, under `SENT`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

from apps.core.errors import InvalidInput
from apps.engine.tables import Cell
from apps.engine.types import ColumnType
from apps.samples.rows import RowJson, TypedField, cells_of, picture_key

SENT = "_sent"
LARGEST = 1e300


def check_numbers(cells: Mapping[str, object], fields: Sequence[TypedField]) -> None:
    """Raises InvalidInput for a text where a number belongs, and for a number that no database can hold."""
    for field in fields:
        cell = cells.get(field.key)
        if field.type is ColumnType.NUMBER and isinstance(cell, str | bool):
            raise InvalidInput(f"The field “{field.name}” takes a number, like 31 or 0.5, not a text.")
        if isinstance(cell, int | float) and not isinstance(cell, bool):
            check_size(cell, field.name)


def check_size(number: float, name: str) -> None:
    """Raises InvalidInput for what JSON may say and floating point cannot."""
    if abs(number) > LARGEST or (isinstance(number, float) and not math.isfinite(number)):
        raise InvalidInput(f"The number in the field “{name}” is too large.")


def keep_sent(row: RowJson, cells: Mapping[str, Cell], fields: Sequence[TypedField]) -> None:
    """Add to a row about to be stored whatever it would not give back as it came."""
    given_back = _without_sent(row, fields)
    pictures = {field.key for field in fields if field.type is ColumnType.IMAGE}
    sent = {
        key: cell
        for key, cell in cells.items()
        if cell is not None and key not in pictures and not _is_same(cell, given_back.get(key))
    }
    if sent:
        row[SENT] = sent


def sent_cells(row: RowJson | None, fields: Sequence[TypedField]) -> dict[str, object]:
    """Return a stored row's cells by the key of their field, as they came. Pictures, stored apart, are left out."""
    row = row or {}
    keys = {field.key for field in fields}
    sent = cast("Mapping[str, object]", row.get(SENT) or {})
    return _without_sent(row, fields) | {key: cell for key, cell in sent.items() if key in keys}


def forget_sent(row: RowJson, key: str) -> bool:
    """Drop how a cell was sent, where that was kept: its field is another now, or gone. Returns whether it was."""
    sent = dict(cast("Mapping[str, object]", row.pop(SENT, None) or {}))
    was_kept = sent.pop(key, None) is not None
    if sent:
        row[SENT] = sent
    return was_kept


def _without_sent(row: RowJson, fields: Sequence[TypedField]) -> dict[str, object]:
    written = cells_of(row)
    found: dict[str, object] = {}
    for field in fields:
        value = row.get(field.key)
        if picture_key(row, field.key):
            continue
        if field.type is ColumnType.NUMBER and isinstance(value, float | int):
            found[field.key] = int(value) if float(value).is_integer() and abs(value) < 2**53 else value
        elif field.key in written:
            found[field.key] = written[field.key]
    return found


def _is_same(sent: object, given_back: object) -> bool:
    """True is no 1 here: it would come back as another thing."""
    return sent == given_back and isinstance(sent, bool) == isinstance(given_back, bool)
