"""Tables: from cells as people write them to typed columns.

`infer_columns` guesses what each column holds; `parse_cell` reads a cell as that, for good, and says in a sentence when
it cannot; `columns_from_rows` makes the columns that models read from rows of parsed values. `readers.table` turns
those into numbers.
"""

from apps.engine.tables.cells import Cell, CellFacts, Value, cell_text, find_facts, is_missing, parse_cell
from apps.engine.tables.columns import columns_from_rows
from apps.engine.tables.giveaways import find_giveaways
from apps.engine.tables.guessing import ColumnGuess, Finding, infer_columns

__all__ = [
    "Cell",
    "CellFacts",
    "ColumnGuess",
    "Finding",
    "Value",
    "cell_text",
    "columns_from_rows",
    "find_facts",
    "find_giveaways",
    "infer_columns",
    "is_missing",
    "parse_cell",
]
