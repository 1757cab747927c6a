"""Excel workbooks (.xlsx), one sheet of them as a CSV. The zip is measured before anything of it is unpacked.

A cell is written as a person reads it, without doubt about what is meant: dates as 2024-03-04, shares as 12%, truth as
true and false, numbers with the 15 digits that Excel keeps. What a formula came to counts, not the formula; an error
(#REF!) counts as empty, and so do all but the first of merged cells. Rows keep their numbers.
"""

import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import IO, TypeAlias
from zipfile import ZipFile

from apps.samples.reading.kinds import NotReadable
from apps.samples.reading.tables import CELL_MAX_CHARACTERS, COLUMNS_MAX

ROWS_MAX = 1_048_576
CELLS_MAX = 5_000_000
MEMBERS_MAX = 5_000
UNPACKED_MAX_BYTES = 1024**3
RATIO_MAX = 200
_RATIO_FROM_BYTES = 4 * 1024 * 1024
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_TOO_LARGE = "Save the sheet as CSV (UTF-8), or split it into several."

CellValue: TypeAlias = str | float | int | bool | date | time | timedelta | None


@dataclass(frozen=True)
class Sheet:
    """A sheet written as CSV: its name and those of all sheets, and how much there was.

    `first_row` is the number of the first row that holds anything; those above it are left out. `n_columns` is the
    width of the widest row.
    """

    name: str
    names: tuple[str, ...]
    first_row: int
    n_rows: int
    n_columns: int


def is_office_file(archive: ZipFile) -> bool:
    """Whether a zip is a workbook or another document, and not a bundle of files."""
    names = set(archive.namelist())
    return bool(names & {"[Content_Types].xml", "mimetype"})


def check_workbook(archive: ZipFile) -> None:
    """Measure the parts of a workbook by its table of contents. Raises NotReadable for what is none, or too much.

    Reading stops at the sizes the table claims, so that a wrong claim cannot do more than damage its own part.
    """
    names = set(archive.namelist())
    if "xl/workbook.xml" not in names:
        raise NotReadable(_what_instead(names))
    parts = archive.infolist()
    n_bytes = sum(part.file_size for part in parts)
    n_packed = sum(part.compress_size for part in parts)
    if len(parts) > MEMBERS_MAX or n_bytes > UNPACKED_MAX_BYTES:
        raise NotReadable(f"This workbook is too large to be read as one. {_TOO_LARGE}")
    if n_bytes > max(_RATIO_FROM_BYTES, RATIO_MAX * n_packed):
        raise NotReadable(f"This workbook unpacks to more than {RATIO_MAX} times its size. {_TOO_LARGE}")


def _what_instead(names: set[str]) -> str:
    if "xl/workbook.bin" in names:
        return "This is a binary Excel workbook (.xlsb). Open it and save it as .xlsx or as CSV (UTF-8)."
    if "word/document.xml" in names:
        return "This is a Word document. Copy its text into a CSV file, or paste it."
    if "mimetype" in names:
        return "This is an OpenDocument file. Open it and save it as .xlsx or as CSV (UTF-8)."
    return "This Office file holds no sheets. Bring an Excel workbook (.xlsx) or a CSV."


def write_sheet(source: IO[bytes], target: IO[str], *, wanted: str = "") -> Sheet:
    """Write the sheet of that name, or the first one that holds anything, as CSV. Raises NotReadable.

    Whatever else the library makes of a damaged file is for the caller: it runs where that does no harm.
    """
    from openpyxl import load_workbook  # half a second, which only this needs

    warnings.simplefilter("ignore")  # of styles and extensions nobody needs here
    book = load_workbook(source, read_only=True, data_only=True, keep_links=False)
    shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
    names = tuple(sheet.title for sheet in shown)
    for sheet in shown:
        if wanted in {"", sheet.title}:
            first_row, n_rows, n_columns = _write_rows(sheet, target)
            if n_rows or wanted:
                return Sheet(sheet.title, names, first_row, n_rows, n_columns)
    raise NotReadable("This workbook has no such sheet." if wanted else "There is nothing in the sheets of this file.")


def _write_rows(sheet: object, target: IO[str]) -> tuple[int, int, int]:
    """Write rows from the first to the last that hold anything; return the number of the first, how many, how wide."""
    writer = csv.writer(target, lineterminator="\n")
    first_row = n_rows = n_empty = n_columns = 0
    for number, cells in enumerate(_rows(sheet), start=1):
        if not cells:
            n_empty += 1
            continue
        if first_row:
            target.write("\n" * n_empty)
            n_rows += n_empty
        else:
            first_row = number
        n_empty = 0
        writer.writerow(cells)
        n_rows += 1
        n_columns = max(n_columns, len(cells))
    return first_row or 1, n_rows, n_columns


def _rows(sheet: object) -> Iterator[Sequence[str]]:
    """Every row as texts, without the empty cells at its end. Raises NotReadable past the caps."""
    sheet.reset_dimensions()  # type: ignore[attr-defined]  # the library has no types; what a file says of its size is often wrong
    shares: dict[int, bool] = {}
    n_cells = 0
    for number, row in enumerate(sheet.iter_rows(), start=1):  # type: ignore[attr-defined]
        n_cells += len(row)
        if number > ROWS_MAX or n_cells > CELLS_MAX:
            raise NotReadable(f"This sheet has more than {CELLS_MAX:,} cells or {ROWS_MAX:,} rows. {_TOO_LARGE}")
        cells = [_text_of(cell, shares) for cell in row]
        while cells and not cells[-1]:
            cells.pop()
        if len(cells) > COLUMNS_MAX:
            raise NotReadable(f"This sheet has more than {COLUMNS_MAX:,} columns.")
        yield cells


def _text_of(cell: object, shares: dict[int, bool]) -> str:
    value: CellValue = cell.value  # type: ignore[attr-defined]
    if value is None or cell.data_type == "e":  # type: ignore[attr-defined]
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        style = cell._style_id  # type: ignore[attr-defined]
        if style not in shares:
            shares[style] = "%" in cell.number_format  # type: ignore[attr-defined]
        return f"{_number(value * 100)}%" if shares[style] else _number(value)
    return cell_text(value)


def cell_text(value: CellValue) -> str:
    """Return a cell as text that means one thing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return _unescaped(str(value))[:CELL_MAX_CHARACTERS] if value is not None else ""


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else format(value, ".15g")


def _unescaped(text: str) -> str:
    """Characters that XML cannot hold stand in workbooks as _x000D_."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(_unescaped_character, text)


def _unescaped_character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    if code == 0x0D:
        return ""
    return "\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)
