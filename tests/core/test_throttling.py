"""Token buckets: who may ask, and how long to wait otherwise."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.core.throttling import Throttle
from tests.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_burst_is_let_in_and_the_next_is_told_how_long_to_wait(clock: Clock) -> None:
    throttle = Throttle(2, 5, clock=clock)
    assert [throttle.take("a") for _ in range(5)] == [0.0] * 5
    assert throttle.take("a") == pytest.approx(0.5)
    assert throttle.take("a") == pytest.approx(0.5), "a refusal takes nothing"


def test_waiting_as_long_as_told_is_enough(clock: Clock) -> None:
    throttle = Throttle(3, 4, clock=clock)
    for _ in range(1000):
        clock.now += throttle.take("a")
        assert throttle.take("a") == 0.0


def test_the_rate_holds_over_time(clock: Clock) -> None:
    throttle = Throttle(10, 20, clock=clock)
    n_let_in = 0
    for _ in range(1000):
        n_let_in += throttle.take("a") == 0.0
        clock.now += 0.01
    assert n_let_in == pytest.approx(20 + 10 * 10, abs=1)


def test_one_name_does_not_use_up_anothers(clock: Clock) -> None:
    throttle = Throttle(1, 1, clock=clock)
    assert throttle.take("a") == 0.0
    assert throttle.take("a") > 0
    assert throttle.take("b") == 0.0


def test_several_at_once_count_as_several_and_more_than_the_burst_is_paid_for_afterwards(clock: Clock) -> None:
    throttle = Throttle(10, 10, clock=clock)
    assert throttle.take("a", 100) == 0.0
    assert throttle.take("a") == pytest.approx(9.1)
    clock.now += 9.2
    assert throttle.take("a") == 0.0
    assert throttle.take("b", 9) == 0.0
    assert throttle.take("b", 2) == pytest.approx(0.1)


def test_a_rate_of_nothing_means_no_limit() -> None:
    throttle = Throttle(0, 0)
    assert all(throttle.take("a") == 0.0 for _ in range(1000))
    assert len(throttle) == 0


def test_memory_is_bounded_and_who_asks_stays_remembered(clock: Clock) -> None:
    throttle = Throttle(1, 1, max_names=100, clock=clock)
    for index in range(10_000):
        throttle.take(f"stranger {index}")
        if index % 50 == 0:
            clock.now += 1
            throttle.take("a")
    assert len(throttle) == 100
    assert throttle.take("a") > 0


def test_threads_together_get_no_more_than_one_would() -> None:
    throttle = Throttle(0.001, 50)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: throttle.take("a"), range(400))).count(0.0) == 50


def test_a_look_costs_microseconds() -> None:
    throttle = Throttle(1000, 1000)
    started = time.perf_counter()
    for index in range(20_000):
        throttle.take(f"key {index % 500}")
    assert (time.perf_counter() - started) / 20_000 < 50e-6
