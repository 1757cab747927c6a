"""The real thing for tests: `manage.py up` with a data directory of its own, and tiny backbones unless told otherwise.

It reads the two lines as a person would, knows the processes, and ends `up` by its process id.
"""

from __future__ import annotations

import http.client
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from apps.ops import data_lock

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
T = TypeVar("T")


@dataclass
class LiveUp:
    """A running `up`."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    url: str
    sign_in_url: str
    log_path: Path
    environment: Mapping[str, str]

    @property
    def pids(self) -> dict[str, int]:
        """Return the children's process ids by name: redis, web, worker."""
        return dict(data_lock.read_state(self.data_dir).children)

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def get(self, path: str, *, seconds: float = 10.0) -> tuple[int, bytes]:
        """Return status and body of a GET, on a connection of its own."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def manage(self, *arguments: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run another command on the same data."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False
        )

    def kill(self, name: str) -> int:
        """Kill a child with no chance to tidy up, once it runs; return the process id it had."""
        pid = wait_until(lambda: is_running(self.pids[name]) and self.pids[name], what=f"{name} runs")
        os.kill(pid, signal.SIGKILL)
        return pid

    def end(self, number: int = signal.SIGTERM, *, seconds: float = 15.0) -> int:
        """Ask `up` to end and return its exit status; a slow one is killed and the test fails."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def wait_until(condition: Callable[[], T], *, seconds: float = 60.0, what: str = "") -> T:
    """Return the first true value of a condition that some other process brings about."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Waited {seconds:.0f} s in vain: {what or condition}")
        time.sleep(0.05)
    return value


def is_running(pid: int) -> bool:
    """Say whether a process lives; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def clean_environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """Return this process's environment without the settings that tests gave themselves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HUNDREDFOLD_", "DJANGO_"))}
    own = {"HUNDREDFOLD_BACKBONES": "tiny", "HUNDREDFOLD_DEVICE": "cpu", "HF_HUB_OFFLINE": "1"}
    return {**kept, "HUNDREDFOLD_DATA_DIR": str(data_dir), **own, **variables}


@contextmanager
def running_up(
    data_dir: Path, *arguments: str, environment: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[LiveUp]:
    """Start `up` on a free port, wait until it is ready, and end it with the block."""
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = data_dir.parent / f"{data_dir.name}.log"
    variables = {**clean_environment(data_dir), **(environment or {})}
    command = [*prefix, sys.executable, str(ROOT / "manage.py"), "up", "--port", "0", *arguments]
    with log_path.open("ab") as log:
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=subprocess.PIPE, stderr=log)
    up = LiveUp(process, data_dir, "", "", log_path, variables)
    try:
        up.url, up.sign_in_url = _read_two_lines(process, log_path)
        yield up
    finally:
        up.end()
        if process.stdout:
            process.stdout.close()


def _read_two_lines(process: subprocess.Popen[bytes], log_path: Path) -> tuple[str, str]:
    assert process.stdout is not None
    deadline, text = time.monotonic() + START_SECONDS, b""
    while text.count(b"\n") < 2:
        if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise AssertionError(f"`up` was not ready in time:\n{log_path.read_text(errors='replace')}")
        part = os.read(process.stdout.fileno(), 4096)
        if not part:
            raise AssertionError(f"`up` ended before it was ready:\n{log_path.read_text(errors='replace')}")
        text += part
    ready, sign_in = text.decode().splitlines()
    assert ready.startswith("ready: ")
    assert sign_in.startswith("sign in: ")
    return ready.removeprefix("ready: "), sign_in.removeprefix("sign in: ")
