"""Who is let in: as many as are answered soon, by the pace at which others were."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from apps.core.errors import Unavailable
from apps.invoke.gate import ALWAYS, Gate, Lane, Overloaded
from tests.clock import Clock


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(max_calls=256, max_bytes=1000, max_wait_seconds=1.0, clock=clock)


def answer(lane: Lane, clock: Clock, *, n: int, seconds_each: float) -> None:
    for _ in range(n):
        with lane.call():
            clock.now += seconds_each


def let_in(lane: Lane, stack: ExitStack, most: int = 1000) -> int:
    """Let callers in until one is refused; return how many are inside."""
    for n in range(most):
        try:
            stack.enter_context(lane.call())
        except Overloaded:
            return n
    return most


@pytest.mark.parametrize(("seconds_each", "n_let_in"), [(0.05, 20), (0.02, 50), (0.005, 200)])
def test_as_many_are_let_in_as_are_answered_in_time(
    gate: Gate, clock: Clock, seconds_each: float, n_let_in: int
) -> None:
    lane = gate.lane("text")
    answer(lane, clock, n=50, seconds_each=seconds_each)
    with ExitStack() as stack:
        assert let_in(lane, stack) == pytest.approx(n_let_in, abs=1)


def test_answers_that_come_together_count_each(gate: Gate, clock: Clock) -> None:
    lane = gate.lane("text")
    for _ in range(10):
        with ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(lane.call())
            clock.now += 0.2  # twenty in one pass
    assert lane.answer_seconds == pytest.approx(0.01)


def test_the_first_are_let_in_however_long_one_took(gate: Gate, clock: Clock) -> None:
    lane = gate.lane("text")
    answer(lane, clock, n=1, seconds_each=30.0)  # a backbone had to be loaded
    with ExitStack() as stack:
        assert let_in(lane, stack) == ALWAYS
    answer(lane, clock, n=200, seconds_each=0.005)
    with ExitStack() as stack:
        assert let_in(lane, stack) > 100


def test_a_refused_caller_is_told_when_to_come_back(gate: Gate, clock: Clock) -> None:
    lane = gate.lane("text")
    answer(lane, clock, n=50, seconds_each=0.5)
    with ExitStack() as stack:
        let_in(lane, stack)
        with pytest.raises(Overloaded) as refused:
            lane.check()
    assert refused.value.retry_after_s >= 2


def test_slow_pictures_keep_no_text_out(gate: Gate, clock: Clock) -> None:
    answer(gate.lane("image"), clock, n=50, seconds_each=0.5)
    answer(gate.lane("text"), clock, n=50, seconds_each=0.005)
    with ExitStack() as stack:
        let_in(gate.lane("image"), stack)
        gate.lane("text").check()


def test_large_calls_have_a_bound_of_their_own(gate: Gate, clock: Clock) -> None:
    lane = gate.lane("text")
    answer(lane, clock, n=50, seconds_each=0.01)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(lane.bulk(1000))
        with pytest.raises(Overloaded):
            stack.enter_context(lane.bulk(1000))
        lane.check()
    with lane.bulk(100_000):
        pass  # alone it is let in, whatever it is


def test_bytes_are_given_back(gate: Gate) -> None:
    with gate.call() as inside:
        inside.take_bytes(900)
        with gate.call() as other, pytest.raises(Unavailable):
            other.take_bytes(200)
    assert (gate.n_calls, gate.n_bytes) == (0, 0)
