"""The micro-batcher: shared passes, nobody mixed up, nobody failed for another's sake."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from apps.core.errors import Unavailable
from apps.invoke.batching import MicroBatcher

BAD = -1


class Recording:
    """Doubles numbers, one batch at a time; holds the first batch until told to go on."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[int] = set()
        self.may_go_on = threading.Event()
        self.has_begun = threading.Event()

    def __call__(self, items: Sequence[int]) -> list[int]:
        self.batches.append(list(items))
        self.threads.add(threading.get_ident())
        self.has_begun.set()
        assert self.may_go_on.wait(10)
        if BAD in items:
            raise ValueError("bad item")
        return [2 * item for item in items]


@pytest.fixture
def model() -> Recording:
    return Recording()


@pytest.fixture
def batcher(model: Recording) -> Iterator[MicroBatcher[int, int]]:
    batcher = MicroBatcher(model, name="test", max_batch=8)
    yield batcher
    model.may_go_on.set()
    batcher.close()


def test_what_arrives_while_a_batch_runs_goes_into_the_next(model: Recording, batcher: MicroBatcher[int, int]) -> None:
    first = batcher.submit(0)
    assert model.has_begun.wait(10)
    others = [batcher.submit(i) for i in range(1, 6)]
    model.may_go_on.set()
    assert first.result(10) == 0
    assert [other.result(10) for other in others] == [2, 4, 6, 8, 10]
    assert model.batches == [[0], [1, 2, 3, 4, 5]]


def test_a_batch_never_grows_over_its_limit(model: Recording, batcher: MicroBatcher[int, int]) -> None:
    batcher.submit(0)
    assert model.has_begun.wait(10)
    futures = [batcher.submit(i) for i in range(20)]
    model.may_go_on.set()
    assert [future.result(10) for future in futures] == [2 * i for i in range(20)]
    assert [len(batch) for batch in model.batches] == [1, 8, 8, 4]


