"""Time, threads and devices: what surrounds a computation without being part of it."""

from __future__ import annotations

import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from threadpoolctl import threadpool_limits

from apps.engine.errors import DeadlineExpired, DeviceUnavailable

DEVICE_NAME = re.compile(r"auto|cpu|cuda(:\d{1,3})?")


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
    """Return what to compute on: "cpu", or "cuda:1" for the second GPU.

    Parameters
    ----------
    requested
        None or "auto": the GPU with the most free memory, or the processor where there is no GPU. "cuda": the same, but
        there must be one. "cpu", "cuda:1": this one.

    Raises
    ------
    DeviceUnavailable
    """
    if requested == "cpu":
        return "cpu"
    if requested is not None and not DEVICE_NAME.fullmatch(requested):
        raise DeviceUnavailable(f"There is no device {requested!r}: say auto, cpu, cuda or cuda:1.")
    import torch  # here, because it costs a second and small rounds do without

    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if n_gpus == 0:
        if requested in (None, "auto"):
            return "cpu"
        raise DeviceUnavailable(f"{requested} is asked for, but torch {torch.__version__} finds no GPU here.")
    if requested in (None, "auto", "cuda"):
        return f"cuda:{_roomiest(n_gpus)}"
    if int(str(requested).partition(":")[2]) >= n_gpus:
        raise DeviceUnavailable(f"There is no {requested} here, only cuda:0 to cuda:{n_gpus - 1}.")
    return str(requested)


def _roomiest(n_gpus: int) -> int:
    """Return the number of the GPU with the most free memory. Asking costs memory on each, so one is not asked."""
    import torch

    if n_gpus == 1:
        return 0
    free = [torch.cuda.mem_get_info(gpu)[0] for gpu in range(n_gpus)]
    return free.index(max(free))


def describe_device(device: str) -> str:
    """Return in words what `choose_device` chose: "NVIDIA H200 (cuda:0, 141 GB)"."""
    if device == "cpu":
        return f"processor ({platform.machine()}, {os.cpu_count()} cores)"
    import torch

    known = torch.cuda.get_device_properties(device)
    return f"{known.name} ({device}, {known.total_memory / 1e9:.0f} GB)"
