"""What becomes of each column of a file that is brought to a function of table rows: proposed, corrected, made fields.

A person sees one line a column, with examples and a word of advice, and chooses for each: what it holds, or that it is
the label, or an id of their own, or nothing. What the file before was read like is proposed again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import IO, Protocol

from apps.core.errors import InvalidInput
from apps.engine.tables import ColumnGuess, Finding, infer_columns, is_missing
from apps.functions.models import Field, FieldType, Function, OutputKind
from apps.functions.names import sound
from apps.functions.services import NewField, get_or_create_fields
from apps.samples.layout import LEFT_OUT, Layout, first_records
from apps.samples.models import Import
from apps.samples.reading.columns import ABSENT_NAME, ID_NAMES, LABEL_NAMES, Role, plain_name
from apps.samples.reading.notes import EXPORT_MARKS, NOTES
from apps.samples.reading.tag_cells import TagSeparator, are_flags

ROWS_LOOKED_AT = 1_000
EXAMPLES = 4
EXAMPLE_CHARACTERS = 60
_OURS = EXPORT_MARKS | {"id", "original_name", "prediction", "confidence", ABSENT_NAME}
_OURS |= {*NOTES, "answers"}
EXPORT_NAMES = _OURS | {f"sample_{name}" for name in _OURS}
LABEL_FIRST = ("sample_label", "sample_tags", "label", "tags")
LABEL_SHARE = 0.9
"""Values that must be labels of the function already for a column to be taken for the label."""


class Use(StrEnum):
    """What a column is used for. The first five make it a field of that type."""

    NUMBER = FieldType.NUMBER
    CATEGORY = FieldType.CATEGORY
    DATE = FieldType.DATE
    TEXT = FieldType.TEXT
    IMAGE = FieldType.IMAGE
    KEEP = "keep"  # a field that is not learned from, of the type it looks like
    KNOWN = "known"  # a field that is there already
    LABEL = "label"
    FLAG = "flag"  # a tag by itself, yes or no in each row
    EXTERNAL_ID = "external_id"
    LEAVE_OUT = LEFT_OUT


USES = frozenset(each.value for each in Use)
TYPES = frozenset(Use(type) for type in FieldType.values)
KEPT = TYPES | {Use.KEEP, Use.KNOWN}
USE_WORDS = {
    Use.NUMBER: "Number",
    Use.CATEGORY: "Category",
    Use.DATE: "Date",
    Use.TEXT: "Free text",
    Use.IMAGE: "Picture",
    Use.KEEP: "Kept, not learned from",
    Use.LABEL: "The label",
    Use.FLAG: "A tag: yes or no",
    Use.EXTERNAL_ID: "Your own id",
    Use.LEAVE_OUT: "Leave out",
}


@dataclass(frozen=True)
class ColumnLine:
    """One column as the preview shows it. `field` is there already, under the same name."""

    name: str
    use: Use
    examples: tuple[str, ...]
    advice: str
    field: Field | None
    options: tuple[tuple[str, str], ...]


def propose_uses(function: Function, file: IO[bytes], layout: Layout) -> Layout:
    """Return the layout with a proposal for each column."""
    rows = _rows(file, layout)
    guesses = _guesses(layout.columns, rows, [])
    known = _fields_by_name(function)
    before = _uses_before(function)
    uses: dict[str, Use] = {}
    for guess in guesses:
        uses[guess.name] = _first_guess(guess, known, before)
    is_export = set(layout.columns) >= EXPORT_MARKS
    if is_export:
        ours = [name for name in layout.columns if name in EXPORT_NAMES and sound(name) not in known]
        uses |= dict.fromkeys(ours, Use.LEAVE_OUT)
    free = [name for name in layout.columns if uses[name] in KEPT - {Use.KNOWN}]
    _take_label(function, uses, free, rows)
    _take_external_id(uses, free, guesses, rows)
    return with_uses(layout, uses)


def _first_guess(guess: ColumnGuess, known: Mapping[str, Field], before: Mapping[str, Use]) -> Use:
    if sound(guess.name) in known:
        return Use.KNOWN
    if guess.name in before and before[guess.name] not in KEPT:
        return before[guess.name]
    if guess.finding is Finding.EMPTY:
        return Use.LEAVE_OUT
    return Use(guess.type.value) if guess.is_worth_learning else Use.KEEP


def _take_label(function: Function, uses: dict[str, Use], free: list[str], rows: Sequence[Mapping[str, str]]) -> None:
    """The column named so; failing that, one whose values are labels of the function already."""
    if function.searches:
        return
    names = {sound(label.name) for label in function.labels.in_use()}
    if function.output_kind == OutputKind.TAGS:
        for name in [each for each in free if sound(each) in names and are_flags(_values(each, rows))]:
            uses[name] = Use.FLAG
            free.remove(name)
    if Use.LABEL in uses.values() or Use.FLAG in uses.values():
        return
    called = [name for name in free if plain_name(name) in {*LABEL_NAMES, *LABEL_FIRST}]
    called.sort(key=lambda name: LABEL_FIRST.index(plain_name(name)) if plain_name(name) in LABEL_FIRST else 99)
    alike = [name for name in free if _are_labels(_values(name, rows), names)]
    for name in (alike + called)[:1]:
        uses[name] = Use.LABEL
        free.remove(name)


def _are_labels(values: Sequence[str], names: set[str]) -> bool:
    n_known = sum(sound(value) in names for value in values)
    return bool(values) and n_known >= LABEL_SHARE * len(values)


def _take_external_id(
    uses: dict[str, Use], free: list[str], guesses: Sequence[ColumnGuess], rows: Sequence[Mapping[str, str]]
) -> None:
    if Use.EXTERNAL_ID in uses.values():
        return
    ids = [guess.name for guess in guesses if guess.finding is Finding.ID and guess.name in free]
    named = [name for name in free if plain_name(name) in {"external_id", "sample_external_id"}]
    named += [name for name in free if plain_name(name) in ID_NAMES]
    named += [name for name in ids if plain_name(name).endswith("_id")]
    for name in named:
        values = _values(name, rows)
        if values and len(set(values)) == len(values):
            uses[name] = Use.EXTERNAL_ID
            return


class Choice(Protocol):
    """What a person chose on the preview: a use for each column, in the columns' order, and what splits tags."""

    @property
    def uses(self) -> Sequence[str]: ...

    @property
    def tag_separator(self) -> TagSeparator: ...


