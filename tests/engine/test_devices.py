"""A small pass on a processor is computed by the calling thread alone, and nobody else is held to that."""

import threading
from collections.abc import Iterator

import pytest
import torch

from apps.engine import devices

FEW = 128


@pytest.fixture(autouse=True)
def two_threads() -> Iterator[None]:
    """Whatever this machine has: what is left of it afterwards is another test's business too."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_a_small_pass_takes_one_thread_and_a_large_one_all() -> None:
    with devices.threads_for(FEW, "cpu", few=FEW):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with devices.threads_for(FEW + 1, "cpu", few=FEW):
        assert torch.get_num_threads() == 2


def test_it_is_the_calling_thread_that_is_limited_and_no_other() -> None:
    seen: list[int] = []
    with devices.threads_for(1, "cpu", few=FEW):
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
    assert seen == [2]


def test_a_gpu_is_left_alone() -> None:
    with devices.threads_for(1, "cuda", few=FEW):
        assert torch.get_num_threads() == 2
