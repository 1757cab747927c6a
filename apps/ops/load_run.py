"""What runs while `bench load` measures: a real `up`, the callers, and the bare pass, each a process of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

import numpy as np
from django.conf import settings

from apps.core.errors import Unavailable
from apps.ops import data_lock
from apps.ops.load_generator import Inputs
from apps.ops.loop_bench import Up, environment_for, running_up

NO_LIMITS = {"HUNDREDFOLD_KEY_RATE": "0", "HUNDREDFOLD_ADDRESS_RATE": "0"}
FEWEST_PASSES_S = 0.2
LARGE_CALL = 1000
LARGE_CALL_SECONDS = 120


class Process:
    """A process that answers orders, a line each."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def ask(self, order: Mapping[str, object]) -> dict[str, object]:
        """Raises Unavailable where the process has died."""
        orders, answers = cast("IO[bytes]", self._process.stdin), cast("IO[bytes]", self._process.stdout)
        with suppress(BrokenPipeError):
            orders.write(json.dumps(order).encode() + b"\n")
            orders.flush()
        line = answers.readline()
        if not line:
            raise Unavailable("A process of the measurement ended before it was done; its last words are above.")
        return dict(json.loads(line))


@dataclass(frozen=True)
class World:
    """What is called, who calls, and what passes without a server."""

    up: Up
    data_dir: Path
    secret: str
    functions: Mapping[str, str]
    many: list[str]
    callers: Process
    bare: Process

    def call(
        self,
        kind: str,
        n_callers: int,
        seconds: float,
        *,
        functions: list[str] | None = None,
        repeated: bool = False,
        each_once: bool = False,
    ) -> Called:
        """Let so many callers call, each as soon as it has its answer; of several functions one at random, or
        `each_once`."""
        order = {
            "url": self.up.url,
            "secret": self.secret,
            "kind": kind,
            "functions": functions or [self.functions[kind]],
            "callers": n_callers,
            "seconds": seconds,
            "repeated": repeated,
            "each_once": each_once,
        }
        said = self.callers.ask(order)
        times = np.array(said["times"], dtype=np.float64)
        statuses = {int(status): int(n) for status, n in cast("dict[str, int]", said["statuses"]).items()}
        return Called(times, statuses, float(str(said["seconds"])), float(str(said["own_ms"])))

    def passes(self, kind: str, batch: int, seconds: float) -> list[float]:
        """Return the seconds of each bare pass over so many inputs; nobody calls meanwhile."""
        order = {
            "kind": kind,
            "function": self.functions[kind],
            "batch": batch,
            "seconds": max(FEWEST_PASSES_S, seconds),
        }
        return cast("list[float]", self.bare.ask(order)["times"])

    @contextmanager
    def large_calls(self) -> Iterator[Counter[int]]:
        """Send one call of a thousand texts after another for the length of the block; yields how many got which
        status."""
        inputs, ends, statuses = Inputs(), threading.Event(), Counter[int]()
        parts = urlsplit(self.up.url)
        path = f"/v1/functions/{self.functions['text']}/invoke/batch"
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}

        def send() -> None:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=LARGE_CALL_SECONDS)
            while not ends.is_set():
                items = [{"data": f"{inputs.text()} in a large call"} for _ in range(LARGE_CALL)]
                connection.request("POST", path, json.dumps({"items": items}), headers)
                answer = connection.getresponse()
                answer.read()
                statuses[answer.status] += 1
            connection.close()

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield statuses
        finally:
            ends.set()
            thread.join()

    def web_bytes(self) -> int:
        """Return the memory that the web process holds."""
        web = dict(data_lock.read_state(self.data_dir).children)["web"]
        status = Path(f"/proc/{web}/status").read_text(encoding="ascii")
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])


@dataclass(frozen=True)
class Called:
    """What some callers got: seconds of the answered calls, how many got which status, and what a call cost them."""

    times: np.typing.NDArray[np.float64]
    statuses: Mapping[int, int]
    seconds: float
    own_ms: float = field(default=0.0)

    @staticmethod
    def joined(parts: Sequence[Called]) -> Called:
        """What was got in several turns together."""
        statuses: Counter[int] = Counter()
        for part in parts:
            statuses.update(part.statuses)
        return Called(
            np.concatenate([part.times for part in parts]),
            statuses,
            sum(part.seconds for part in parts),
            float(np.mean([part.own_ms for part in parts])),
        )

    def ms(self, percentile: float) -> float:
        return round(float(1000 * np.percentile(self.times, percentile)), 2) if len(self.times) else float("inf")

    @property
    def per_second(self) -> float:
        return len(self.times) / self.seconds

    def line(self, what: str, kind: str, n_callers: int) -> dict[str, object]:
        return {
            "what": what,
            "kind": kind,
            "callers": n_callers,
            "per_second": round(self.per_second, 1),
            "p50_ms": self.ms(50),
            "p95_ms": self.ms(95),
            "p99_ms": self.ms(99),
            "statuses": {str(status): n for status, n in sorted(self.statuses.items())},
            "generator_ms_a_call": round(self.own_ms, 3),
        }


@contextmanager
def running_world(n_functions: int, *, data: Path | None = None, cache_mb: int | None = None) -> Iterator[World]:
    """Run it for the length of the block; `data` is a folder of the inputs to send, `cache_mb` a size of the cache of
    models of its own. Raises Unavailable where something does not run."""
    with tempfile.TemporaryDirectory(prefix="hundredfold-load-") as folder, ExitStack() as stack:
        data_dir = Path(folder)
        more = {} if cache_mb is None else {"HUNDREDFOLD_HEAD_CACHE_MB": str(cache_mb)}
        inputs = [] if data is None else [str(data.absolute())]
        up = stack.enter_context(running_up(data_dir, NO_LIMITS | more))
        made = subprocess.run(  # noqa: S603  # this installation's own module
            [sys.executable, "-m", "apps.ops.load_world", str(n_functions)],
            env=environment_for(data_dir),
            cwd=settings.ROOT_DIR,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise Unavailable(f"What is to be called could not be made: {made.stderr[-2000:]}")
        world = json.loads(made.stdout.splitlines()[-1])
        yield World(
            up=up,
            data_dir=data_dir,
            secret=world["secret"],
            functions={"text": world["text"], "image": world["image"]},
            many=world["many"],
            callers=stack.enter_context(a_process("apps.ops.load_generator", data_dir, *inputs)),
            bare=stack.enter_context(a_process("apps.ops.load_bare", data_dir, *inputs)),
        )


@contextmanager
def a_process(module: str, data_dir: Path, *arguments: str) -> Iterator[Process]:
    """Run a module of this installation that answers orders."""
    process = subprocess.Popen(  # noqa: S603  # this installation's own module
        [sys.executable, "-m", module, *arguments],
        env=environment_for(data_dir) | {"PYTHONUNBUFFERED": "1"},
        cwd=settings.ROOT_DIR,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield Process(process)
    finally:
        with suppress(BrokenPipeError):
            cast("IO[bytes]", process.stdin).close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
