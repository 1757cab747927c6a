"""What the columns of a table hold, guessed from their cells, with a word of advice where something is off."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from operator import sub
from typing import TypeVar

from apps.engine.tables import dates
from apps.engine.tables.cells import (
    NO_FACTS,
    Cell,
    CellFacts,
    Value,
    cell_text,
    find_facts,
    is_missing,
    parse_cell,
    quoted,
)
from apps.engine.tables.columns import columns_from_rows
from apps.engine.tables.giveaways import find_giveaways
from apps.engine.types import ColumnType

LOOKED_AT = 10_000
"""Rows that a guess is made from, spread over the table; all of them where there are fewer."""
FITTING_SHARE = 0.95
"""Cells that must be of a type for the column to be: a few misprints make no column of numbers one of words."""
LONG_TEXT = 40
WORDY = 4
"""Characters and words, on average, from which a text is free text, unless it comes again and again."""
REPEATED_SHARE = 0.1
"""Different values per value below which even long texts are categories."""
DISTINCT_SHARE, MANY_DISTINCT = 0.5, 30
"""Short texts are categories unless there are more than so many, and more than so many per value."""
MIN_ROWS_FOR_ID = 10
FEW_CODES = 20
MAX_NAME = 300
"""Characters of a picture's name that are looked at."""

_PICTURE = re.compile(r"\S.*\.(?:jpe?g|png|gif|webp|bmp|tiff?|heic|heif|avif)", re.IGNORECASE)
_LEADING_ZERO = re.compile(r"0\d+", re.ASCII)
_EIGHT_DIGITS = re.compile(r"(?:19|20)\d{6}", re.ASCII)
_ID_NAME = re.compile(r"(?:^|[\s_.-])(?:id|ids|uuid|guid|key|index|idx|row|nr|no|number|#)$", re.IGNORECASE)
_ID_CAMEL = re.compile(r"[a-z](?:Id|ID|Uuid|Nr|No)$")
_CODE_NAME = re.compile(
    r"(?:^|[\s_.-])(?:code|zip|zipcode|postcode|postal|plz|type|kind|class|category|group|status)(?:[\s_.-]|$)",
    re.IGNORECASE,
)
_CODE_CAMEL = re.compile(r"[a-z](?:Code|Zip|Type|Kind|Class|Category|Group|Status)$")
_Any = TypeVar("_Any")


class Finding(StrEnum):
    """What may be wrong with a column."""

    EMPTY = "empty"
    CONSTANT = "constant"
    ID = "id"  # all values different, or a running number
    GIVES_AWAY = "gives_away"  # tells the label nearly always, by itself
    MISFITS = "misfits"  # a few cells are not of the type that the others have


@dataclass(frozen=True)
class ColumnGuess:
    """What a column seems to hold.

    Parameters
    ----------
    name
        As given.
    type
        The guess; the user may correct it.
    facts
        Pass them to `parse_cell` for every cell of this column, and keep them where cells arrive later.
    finding, advice
        What is off, and a sentence on it for the user; None and "" where nothing is.
    is_worth_learning
        Whether to propose learning from it: not from an empty or constant column or an id. A column that gives the
        label away stays in, and the user decides.
    """

    name: str
    type: ColumnType
    facts: CellFacts = NO_FACTS
    finding: Finding | None = None
    advice: str = ""
    is_worth_learning: bool = True


def infer_columns(
    names: Sequence[str], rows: Sequence[Sequence[Cell]], *, labels: Sequence[str | None] = ()
) -> list[ColumnGuess]:
    """Guess the type of each column.

    Parameters
    ----------
    names
        The columns' names, in order.
    rows
        Cells as read, one sequence a row; short rows are missing their last cells.
    labels
        One per row where labels are known (None: not), to find columns that give them away; may be left out.

    Returns
    -------
    One guess per name. Never raises, whatever the cells hold.
    """
    step = max(1, math.ceil(len(rows) / LOOKED_AT))
    looked_at = rows[::step]
    columns = [[row[place] if place < len(row) else None for row in looked_at] for place in range(len(names))]
    guesses = [guess_column(name, cells) for name, cells in zip(names, columns, strict=True)]
    if labels:
        sentences = _find_giveaways(guesses, columns, labels[::step])
        for place, advice in sentences.items():
            guesses[place] = replace(guesses[place], finding=Finding.GIVES_AWAY, advice=advice)
    return guesses


def guess_column(name: str, cells: Sequence[Cell]) -> ColumnGuess:
    """Guess the type of one column from its cells, and say what is off with it."""
    present = [cell for cell in cells if not is_missing(cell)]
    if not present:
        return ColumnGuess(
            name, ColumnType.CATEGORY, NO_FACTS, Finding.EMPTY, "This column is empty: nothing to learn.", False
        )
    facts = find_facts(present)
    type, misfit = _guess_type(name, present, facts)
    texts = [cell_text(cell) for cell in present]
    guess = ColumnGuess(name, type, facts)
    if len(set(texts)) == 1 and len(cells) > 1:
        if len(present) == len(cells):
            return _advised(guess, Finding.CONSTANT, f"Always {quoted(texts[0])}: nothing to learn from it.")
        return guess
    if _is_id(name, type, present, facts):
        return _advised(guess, Finding.ID, "Looks like an id or a running number: it says nothing about new samples.")
    if misfit is not None:
        what = "no date" if type is ColumnType.DATE else "no number"
        return replace(guess, finding=Finding.MISFITS, advice=f"A few values are {what}, such as {quoted(misfit)}.")
    return guess


