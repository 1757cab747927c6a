"""Signals of a process that owns others: asked to stop, or a child died; one wait wakes on either or on time."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType


class Signals:
    """Handlers of its own for SIGINT and SIGTERM, since a process may be started with them ignored or blocked."""

    def __init__(self) -> None:
        self.must_stop = False
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGCHLD})

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.must_stop = True

    def wait(self, seconds: float) -> None:
        """Return after that time, or at once when a signal comes or came since the last wait."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        if ready:
            os.read(self._reader, 4096)
