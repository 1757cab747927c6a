"""The micro-batcher: concurrent callers share one forward pass, and one thread alone runs the model.

A caller alone never waits for company. Where the last batch had several callers, the next one is held open for a
moment, because callers who were answered together tend to come back together.
"""

from __future__ import annotations

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
MAX_WAIT_SECONDS = 0.002


@dataclass
class _Waiting(Generic[Item, Result]):
    item: Item
    future: Future[Result] = field(default_factory=Future)


class MicroBatcher(Generic[Item, Result]):
    """Collects items from any number of threads and event loops and runs them together in a thread of its own.

    `run` gets one to `max_batch` items and returns as many results, in the same order. When it raises on several
    items they are run again one by one, so that one bad item fails its own caller only.
    """

    def __init__(
        self,
        run: Callable[[Sequence[Item]], Sequence[Result]],
        *,
        name: str,
        max_batch: int = MAX_BATCH,
        max_wait_seconds: float = MAX_WAIT_SECONDS,
    ) -> None:
        self._run = run
        self._name = name
        self._max_batch = max_batch
        self._max_wait_seconds = max_wait_seconds
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def submit(self, item: Item) -> Future[Result]:
        """Queue one item; never blocks. Cancelling the future before its batch starts leaves it out."""
        waiting: _Waiting[Item, Result] = _Waiting(item)
        with self._changed:
            if self._is_closed:
                raise Unavailable("The server is stopping. Try again in a moment.")
            self._queue.append(waiting)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
            self._changed.notify()
        return waiting.future

    def close(self) -> None:
        """Answer what is queued, then end the thread."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        n_last = 1
        while batch := self._collect(n_last):
            n_last = len(batch)
            live = [waiting for waiting in batch if waiting.future.set_running_or_notify_cancel()]
            if live:
                self._answer(live)

    def _collect(self, n_last: int) -> list[_Waiting[Item, Result]]:
        """Wait for work and take it; an empty list means closed and done."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._is_closed)
            until = time.monotonic() + self._max_wait_seconds
            n_wanted = min(n_last, self._max_batch)
            while len(self._queue) < n_wanted and not self._is_closed:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._max_batch))]

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
        for waiting, result in zip(batch, results, strict=True):
            waiting.future.set_result(result)
