"""How an import's table or JSON lines are to be read: guessed on arrival, checked by a person, kept with the import."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import IO

from apps.core.formulas import unguard
from apps.samples.reading.columns import ABSENT_NAME, Role, guess_flags, guess_roles, has_header, sampled, unique_names
from apps.samples.reading.json_lines import json_records
from apps.samples.reading.notes import note_columns
from apps.samples.reading.records import Record
from apps.samples.reading.tables import COLUMNS_MAX, Dialect, sniff_dialect, table_rows
from apps.samples.reading.tag_cells import TagColumns, TagSeparator

_SNIFFED_BYTES = 64 * 1024
_SNIFFED_ROWS = 200
LEFT_OUT = "leave_out"
"""The use of a table function's column that becomes no field (`services.table_columns.Use`)."""


@dataclass(frozen=True)
class Layout:
    """`start` is the byte where the text begins: past a byte order mark, before a header; `first_row` is its number.

    `n_columns` is how many there are at least, where that is known before reading.

    `dialect` and `has_header` say nothing about JSON lines. Where the function `gives_tags`, the column of the label
    may hold several, split by `tag_separator`, and `flags` are tags themselves, with yes or no in each row. `uses` says
    of every column what becomes of it where the function takes table rows (`services.table_columns.Use`).
    """

    is_json: bool = False
    encoding: str = "utf-8"
    start: int = 0
    first_row: int = 1
    n_columns: int = 0
    dialect: Dialect = field(default_factory=Dialect)
    has_header: bool = False
    columns: tuple[str, ...] = ()
    roles: Mapping[Role, str] = field(default_factory=dict)
    gives_tags: bool = False
    flags: tuple[str, ...] = ()
    tag_separator: TagSeparator = TagSeparator.ANY
    uses: Mapping[str, str] = field(default_factory=dict)

    def column(self, role: Role) -> str:
        """The column with that role, or "" where none has it."""
        return self.roles.get(role, "")

    @property
    def tag_columns(self) -> TagColumns:
        """Where tags are, and those said to be absent: a column that only exports have."""
        absent = ABSENT_NAME if ABSENT_NAME in self.columns and ABSENT_NAME not in self.roles.values() else ""
        return TagColumns(self.column(Role.LABEL), absent, self.flags, self.tag_separator)

    @property
    def note_columns(self) -> dict[str, str]:
        """Where flags, doubts and comments are, by what they are: columns that only exports have."""
        uses = {column for column, use in self.uses.items() if use != LEFT_OUT}
        return note_columns(self.columns, {*self.roles.values(), *self.flags, *uses})

    def to_options(self) -> dict[str, object]:
        return asdict(self) | {"columns": list(self.columns), "flags": list(self.flags)}

    @classmethod
    def from_options(cls, options: Mapping[str, object]) -> "Layout":
        fields = dict(options)
        dialect, columns, roles = fields.pop("dialect"), fields.pop("columns"), fields.pop("roles")
        flags, separator = fields.pop("flags", []), fields.pop("tag_separator", TagSeparator.ANY)
        uses = fields.pop("uses", {})
        assert isinstance(dialect, dict)
        assert isinstance(columns, list)
        assert isinstance(flags, list)
        assert isinstance(roles, dict)
        assert isinstance(uses, dict)
        layout = replace(cls(), **fields)  # type: ignore[arg-type]  # the other fields are plain, written by to_options
        return replace(
            layout,
            dialect=Dialect(**dialect),
            columns=tuple(columns),
            roles={Role(role): name for role, name in roles.items()},
            # PostgreSQL keeps the keys of JSON in an order of its own; fields are made in that of the columns.
            uses={name: uses[name] for name in columns if name in uses},
            flags=tuple(flags),
            tag_separator=TagSeparator(str(separator)),
        )


