"""Calls under load: a real `up` over loopback, by 1 to 128 callers at once, beside the bare pass in the same run.

How each is measured:

- The **callers** are one process on one core, which sends the next input of a caller as soon as it has the answer to
  the last, and nothing while the bare pass is measured. No input is sent twice, or the server would remember it; one
  line is of an input sent again and again. With `--data` the inputs are those of a data set, each with a number behind.
- The **bare pass** is the same published model in a process of its own on such inputs, read or decoded, tokenised and
  answered in batches: of one beside one caller, of `BATCH` beside more, which is as many as the server takes at once.
- What is compared takes turns, `ROUNDS` times in each measurement, so that what else the machine does weighs on both:
  one caller's p50 over all turns beside the median pass; what `BATCH` callers get a second beside the mean of the
  passes before and after, the median of the turns; many functions at random beside one.
- Everything that is loaded once is loaded before it is measured; of many functions each has been called.
- Memory is what the web process holds (RSS) after many functions were called, beside what it held before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from django.conf import settings

from apps.engine import datasets
from apps.engine.types import Modality
from apps.ops.load_run import Called, World, running_world

CALLERS = (1, 10, 32, 128)
BATCH = 32
ROUNDS = 3
N_FUNCTIONS = 500
SEVERAL = 10
FINE = {200, 503}
FIRST_SECONDS = 60.0
PASSES_SHARE = 0.3
"""Of the time of a turn, before the calls and after them."""

ALONE_TIMES, ALONE_MS = 1.25, 3.0
TOGETHER_SHARE = 0.70
SLOWEST_S = 2.0
MANY_TIMES = 1.5


def measure_load(
    *, seconds: float, n_functions: int = N_FUNCTIONS, data: Path | None = None, cache_mb: int | None = None
) -> Iterator[dict[str, object]]:
    """Yield a line for each measurement, and one for each limit; `seconds` of calls in each measurement.

    With `data`, a folder of texts or of pictures, only that kind is measured. Raises Unavailable where something does
    not run, and what `datasets.read` raises.
    """
    kinds = ("text", "image") if data is None else (_kind_of(data),)
    with running_world(n_functions, data=data, cache_mb=cache_mb) as world:
        for kind in kinds:
            yield from _under_load(world, kind, seconds)
        if "text" in kinds:
            yield world.call("text", SEVERAL, seconds, repeated=True).line("the same input again", "text", SEVERAL)
            yield from _beside_large_calls(world, seconds)
            yield from _many_functions(world, seconds, cache_mb)


def in_words(line: dict[str, object]) -> str:
    """Return a line as a row of the table that people read."""
    if "limit" in line:
        bound = f"<= {line['at_most']}" if "at_most" in line else f">= {line['at_least']}"
        return f"{'ok   ' if line['met'] else 'MISSED'} {line['limit']}: {line['value']} (must be {bound})"
    if "per_second" in line:
        got = ", ".join(f"{n} x {status}" for status, n in dict(line["statuses"]).items())  # type: ignore[call-overload]
        return (
            f"{line['kind']:5}  {line['what']:28}  {line['callers']:>3} callers  {line['per_second']:>7}/s  "
            f"p50 {line['p50_ms']:>7} ms  p95 {line['p95_ms']:>7} ms  p99 {line['p99_ms']:>7} ms  {got}"
        )
    return ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in line.items())


def _kind_of(data: Path) -> str:
    modality = datasets.read(data).modality
    if modality not in {Modality.TEXT, Modality.IMAGE}:
        raise ValueError(f"{data} holds neither texts nor pictures.")
    return modality.value


def _under_load(world: World, kind: str, seconds: float) -> Iterator[dict[str, object]]:
    for n in (1, BATCH):  # what is loaded once is loaded
        world.call(kind, n, seconds / ROUNDS)
        world.passes(kind, n, seconds * PASSES_SHARE / ROUNDS)
    called: dict[int, Called] = {}
    bare_ms: dict[int, float] = {}
    share = 0.0
    for n_callers in CALLERS:
        if n_callers in {1, BATCH}:
            called[n_callers], bare_ms[n_callers], share = _in_turns(world, kind, n_callers, seconds)
        else:
            called[n_callers] = world.call(kind, n_callers, seconds)
        yield called[n_callers].line("calls", kind, n_callers)
        if n_callers == BATCH:
            yield _bare_line(kind, bare_ms)
            yield _verdict(f"{kind}: {BATCH} callers, share of the bare pass", share, at_least=TOGETHER_SHARE)
    limit = ALONE_TIMES * bare_ms[1] + ALONE_MS
    yield _verdict(f"{kind}: one caller, p50 in ms", called[1].ms(50), at_most=limit)
    most = called[CALLERS[-1]]
    yield _verdict(f"{kind}: {CALLERS[-1]} callers, p99 of the answered in s", most.ms(99) / 1000, at_most=SLOWEST_S)
    others = sum(n for status, n in most.statuses.items() if status not in FINE)
    yield _verdict(f"{kind}: {CALLERS[-1]} callers, neither 200 nor 503", others, at_most=0)


def _in_turns(world: World, kind: str, n_callers: int, seconds: float) -> tuple[Called, float, float]:
    """Return what callers got, the median milliseconds of a bare pass over as many inputs, and the share of what the
    passes answer a second that the callers got."""
    parts: list[Called] = []
    times: list[float] = []
    shares: list[float] = []
    of_passes = seconds * PASSES_SHARE / ROUNDS
    for _ in range(ROUNDS):
        before = world.passes(kind, n_callers, of_passes)
        parts.append(world.call(kind, n_callers, seconds / ROUNDS))
        after = world.passes(kind, n_callers, of_passes)
        times += before + after
        shares.append(parts[-1].per_second * float(np.mean(before + after)) / n_callers)
    return Called.joined(parts), float(1000 * np.median(times)), float(np.median(shares))


def _bare_line(kind: str, bare_ms: dict[int, float]) -> dict[str, object]:
    return {
        "what": "bare pass",
        "kind": kind,
        "alone_ms": round(bare_ms[1], 2),
        f"batches_of_{BATCH}_a_second": round(1000 * BATCH / bare_ms[BATCH], 1),
    }


def _beside_large_calls(world: World, seconds: float) -> Iterator[dict[str, object]]:
    alone: list[Called] = []
    beside: list[Called] = []
    n_large = 0
    for _ in range(ROUNDS):
        alone.append(world.call("text", 1, seconds / ROUNDS))
        with world.large_calls() as statuses:
            beside.append(world.call("text", 1, seconds / ROUNDS))
        n_large += statuses[200]
    one, other = Called.joined(alone), Called.joined(beside)
    yield other.line("beside calls of 1,000 texts", "text", 1) | {
        "p95_ms_without": one.ms(95),
        "large_calls": n_large,
        "times": round(other.ms(95) / one.ms(95), 1),
    }


def _many_functions(world: World, seconds: float, cache_mb: int | None) -> Iterator[dict[str, object]]:
    before = world.web_bytes()
    world.call("text", SEVERAL, seconds / ROUNDS)
    world.call("text", SEVERAL, FIRST_SECONDS, functions=world.many, each_once=True)  # read from disk
    ones: list[Called] = []
    manys: list[Called] = []
    for _ in range(ROUNDS):
        ones.append(world.call("text", SEVERAL, seconds / ROUNDS))
        manys.append(world.call("text", SEVERAL, seconds / ROUNDS, functions=world.many))
    of_one, of_many = Called.joined(ones), Called.joined(manys)
    yield of_one.line("one function", "text", SEVERAL)
    yield of_many.line(f"{len(world.many)} functions at random", "text", SEVERAL)
    grown = world.web_bytes() - before
    heads = settings.HEAD_CACHE_BYTES / 2**20 if cache_mb is None else cache_mb
    yield {"what": "memory", "before_mb": before // 2**20, "grown_mb": grown // 2**20, "head_cache_mb": heads}
    yield _verdict(f"{len(world.many)} functions: p95 beside one", of_many.ms(95) / of_one.ms(95), at_most=MANY_TIMES)
    allowed = heads + settings.EMBEDDING_CACHE_BYTES / 2**20
    yield _verdict(f"{len(world.many)} functions: memory grown in MB", grown / 2**20, at_most=allowed)


def _verdict(
    what: str, value: float, *, at_most: float | None = None, at_least: float | None = None
) -> dict[str, object]:
    is_met = (at_most is None or value <= at_most) and (at_least is None or value >= at_least)
    limit = {"at_most": round(at_most, 3)} if at_most is not None else {"at_least": at_least}
    return {"limit": what, "value": round(value, 3), **limit, "met": is_met}