def choose_uses(function: Function, layout: Layout, choice: Choice) -> Layout:
    """Take over what a person chose. Raises InvalidInput."""
    chosen = choice.uses
    if len(chosen) != len(layout.columns):
        raise InvalidInput("The file has other columns by now. Reload the page and choose again.")
    known = _fields_by_name(function)
    uses: dict[str, Use] = {}
    for name, value in zip(layout.columns, chosen, strict=True):
        if value not in USES or (value == Use.KNOWN and sound(name) not in known):
            raise InvalidInput("Choose for each column one of the uses offered.")
        uses[name] = Use(value)
    for use in (Use.LABEL, Use.EXTERNAL_ID):
        if sum(each is use for each in uses.values()) > 1:
            raise InvalidInput(f"Only one column can be this: {USE_WORDS[use].lower()}.")
    return replace(with_uses(layout, uses), tag_separator=choice.tag_separator)


def with_uses(layout: Layout, uses: Mapping[str, Use]) -> Layout:
    """Return the layout with these uses, and with the roles and tags that follow from them."""
    roles = {
        role: name
        for role, use in ((Role.LABEL, Use.LABEL), (Role.EXTERNAL_ID, Use.EXTERNAL_ID))
        for name in uses
        if uses[name] is use
    }
    flags = tuple(name for name in uses if uses[name] is Use.FLAG)
    return replace(layout, uses={name: use.value for name, use in uses.items()}, roles=roles, flags=flags)


