"""JSON records, one a line, brought into flat cells; the shapes other labelling tools export are understood."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO, TypeAlias, TypeGuard

from apps.samples.reading.columns import ABSENT_NAME
from apps.samples.reading.lines import BadLine, Lines
from apps.samples.reading.records import Record

_LABEL_KEYS = frozenset({"label", "labels"})
_LABELS_KEYS = _LABEL_KEYS | {"tags", ABSENT_NAME}
JSON_ARRAY_MAX_BYTES = 64 * 1024 * 1024
CELLS_MAX = 1_000
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class NotARecord(Exception):
    """This JSON value cannot become a row; the text says why."""


def json_records(
    file: IO[bytes], *, offset: int, row: int, encoding: str, may_be_several: bool = False
) -> Iterator[Record]:
    """Yield a Record for every line; `row` is the number of the first one.

    Where there `may_be_several` labels, lists of them become a JSON list in one cell.
    """
    lines = Lines(file, offset=offset, encoding=encoding)
    while True:
        cells: Mapping[str, str] = {}
        problem = ""
        try:
            cells = cells_of_line(next(lines), may_be_several=may_be_several)
        except StopIteration:
            return
        except BadLine as bad:
            problem = bad.reason
        except NotARecord as reason:
            problem = str(reason)
        yield Record(row, lines.offset, cells, problem)
        row += 1


def cells_of_line(line: str, *, may_be_several: bool = False) -> dict[str, str]:
    """Parse one line; a blank one has no cells. Raises NotARecord."""
    if not line.strip():
        return {}
    try:
        value: Json = json.loads(line)
    except json.JSONDecodeError as error:
        raise NotARecord(f"This is not valid JSON: {error.msg} at character {error.pos + 1}.") from error
    except (RecursionError, ValueError) as error:
        # Nested too deeply, or a number of thousands of digits.
        raise NotARecord("This JSON cannot be read: it is nested too deeply or holds too long a number.") from error
    if isinstance(value, str):
        return {"text": value}
    if not isinstance(value, Mapping):
        raise NotARecord('Each line must be an object such as {"text": "…", "label": "…"}.')
    if len(value) > CELLS_MAX:
        raise NotARecord(f"The record has more than {CELLS_MAX:,} keys.")
    return _cells(value, _listed if may_be_several else _one)


def _cells(record: Mapping[str, Json], labels_cell: Callable[[Sequence[str]], str]) -> dict[str, str]:
    cells: dict[str, str] = {}
    for key, value in record.items():
        if key == "data" and isinstance(value, Mapping):
            cells |= {name: _plain(inner) for name, inner in value.items()}  # Label Studio: the input's own fields
        elif key == "annotations":
            # An empty list says that nobody has looked yet.
            cells["label"] = labels_cell(_tool_labels(value)) if value else ""
        elif key == "annotation" and isinstance(value, Mapping):
            cells["label"] = _plain(value.get("labelName") or value.get("label"))
        elif key == "annotation" and labels_cell is _listed and _is_list(value):
            cells |= _said_of_each(value)
        elif key in (_LABEL_KEYS if labels_cell is _one else _LABELS_KEYS) and _is_list(value):
            cells[key] = labels_cell([_plain(inner) for inner in value])  # doccano: a list even for one
        else:
            cells[key] = _plain(value)
    return cells


def _plain(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _one(labels: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(filter(None, labels)))
    if len(distinct) > 1:
        raise NotARecord("There are several labels; a sample of this function has one.")
    return distinct[0] if distinct else ""


def _said_of_each(annotation: Json) -> dict[str, str]:
    """The tags in `[{"labelName": …, "present": …}]`: those there, and those that are not."""
    said = {_plain(each.get("labelName")): each.get("present") is not False for each in _objects(annotation)}
    return {
        "label": _listed([name for name, is_present in said.items() if is_present]),
        ABSENT_NAME: _listed([name for name, is_present in said.items() if not is_present]) if said else "",
    }


def _listed(labels: Sequence[str]) -> str:
    return json.dumps(list(dict.fromkeys(filter(None, labels))), ensure_ascii=False)


def _tool_labels(annotations: Json) -> list[str]:
    """The labels in Label Studio's `annotations[].result[].value.choices[]`, or in doccano's `annotations[].label`."""
    labels: list[str] = []
    for annotation in _objects(annotations):
        if "label" in annotation:
            labels.append(_plain(annotation["label"]))
        for result in _objects(annotation.get("result")):
            for choices in _objects([result.get("value")]):
                found = choices.get("choices")
                if isinstance(found, Sequence) and not isinstance(found, str):
                    labels += [_plain(choice) for choice in found]
    return labels


def _objects(value: Json) -> list[Mapping[str, Json]]:
    return [item for item in value if isinstance(item, Mapping)] if _is_list(value) else []


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def array_to_lines(source: IO[bytes], target: IO[bytes], *, encoding: str, start: int) -> None:
    """Write each element of a JSON array on a line of its own. Raises NotARecord where it is not one, or too large."""
    source.seek(start)
    content = source.read(JSON_ARRAY_MAX_BYTES + 1)
    if len(content) > JSON_ARRAY_MAX_BYTES:
        raise NotARecord(
            f"A JSON array may have {JSON_ARRAY_MAX_BYTES // 1024**2} MB at most. Save it as JSON lines instead."
        )
    try:
        for element in _elements(content.decode(encoding)):
            target.write(json.dumps(element).encode("ascii") + b"\n")
    except (ValueError, RecursionError) as error:
        raise NotARecord("This file starts like a JSON array, but it cannot be read to its end as one.") from error


def _elements(text: str) -> Iterator[Json]:
    """One by one, so that the whole is never held as objects."""
    decoder = json.JSONDecoder()
    at = _past_blanks(text, text.index("[") + 1)
    while text[at : at + 1] != "]":
        element, at = decoder.raw_decode(text, at)
        yield element
        at = _past_blanks(text, at)
        if text[at : at + 1] == ",":
            at = _past_blanks(text, at + 1)
        elif text[at : at + 1] != "]":
            raise ValueError("a comma is missing")


def _past_blanks(text: str, at: int) -> int:
    while text[at : at + 1] in {" ", "\t", "\r", "\n"}:
        at += 1
    return at
