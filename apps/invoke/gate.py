"""How many calls may be inside at once: as many as are answered soon. Beyond it a caller is asked to come back.

How soon is measured, not guessed: the time from answer to answer while there is work, kind of input by kind of input.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from apps.core.errors import Unavailable

FULL = "The server is answering as many calls as it can. Try again in a second."
MAX_WAIT_SECONDS = 1.0
"""A call that would wait longer is refused at once: in half of the time in which the slowest may be answered, as what
is measured is a while ago."""
ALWAYS = 8
"""So many are let in however long the last ones took: the first calls of all wait for a backbone to load."""
BULK_WAIT_SECONDS = 20.0
MAX_BULK_CALLS = 8
REMEMBERED_SECONDS = 1.0
"""Of work: what was longer ago counts half, then a quarter."""
SLOWEST_SECONDS = 0.5
"""An answer counts as at most so long; a backbone is loaded once."""


class Overloaded(Unavailable):
    """There is too much to do; `retry_after_s` says when there is room again."""

    def __init__(self, seconds: float = 1.0) -> None:
        super().__init__(FULL)
        self.retry_after_s = max(1, round(seconds))


class Lane:
    """The calls of one kind of input: how many are inside, and the pace at which they are answered."""

    def __init__(self, *, max_wait_seconds: float, clock: Callable[[], float]) -> None:
        self._max_wait_seconds = max_wait_seconds
        self._clock = clock
        self.n_inside = 0
        self.n_bulk = 0
        self._n_bulk_calls = 0
        self._since = 0.0
        self._busy_seconds = 0.0
        self._n_answered = 0.0

    @property
    def answer_seconds(self) -> float:
        """From answer to answer, of late."""
        return self._busy_seconds / self._n_answered if self._n_answered else 0.0

    def check(self) -> None:
        """Raise `Overloaded` when one more call would wait too long."""
        wait = (self.n_inside + 1) * self.answer_seconds
        if self.n_inside >= ALWAYS and wait > self._max_wait_seconds:
            raise Overloaded(wait - self._max_wait_seconds)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Let one call in for the length of the block. Raises `Overloaded` when it would wait too long."""
        self.check()
        self._begin()
        self.n_inside += 1
        try:
            yield
        finally:
            self.n_inside -= 1
            self._end()

    @contextmanager
    def bulk(self, n_items: int) -> Iterator[None]:
        """Let a large call in. Raises `Overloaded` where others of its kind keep the server busy for long."""
        wait = (self.n_bulk + self.n_inside) * self.answer_seconds
        if self._n_bulk_calls >= MAX_BULK_CALLS or (self.n_bulk and wait > BULK_WAIT_SECONDS):
            raise Overloaded(wait / 2)
        self._n_bulk_calls += 1
        self.n_bulk += n_items
        try:
            yield
        finally:
            self._n_bulk_calls -= 1
            self.n_bulk -= n_items

    def _begin(self) -> None:
        if not self.n_inside:
            self._since = self._clock()

    def _end(self) -> None:
        now = self._clock()
        seconds, self._since = now - self._since, now
        # Only between passes: the answers of one come together, and count together.
        if self._busy_seconds > REMEMBERED_SECONDS and seconds >= self.answer_seconds:
            self._busy_seconds /= 2
            self._n_answered /= 2
        self._busy_seconds += min(SLOWEST_SECONDS, seconds)
        self._n_answered += 1


class Gate:
    """Counts what is inside. Used from one event loop, so it needs no lock."""

    def __init__(
        self,
        *,
        max_calls: int,
        max_bytes: int,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_calls = max_calls
        self._max_bytes = max_bytes
        self._lanes: defaultdict[str, Lane] = defaultdict(lambda: Lane(max_wait_seconds=max_wait_seconds, clock=clock))
        self.n_calls = 0
        self.n_bytes = 0

    @contextmanager
    def call(self) -> Iterator[Inside]:
        """Let one call in for the length of the block. Raises `Overloaded` when full."""
        if self.n_calls >= self._max_calls:
            raise Overloaded
        self.n_calls += 1
        inside = Inside(self)
        try:
            yield inside
        finally:
            self.n_calls -= 1
            self.n_bytes -= inside.n_bytes

    def lane(self, input_kind: str) -> Lane:
        """Return the lane of a kind of input: what waits for one model waits not for another."""
        return self._lanes[input_kind]

    def take_bytes(self, n_bytes: int) -> None:
        if self.n_bytes + n_bytes > self._max_bytes:
            raise Overloaded
        self.n_bytes += n_bytes


class Inside:
    """One call's share."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.n_bytes = 0

    def take_bytes(self, n_bytes: int) -> None:
        """Account for bytes held in memory until the call ends. Raises `Overloaded` when there is no room."""
        self._gate.take_bytes(n_bytes)
        self.n_bytes += n_bytes
