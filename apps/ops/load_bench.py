"""Calls under load: a real `up` over loopback, by 1 to 128 callers at once, beside the bare pass in the same run.

The callers are one process on one core, which sends nothing while the bare pass is measured. Every input is new, or the
server would remember it; one line is of an input sent again and again. Passes and calls take turns, so that what else
the machine does weighs on both.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np
from django.conf import settings

from apps.core.errors import Unavailable
from apps.ops import data_lock
from apps.ops.loop_bench import Up, environment_for, running_up

CALLERS = (1, 10, 32, 128)
BATCH = 32
N_FUNCTIONS = 500
SEVERAL = 10
NO_LIMITS = {"HUNDREDFOLD_KEY_RATE": "0", "HUNDREDFOLD_ADDRESS_RATE": "0"}
FINE = {200, 503}

ALONE_TIMES, ALONE_MS = 1.25, 3.0
TOGETHER_SHARE = 0.70
SLOWEST_S = 2.0
MANY_TIMES = 1.5


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
    seconds: float

    def call(self, kind: str, n_callers: int, *, functions: list[str] | None = None, repeated: bool = False) -> Called:
        order = {
            "url": self.up.url,
            "secret": self.secret,
            "kind": kind,
            "functions": functions or [self.functions[kind]],
            "callers": n_callers,
            "seconds": self.seconds,
            "repeated": repeated,
        }
        said = self.callers.ask(order)
        times = np.array(said["times"], dtype=np.float64)
        statuses = {int(status): int(n) for status, n in cast("dict[str, int]", said["statuses"]).items()}
        return Called(times, statuses, float(str(said["seconds"])), float(str(said["own_ms"])))

    def pass_ms(self, kind: str, batch: int) -> float:
        """Return the median milliseconds of a bare pass."""
        order = {"kind": kind, "function": self.functions[kind], "batch": batch, "seconds": self.seconds / 2}
        times = self.bare.ask(order)["times"]
        return float(1000 * np.median(cast("list[float]", times)))

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
    own_ms: float

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


def measure_load(*, seconds: float, n_functions: int = N_FUNCTIONS) -> Iterator[dict[str, object]]:
    """Yield a line for each measurement, and one for each limit. Raises Unavailable where something does not run."""
    with _world(seconds, n_functions) as world:
        for kind in ("text", "image"):
            yield from _under_load(world, kind)
        yield world.call("text", SEVERAL, repeated=True).line("the same input again", "text", SEVERAL)
        yield from _many_functions(world)


def _under_load(world: World, kind: str) -> Iterator[dict[str, object]]:
    for n in (1, BATCH):  # what is loaded once is loaded
        world.call(kind, n)
        world.pass_ms(kind, n)
    alone_ms, together_ms = world.pass_ms(kind, 1), world.pass_ms(kind, BATCH)
    called: dict[int, Called] = {}
    for n_callers in CALLERS:
        called[n_callers] = world.call(kind, n_callers)
        yield called[n_callers].line("calls", kind, n_callers)
        if n_callers == 1:
            alone_ms = (alone_ms + world.pass_ms(kind, 1)) / 2
        if n_callers == BATCH:
            together_ms = (together_ms + world.pass_ms(kind, BATCH)) / 2
    bare_per_second = 1000 * BATCH / together_ms
    yield {
        "what": "bare pass",
        "kind": kind,
        "alone_ms": round(alone_ms, 2),
        f"batches_of_{BATCH}_per_second": round(bare_per_second, 1),
    }
    limit = ALONE_TIMES * alone_ms + ALONE_MS
    yield _verdict(f"{kind}: one caller, p50 in ms", called[1].ms(50), at_most=limit)
    share = called[BATCH].per_second / bare_per_second
    yield _verdict(f"{kind}: {BATCH} callers, share of the bare pass", share, at_least=TOGETHER_SHARE)
    yield _verdict(f"{kind}: 128 callers, p99 of the answered in s", called[128].ms(99) / 1000, at_most=SLOWEST_S)
    others = sum(n for status, n in called[128].statuses.items() if status not in FINE)
    yield _verdict(f"{kind}: 128 callers, neither 200 nor 503", others, at_most=0)


def _many_functions(world: World) -> Iterator[dict[str, object]]:
    before = world.web_bytes()
    of_one = world.call("text", SEVERAL)
    yield of_one.line("one function", "text", SEVERAL)
    world.call("text", SEVERAL, functions=world.many)  # each is read from disk once
    of_many = world.call("text", SEVERAL, functions=world.many)
    yield of_many.line(f"{len(world.many)} functions at random", "text", SEVERAL)
    grown = world.web_bytes() - before
    yield {"what": "memory", "before_mb": before // 2**20, "grown_mb": grown // 2**20}
    yield _verdict(f"{len(world.many)} functions: p95 beside one", of_many.ms(95) / of_one.ms(95), at_most=MANY_TIMES)
    allowed = (settings.HEAD_CACHE_BYTES + settings.EMBEDDING_CACHE_BYTES) / 2**20
    yield _verdict(f"{len(world.many)} functions: memory grown in MB", grown / 2**20, at_most=allowed)


def _verdict(
    what: str, value: float, *, at_most: float | None = None, at_least: float | None = None
) -> dict[str, object]:
    is_met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    limit = {"at_most": round(at_most, 3)} if at_most is not None else {"at_least": at_least}
    return {"limit": what, "value": round(value, 3), **limit, "met": is_met}


@contextmanager
def _world(seconds: float, n_functions: int) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="hundredfold-load-") as folder, ExitStack() as stack:
        data_dir = Path(folder)
        up = stack.enter_context(running_up(data_dir, NO_LIMITS))
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
            callers=stack.enter_context(_process("apps.ops.load_generator", data_dir)),
            bare=stack.enter_context(_process("apps.ops.load_bare", data_dir)),
            seconds=seconds,
        )


@contextmanager
def _process(module: str, data_dir: Path) -> Iterator[Process]:
    process = subprocess.Popen(  # noqa: S603  # this installation's own module
        [sys.executable, "-m", module],
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