def column_lines(function: Function, file: IO[bytes], layout: Layout) -> list[ColumnLine]:
    """Return every column with examples, advice and what may be chosen for it."""
    rows = _rows(file, layout)
    label = layout.column(Role.LABEL)
    labels = [row.get(label) or None for row in rows] if label else []
    guesses = {guess.name: guess for guess in _guesses(layout.columns, rows, labels, but=label)}
    known = _fields_by_name(function)
    return [_line(function, name, layout, rows, guesses.get(name), known) for name in layout.columns]


def _line(
    function: Function,
    name: str,
    layout: Layout,
    rows: Sequence[Mapping[str, str]],
    guess: ColumnGuess | None,
    known: Mapping[str, Field],
) -> ColumnLine:
    use, field = Use(layout.uses.get(name, Use.LEAVE_OUT)), known.get(sound(name))
    examples = list(dict.fromkeys(value for value in _values(name, rows) if value.strip()))[:EXAMPLES]
    advice = guess.advice if guess and use in TYPES | {Use.KEEP, Use.KNOWN} else ""
    gives_tags = function.output_kind == OutputKind.TAGS
    offered = [each for each in USE_WORDS if (each not in TYPES | {Use.KEEP} or field is None)]
    offered = [each for each in offered if each is not Use.FLAG or gives_tags]
    options = [(each.value, USE_WORDS[each]) for each in offered if each is not Use.LABEL or not function.searches]
    if field is not None:
        words = field.get_type_display() if field.is_used else f"{field.get_type_display()}, not learned from"
        options.insert(0, (Use.KNOWN.value, f"{words}, as before"))
    shown = tuple(each if len(each) <= EXAMPLE_CHARACTERS else f"{each[:EXAMPLE_CHARACTERS]}…" for each in examples)
    return ColumnLine(name, use, shown, advice, field, tuple(options))


def make_fields(*, import_job: Import, file: IO[bytes], layout: Layout) -> dict[str, str]:
    """Make the fields that the columns need; return the field's public id for each column that has one."""
    function, person = import_job.function, import_job.person
    rows = _rows(file, layout)
    label = layout.column(Role.LABEL)
    labels = [row.get(label) or None for row in rows] if label else []
    guesses = {guess.name: guess for guess in _guesses(layout.columns, rows, labels, but=label)}
    wanted = [
        _new_field(guesses[name], Use(use), is_seen=person is not None)
        for name, use in layout.uses.items()
        if Use(use) in KEPT and name in guesses
    ]
    if not wanted:
        raise InvalidInput("Choose at least one column to keep.")
    made = get_or_create_fields(function=function, fields=wanted, actor=person)
    return {name: field.public_id for name, field in made.items()}


def _new_field(guess: ColumnGuess, use: Use, *, is_seen: bool) -> NewField:
    return NewField(
        name=guess.name,
        type=use.value if use in TYPES else guess.type.value,
        is_used=use is not Use.KEEP,
        is_confirmed=is_seen,
        advice=guess.advice,
        facts=guess.facts.to_json(),
    )


def _rows(file: IO[bytes], layout: Layout) -> list[Mapping[str, str]]:
    found = first_records(file, layout, ROWS_LOOKED_AT)
    return [record.cells for record in found if not record.problem and not record.is_blank]


def _guesses(
    columns: Iterable[str], rows: Sequence[Mapping[str, str]], labels: Sequence[str | None], *, but: str = ""
) -> list[ColumnGuess]:
    names = [name for name in columns if name != but]
    return infer_columns(names, [[row.get(name, "") for name in names] for row in rows], labels=labels)


def _values(name: str, rows: Iterable[Mapping[str, str]]) -> list[str]:
    return [row[name] for row in rows if not is_missing(row.get(name))]


def _fields_by_name(function: Function) -> dict[str, Field]:
    return {sound(field.name): field for field in function.fields.all()}


def _uses_before(function: Function) -> dict[str, Use]:
    """How the columns of earlier files were used, the newest file's word first."""
    uses: dict[str, Use] = {}
    for options in function.imports.exclude(state="preview").order_by("id").values_list("options", flat=True)[:50]:
        layout = options.get("layout") or {}
        uses |= {name: Use(use) for name, use in (layout.get("uses") or {}).items() if use in USES}
    return uses
