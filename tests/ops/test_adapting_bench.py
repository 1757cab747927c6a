"""The measurement of the loop beside an adaptation finds the worker's process, holds it up and lets it go on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.core.errors import Unavailable
from apps.ops import adapting_bench
from apps.ops.adapting_bench import Adaptations, Side
from apps.ops.loop_bench import Answered
from tests.live_up import wait_until

ADAPTING = "import time; time.sleep(60)  # apps.engine.adapt.process"
WORKER = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {ADAPTING!r}])"


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """What `up` says of a worker that is adapting."""
    with subprocess.Popen([sys.executable, "-c", WORKER]) as worker:
        (tmp_path / "up.json").write_text(json.dumps({"pid": 1, "address": "", "children": {"worker": worker.pid}}))
        yield tmp_path
        for pid in [*Adaptations(tmp_path, lambda: None).running(), worker.pid]:
            os.kill(pid, signal.SIGKILL)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_the_process_of_an_adaptation_is_found_held_up_and_let_go_on(data_dir: Path) -> None:
    begun: list[bool] = []
    adaptations = Adaptations(data_dir, lambda: begun.append(True))
    (pid,) = wait_until(adaptations.running, what="the adaptation runs")
    adaptations.ensure()
    assert (begun, adaptations.n_begun) == ([], 0)

    assert adaptations.send(signal.SIGSTOP) == [pid]
    wait_until(lambda: state_of(pid) == "T", what="it is held up")
    assert adaptations.running() == [pid]
    adaptations.send(signal.SIGCONT)
    wait_until(lambda: state_of(pid) != "T", what="it goes on")


def test_a_worker_that_adapts_nothing_is_said(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "up.json").write_text(json.dumps({"pid": 1, "address": "", "children": {"worker": 1}}))
    monkeypatch.setattr(adapting_bench, "START_SECONDS", 0.1)
    adaptations = Adaptations(data_dir, lambda: None)
    with pytest.raises(Unavailable, match="no adaptation"):
        adaptations.ensure()


def test_a_side_says_seconds_of_answers_and_milliseconds_of_calls() -> None:
    side = Side([Answered(0.1, 0.2, 0.3), Answered(0.3, 0.4, 0.5)], [5.0, 7.0])
    figures = side.figures()
    assert (figures["predicted_p50"], figures["invoke_ms_p50"]) == (pytest.approx(0.3), 6.0)
    assert figures["shown_p95"] <= 0.5
