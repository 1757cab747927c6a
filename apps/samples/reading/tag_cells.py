"""What a row of a file says of tags: several in one cell, or a column each with yes and no in it.

A cell as `tag_cell` writes it is read back exactly (tests hold it for any names).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class TagSeparator(StrEnum):
    """What stands between the tags in a cell."""

    ANY = "any"
    COMMA = "comma"
    SEMICOLON = "semicolon"
    BAR = "bar"
    NONE = "none"


_SPLITTERS = {
    TagSeparator.COMMA: re.compile(r","),
    TagSeparator.SEMICOLON: re.compile(r";"),
    TagSeparator.BAR: re.compile(r"\|"),
    TagSeparator.NONE: re.compile(r"(?!)"),
}
# Whoever writes bars or lines means them: then a comma belongs to a name.
_STRONG = re.compile(r"[|\r\n]")
_WEAK = re.compile(r"[,;]")
_YES = frozenset({"1", "true", "yes", "y", "x", "t", "1.0", "✓", "✔"})
_NO = frozenset({"0", "false", "no", "n", "f", "0.0", "-"})
LEAST_FLAGS = 2


@dataclass(frozen=True)
class RowTags:
    """What a row says of tags by name. With `is_whole` it says all there is: others are not there."""

    there: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    is_whole: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        return self.there + self.absent

    def __or__(self, other: "RowTags") -> "RowTags":
        """What two rows about the same sample say together: a tag that either has is there."""
        there = dict.fromkeys(self.there + other.there)
        absent = [name for name in dict.fromkeys(self.absent + other.absent) if name not in there]
        return RowTags(tuple(there), tuple(absent), self.is_whole or other.is_whole)


@dataclass(frozen=True)
class TagColumns:
    """Where tags are: several in `listed`, absent ones beside it in `absent`, one each in `flags`."""

    listed: str = ""
    absent: str = ""
    flags: tuple[str, ...] = ()
    separator: TagSeparator = TagSeparator.ANY


def read_tags(cells: Mapping[str, str], columns: TagColumns) -> RowTags | None:
    """Return what a row says of tags, or None where it says nothing: every cell for them is empty."""
    listed, absent = cells.get(columns.listed, "").strip(), cells.get(columns.absent, "").strip()
    flags = {name: cells.get(name, "").strip().casefold() for name in columns.flags}
    if not (listed or absent or any(flags.values())):
        return None
    there = [*split_tags(listed, columns.separator), *(name for name, value in flags.items() if is_yes(value))]
    return RowTags(tuple(dict.fromkeys(there)), split_tags(absent, columns.separator), is_whole=not absent)


def split_tags(cell: str, separator: TagSeparator = TagSeparator.ANY) -> tuple[str, ...]:
    """Return the names in a cell: a JSON list, or names with something between them."""
    names = _json_names(cell)
    if names is None:
        splitter = _SPLITTERS.get(separator) or (_STRONG if _STRONG.search(cell) else _WEAK)
        names = splitter.split(cell)
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _json_names(cell: str) -> list[str] | None:
    if not cell.startswith("["):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or not all(isinstance(each, str | int | float) for each in value):
        return None
    return [each if isinstance(each, str) else json.dumps(each) for each in value]


def tag_cell(names: Sequence[str]) -> str:
    """Return one cell that holds these names, for people to read; as a JSON list where that could be misread."""
    is_plain = names and not any(_STRONG.search(name) or name.startswith("[") for name in names)
    if is_plain and (len(names) > 1 or not _WEAK.search(names[0])):
        return " | ".join(names)
    return json.dumps(list(names), ensure_ascii=False)


def is_yes(value: str) -> bool:
    return value.casefold() in _YES


def are_flags(values: Sequence[str]) -> bool:
    """Whether a column holds nothing but yes and no, and some of each."""
    said = {value.strip().casefold() for value in values}
    return bool(said & _YES) and said <= _YES | _NO
