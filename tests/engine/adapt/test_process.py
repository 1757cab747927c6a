"""Towers fitted in a process of their own: the same ones, and no process that outlives its use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest

from apps.engine import adapt, backbones
from apps.engine.adapt import process
from apps.engine.adapt.process import Cancelled, fit_apart
from apps.engine.backbones import Input
from apps.engine.errors import DeadlineExpired
from apps.engine.readers.state import State
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray

ROOT = Path(__file__).parents[3]
STARTED = subprocess.Popen
HELD_OUT = [np.arange(0, 24, 3), np.array([], dtype=np.int64)]


def texts() -> tuple[list[Input], IntArray]:
    labels = np.arange(24) % 2
    return [f"{('hello', 'refund')[label]} \ud800 {i}" for i, label in enumerate(labels)], labels


def pictures() -> tuple[list[Input], IntArray]:
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, size=(24, 224, 224, 3), dtype=np.uint8)), np.arange(24) % 3


@pytest.mark.parametrize(("name", "samples"), [("tiny-text", texts), ("tiny-image", pictures)])
def test_the_towers_are_those_fitted_here(name: str, samples: object) -> None:
    inputs, labels = samples()  # type: ignore[operator]  # one of the two above
    backbone = backbones.load(name)
    assert adapt.is_adaptable(backbone)
    here = backbone.fit_towers(inputs, labels, HELD_OUT, seed=3)
    there = fit_apart(name, inputs, labels, HELD_OUT, seed=3, warm=[here[0], None])
    assert len(there) == 2
    for one, other in zip(here, there, strict=True):
        assert one.facts == other.facts
        assert one.arrays.keys() == other.arrays.keys()
        assert all(np.allclose(array, other.arrays[key]) for key, array in one.arrays.items())


def test_tags_and_some_of_the_towers_come_through() -> None:
    inputs, labels = texts()
    tags = np.stack([labels, -np.ones(24, dtype=np.int64)], axis=1)
    backbone = backbones.load("tiny-text")
    assert adapt.is_adaptable(backbone)
    here = backbone.fit_towers(inputs, tags, HELD_OUT[:1])
    there = fit_apart("tiny-text", inputs, tags, HELD_OUT[:1])
    assert np.allclose(here[0].arrays["down"], there[0].arrays["down"])


def test_what_went_wrong_is_said() -> None:
    inputs, labels = texts()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        fit_apart("pixels", inputs, labels, HELD_OUT)
    assert "cannot learn" in caught.value.stderr
    with pytest.raises(subprocess.CalledProcessError) as caught:
        fit_apart("no-such", inputs, labels, HELD_OUT)
    assert "There is no backbone" in caught.value.stderr


def test_no_time_is_no_process() -> None:
    inputs, labels = texts()
    with pytest.raises(DeadlineExpired):
        fit_apart("tiny-text", inputs, labels, HELD_OUT, deadline=Deadline.after(0))


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Put a process that never answers in the place of the one that fits; it writes its number to the file returned."""
    noted = tmp_path / "pid"
    code = f"import os, time; open({str(noted)!r}, 'w').write(str(os.getpid())); time.sleep(600)"

    def popen(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        return STARTED([command[0], "-c", code], **options)  # type: ignore[call-overload,no-any-return]  # passed on

    monkeypatch.setattr(subprocess, "Popen", popen)
    return noted


def is_running(noted: Path) -> bool:
    return noted.exists() and Path(f"/proc/{noted.read_text()}").exists()


def test_what_is_not_wanted_any_more_ends_at_once(endless: Path) -> None:
    inputs, labels = texts()
    asked = []

    def cancelled() -> bool:
        asked.append(threading.get_ident())
        return is_running(endless)

    with pytest.raises(Cancelled):
        fit_apart("tiny-text", inputs, labels, HELD_OUT, cancelled=cancelled)
    assert set(asked) == {threading.get_ident()}
    assert not is_running(endless)


def test_the_deadline_ends_it(endless: Path) -> None:
    inputs, labels = texts()
    started = time.monotonic()
    with pytest.raises(DeadlineExpired):
        fit_apart("tiny-text", inputs, labels, HELD_OUT, deadline=Deadline.after(1.0))
    assert time.monotonic() - started < 10
    assert not is_running(endless)


def test_one_that_starves_begins_anew_with_a_share_of_its_own(endless: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first child never answers and is called starved; the second is a real one."""
    inputs, labels = texts()
    never_answers, turns = subprocess.Popen, []

    def popen(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        turns.append(command[-1])
        start = never_answers if command[-1] == "idle" else STARTED
        return start(command, **options)  # type: ignore[call-overload,no-any-return]  # passed on

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(process, "is_starved", lambda pid, *, patience: is_running(endless))
    assert len(fit_apart("tiny-text", inputs, labels, HELD_OUT)) == 2
    assert turns == ["idle", "nice"]
    assert not is_running(endless)


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="there is no class of idle processes here")
def test_who_gets_no_core_starves_and_who_waits_for_something_else_does_not() -> None:
    """Two of the same core: one that computes all the time, and one of the idle class."""
    core = {min(os.sched_getaffinity(0))}
    code = "import os; os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))\nwhile True: pass"
    sleep = "import time; time.sleep(600)"
    command = [sys.executable, "-c"]
    with ExitStack() as stack:
        _busy, idle, asleep = (
            stack.enter_context(child_on(core, [*command, one])) for one in ("while True: pass", code, sleep)
        )
        until = time.monotonic() + 30
        while not process.is_starved(idle.pid, patience=0.5) and time.monotonic() < until:
            time.sleep(0.05)
        assert process.is_starved(idle.pid, patience=0.5)
        assert not process.is_starved(idle.pid, patience=3600)
        assert not process.is_starved(asleep.pid, patience=0.5)
    assert not process.is_starved(idle.pid, patience=0.0)


@contextmanager
def child_on(cores: set[int], command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        os.sched_setaffinity(child.pid, cores)
        yield child
        child.kill()


def test_others_go_on_while_one_waits(endless: Path) -> None:
    """The waiting thread must not hold the interpreter: another one counts meanwhile."""
    inputs, labels = texts()
    with pytest.raises(DeadlineExpired):
        fit_apart("tiny-text", inputs, labels, HELD_OUT, deadline=Deadline.after(0.01))
    used = time.thread_time()
    with pytest.raises(DeadlineExpired):
        fit_apart("tiny-text", inputs, labels, HELD_OUT, deadline=Deadline.after(2.0))
    assert time.thread_time() - used < 0.5


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """Also when the parent is killed and cannot say so."""
    own_niceness = min(19, os.nice(0) + process.NICENESS)  # the tests themselves may be niced
    code = f"""
import os, subprocess, sys, time
command = [sys.executable, "-m", "apps.engine.adapt.process", str(os.getpid()), "idle"]
child = subprocess.Popen(command, stdin=subprocess.PIPE)
print(child.pid, flush=True)
while open(f"/proc/{{child.pid}}/stat").read().rsplit(")", 1)[1].split()[16] != "{own_niceness}":
    time.sleep(0.01)  # until it has read its orders: it is niced after it was bound to its parent, and gives way
print("ready", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert parent.stdout.readline() == "ready\n"
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(timeout=10)
        waiting_until = time.monotonic() + 10
        while is_alive(pid) and time.monotonic() < waiting_until:
            time.sleep(0.01)
        assert not is_alive(pid)


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def test_states_are_packed_with_their_facts() -> None:
    state = State({"a": np.arange(3)}, {"loss": 0.5})
    facts, arrays = process._unpacked(process._packed({"x": [1, None]}, process._named("warm", [None, state])))
    assert facts == {"x": [1, None]}
    assert list(arrays) == ["warm.1.a"]
