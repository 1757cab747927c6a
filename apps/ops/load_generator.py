"""The callers of `bench load`: one process on one core, which keeps connections open and does next to nothing.

Reads orders from standard input, a line of JSON each, and answers each with one. A caller sends the next input as soon
as it has an answer; told to come back (503), it comes back when it was told to.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import random
import re
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from apps.engine import datasets
from apps.invoke.bench import made_up

N_PICTURES = 200
N_TEXTS = 2000
_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: (\d+)", re.IGNORECASE)
SERVICE_UNAVAILABLE, OK = 503, 200


class Inputs:
    """Inputs that nobody has sent before, as the bodies of calls."""

    def __init__(self, data: Path | None = None) -> None:
        """Make inputs up, or read those of a data set's folder."""
        texts = made_up(range(10_000, 10_000 + N_TEXTS), has_pictures=False)
        pictures = made_up(range(10_000, 10_000 + N_PICTURES), has_pictures=True)
        given = datasets.read(data).train.inputs if data else ()
        own_texts = [one for one in given[:N_TEXTS] if isinstance(one, str)]
        own_pictures = [one.read_bytes() for one in given[:N_PICTURES] if isinstance(one, Path)]
        self._texts = own_texts or [one for one in texts if isinstance(one, str)]
        self._pictures = own_pictures or [one for one in pictures if isinstance(one, bytes)]
        self._number = itertools.count()

    def text(self) -> str:
        number = next(self._number)
        return f"{self._texts[number % len(self._texts)]} {number}"

    def picture(self) -> bytes:
        """A file that differs behind its end, where no decoder looks."""
        number = next(self._number)
        return self._pictures[number % len(self._pictures)] + number.to_bytes(8, "big")

    def body(self, kind: str, *, is_repeated: bool) -> bytes:
        if kind == "text":
            return json.dumps({"data": self._texts[0] if is_repeated else self.text()}).encode()
        content = self._pictures[0] if is_repeated else self.picture()
        return b'{"data":"data:image/jpeg;base64,' + base64.b64encode(content) + b'"}'


class Caller(asyncio.Protocol):
    """One kept connection, one request at a time."""

    def __init__(self, next_request: Callable[[], bytes], done: Callable[[int, float], bool]) -> None:
        self._next_request, self._done = next_request, done
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sent_at = 0.0
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._received = b""
        status = int(head[9:12])
        goes_on = self._done(status, time.perf_counter() - self._sent_at)
        if not goes_on:
            self._end()
        elif status == SERVICE_UNAVAILABLE:
            retry = _RETRY.search(head)
            asyncio.get_running_loop().call_later(float(retry[1]) if retry else 1.0, self._send)
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._done(0, 0.0)
            self._end()

    def _send(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            request = self._next_request()
            self._sent_at = time.perf_counter()
            self._transport.write(request)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)
        if self._transport is not None:
            self._transport.close()


async def drive(order: dict[str, object], inputs: Inputs) -> dict[str, object]:
    """Call for some seconds; return the times of the answered calls and how many got which status."""
    parts = urlsplit(str(order["url"]))
    seconds, kind, is_repeated = float(str(order["seconds"])), str(order["kind"]), bool(order.get("repeated"))
    heads = [_head(parts.netloc, str(function), str(order["secret"])) for function in _listed(order["functions"])]
    in_order = iter(heads) if order.get("each_once") else None
    rng = random.Random(1)  # noqa: S311  # the order of a measurement
    times: list[float] = []
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    def next_request() -> bytes:
        body = inputs.body(kind, is_repeated=is_repeated)
        head = rng.choice(heads) if in_order is None else next(in_order, heads[0])
        return head + str(len(body)).encode() + b"\r\n\r\n" + body

    def done(status: int, took: float) -> bool:
        statuses[status] += 1
        if status == OK:
            times.append(took)
        return time.perf_counter() < end and (in_order is None or statuses.total() < len(heads))

    loop = asyncio.get_running_loop()
    cpu, started = _cpu_seconds(), time.perf_counter()
    callers = []
    for _ in range(int(str(order["callers"]))):
        _transport, caller = await loop.create_connection(
            lambda: Caller(next_request, done), parts.hostname or "", parts.port or 80
        )
        callers.append(caller)
    await asyncio.wait([caller.ended for caller in callers], timeout=seconds + 30)
    took = time.perf_counter() - started
    return {
        "times": times,
        "statuses": dict(statuses),
        "seconds": took,
        "own_ms": 1000 * (_cpu_seconds() - cpu) / max(1, statuses.total()),
    }


def _head(host: str, function: str, secret: str) -> bytes:
    return (
        f"POST /v1/functions/{function}/invoke HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {secret}\r\n"
        "Content-Type: application/json\r\nContent-Length: "
    ).encode()


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _orders() -> Iterator[dict[str, object]]:
    for line in sys.stdin:
        yield json.loads(line)


def given_data() -> Path | None:
    """Return the folder named on the command line, if any is."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else None


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    inputs = Inputs(given_data())
    for order in _orders():
        sys.stdout.write(json.dumps(asyncio.run(drive(order, inputs))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
