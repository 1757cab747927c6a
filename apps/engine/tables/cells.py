"""One cell of a table: what it says as a number, a date, a category or a text.

Cells come as text from CSV and pasted spreadsheets, as numbers, truth values and dates from XLSX and JSON, and as
values already parsed from the database; `parse_cell` gives the same value for all of these, and for its own results.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TypeAlias

from apps.engine.tables import dates
from apps.engine.types import ColumnType

Cell: TypeAlias = str | float | int | bool | date | time | None
"""A cell as read; `datetime` is a `date`."""
Value: TypeAlias = float | str | None
"""A cell as kept: a number, or a text, which for dates is ISO 8601; None where it is missing."""

MISSING = frozenset(
    {"", "na", "n/a", "n.a.", "nan", "null", "nil", "-", "--", "---", "–", "—", "?", ".", "#n/a", "#null!", "<na>"}
)
"""What stands for *nothing here*, in lower case."""
MISSING_NUMBERS = frozenset(
    {"none", "unknown", "missing", "inf", "+inf", "-inf", "infinity", "-infinity", "#div/0!", "#num!", "#value!"}
)
"""Words that may be a category but are no number and no date."""
CURRENCIES = "usd|eur|gbp|chf|jpy|cny|inr|aud|cad|nzd|sek|nok|dkk|pln|czk|huf|brl|mxn|zar|try|krw|rub"
SHOWN = 40
"""Characters of a cell repeated in a message."""

_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " ") | {"−": "-", "’": "'", "٬": ","})
_CURRENCY_CODE = re.compile(rf"^(?:{CURRENCIES})(?=[\s\d.,+-])|(?<=[\s\d.,])(?:{CURRENCIES})$")
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:([ ,.'])\d{2,3})*?(?:([ ,.'])\d{3})+", re.ASCII)
_MARKED = re.compile(r"[+-]?\d[\d ,.']*", re.ASCII)
_WORD = re.compile(r"[A-Za-z]{4}")
"""Longer than the code of a currency: no number."""
_WHOLE_FLOAT = re.compile(r"-?\d+\.0+", re.ASCII)


@dataclass(frozen=True)
class CellFacts:
    """What a column's cells have in common that a single cell may not tell.

    Parameters
    ----------
    decimal
        "." or ",": what 1.234 and 1,234 mean.
    is_day_first
        What 03/04/2024 means; None where no cell told.
    """

    decimal: str = "."
    is_day_first: bool | None = None

    def to_json(self) -> dict[str, str | bool | None]:
        """Return plain data that `from_json` reads back."""
        return {"decimal": self.decimal, "is_day_first": self.is_day_first}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> CellFacts:
        """Read what `to_json` wrote; what does not fit falls back to the default."""
        is_day_first = data.get("is_day_first")
        return cls("," if data.get("decimal") == "," else ".", is_day_first if isinstance(is_day_first, bool) else None)


NO_FACTS = CellFacts()


def parse_cell(cell: Cell, type: ColumnType, facts: CellFacts = NO_FACTS) -> Value:
    """Return what a cell says, read as a value of `type`.

    Parameters
    ----------
    cell
        As read from a file, a request or the database.
    type
        What its column holds.
    facts
        From `find_facts` or `infer_columns` for the column; by default a point is a decimal point, and 03/04/2024 is
        in March.

    Returns
    -------
    Numbers as a finite `float`; percentages as shares (12 % is 0.12). Dates as ISO 8601: `2024-03-04`,
    `2024-03-04T15:30:00`, in UTC with an offset where the cell names a zone, or `15:30:00` alone. Categories and texts
    as `str` without spaces around them; categories alike for a file's True and 3.0 and a request's true and 3. A
    picture's name as `str`. None where the cell is missing; an infinite number counts as missing.

    Raises
    ------
    ValueError
        If the cell is something else; the text is a sentence for the user: *“abc” is no number.*
    """
    if is_missing(cell):
        return None
    if type is ColumnType.NUMBER:
        return _number(cell, facts)
    if type is ColumnType.DATE:
        return _date(cell, facts)
    if type is ColumnType.CATEGORY:
        return _category(cell)
    return cell_text(cell)


def is_missing(cell: Cell) -> bool:
    """Say whether there is nothing in the cell: empty, a mark such as NA or -, or not a number."""
    if cell is None:
        return True
    if isinstance(cell, str):
        return len(cell) < 200 and cell.strip().lower() in MISSING
    return isinstance(cell, float) and math.isnan(cell)


def cell_text(cell: Cell) -> str:
    """Return the cell as a person would write it: 3 rather than 3.0; empty for None."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    return str(cell)


def find_facts(cells: Iterable[Cell]) -> CellFacts:
    """Return what the cells of one column have in common, see `CellFacts`; the whole column tells more than a part."""
    texts = [cell.strip() for cell in cells if isinstance(cell, str) and len(cell) <= dates.LONGEST]
    return CellFacts(_find_decimal(texts), dates.find_day_first(texts))


def _number(cell: Cell, facts: CellFacts) -> float | None:
    if isinstance(cell, bool):
        return float(cell)
    if isinstance(cell, int | float):
        return _finite(cell)
    number = None if not isinstance(cell, str) else _read_number(cell.strip(), facts.decimal)
    if number is None:
        raise ValueError(f"{quoted(cell)} is no number.")
    return _finite(number)


