"""The reader of table rows: typed columns to rows of numbers of one scale, for straight lines and for trees alike.

Each column becomes a few numbers with a spread of about 1 (`table_parts`); a column that never changes becomes none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.engine.readers.state import State
from apps.engine.readers.table_parts import PARTS, Categories, Dates, Directions, Numbers, Part, Values
from apps.engine.types import Column, ColumnType, FloatArray, Inputs, TrainingData

MAX_FLAGS = 600
"""Numbers that all categories together may become: 100,000 rows of them take 240 MB."""
MIN_CATEGORIES, MAX_CATEGORIES = 4, 30


@dataclass(frozen=True)
class _Source:
    """Where a part finds its values: in the column of that key, or in embeddings of the column's cells."""

    key: str
    type: ColumnType
    embedding: str
    part: Part


class TableReader:
    """Typed columns as numbers.

    Attributes
    ----------
    sources_
        What was learned, in the order in which it is read.
    """

    def fit(self, data: TrainingData) -> TableReader:
        """Learn each column's middle, spread and categories, and the main directions of its cells' embeddings."""
        columns = data.inputs.columns
        n_categorical = sum(column.type is ColumnType.CATEGORY for column in columns)
        most = min(max(MAX_FLAGS // max(n_categorical, 1), MIN_CATEGORIES), MAX_CATEGORIES)
        found: list[_Source] = []
        for column in columns:
            part: Part | None = None
            if column.type is ColumnType.NUMBER:
                part = Numbers.fit(column.values.astype(np.float64))
            elif column.type is ColumnType.DATE:
                part = Dates.fit(column.values.astype(np.float64))
            elif column.type is ColumnType.CATEGORY:
                part = Categories.fit(column.values.astype(np.object_), most=most)
            if part is not None:
                found.append(_Source(column.key, column.type, "", part))
            for name in _embeddings_of(column, data.inputs):
                directions = Directions.fit(_rows(column, data.inputs.embeddings[name]))
                if directions is not None:
                    found.append(_Source(column.key, column.type, name, directions))
        self.sources_ = tuple(found)
        return self

    def read(self, inputs: Inputs) -> FloatArray:
        """Return `(n_samples, dim)`, float32, finite; at least one column, of zeros where nothing was learned.

        A column that is not there, or is of another type by now, counts as missing in every row. Raises `ValueError`
        where the embeddings of a column's cells are not there.
        """
        columns = {(column.key, column.type): column for column in inputs.columns}
        dim = max(1, sum(source.part.width for source in self.sources_))
        rows = np.zeros((inputs.n_samples, dim), dtype=np.float32)
        start = 0
        for source in self.sources_:
            end = start + source.part.width
            source.part.read(_values(source, columns.get((source.key, source.type)), inputs), rows[:, start:end])
            start = end
        return rows

    def to_state(self) -> State:
        """Return what was learned."""
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        columns: list[dict[str, object]] = []
        for place, source in enumerate(self.sources_):
            state = source.part.to_state()
            arrays |= {f"{place}.{name}": array for name, array in state.arrays.items()}
            columns.append(
                {
                    "key": source.key,
                    "type": source.type.value,
                    "embedding": source.embedding,
                    "part": source.part.kind,
                    **state.facts,
                }
            )
        return State(arrays, {"columns": columns})

    def load_state(self, state: State) -> TableReader:
        """Take over what `to_state` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        columns = state.facts["columns"]
        if not isinstance(columns, list):
            raise ValueError("the columns are no list")
        self.sources_ = tuple(_restore(place, facts, state.arrays) for place, facts in enumerate(columns))
        return self


def _restore(place: int, facts: object, arrays: Mapping[str, npt.NDArray[np.generic]]) -> _Source:
    if not isinstance(facts, Mapping):
        raise ValueError("a column's facts are no object")
    mine = {name.removeprefix(f"{place}."): array for name, array in arrays.items() if name.startswith(f"{place}.")}
    part = PARTS[facts["part"]].from_state(State(mine, facts))
    return _Source(str(facts["key"]), ColumnType(facts["type"]), str(facts["embedding"]), part)


def _values(source: _Source, column: Column | None, inputs: Inputs) -> Values:
    if source.embedding:
        if source.embedding not in inputs.embeddings:
            raise ValueError(f"The samples have no embeddings {source.embedding}.")
        return _rows(column, inputs.embeddings[source.embedding])
    return source.part.missing(inputs.n_samples) if column is None else column.values


def _embeddings_of(column: Column, inputs: Inputs) -> Sequence[str]:
    """Return the names under which embeddings of the column's cells are kept, as `types.cell_key` makes them."""
    return sorted(name for name in inputs.embeddings if name.partition(":")[2] == column.key)


def _rows(column: Column | None, embeddings: FloatArray) -> FloatArray:
    """Return the embeddings of a column's cells, zeros where a cell is empty."""
    if column is None or column.type is not ColumnType.TEXT:
        return embeddings
    is_empty = column.values == ""
    return np.where(is_empty[:, None], np.float32(0), embeddings) if is_empty.any() else embeddings
