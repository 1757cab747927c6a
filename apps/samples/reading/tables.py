"""Tables of text (CSV, TSV and their relatives) and plain lines, row by row from any row's beginning."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import IO, Literal

from apps.samples.reading.lines import BadLine, Lines
from apps.samples.reading.records import Record

CELL_MAX_CHARACTERS = 1_000_000
COLUMNS_MAX = 1_000
# Order of preference where two split a file equally well: decimal commas are commoner than stray semicolons.
DELIMITERS = {"\t": "tab", ";": "semicolon", ",": "comma", "|": "bar"}
_ROWS_SNIFFED = 200
_LEAST_SHARE = 0.75

# For the whole process, as the module has it no other way: we are its only user, and its default is 131,072.
csv.field_size_limit(CELL_MAX_CHARACTERS)


@dataclass(frozen=True)
class Dialect:
    """How cells are told apart; no delimiter means that each line is one cell."""

    delimiter: str = ","
    is_quoted: bool = True


def sniff_dialect(sample: str, *, is_named_table: bool) -> Dialect:
    """Choose what splits the sample's rows most evenly. A file not named like a table must be split without a flaw."""
    best, best_score = Dialect(), (0.0, False)
    for is_quoted in (True, False):
        for delimiter in DELIMITERS:
            candidate = Dialect(delimiter, is_quoted)
            # Where both ways are even, quotes in the middle of cells tell that they are not meant as quotes.
            score = (_evenness(sample, candidate), is_quoted == _is_well_quoted(sample, delimiter))
            if score > best_score:
                best, best_score = candidate, score
    if best_score[0] >= (_LEAST_SHARE if is_named_table else 1.0):
        return best
    is_one_column = _share_of_width(sample, Dialect(), 1) >= _LEAST_SHARE
    return Dialect() if is_named_table and is_one_column else Dialect(delimiter="")


def tab_dialect(text: str, *, least_rows: int) -> Dialect | None:
    """How cells copied from a spreadsheet are told apart: every row has as many tabs. None for other text.

    A cell with a line end in it comes in quotes, and may have any number of lines.
    """
    for is_quoted in (True, False):
        dialect = Dialect("\t", is_quoted)
        widths = [len(row) for row in _cells_of(text, dialect) if any(cell.strip() for cell in row)]
        if len(widths) >= least_rows and len(set(widths)) == 1 and widths[0] > 1:
            return dialect
    return None


def _is_well_quoted(sample: str, delimiter: str) -> bool:
    """Whether every quote opens or closes a cell; one left open at the end may be due to the sample's own end."""
    reader = csv.reader(StringIO(sample, newline=""), delimiter=delimiter, strict=True)
    try:
        for _row in reader:
            pass
    except csv.Error:
        return reader.line_num >= sample.count("\n")
    return True


def _evenness(sample: str, dialect: Dialect) -> float:
    """The share of rows with the commonest number of cells, if that is more than one."""
    widths = Counter(map(len, _first_rows(sample, dialect)))
    commonest = widths.most_common(1)[0][0] if widths else 1
    return _share_of_width(sample, dialect, commonest) if commonest > 1 else 0.0


def _share_of_width(sample: str, dialect: Dialect, width: int) -> float:
    rows = _first_rows(sample, dialect)
    return sum(len(row) == width for row in rows) / len(rows) if rows else 0.0


def _first_rows(sample: str, dialect: Dialect) -> list[list[str]]:
    rows = list(islice(filter(None, _cells_of(sample, dialect)), _ROWS_SNIFFED))
    return rows[:-1] if len(rows) > 1 else rows  # the last may be cut off


def _cells_of(sample: str, dialect: Dialect) -> Iterator[list[str]]:
    reader = csv.reader(StringIO(sample, newline=""), delimiter=dialect.delimiter, quoting=_quoting(dialect))
    try:
        yield from reader
    except csv.Error:
        return


def _quoting(dialect: Dialect) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if dialect.is_quoted else csv.QUOTE_NONE


def table_rows(
    file: IO[bytes], *, offset: int, row: int, encoding: str, dialect: Dialect
) -> Iterator[tuple[Record, Sequence[str]]]:
    """Yield each row's number, end and problem as a bare Record, and its cells. `row` is the number of the first."""
    lines = Lines(file, offset=offset, encoding=encoding)
    pull = _plain_cells(lines) if not dialect.delimiter else _quoted_cells(lines, dialect)
    while True:
        start, n_lines = lines.offset, lines.n_lines
        cells: Sequence[str] = ()
        problem = ""
        try:
            cells = next(pull)
        except StopIteration:
            return
        except BadLine as bad:
            problem = bad.reason
        except csv.Error:
            problem = f"A cell is longer than {CELL_MAX_CHARACTERS:,} characters, or its quote is never closed."
            _skip_open_quote(lines, start)
        if not problem and lines.is_at_end and lines.n_lines > n_lines:
            # The reader went on to the end of the file looking for the closing quote.
            cells, problem = (), "A quote is opened in this row and never closed."
            _go_past_line(lines, start)
        yield Record(row, lines.offset, problem=problem), cells
        row += 1


def _plain_cells(lines: Lines) -> Iterator[Sequence[str]]:
    # Not a generator: an exception would end one, and reading goes on after a bad line.
    return map(_only_cell, lines)


def _only_cell(line: str) -> Sequence[str]:
    return [line.rstrip("\r\n")]


def _quoted_cells(lines: Lines, dialect: Dialect) -> Iterator[Sequence[str]]:
    return csv.reader(lines, delimiter=dialect.delimiter, quoting=_quoting(dialect))


def _skip_open_quote(lines: Lines, start: int) -> None:
    """Go to the end of the line that closes the quote left open by what was read since `start`."""
    failed_at, n_quotes = lines.offset, 0
    lines.go_back(start)
    while True:
        try:
            n_quotes += next(lines).count('"')
        except BadLine:
            continue
        except StopIteration:
            return _go_past_line(lines, start)
        if lines.offset >= failed_at and n_quotes % 2 == 0:
            return None


def _go_past_line(lines: Lines, start: int) -> None:
    """Take only the first line for lost, not the rest of the file."""
    lines.go_back(start)
    try:
        next(lines, None)
    except BadLine:
        return