def test_one_thread_alone_runs_the_model(model: Recording, batcher: MicroBatcher[int, int]) -> None:
    model.may_go_on.set()
    results: dict[int, int] = {}

    def call(item: int) -> None:
        results[item] = batcher.submit(item).result(10)

    callers = [threading.Thread(target=call, args=(i,)) for i in range(64)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert results == {i: 2 * i for i in range(64)}
    assert len(model.threads) == 1


def test_a_bad_item_fails_its_own_caller_only(model: Recording, batcher: MicroBatcher[int, int]) -> None:
    batcher.submit(0)
    assert model.has_begun.wait(10)
    good, bad, also_good = (batcher.submit(i) for i in (12, BAD, 14))
    model.may_go_on.set()
    assert (good.result(10), also_good.result(10)) == (24, 28)
    with pytest.raises(ValueError, match="bad item"):
        bad.result(10)


def test_a_caller_who_left_is_left_out(model: Recording, batcher: MicroBatcher[int, int]) -> None:
    batcher.submit(0)
    assert model.has_begun.wait(10)
    gone, there = batcher.submit(1), batcher.submit(2)
    assert gone.cancel()
    model.may_go_on.set()
    assert there.result(10) == 4
    assert model.batches[1] == [2]


def test_a_caller_alone_does_not_wait_for_company() -> None:
    batcher = MicroBatcher(lambda items: list(items), name="test", max_wait_seconds=5)
    started = time.monotonic()
    assert [batcher.submit(i).result(10) for i in range(20)] == list(range(20))
    assert time.monotonic() - started < 2
    batcher.close()


def test_callers_who_came_together_are_waited_for_together(model: Recording) -> None:
    batcher = MicroBatcher(model, name="test", max_wait_seconds=0.5)
    batcher.submit(0)
    assert model.has_begun.wait(10)
    together = [batcher.submit(i) for i in (1, 2, 3)]
    model.may_go_on.set()
    for future in together:
        future.result(10)
    first = batcher.submit(4)
    second, third = batcher.submit(5), batcher.submit(6)
    assert [future.result(2) for future in (first, second, third)] == [8, 10, 12]
    assert model.batches[-1] == [4, 5, 6]
    batcher.close()


def test_halves_that_take_turns_become_one(model: Recording) -> None:
    batcher = MicroBatcher(model, name="test", max_wait_seconds=10)
    first = batcher.submit(0)
    assert model.has_begun.wait(10)
    others = [batcher.submit(i) for i in (1, 2)]
    model.may_go_on.set()
    first.result(10)
    again = batcher.submit(3)  # whoever was answered comes back, beside those who wait
    assert [future.result(2) for future in (*others, again)] == [2, 4, 6]
    assert model.batches == [[0], [1, 2, 3]]
    batcher.close()


def test_inputs_that_take_long_go_in_smaller_parts() -> None:
    sizes: list[int] = []

    def slowly(items: Sequence[int]) -> list[int]:
        sizes.append(len(items))
        time.sleep(0.025 * len(items))  # the pass itself: what is measured is how long it takes
        return list(items)

    batcher = MicroBatcher(slowly, name="test")
    for _ in range(3):
        for future in [batcher.submit(i) for i in range(64)]:
            future.result(20)
    assert max(sizes[-3:]) <= 16, "32 would take twice as long as a pass should"
    batcher.close()


def test_closing_answers_what_is_queued_and_takes_no_more(model: Recording) -> None:
    batcher = MicroBatcher(model, name="test")
    model.may_go_on.set()
    futures = [batcher.submit(i) for i in range(5)]
    batcher.close()
    assert [future.result(0) for future in futures] == [0, 2, 4, 6, 8]
    with pytest.raises(Unavailable):
        batcher.submit(1)


class TestLargeCalls:
    def test_whoever_comes_alone_goes_first(self, model: Recording, batcher: MicroBatcher[int, int]) -> None:
        batcher.submit(0)
        assert model.has_begun.wait(10)
        many = batcher.submit_bulk(list(range(100, 160)))
        alone = batcher.submit(1)
        model.may_go_on.set()
        assert alone.result(10) == 2
        assert [future.result(10) for future in many] == [2 * item for item in range(100, 160)]
        assert model.batches[1][0] == 1, "it went with the next pass, though sixty came before it"

    def test_they_go_on_beside_a_full_line_of_others(self, model: Recording, batcher: MicroBatcher[int, int]) -> None:
        batcher.submit(0)
        assert model.has_begun.wait(10)
        many = batcher.submit_bulk([100, 101])
        others = [batcher.submit(i) for i in range(1, 30)]
        model.may_go_on.set()
        assert [future.result(10) for future in (*others, *many)] == [2 * i for i in (*range(1, 30), 100, 101)]
        assert all(any(item >= 100 for item in batch) for batch in model.batches[1:3])

    def test_a_pass_of_theirs_is_short(self) -> None:
        sizes: list[int] = []

        def slow(items: Sequence[int]) -> list[int]:
            time.sleep(0.01 * len(items))
            return list(items)

        batcher = MicroBatcher(slow, name="test", on_batch=sizes.append)
        for future in batcher.submit_bulk(list(range(24))):
            future.result(10)
        batcher.close()
        assert sum(sizes) == 24
        assert max(sizes) <= 4, "four of ten milliseconds each are as much as others may have to wait for"


class TestDue:
    def test_what_is_too_late_is_not_run(self, model: Recording, batcher: MicroBatcher[int, int]) -> None:
        batcher.submit(0)
        assert model.has_begun.wait(10)
        late = batcher.submit(1, due=time.monotonic() - 1)
        in_time = batcher.submit(2, due=time.monotonic() + 60)
        model.may_go_on.set()
        assert in_time.result(10) == 4
        with pytest.raises(Unavailable):
            late.result(10)
        assert model.batches == [[0], [2]]

    def test_the_first_wait_for_the_model_to_load(self, model: Recording, batcher: MicroBatcher[int, int]) -> None:
        model.may_go_on.set()
        assert batcher.submit(1, due=time.monotonic() - 1).result(10) == 2
