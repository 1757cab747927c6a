"""Time, threads and devices: what surrounds a computation without being part of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from apps.engine.errors import DeadlineExpired


@dataclass(frozen=True)
class Deadline:
    """A moment on the monotonic clock. Long loops check it between steps: native code cannot be interrupted."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """Return the deadline that expires `seconds` from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Return the seconds left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    def expired(self) -> bool:
        """Return whether the time is over."""
        return time.monotonic() >= self.at

    def check(self) -> None:
        """Raise `DeadlineExpired` if the time is over."""
        if self.expired():
            raise DeadlineExpired("The time given to this computation is over.")


class _OneBlasThread:
    """Holds BLAS to one thread while anybody is inside.

    The number of BLAS threads belongs to the process, not to the caller. Overlapping callers that each save and
    restore it would leave it at 1 for good, so the first one in saves it and the last one out restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._limits: threadpool_limits | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._n_inside == 0:
                self._limits = threadpool_limits(limits=1, user_api="blas")
            self._n_inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._n_inside -= 1
                if self._n_inside == 0 and self._limits is not None:
                    self._limits.restore_original_limits()
                    self._limits = None


one_thread = _OneBlasThread()
"""Context in which numpy and scipy use one thread per call: more made small fits up to 100 times slower."""


def choose_device(requested: str | None = None) -> str:
    """Return `requested` ("cpu", "cuda", "cuda:1"), or the first GPU where there is one, else "cpu"."""
    if requested is not None:
        return requested
    import torch  # here, because it costs a second and only backbones need a device

    return "cuda" if torch.cuda.is_available() else "cpu"
