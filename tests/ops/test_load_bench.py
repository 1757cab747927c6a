"""`bench load`: the callers are many, honest and patient, and every limit is said with what was measured."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from apps.core.errors import Unavailable
from apps.ops import load_bench
from apps.ops.load_bench import in_words, measure_load
from apps.ops.load_generator import Inputs, drive
from apps.ops.load_run import Called, a_process

Answer = Callable[[int], tuple[int, str]]


async def _with_server(answer: Answer, work: Callable[[int], Awaitable[dict[str, object]]]) -> dict[str, object]:
    """Run the work with the port of a server that answers the nth request as told."""
    n_requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_requests
        while head := await _head_of(reader):
            length = int(head.rpartition(b"Content-Length: ")[2].split()[0])
            json.loads(await reader.readexactly(length))
            status, more = answer(n_requests)
            n_requests += 1
            writer.write(f"HTTP/1.1 {status} X\r\n{more}content-length: 2\r\n\r\n".encode())
            await writer.drain()
            writer.write(b"{}")  # a body may come later than its head
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        return await work(server.sockets[0].getsockname()[1])


async def _head_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def _driven(answer: Answer, *, callers: int, seconds: float, kind: str = "text") -> dict[str, object]:
    async def work(port: int) -> dict[str, object]:
        order = {
            "url": f"http://127.0.0.1:{port}",
            "secret": "hf_x",
            "kind": kind,
            "functions": ["function_a", "function_b"],
            "callers": callers,
            "seconds": seconds,
        }
        return await drive(order, inputs)

    return asyncio.run(_with_server(answer, work))


inputs = Inputs()


@pytest.mark.parametrize("kind", ["text", "image"])
def test_answers_are_counted_and_timed(kind: str) -> None:
    said = _driven(lambda n: (200, ""), callers=4, seconds=0.2, kind=kind)
    statuses = said["statuses"]
    assert isinstance(statuses, dict)
    assert set(statuses) == {200}
    assert len(said["times"]) == statuses[200] >= 4  # type: ignore[arg-type]  # a list


def test_whoever_is_told_to_come_back_comes_back_then() -> None:
    said = _driven(lambda n: (503, "Retry-After: 60\r\n") if n else (200, ""), callers=1, seconds=0.2)
    assert said["statuses"] == {200: 1, 503: 1}


def test_no_input_comes_twice_unless_it_is_meant_to() -> None:
    bodies = [inputs.body("text", is_repeated=False) for _ in range(5000)]
    assert len(set(bodies)) == 5000
    assert len({inputs.body("text", is_repeated=True) for _ in range(5)}) == 1
    first, second = inputs.picture(), inputs.picture()
    assert first != second
    assert Image.open(BytesIO(first)).size == (640, 480)


def test_figures_are_of_the_answered_calls() -> None:
    called = Called(np.array([0.001] * 99 + [0.1]), {200: 100, 503: 7}, 2.0, 0.05)
    line = called.line("calls", "text", 10)
    assert (line["per_second"], line["p50_ms"], line["statuses"]) == (50.0, 1.0, {"200": 100, "503": 7})


@pytest.mark.parametrize(
    ("value", "at_most", "at_least", "is_met"),
    [(1.0, 1.0, None, True), (1.1, 1.0, None, False), (0.7, None, 0.7, True), (0.6, None, 0.7, False)],
)
def test_a_limit_is_met_or_not(value: float, at_most: float | None, at_least: float | None, is_met: bool) -> None:
    assert load_bench._verdict("x", value, at_most=at_most, at_least=at_least)["met"] is is_met


def test_turns_are_put_together() -> None:
    parts = [Called(np.array([0.1, 0.2]), {200: 2}, 1.0, 0.1), Called(np.array([0.3]), {200: 1, 503: 2}, 0.5, 0.3)]
    joined = Called.joined(parts)
    assert (joined.per_second, joined.statuses, joined.ms(50)) == (2.0, {200: 3, 503: 2}, 200.0)


def test_the_table_says_what_was_missed() -> None:
    line = load_bench._verdict("text: one caller, p50 in ms", 9.5, at_most=8.0)
    assert in_words(line) == "MISSED text: one caller, p50 in ms: 9.5 (must be <= 8.0)"
    calls = Called(np.array([0.001]), {200: 1}, 1.0, 0.05).line("calls", "text", 10)
    assert "1 x 200" in in_words(calls)


def test_inputs_may_come_from_a_data_set(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / f"{split}.csv").write_text("text,label\nwhere is it,A\n", encoding="utf-8")
    assert Inputs(tmp_path).text() == "where is it 0"


def test_a_process_that_died_is_said(tmp_path: Path) -> None:
    with a_process("apps.nothing_there", tmp_path) as process, pytest.raises(Unavailable):
        process.ask({})


@pytest.mark.xdist_group("live_up")
def test_the_whole_of_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNDREDFOLD_BACKBONES", "tiny")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "config.settings")
    monkeypatch.setattr(load_bench, "CALLERS", (1, 32, 128))
    lines = list(measure_load(seconds=0.3, n_functions=3))
    calls = [line for line in lines if line.get("what") == "calls"]
    assert [(line["kind"], line["callers"]) for line in calls] == [
        (kind, callers) for kind in ("text", "image") for callers in (1, 32, 128)
    ]
    assert all(set(line["statuses"]) <= {"200", "503"} for line in calls)  # type: ignore[call-overload]  # a mapping
    limits = [line for line in lines if "limit" in line]
    assert len(limits) == 10
    assert any(line.get("what") == "beside calls of 1,000 texts" for line in lines)
    assert all({"value", "met"} <= set(line) for line in limits)
