"""A Redis of a test's own, that can be killed, stopped and started again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apps.ops import redis_server


class KillableRedis:
    """One server on one socket."""

    def __init__(self, private: redis_server.PrivateRedis) -> None:
        self._private = private
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return self._private.url

    def start(self) -> None:
        self._process = subprocess.Popen(self._private.command, stdout=subprocess.DEVNULL)
        assert redis_server.wait_for(self.url, seconds=10)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)

    def fall_silent(self) -> None:
        """Keep the connections and answer nothing more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@contextmanager
def killable_redis(folder: Path) -> Iterator[KillableRedis]:
    with redis_server.place(folder) as private:
        server = KillableRedis(private)
        server.start()
        try:
            yield server
        finally:
            server.kill()
