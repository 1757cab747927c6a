"""A child process: brought back with growing pauses, ended with everything it started."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from apps.ops.children import FIRST_DELAY_SECONDS, Child
from tests.live_up import is_running, wait_until

MakeChild = Callable[[str], Child]


@pytest.fixture
def make_child() -> Iterator[MakeChild]:
    made: list[Child] = []

    def make(script: str) -> Child:
        child = Child("tried", [sys.executable, "-c", script], dict(os.environ))
        made.append(child)
        child.start()
        return child

    yield make
    for child in made:
        child.end_by(time.monotonic())


def test_a_dead_child_comes_back_after_a_pause(make_child: MakeChild) -> None:
    child = make_child("import time; time.sleep(60)")
    first = child.pid
    os.kill(first, 9)
    wait_until(child.keep_alive, what="its death is noticed")
    assert child.pid == first
    wait_until(child.keep_alive, what="it starts again")
    assert child.pid != first
    assert child.is_running


def test_the_pause_grows_while_it_keeps_dying(make_child: MakeChild) -> None:
    child = make_child("raise SystemExit(3)")
    pauses = []
    for _ in range(3):
        wait_until(child.keep_alive, what="its death is noticed")
        assert child.due_at is not None
        pauses.append(child.due_at - time.monotonic())
        wait_until(child.keep_alive, what="it starts again")
    assert pauses == pytest.approx([FIRST_DELAY_SECONDS, 2 * FIRST_DELAY_SECONDS, 4 * FIRST_DELAY_SECONDS], abs=0.05)


def test_a_child_that_will_not_end_is_killed_with_what_it_started(make_child: MakeChild) -> None:
    script = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "time.sleep(60)"
    )
    child = make_child(script)
    grandchildren = wait_until(lambda: children_of(child.pid), what="it starts one of its own")
    child.ask_to_end()
    child.end_by(time.monotonic() + 0.3)
    assert not child.is_running
    wait_until(lambda: not any(is_running(pid) for pid in grandchildren), what="the grandchild ends")


def test_interrupts_typed_in_a_terminal_do_not_reach_it(make_child: MakeChild) -> None:
    child = make_child("import time; time.sleep(60)")
    assert os.getpgid(child.pid) == child.pid != os.getpgid(0)


def children_of(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
