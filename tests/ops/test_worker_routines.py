"""What runs beside the worker: at once, again and again, and through the absence of what it needs."""

import threading

import pytest
import redis
from django.db import OperationalError

from apps.ops.routines import Routine
from tests.live_up import wait_until

pytestmark = pytest.mark.django_db


def test_it_begins_at_once_and_ends_when_told() -> None:
    steps, must_end = [], threading.Event()
    routine = Routine("tried", 3600, lambda: steps.append(1), must_end)
    routine.start()
    wait_until(lambda: steps)
    must_end.set()
    routine.join(5)
    assert not routine.is_alive()
    assert steps == [1]


@pytest.mark.parametrize("error", [redis.ConnectionError, OperationalError, OSError, ValueError])
def test_it_goes_on_after_whatever_went_wrong(error: type[Exception]) -> None:
    steps, must_end = [], threading.Event()

    def step() -> None:
        steps.append(1)
        if len(steps) < 3:
            raise error

    routine = Routine("tried", 0.01, step, must_end)
    routine.start()
    wait_until(lambda: len(steps) > 4)
    must_end.set()
    routine.join(5)
    assert not routine.is_failing