def sniffed(
    file: IO[bytes], layout: Layout, *, is_named_table: bool, for_pictures: bool, expects_header: bool = False
) -> Layout:
    """Guess everything that the encoding and start of `layout` leave open."""
    if not layout.is_json:
        file.seek(layout.start)
        text = file.read(_SNIFFED_BYTES).decode(layout.encoding, "replace")
        layout = replace(layout, dialect=sniff_dialect(text, is_named_table=is_named_table))
    return with_header(file, layout, for_pictures=for_pictures, expects_header=expects_header)


def with_header(file: IO[bytes], layout: Layout, *, for_pictures: bool, expects_header: bool = False) -> Layout:
    """Guess whether the first row names the columns, and what they are, where the dialect is known."""
    if not layout.is_json:
        rows = [cells for _record, cells in islice(_table(file, layout, layout.start, 1), _SNIFFED_ROWS) if cells]
        layout = replace(layout, has_header=has_header(rows, is_expected=expects_header))
    return with_columns(file, layout, for_pictures=for_pictures)


def with_columns(file: IO[bytes], layout: Layout, *, for_pictures: bool) -> Layout:
    """Name the columns and guess their roles, by the encoding, dialect and header that are set."""
    layout = replace(layout, columns=tuple(_json_keys(file, layout) if layout.is_json else _column_names(file, layout)))
    rows = [record.cells for record in first_records(file, layout, _SNIFFED_ROWS)]
    columns = sampled(layout.columns, rows)
    flags = guess_flags(columns) if layout.gives_tags else ()
    ours = {*flags, ABSENT_NAME, *note_columns(layout.columns, flags).values()}
    others = [column for column in columns if column.name not in ours]
    return replace(layout, flags=flags, roles=guess_roles(others, for_pictures=for_pictures))


def first_records(file: IO[bytes], layout: Layout, n: int) -> list[Record]:
    """The first records, for sniffing and for the preview."""
    offset, row = beginning(file, layout)
    return list(islice(records(file, layout, offset=offset, row=row), n))


def beginning(file: IO[bytes], layout: Layout) -> tuple[int, int]:
    """Where the first record starts, and its row number."""
    if layout.is_json or not layout.has_header:
        return layout.start, layout.first_row
    header = next(_table(file, layout, layout.start, layout.first_row), None)
    return (header[0].end if header else layout.start), layout.first_row + 1


def records(file: IO[bytes], layout: Layout, *, offset: int, row: int) -> Iterator[Record]:
    """Yield records from a byte offset on, with their cells by column name."""
    if layout.is_json:
        yield from json_records(
            file, offset=offset, row=row, encoding=layout.encoding, may_be_several=layout.gives_tags
        )
        return
    for record, cells in _table(file, layout, offset, row):
        if any(cells[len(layout.columns) :]):
            problem = f"The row has {len(cells)} cells in {len(layout.columns)} columns. Is a quote missing?"
            yield replace(record, problem=problem)
        else:
            named = dict(zip(layout.columns, map(unguard, cells), strict=False))
            yield replace(record, cells=named)


def _table(file: IO[bytes], layout: Layout, offset: int, row: int) -> Iterator[tuple[Record, list[str]]]:
    rows = table_rows(file, offset=offset, row=row, encoding=layout.encoding, dialect=layout.dialect)
    for record, cells in rows:
        yield record, list(cells[:COLUMNS_MAX])


def _column_names(file: IO[bytes], layout: Layout) -> list[str]:
    """As many as most rows have, and no fewer than the header."""
    rows = [cells for _record, cells in islice(_table(file, layout, layout.start, 1), _SNIFFED_ROWS) if cells]
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 1
    header = [unguard(cell) for cell in rows[0]] if layout.has_header and rows else []
    return unique_names(header + [""] * (max(width, layout.n_columns) - len(header)))


def _json_keys(file: IO[bytes], layout: Layout) -> list[str]:
    found = json_records(file, offset=layout.start, row=1, encoding=layout.encoding, may_be_several=layout.gives_tags)
    return list(dict.fromkeys(key for record in islice(found, _SNIFFED_ROWS) for key in record.cells))[:COLUMNS_MAX]
