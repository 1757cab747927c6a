"""One child process of `up`: started so that it cannot outlive its parent, restarted when it dies, ended on request."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

logger = structlog.get_logger(__name__)

STEADY_SECONDS = 30.0
FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


def _dies_with(parent_pid: int) -> Callable[[], None] | None:
    """Return what a child runs before exec, so that the kernel kills it when its parent goes, even by kill -9.

    Linux only. It is bound to the thread that forks: `up` starts children from its main thread and no other.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # it went between fork and prctl
            os._exit(1)

    return before_exec


@dataclass
class Child:
    """A process that should be running. In a group of its own, so that Ctrl-C in a terminal reaches `up` alone."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    descriptors: Sequence[int] = ()
    n_quick_deaths: int = 0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _started_at: float = field(default=0.0, init=False)
    _due_at: float | None = field(default=None, init=False)

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def due_at(self) -> float | None:
        """When a dead child starts again (monotonic seconds), or None while it runs."""
        return self._due_at

    def start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # commands are our own, no part comes from outside
            self.command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),  # standard output is for the two lines of `up`
            pass_fds=self.descriptors,
            process_group=0,
            preexec_fn=_dies_with(os.getpid()),
        )
        self._started_at, self._due_at = time.monotonic(), None
        logger.info("child_started", child=self.name, child_pid=self.pid)

    def keep_alive(self) -> bool:
        """Note a death, or start again once the pause is over. True when the process changed."""
        if self._due_at is not None:
            if time.monotonic() < self._due_at:
                return False
            self.start()
            return True
        if self._process is None or self._process.poll() is None:
            return False
        lived = time.monotonic() - self._started_at
        self.n_quick_deaths = self.n_quick_deaths + 1 if lived < STEADY_SECONDS else 1
        pause = min(FIRST_DELAY_SECONDS * 2 ** (self.n_quick_deaths - 1), LONGEST_DELAY_SECONDS)
        self._due_at = time.monotonic() + pause
        logger.warning("child_died", child=self.name, child_pid=self.pid, status=self._process.returncode, pause=pause)
        self._kill_group()
        return True

    def ask_to_end(self) -> None:
        if self._process and self.is_running:
            self._process.terminate()

    def end_by(self, deadline: float) -> None:
        """Wait until then (monotonic seconds) for it to go, then kill it and whatever it started."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            logger.warning("child_killed", child=self.name, child_pid=self.pid)
        self._kill_group()
        self._process.wait()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # nobody is left in it
            return
