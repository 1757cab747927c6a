"""How many calls, and how many bytes of them, may be inside at once. Beyond it a caller is asked to come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from apps.core.errors import Unavailable

FULL = "The server is answering as many calls as it can. Try again in a second."


class Gate:
    """Counts what is inside. Used from one event loop, so it needs no lock."""

    def __init__(self, *, max_calls: int, max_bytes: int) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self.n_calls = 0
        self.n_bytes = 0

    @contextmanager
    def call(self) -> Iterator[Inside]:
        """Let one call in for the length of the block. Raises `Unavailable` when full."""
        if self.n_calls >= self._max_calls:
            raise Unavailable(FULL)
        self.n_calls += 1
        inside = Inside(self)
        try:
            yield inside
        finally:
            self.n_calls -= 1
            self.n_bytes -= inside.n_bytes

    def take_bytes(self, n_bytes: int) -> None:
        if self.n_bytes + n_bytes > self._max_bytes:
            raise Unavailable(FULL)
        self.n_bytes += n_bytes


class Inside:
    """One call's share."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.n_bytes = 0

    def take_bytes(self, n_bytes: int) -> None:
        """Account for bytes held in memory until the call ends. Raises `Unavailable` when there is no room."""
        self._gate.take_bytes(n_bytes)
        self.n_bytes += n_bytes
