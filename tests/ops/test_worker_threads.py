"""Which work waits for which: what takes minutes has threads of its own, one each."""

import dramatiq
import pytest

from apps.core.jobs import Queue
from apps.ops.worker import N_THREADS, ONE_AT_A_TIME, workers_for


def taken(workers: list[dramatiq.Worker]) -> list[tuple[set[str], int]]:
    return [(set(worker.consumer_whitelist), worker.worker_threads) for worker in workers]


def test_neither_a_part_of_a_large_round_nor_an_adaptation_takes_a_thread_from_rounds() -> None:
    quick, *slow = taken(workers_for(tuple(Queue)))
    assert quick == ({queue.value for queue in Queue} - {queue.value for queue in ONE_AT_A_TIME}, N_THREADS)
    assert slow == [({"adapt"}, 1), ({"parts"}, 1)]


@pytest.mark.parametrize(
    ("queues", "expected"),
    [((Queue.ADAPT,), [({"adapt"}, 1)]), ((Queue.TRAIN, Queue.EMBED), [({"train", "embed"}, N_THREADS)])],
)
def test_a_worker_takes_the_queues_it_is_told(queues: tuple[Queue, ...], expected: list[tuple[set[str], int]]) -> None:
    assert taken(workers_for(queues)) == expected
