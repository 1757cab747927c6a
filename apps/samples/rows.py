"""Table rows: cells as they come in, read by their fields, and shown again as they were written.

A row keeps what models read (`parse_cell` of each cell) and, under `WRITTEN`, cells as they were written wherever the
value does not say so by itself: 1,234.50, a date day first, a word in a column of numbers. So nothing is lost: pages
and exports show what came in, and a column given another type is read anew from that. Pictures of a column that holds
pictures no more wait under `PICTURES`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

from PIL import Image

from apps.core.errors import HundredfoldError, InvalidInput
from apps.engine.tables import Cell, CellFacts, cell_text, is_missing, parse_cell
from apps.engine.types import ColumnType
from apps.functions.models import Field
from apps.functions.names import sound
from apps.samples.checks import checked_text

WRITTEN = "_written"
PICTURES = "_pictures"
SEARCHED_CHARACTERS = 20_000
RowJson: TypeAlias = dict[str, object]
Picture: TypeAlias = dict[str, str | int]
"""Where a picture of a row is stored: `file`, `width` and `height` in pixels, and the `hash` of what came in."""
FindPicture: TypeAlias = Callable[[str], "Picture | Image.Image"]
"""Returns where a picture is stored, or the picture itself where nothing is stored, as in calls."""


@dataclass(frozen=True)
class TypedField:
    """A field as rows are read by it."""

    key: str
    name: str
    type: ColumnType
    facts: CellFacts


@dataclass(frozen=True)
class ReadRow:
    """A row as it is stored, the words to search it by, what tells it from others, and what could not be read."""

    row: RowJson
    text: str
    identity: str
    notes: tuple[str, ...]


def typed(fields: Iterable[Field]) -> list[TypedField]:
    """Return fields as rows are read by them."""
    return [
        TypedField(each.public_id, each.name, ColumnType(each.type), CellFacts.from_json(each.facts)) for each in fields
    ]


def read_row(
    cells: Mapping[str, Cell],
    fields: Sequence[TypedField],
    *,
    external_id: str = "",
    find_picture: FindPicture | None = None,
) -> ReadRow:
    """Read cells by the key of their field. A cell that is not of its field's type counts as missing, with a note.

    `find_picture` returns the picture of a name, or raises one of our errors.

    Rows of the same cells are the same, unless they come with ids of their own: two customers may be alike in all that
    is known of them. Raises InvalidInput for a row without any cell.
    """
    row: RowJson = {}
    written: dict[str, str] = {}
    shown: list[tuple[str, str]] = []
    notes: list[str] = []
    for each in fields:
        cell = cells.get(each.key)
        if is_missing(cell):
            continue
        value, kept, note = value_and_written(cell, each, find_picture)
        if value is not None:
            row[each.key] = value
        if kept:
            written[each.key] = kept
        if note:
            notes.append(note)
        shown.append((each.key, kept or cell_text(cell)))
    if not shown:
        raise InvalidInput("The row is empty.")
    if written:
        row[WRITTEN] = written
    for _key, text in shown:
        checked_text(text)
    words = searched_text(dict(shown), {each.key: each.name for each in fields})
    return ReadRow(row, words, _identity(shown, external_id), tuple(notes))


def cells_by_name(data: Mapping[str, object], fields: Sequence[TypedField]) -> dict[str, Cell]:
    """Return a caller's cells by the key of their field. Fields are called by name, whatever its case, or by id.

    What is named like no field is passed over: callers may send all they have. Raises InvalidInput where a value is no
    single one.
    """
    key_of = {sound(each.name): each.key for each in fields} | {each.key: each.key for each in fields}
    cells: dict[str, Cell] = {}
    for name, value in data.items():
        key = key_of.get(name, key_of.get(sound(name), ""))
        if not key:
            continue
        if not isinstance(value, str | float | int | bool | None):
            raise InvalidInput(f"The value of “{name}” must be a number, a text, true, false or null.")
        cells[key] = value
    return cells


def value_and_written(
    cell: Cell, field: TypedField, find_picture: FindPicture | None = None
) -> tuple[float | str | Picture | Image.Image | None, str, str]:
    """Return a cell's value, the cell as it was written if the value does not say so, and why there is no value."""
    text = cell_text(cell)
    if field.type is ColumnType.IMAGE:
        picture, note = _picture(text, field, find_picture)
        return picture, text, note
    try:
        value = parse_cell(cell, field.type, field.facts)
    except ValueError as error:
        return None, text, f"Column “{field.name}”: {error}"
    return value, "" if value is not None and cell_text(value) == text else text, ""


def _picture(name: str, field: TypedField, find: FindPicture | None) -> tuple[Picture | Image.Image | None, str]:
    if find is None:
        return None, f"Column “{field.name}”: a picture comes in a zip together with its table."
    try:
        return find(name), ""
    except HundredfoldError as error:
        return None, f"Column “{field.name}”: {error.message}"


def searched_text(cells: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return the words that a row is found by; `cells` by the keys of `names`."""
    words = " · ".join(f"{name}: {cells[key]}" for key, name in names.items() if key in cells)
    return words[:SEARCHED_CHARACTERS]


def _identity(shown: Iterable[tuple[str, str]], external_id: str) -> str:
    canonical = json.dumps([sorted(shown), external_id], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def cells_of(row: Mapping[str, object]) -> dict[str, str]:
    """Return a stored row's cells by field key, as they were written."""
    values = {key: cell_text(value) for key, value in row.items() if isinstance(value, float | int | str)}
    return values | _written(row)


class NamedCell(NamedTuple):
    """A cell as pages show it. `picture_field` is the public id of its field where it is a picture that is here."""

    name: str
    text: str
    picture_field: str = ""


def named_cells(row: Mapping[str, object] | None, fields: Iterable[Field]) -> list[NamedCell]:
    """Return a stored row's cells by the names of their fields, in the fields' order; missing ones are left out."""
    row = row or {}
    cells = cells_of(row)
    return [
        NamedCell(each.name, cells[each.public_id], each.public_id if picture_key(row, each.public_id) else "")
        for each in fields
        if each.public_id in cells
    ]


def picture_key(row: Mapping[str, object], key: str) -> str:
    """Return where the picture of a cell is stored, "" where it is none."""
    value = row.get(key)
    return str(value.get("file", "")) if isinstance(value, dict) and key not in {WRITTEN, PICTURES} else ""


def picture_keys(row: Mapping[str, object] | None) -> list[str]:
    """Return where the pictures of a row are stored, also those of columns that hold pictures no more."""
    row = row or {}
    waiting = cast("Mapping[str, object]", row.get(PICTURES) or {})
    found = [picture_key(row, key) for key in row] + [picture_key(waiting, key) for key in waiting]
    return [key for key in found if key]


def is_unread(row: Mapping[str, object], key: str) -> bool:
    """Whether a cell was written that could not be read as its column's type."""
    return key not in row and key in _written(row)


def _written(row: Mapping[str, object]) -> dict[str, str]:
    return cast("dict[str, str]", row.get(WRITTEN) or {})
