"""From rows of parsed values, as the database keeps them, to the typed columns that models read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from apps.engine.tables import dates
from apps.engine.tables.cells import Cell, Value, parse_cell
from apps.engine.types import Column, ColumnType


def columns_from_rows(rows: Sequence[Mapping[str, object]], types: Mapping[str, ColumnType]) -> list[Column]:
    """Return one column per type, in their order.

    Parameters
    ----------
    rows
        Per sample, values by key as `parse_cell` returned them; a key that is absent, or None, is missing. A value of
        another type (the column was given a new one since) is read as the new one if it can be, else is missing.
    types
        The type of each column by its key.

    Returns
    -------
    Columns of `len(rows)` values; those of pictures have no values, only embeddings elsewhere.
    """
    return [Column(key, type, _values(type, [row.get(key) for row in rows])) for key, type in types.items()]


def _values(type: ColumnType, cells: Sequence[object]) -> npt.NDArray[np.float64] | npt.NDArray[np.object_]:
    if type is ColumnType.IMAGE:
        return np.empty(0, dtype=np.object_)
    if type is ColumnType.NUMBER:
        numbers = [cell if cell.__class__ is float else _number(cell) for cell in cells]
        return np.array(numbers, dtype=np.float64)
    if type is ColumnType.DATE:
        return np.array([_seconds(cell) for cell in cells], dtype=np.float64)
    texts = np.empty(len(cells), dtype=np.object_)
    texts[:] = [cell if cell.__class__ is str else str(_reread(cell, type) or "") for cell in cells]
    return texts


def _number(cell: object) -> float:
    value = _reread(cell, ColumnType.NUMBER)
    return value if isinstance(value, float) else float("nan")


def _seconds(cell: object) -> float:
    if isinstance(cell, str):
        try:
            return dates.to_seconds(cell)
        except ValueError:
            pass  # not written by parse_cell
    value = _reread(cell, ColumnType.DATE)
    return dates.to_seconds(value) if isinstance(value, str) else float("nan")


def _reread(cell: object, type: ColumnType) -> Value:
    """Read a value kept under another type; None where it is none of this one."""
    if not isinstance(cell, Cell):
        return None
    try:
        return parse_cell(cell, type)
    except ValueError:
        return None
