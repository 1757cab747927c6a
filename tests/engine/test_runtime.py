"""Deadlines and threads."""

import threading

import numpy as np  # noqa: F401  # loads the BLAS that is counted below
import pytest
from threadpoolctl import threadpool_info

from apps.engine.errors import DeadlineExpired
from apps.engine.runtime import Deadline, choose_device, one_thread


def n_blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_deadline_counts_down_and_expires() -> None:
    ahead, past = Deadline.after(60), Deadline.after(-1)
    assert 59 < ahead.remaining() <= 60
    assert not ahead.expired()
    ahead.check()
    assert past.expired()
    assert past.remaining() == 0.0
    with pytest.raises(DeadlineExpired):
        past.check()


def test_threads_are_given_back_when_callers_overlap() -> None:
    before = n_blas_threads()
    assert before
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with one_thread():
            inside.set()
            leave.wait(10)

    with one_thread():
        assert n_blas_threads() == {1}
        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(10)
    assert n_blas_threads() == {1}
    leave.set()
    thread.join()
    assert n_blas_threads() == before


def test_a_device_asked_for_is_taken() -> None:
    assert choose_device("cpu") == "cpu"
    assert choose_device().partition(":")[0] in {"cpu", "cuda"}
