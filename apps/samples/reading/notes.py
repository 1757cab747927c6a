"""What an export writes beside a sample's answer, read back: who flagged it, who was not sure, what people wrote.

A cell as `notes_cell` writes it is read back exactly; so is the list that JSON lines have in its place, which knows the
time of each comment as well.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from apps.samples.reading.tag_cells import split_tags

FLAGGED_BY, UNSURE_BY, COMMENTS = "flagged_by", "unsure_by", "comments"
NOTES = (FLAGGED_BY, UNSURE_BY, COMMENTS)
EXPORT_MARKS = frozenset({"annotated_by", "annotated_at"})
"""Columns that only our own exports have together: what a file that comes back brings beside its cells."""
COMMENT_CHARACTERS = 2_000
_GOES_ON = "\n  "
"""How a cell writes a line break within a comment; a break without the blanks begins the next one."""


@dataclass(frozen=True)
class WrittenComment:
    """A comment as a file has it; `by` is an e-mail address, empty for somebody who has left."""

    by: str
    text: str
    at: datetime | None = None


@dataclass(frozen=True)
class RowNotes:
    """What stands beside one sample; people are e-mail addresses."""

    flagged_by: tuple[str, ...] = ()
    unsure_by: tuple[str, ...] = ()
    comments: tuple[WrittenComment, ...] = ()
    problem: str = ""


def note_columns(columns: Collection[str], taken: Collection[str]) -> dict[str, str]:
    """Which columns of an export of ours hold which notes; none of any other file, and none `taken` for other things.

    What is ours gave way to a field of the same name: the longest name is ours.
    """
    if not set(columns) >= EXPORT_MARKS:
        return {}
    found: dict[str, str] = {}
    for name in NOTES:
        called = [column for column in columns if column.removesuffix(name).replace("sample_", "") == ""]
        ours = max((column for column in called if column.endswith(name)), key=len, default="")
        if ours and ours not in taken:
            found[name] = ours
    return found


def read_notes(cells: Mapping[str, str], columns: Mapping[str, str]) -> RowNotes | None:
    """Return what a row says beside its answer, or None where that is nothing."""
    flagged, unsure, written = (cells.get(columns.get(name, ""), "").strip() for name in NOTES)
    if not (flagged or unsure or written):
        return None
    comments = [each for each in _comments(written) if each.text]
    fit = tuple(each for each in comments if len(each.text) <= COMMENT_CHARACTERS)
    n_long = len(comments) - len(fit)
    problem = f"A comment of more than {COMMENT_CHARACTERS:,} characters was left out." if n_long else ""
    return RowNotes(split_tags(flagged), split_tags(unsure), fit, problem)


def notes_cell(notes: Iterable[tuple[str, str]]) -> str:
    """Return one cell for people to read: who, and what, a line each."""
    return "\n".join(plain_lines(f"{by}: {text}").replace("\n", _GOES_ON) for by, text in notes)


def plain_lines(text: str) -> str:
    """Browsers send line breaks as two characters: what differs only in those is the same."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _comments(cell: str) -> list[WrittenComment]:
    listed = _listed(cell)
    if listed is not None:
        return [_from_json(each) for each in listed if isinstance(each, Mapping)]
    lines = plain_lines(cell.replace("\x00", "")).replace(_GOES_ON, "\x00").split("\n")
    parted = [line.replace("\x00", "\n").partition(": ") for line in lines]
    return [WrittenComment(by.strip(), text.strip()) if colon else WrittenComment("", by) for by, colon, text in parted]


def _listed(cell: str) -> Sequence[object] | None:
    if not cell.startswith("["):
        return None
    try:
        value: object = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, list) else None


def _from_json(note: Mapping[str, object]) -> WrittenComment:
    by, at, text = (value if isinstance(value := note.get(name), str) else "" for name in ("by", "at", "text"))
    return WrittenComment(by, plain_lines(text.replace("\x00", "")).strip(), _time(at))


def _time(written: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
