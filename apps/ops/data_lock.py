"""Who owns a data directory. One `up` at a time: two would start two brokers and two workers on the same files.

The lock is the kernel's (`flock`), so it ends with its process whatever ends the process. What the holder says of
itself lies in `up.json` beside it, for the message a second `up` writes and for `doctor`.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

LOCK_NAME, STATE_NAME = "up.lock", "up.json"


@dataclass(frozen=True)
class Holder:
    """A running `up`: its process, its address, and its children's processes by name."""

    pid: int = 0
    address: str = ""
    children: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"process {self.pid or '?'}" + (f", at {self.address}" if self.address else "")


class DataHeld(Exception):
    """Another process owns the data directory."""

    def __init__(self, holder: Holder) -> None:
        super().__init__(str(holder))
        self.holder = holder


class DataLock:
    """The lock, once taken; `tell` writes what others may read about its holder."""

    def __init__(self, data_dir: Path) -> None:
        self._state = data_dir / STATE_NAME

    def tell(self, *, address: str = "", children: Mapping[str, int] | None = None) -> None:
        draft = self._state.with_suffix(".new")
        draft.write_text(json.dumps({"pid": os.getpid(), "address": address, "children": dict(children or {})}))
        draft.replace(self._state)


@contextmanager
def own(data_dir: Path) -> Iterator[DataLock]:
    """Own the directory for the length of the block. Raises DataHeld."""
    with (data_dir / LOCK_NAME).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataHeld(read_state(data_dir)) from error
        lock = DataLock(data_dir)
        lock.tell()
        try:
            yield lock
        finally:
            (data_dir / STATE_NAME).unlink(missing_ok=True)


def holder_of(data_dir: Path) -> Holder | None:
    """Return who owns the directory now, or None."""
    try:
        file = (data_dir / LOCK_NAME).open("a")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return read_state(data_dir)
    return None


def read_state(data_dir: Path) -> Holder:
    """Return what the holder wrote of itself; empty while it has not yet."""
    try:
        state = json.loads((data_dir / STATE_NAME).read_text())
    except (FileNotFoundError, ValueError):
        return Holder()
    return Holder(pid=state["pid"], address=state["address"], children=state["children"])
