"""The micro-batcher: concurrent callers share one forward pass, and one thread alone runs the model.

A caller alone never waits for company. Where several were there when the last batch was done, answered by it or waiting
behind it, the next one is held open while they come back: two halves that take turns would cost the machine nearly
twice what the whole costs. Inputs that came by the thousand in one call wait in a line of their own: they fill what
others leave, and never so much at once that others wait long for it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from apps.core.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

logger = structlog.get_logger(__name__)

MAX_BATCH = 32
MAX_WAIT_SECONDS = 0.003
"""A batch waits so long for the next of those who may come back."""
WAIT_SHARE = 0.2
"""Of the time that the last pass took: so long does a batch wait for all of them, at most."""
PASS_SECONDS = 0.4
"""A pass of inputs that came alone takes about so long where they take the machine long: else whoever comes during it
waits for two such passes."""
FEWEST = 8
"""In a pass where so many wait, however long they take."""
BULK_SECONDS = 0.04
"""A pass of inputs of large calls takes about so long: whoever comes during it waits no longer."""
BULK_SHARE = 1 / 8
"""Of a full batch, where both lines are long: a large call ends some time."""
NEWEST_COUNTS = 0.3
"""How much the newest batch counts in what an item takes."""


class TooLate(Unavailable):
    """An item was not worth running any more when its turn came."""


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    due: float = math.inf
    future: Future[Result] = field(default_factory=Future)


class MicroBatcher(Generic[Item, Result]):
    """Collects items from any number of threads and event loops and runs them together in a thread of its own.

    `run` gets one to `max_batch` items and returns as many results, in the same order. When it raises on several
    items they are run again one by one, so that one bad item fails its own caller only. `on_batch` is told how many
    ran together.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        name: str,
        max_batch: int = MAX_BATCH,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
        on_batch: Callable[[int], None] = lambda n_items: None,
    ) -> None:
        self._run = run
        self._name = name
        self._max_batch = max_batch
        self._max_wait_seconds = max_wait_seconds
        self._on_batch = on_batch
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._bulk: deque[_Waiting[Item, Result]] = deque()
        self._item_seconds = BULK_SECONDS / 4
        self._pass_seconds = 0.0
        self._n_there = 1
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False
        self._has_run = False

    def submit(self, item: Item, *, due: float = math.inf) -> Future[Result]:
        """Queue one item; never blocks. Cancelling the future before its batch starts leaves it out.

        Its future raises `TooLate` where its turn comes after `due`, a moment of the monotonic clock.
        """
        return self._submit(self._queue, [_Waiting(item, due)])[0]

    def submit_bulk(self, items: Sequence[Item]) -> list[Future[Result]]:
        """Queue items of a large call, behind which nobody else has to wait."""
        return self._submit(self._bulk, [_Waiting(item) for item in items])

    def _submit(
        self, queue: deque[_Waiting[Item, Result]], waiting: list[_Waiting[Item, Result]]
    ) -> list[Future[Result]]:
        with self._changed:
            if self._is_closed:
                raise Unavailable("The server is stopping. Try again in a moment.")
            queue.extend(waiting)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return [each.future for each in waiting]

    def close(self) -> None:
        """Answer what is queued, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while batch := self._collect():
            live = self._in_time([waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()])
            if live:
                started = time.perf_counter()
                self._answer(live)
                self._learn(time.perf_counter() - started, len(live))
                self._on_batch(len(live))

    def _in_time(self, batch: list[_Waiting[Item, Result]]) -> list[_Waiting[Item, Result]]:
        """Leave out what is too late by now. The first items of all wait for the model to load: they are never late."""
        now = time.monotonic() if self._has_run else -math.inf
        self._has_run = True
        for waiting in batch:
            if waiting.due < now:
                waiting.future.set_exception(TooLate("The server has too much to do. Try again in a second."))
        return [waiting for waiting in batch if waiting.due >= now]

    def _learn(self, seconds: float, n_items: int) -> None:
        self._pass_seconds = seconds
        self._item_seconds += NEWEST_COUNTS * (seconds / n_items - self._item_seconds)

    def _collect(self) -> list[_Waiting[Item, Result]]:
        """Wait for work and take it; an empty list means closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._bulk or self._is_closed)
            room = self._room()
            self._wait_for_company(room)
            n_kept_free = int(BULK_SHARE * room) if self._bulk else 0
            batch = [self._queue.popleft() for _ in range(min(len(self._queue), room - n_kept_free))]
            return batch + [self._bulk.popleft() for _ in range(min(len(self._bulk), self._bulk_room(len(batch))))]

    def _wait_for_company(self, room: int) -> None:
        """Wait while those who were there a moment ago come back, one soon after the other."""
        n_wanted = min(self._n_there, room)
        until = time.monotonic() + max(self._max_wait_seconds, WAIT_SHARE * self._pass_seconds)
        while len(self._queue) < n_wanted and not self._bulk and not self._is_closed:
            left = min(self._max_wait_seconds, until - time.monotonic())
            if left <= 0 or not self._changed.wait(left):
                break

    def _room(self) -> int:
        """How many inputs that came alone go together."""
        return min(self._max_batch, max(FEWEST, int(PASS_SECONDS / max(self._item_seconds, 1e-6))))

    def _bulk_room(self, n_taken: int) -> int:
        """How many inputs of large calls go along with those taken: one at least, else they would wait for ever."""
        n_in_time = int(BULK_SECONDS / max(self._item_seconds, 1e-6))
        return max(1, min(self._max_batch, n_in_time) - n_taken)

    def _answer(self, batch: list[_Waiting[Item, Result]]) -> None:
        try:
            results = self._run([waiting.item for waiting in batch])
        except Exception as error:  # noqa: BLE001  # border of this thread: the caller gets it through the future
            if len(batch) == 1:
                batch[0].future.set_exception(error)
                return
            logger.warning("batch_failed", batcher=self._name, n_items=len(batch), error=repr(error))
            for waiting in batch:
                self._answer([waiting])
            return
        self._n_there = len(batch) + len(self._queue)  # before anybody who is answered now can be back
        for waiting, result in zip(batch, results, strict=True):
            waiting.future.set_result(result)
