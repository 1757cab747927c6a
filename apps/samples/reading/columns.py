"""Which column holds what: a first guess from names and values, for a person to check."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import mean

from apps.samples.reading.tag_cells import LEAST_FLAGS, are_flags

NAME_MAX = 200


class Role(StrEnum):
    """What a column is used for. `CONTENT` is the text, or for pictures whatever names a picture already here."""

    CONTENT = "content"
    LABEL = "label"
    EXTERNAL_ID = "external_id"
    ORIGINAL_NAME = "original_name"


TEXT_NAMES = (
    "text", "data", "message", "sentence", "content", "body", "comment", "review", "tweet", "utterance", "query",
    "question", "document", "description", "input", "title", "subject", "email", "sms", "prompt",
)  # fmt: skip
PICTURE_NAMES = (
    "id", "sample_id", "content_hash", "original_name", "filename", "file_name", "file", "image", "path",
)  # fmt: skip
LABEL_NAMES = (
    "label", "labels", "labelname", "label_name", "category", "class", "intent", "tag", "target", "sentiment",
    "choice", "annotation", "topic", "tags", "y",
)  # fmt: skip
ID_NAMES = ("external_id", "externalid", "uid", "uuid", "key", "message_id", "ticket_id", "row_id", "id")
FILE_NAMES = ("original_name", "filename", "file_name", "original_filename")
ABSENT_NAME = "absent_tags"
_ALL_NAMES = frozenset(TEXT_NAMES + LABEL_NAMES + ID_NAMES + FILE_NAMES)


@dataclass(frozen=True)
class Sampled:
    """The values of one column in the first rows."""

    name: str
    values: Sequence[str]

    @property
    def mean_length(self) -> float:
        return mean(map(len, self.values)) if self.values else 0.0

    @property
    def is_numeric(self) -> bool:
        return bool(self.values) and all(_is_number(value) for value in self.values)

    @property
    def looks_like_labels(self) -> bool:
        """Short, and coming back again and again."""
        n_distinct = len(set(self.values))
        return bool(self.values) and self.mean_length <= 40 and n_distinct <= max(2, len(self.values) // 2)


def unique_names(cells: Sequence[str]) -> list[str]:
    """Return a distinct, non-empty name for every column of a header, whatever stands in it."""
    names: list[str] = []
    for number, cell in enumerate(cells, start=1):
        base = " ".join(cell.replace("\x00", " ").split())[:NAME_MAX] or f"Column {number}"
        name, n = base, 1
        while name in names:
            n += 1
            name = f"{base} ({n})"
        names.append(name)
    return names


def has_header(rows: Sequence[Sequence[str]], *, is_expected: bool = False) -> bool:
    """Whether the first row names the columns: known names, or unlike everything below it.

    Where it `is_expected`, being different texts is enough.
    """
    if not rows:
        return False
    first = [cell.strip() for cell in rows[0]]
    if any(plain_name(cell) in _ALL_NAMES for cell in first):
        return True
    below = rows[1:]
    if not below or not all(first) or len(set(first)) < len(first) or any(map(_is_number, first)):
        return False
    columns = [[row[i] for row in below if i < len(row)] for i in range(len(first))]
    if any(cell in column for cell, column in zip(first, columns, strict=True)):
        return False
    return is_expected or any(
        column and (all(map(_is_number, column)) or mean(map(len, column)) > 3 * len(cell))
        for cell, column in zip(first, columns, strict=True)
    )


def guess_roles(columns: Sequence[Sampled], *, for_pictures: bool) -> dict[Role, str]:
    """Give each role at most one column and each column at most one role."""
    roles: dict[Role, str] = {}
    free = {column.name: column for column in columns}

    def take(role: Role, names: Sequence[str]) -> None:
        known = {plain_name(name): name for name in reversed(list(free))}
        found = next((known[name] for name in names if name in known), None)
        if found is not None:
            roles[role] = found
            del free[found]

    take(Role.CONTENT, PICTURE_NAMES if for_pictures else TEXT_NAMES)
    take(Role.LABEL, LABEL_NAMES)
    if Role.CONTENT not in roles and (rest := [c for c in free.values() if not c.is_numeric] or list(free.values())):
        longest = max(rest, key=lambda column: column.mean_length)
        roles[Role.CONTENT] = longest.name
        del free[longest.name]
    if Role.LABEL not in roles:
        alike = [column for column in free.values() if column.looks_like_labels]
        if alike:
            roles[Role.LABEL] = min(alike, key=lambda column: (column.is_numeric, len(set(column.values)))).name
            del free[roles[Role.LABEL]]
    take(Role.EXTERNAL_ID, ID_NAMES)
    if not for_pictures:
        take(Role.ORIGINAL_NAME, FILE_NAMES)
    return roles


def guess_flags(columns: Sequence[Sampled]) -> tuple[str, ...]:
    """Return the columns that are tags themselves, with yes or no in each row; one alone is no such table."""
    found = tuple(column.name for column in columns if are_flags(column.values))
    return found if len(found) >= LEAST_FLAGS else ()


def sampled(names: Sequence[str], rows: Sequence[Mapping[str, str]]) -> list[Sampled]:
    return [Sampled(name, [row[name] for row in rows if row.get(name)]) for name in names]


def plain_name(name: str) -> str:
    return name.strip().casefold().replace(" ", "_").replace("-", "_").strip("_")


def _is_number(value: str) -> bool:
    try:
        float(value.replace(",", "."))
    except ValueError:
        return False
    return True