def _finite(number: float) -> float | None:
    try:
        number = float(number)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _read_number(text: str, decimal: str) -> float | None:
    """Return the number written, infinite where a word says there is none, None if it is no number."""
    if len(text) > dates.LONGEST:
        return None
    text = text.lower()
    if text in MISSING_NUMBERS:
        return math.inf
    if decimal == "." and _PLAIN.fullmatch(text):
        return float(text)
    text, is_negative, is_percent = _bare(text)
    bare = _without_marks(text, decimal)
    if bare is None:
        return None
    number = float(bare) / (100 if is_percent else 1)
    return -number if is_negative else number


def _bare(text: str) -> tuple[str, bool, bool]:
    """Take away what surrounds the digits: currency, percent, the brackets of a negative amount."""
    text = text.translate(_SPACES).strip()
    is_negative = len(text) > 2 and text[0] == "(" and text[-1] == ")"
    if is_negative:
        text = text[1:-1].strip()
    is_percent = text.endswith("%")
    text = text.removesuffix("%").strip()
    if "$" in text or not text.isascii():
        text = "".join(character for character in text if unicodedata.category(character) != "Sc")
    text = _CURRENCY_CODE.sub("", text).strip()
    if text[:1] in ("+", "-"):  # "- 5" and "-$ 5"
        text = text[0] + text[1:].lstrip()
    return text, is_negative, is_percent


def _without_marks(text: str, decimal: str) -> str | None:
    """Return digits with a decimal point and no marks between thousands; None if marks and digits make no number."""
    if _PLAIN.fullmatch(text) and (decimal == "." or "." not in text or not _looks_grouped(text, ".")):
        return text
    if not _MARKED.fullmatch(text):
        return None
    whole, mark, fraction = _split_fraction(text, decimal)
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        return None
    marks = {character for character in whole if character in " ,.'"}
    if len(marks) > 1 or (marks and mark in marks) or (marks and not _GROUPED.fullmatch(whole)):
        return None
    digits = re.sub(r"[ ,.']", "", whole)
    return f"{digits}.{fraction}" if fraction else digits


def _split_fraction(text: str, decimal: str) -> tuple[str, str, str]:
    """Return whole part, decimal mark and fraction; the mark is empty where there is no fraction."""
    last = max(text.rfind("."), text.rfind(","))
    if last < 0:
        return text, "", ""
    mark = text[last]
    other = "," if mark == "." else "."
    is_decimal = text.count(mark) == 1 and (other in text or mark == decimal or not _looks_grouped(text, mark))
    return (text[:last], mark, text[last + 1 :]) if is_decimal else (text, "", "")


def _looks_grouped(text: str, mark: str) -> bool:
    """Say whether the only mark in `text` may stand between thousands: 1.234 may, 1.5 and 0.123 may not."""
    whole, _, rest = text.lstrip("+-").partition(mark)
    return len(rest) == 3 and rest.isdigit() and 1 <= len(whole) <= 3 and whole.lstrip("0") == whole


def _find_decimal(texts: Iterable[str]) -> str:
    """Return the decimal mark that most cells which tell use; a point where none tells."""
    n_of = {".": 0, ",": 0}
    for text in texts:
        if ("." not in text and "," not in text) or _WORD.search(text):
            continue
        bare = text if _MARKED.fullmatch(text) else _bare(text.lower())[0]
        if not _MARKED.fullmatch(bare):
            continue
        n_points, n_commas = bare.count("."), bare.count(",")
        if n_points and n_commas:
            n_of["." if bare.rfind(".") > bare.rfind(",") else ","] += 1
        elif n_points > 1 or n_commas > 1:
            n_of["," if n_points > 1 else "."] += 1
        elif n_points + n_commas == 1:
            mark = "." if n_points else ","
            if not _looks_grouped(bare, mark):
                n_of[mark] += 1
    return "," if n_of[","] > n_of["."] else "."


def _date(cell: Cell, facts: CellFacts) -> str | None:
    if isinstance(cell, date | time):
        return dates.to_iso(cell_text(cell)) or cell_text(cell)
    if isinstance(cell, str):
        text = cell.strip()
        if text.lower() in MISSING_NUMBERS:
            return None
        iso = dates.to_iso(text, is_day_first=facts.is_day_first)
        if iso is not None:
            return iso
        cell = _read_number(text, ".") if text.isascii() and text.isdigit() else None
        if cell is None:
            raise ValueError(f"{quoted(text)} is no date.")
    return _date_of_number(cell)


def _date_of_number(number: Cell) -> str:
    """Read a year, or the seconds or milliseconds since 1970 that programs send."""
    if isinstance(number, int | float) and not isinstance(number, bool):
        if 1000 <= number <= 2999 and float(number).is_integer():
            return f"{int(number)}-01-01"
        if 1e8 <= number < 1e10:
            return dates.from_seconds(number)
        if 1e11 <= number < 1e13:
            return dates.from_seconds(number / 1000)
    raise ValueError(f"{quoted(number)} is no date.")


def _category(cell: Cell) -> str:
    text = cell_text(cell)
    if text.lower() in ("true", "false"):
        return text.lower()
    return text.partition(".")[0] if _WHOLE_FLOAT.fullmatch(text) else text


def quoted(cell: Cell) -> str:
    """Return the cell in quotation marks, cut where it is long, for a message."""
    text = cell_text(cell)
    return f"“{text[:SHOWN]}…”" if len(text) > SHOWN else f"“{text}”"