def _advised(guess: ColumnGuess, finding: Finding, advice: str) -> ColumnGuess:
    return replace(guess, finding=finding, advice=advice, is_worth_learning=False)


def _guess_type(name: str, present: Sequence[Cell], facts: CellFacts) -> tuple[ColumnType, str | None]:
    """Return the type, and a cell that is not of it if there is one."""
    texts = [cell.strip() for cell in present if isinstance(cell, str)]
    if len(texts) == len(present):
        if _are_most(texts, lambda text: _PICTURE.fullmatch(text[-MAX_NAME:]) is not None):
            return ColumnType.IMAGE, None
        if all(_EIGHT_DIGITS.fullmatch(text) and dates.to_iso(text) for text in texts):
            return ColumnType.DATE, None
        if any(_LEADING_ZERO.fullmatch(text) for text in texts) and all(text.isdigit() for text in texts):
            return ColumnType.CATEGORY, None  # zip codes, article numbers: as numbers they would lose their zeros
    if all(isinstance(cell, bool) for cell in present):
        return ColumnType.CATEGORY, None
    for type in (ColumnType.NUMBER, ColumnType.DATE):
        if _are_most(present, partial(_fits, type=type, facts=facts)):
            misfit = next((cell_text(cell) for cell in present if not _fits(cell, type=type, facts=facts)), None)
            is_code = type is ColumnType.NUMBER and misfit is None and _are_codes(name, present, facts)
            return (ColumnType.CATEGORY if is_code else type), misfit
    return (ColumnType.TEXT if _are_free_texts([cell_text(cell) for cell in present]) else ColumnType.CATEGORY), None


def _are_most(cells: Sequence[_Any], holds: Callable[[_Any], bool]) -> bool:
    """Say whether something holds for `FITTING_SHARE` of the cells, asking for no more of them than that takes."""
    left = math.floor((1 - FITTING_SHARE) * len(cells))
    for cell in cells:
        if not holds(cell):
            left -= 1
            if left < 0:
                return False
    return True


def _fits(cell: Cell, *, type: ColumnType, facts: CellFacts) -> bool:
    try:
        parse_cell(cell, type, facts)
    except ValueError:
        return False
    return True


def _whole_numbers(cells: Sequence[Cell], facts: CellFacts) -> list[int] | None:
    """Return the cells as whole numbers, None if any is none."""
    numbers = []
    for cell in cells:
        try:
            number = parse_cell(cell, ColumnType.NUMBER, facts)
        except ValueError:  # one of the few misfits that a column of numbers may have
            return None
        if isinstance(number, float):
            if not number.is_integer():
                return None
            numbers.append(int(number))
    return numbers or None


def _are_codes(name: str, cells: Sequence[Cell], facts: CellFacts) -> bool:
    """Say whether numbers only name things: yes and no as 1 and 0, zip codes, a few far-apart article numbers."""
    numbers = _whole_numbers(cells, facts)
    if numbers is None or len(numbers) < MIN_ROWS_FOR_ID:
        return False
    different = sorted(set(numbers))
    if different == [0, 1]:
        return True
    is_repeated = len(different) <= DISTINCT_SHARE * len(numbers)
    if is_repeated and (_CODE_NAME.search(name) or _CODE_CAMEL.search(name)):
        return True
    is_of_one_length = different[0] >= 100 and len(str(different[0])) == len(str(different[-1]))
    is_contiguous = different[-1] - different[0] < 2 * len(different)
    return is_of_one_length and not is_contiguous and 3 <= len(different) <= min(FEW_CODES, len(numbers) // 10)


def _are_free_texts(texts: Sequence[str]) -> bool:
    n_different, n = len(set(texts)), len(texts)
    is_long = sum(map(len, texts)) >= LONG_TEXT * n or sum(len(text.split()) for text in texts) >= WORDY * n
    if is_long:
        return n_different > max(REPEATED_SHARE * n, 1)
    return n_different > max(DISTINCT_SHARE * n, MANY_DISTINCT)


def _is_id(name: str, type: ColumnType, present: Sequence[Cell], facts: CellFacts) -> bool:
    """Say whether the values tell rows apart and nothing else."""
    if len(present) < MIN_ROWS_FOR_ID:
        return False
    texts = [cell_text(cell) for cell in present]
    if type in (ColumnType.DATE, ColumnType.IMAGE) or len(set(texts)) < len(texts):
        return False
    is_named_so = bool(_ID_NAME.search(name) or _ID_CAMEL.search(name))
    if type is ColumnType.NUMBER:
        numbers = _whole_numbers(present, facts)
        return numbers is not None and (is_named_so or len(set(map(sub, numbers[1:], numbers))) == 1)
    is_one_word = not any(any(map(str.isspace, text)) for text in texts)
    has_digits = all(any(map(str.isdigit, text)) for text in texts)
    return is_one_word and (is_named_so or has_digits or all("@" in text for text in texts))


def _find_giveaways(
    guesses: Sequence[ColumnGuess], columns: Sequence[Sequence[Cell]], labels: Sequence[str | None]
) -> dict[int, str]:
    types = {str(place): guess.type for place, guess in enumerate(guesses) if guess.is_worth_learning}
    rows: list[dict[str, Value]] = [{} for _label in labels]
    for place, type in types.items():
        for row, cell in zip(rows, columns[int(place)], strict=False):
            try:
                row[place] = parse_cell(cell, type, guesses[int(place)].facts)
            except ValueError:
                row[place] = None  # a misprint, said elsewhere
    found = find_giveaways(columns_from_rows(rows, types), labels)
    return {int(place): advice for place, advice in found.items()}
