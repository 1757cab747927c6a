"""The audit log as a file: streamed, oldest first, with its hashes, so that it can be checked without this program.

A line of the JSON form holds what is hashed: `sha256` of the JSON array `[workspace, sequence, kind, actor, subject,
data, created_at, previous_hash]` with sorted keys, no spaces and only ASCII is its `hash`, and the next line's
`previous_hash`. A copy kept elsewhere shows what nothing in here can: that the newest events were cut off and the head
of the chain set back with them.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from itertools import islice

from apps.core.formulas import guard
from apps.events.models import Event
from apps.events.services import hash_of, moment_of

ROWS_AT_ONCE = 1000
COLUMNS = ("sequence", "created_at", "kind", "actor", "subject", "address", "key", "data", "previous_hash", "hash")


class Format(StrEnum):
    JSONL = "jsonl"
    CSV = "csv"

    @property
    def content_type(self) -> str:
        return "application/x-ndjson" if self is Format.JSONL else "text/csv; charset=utf-8"


@dataclass(frozen=True)
class CopyCheck:
    """How a copy compares with the log of today; `broken_at` is the first event that is not what it was."""

    n_events: int
    broken_at: int | None


def lines_of(workspace: str, format: Format) -> Iterator[str]:
    """Return the whole log of a workspace, line by line."""
    events = Event.objects.filter(workspace_id=workspace).order_by("sequence").iterator(chunk_size=ROWS_AT_ONCE)
    return _as_json(events) if format is Format.JSONL else _as_csv(events)


def check_copy(lines: Iterable[str], *, workspace: str) -> CopyCheck:
    """Compare a copy in the JSON form with the log. Raises ValueError where a line is none of such a copy."""
    n_events = 0
    copied = map(_read, lines)
    while chunk := list(islice(copied, ROWS_AT_ONCE)):
        numbers = [sequence for sequence, _digest, _of in chunk]
        rows = Event.objects.filter(workspace_id=workspace, sequence__in=numbers)
        there = {event.sequence: event for event in rows}
        for sequence, digest, of in chunk:
            event = there.get(sequence)
            is_same = event is not None and event.hash == digest == hash_of(event)
            if of != workspace or sequence != n_events + 1 or not is_same:
                return CopyCheck(n_events, broken_at=n_events + 1)
            n_events += 1
    return CopyCheck(n_events, broken_at=None)


def _read(line: str) -> tuple[int, str, str]:
    fields = json.loads(line)
    if not isinstance(fields, dict):
        raise ValueError("This is no line of an audit log.")
    try:
        return int(fields["sequence"]), str(fields["hash"]), str(fields["workspace"])
    except KeyError as error:
        raise ValueError(f"A line has no {error}.") from error


def _as_json(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        fields = {
            "workspace": event.workspace_id,
            "sequence": event.sequence,
            "created_at": moment_of(event),
            "kind": event.kind,
            "actor": event.actor,
            "subject": event.subject,
            "data": event.data,
            "previous_hash": event.previous_hash,
            "hash": event.hash,
        }
        yield json.dumps(fields) + "\n"


def _as_csv(events: Iterable[Event]) -> Iterator[str]:
    write = _csv_writer()
    yield write(COLUMNS)
    for event in events:
        yield write(
            [
                str(event.sequence),
                moment_of(event),
                event.kind,
                event.actor,
                event.subject,
                str(event.data.get("address", "")),
                str(event.data.get("key", "")),
                json.dumps(event.data, ensure_ascii=False, sort_keys=True),
                event.previous_hash,
                event.hash,
            ]
        )


def _csv_writer() -> Callable[[Iterable[str]], str]:
    buffer = StringIO()
    writer = csv.writer(buffer)

    def write(cells: Iterable[str]) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([guard(cell) for cell in cells])
        return buffer.getvalue()

    return write
