"""What differs between a processor and a GPU: how much one pass may take, and how samples get there.

Imported by what computes with torch, which this imports; `runtime.choose_device` says which device that is.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

import torch
from threadpoolctl import ThreadpoolController

from apps.engine.runtime import Deadline

Made = TypeVar("Made")

USED_SHARE = 0.5
"""Of a GPU's free memory that one pass may take: other processes, and other passes of this one, want some too."""
GROW_SECONDS = 60.0
"""After running out of memory, so long with less; then twice as much again."""
ASK_SECONDS = 1.0
"""How long what a GPU said of its free memory is believed: a short call need not ask."""
OUT_OF_MEMORY_WORDS = ("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUDA error: out of memory")
"""What libraries beside torch's own allocator say; torch passes it on as a plain `RuntimeError`."""


class Room:
    """How much one pass takes, in items (tokens, pictures): as many as fit, and fewer for a while after they did not.

    Parameters
    ----------
    most
        More bring no speed, and hold up whoever waits for a turn.
    most_rows
        Samples in a pass, however light; by default `most`.
    fitting
        Returns how many items the free memory holds; by default there is no such limit.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        most: int,
        *,
        most_rows: int | None = None,
        fitting: Callable[[], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.most, self.most_rows = most, most if most_rows is None else most_rows
        self._fitting, self._clock = fitting, clock
        self._lock = threading.Lock()
        self._limit, self._limited_at = most, clock()
        self._fit, self._asked_at = most, float("-inf")

    def size(self) -> int:
        """Return how many items a pass takes now, at least 1."""
        with self._lock:
            now = self._clock()
            while self._limit < self.most and now - self._limited_at >= GROW_SECONDS:
                self._limit, self._limited_at = min(self.most, 2 * self._limit), self._limited_at + GROW_SECONDS
            if self._fitting is not None and now - self._asked_at >= ASK_SECONDS:
                self._fit, self._asked_at = self._fitting(), now
            return max(1, min(self._limit, self._fit, self.most))

    def shrink(self, n_items: int) -> None:
        """Take half of what did not fit from now on."""
        with self._lock:
            self._limit, self._limited_at = max(1, min(self._limit, n_items) // 2), self._clock()
            self._asked_at = float("-inf")


def threads_for(n_items: int, device: str, *, few: int) -> AbstractContextManager[object]:
    """Return what a pass over so many items runs in: a `few` on a processor in the calling thread alone.

    Sharing them out saves little, and where another process wants the cores whoever waits for all shares waits longest.
    Limits the calling thread and no other, which `torch.set_num_threads` would.
    """
    return nullcontext() if device != "cpu" or n_items > few else _openmp().limit(limits=1)


@functools.cache
def _openmp() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="openmp")


def room_on(
    device: str, *, most: int, sample: Callable[[], object], n_items: int, most_rows: int | None = None
) -> Room:
    """Return the room for passes on a device; on a GPU, what an item takes is measured with a pass over a sample.

    Parameters
    ----------
    sample, n_items
        Runs a pass over `n_items`.
    """
    if not is_gpu(device):
        return Room(most, most_rows=most_rows)
    n_bytes = _bytes_of(device, sample) / n_items
    return Room(most, most_rows=most_rows, fitting=lambda: int(USED_SHARE * free_bytes(device) / n_bytes))


def in_shrinking_batches(
    weights: Sequence[int],
    run: Callable[[list[int]], Made],
    room: Room,
    *,
    deadline: Deadline | None = None,
) -> Iterator[tuple[list[int], Made]]:
    """Run over items batch by batch, those of like weight together, and yield positions and what was made of them.

    What runs out of memory is run again in halves, down to one item. The next batch is run before one is yielded: a GPU
    is still at work when `run` returns, so it computes on while the caller fetches what it has made.

    Parameters
    ----------
    weights
        Per item what it takes (its tokens; 1 for a picture). A batch takes its number times its heaviest.
    run
        Makes something of the items at some positions. Called again with fewer of them after it ran out of memory.
    deadline
        Checked before each batch.

    Raises
    ------
    DeadlineExpired
    torch.OutOfMemoryError
        If one item alone is too much.
    """
    order = sorted(range(len(weights)), key=weights.__getitem__)
    ready: list[tuple[list[int], Made]] = []
    done = 0
    while done < len(order):
        if deadline is not None:
            deadline.check()
        rows = _next_batch(order, done, weights, room)
        made = _if_it_fits(run, rows)
        yield from ready
        ready.clear()
        if made:
            ready.append((rows, made[0]))
            done += len(rows)
        else:
            room.shrink(len(rows) * weights[rows[-1]])
            empty_cache()
    yield from ready


def _next_batch(order: Sequence[int], start: int, weights: Sequence[int], room: Room) -> list[int]:
    """Return the positions from `start` on that fit together, at least one; lighter ones come first in `order`."""
    size = room.size()
    stop = start + 1
    while stop < len(order) and stop - start < room.most_rows and weights[order[stop]] * (stop + 1 - start) <= size:
        stop += 1
    return list(order[start:stop])


def _if_it_fits(run: Callable[[list[int]], Made], rows: list[int]) -> list[Made]:
    """Return what was made, alone in a list; nothing if several rows took more memory than there is.

    The error is let go here: with it go the frames it came from, and what these hold in memory.
    """
    try:
        return [run(rows)]
    except RuntimeError as error:
        if len(rows) == 1 or not is_out_of_memory(error):
            raise
        return []


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a GPU had too little memory left."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in OUT_OF_MEMORY_WORDS)


def is_gpu(device: str) -> bool:
    """Whether a device, as `choose_device` names it, is a GPU."""
    return device.startswith("cuda")


def free_bytes(device: str) -> int:
    """Return what can be allocated on a GPU: what nobody has, and what torch has ready for reuse."""
    free, _ = torch.cuda.mem_get_info(device)
    return int(free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device))


def empty_cache() -> None:
    """Give back what torch has ready for reuse, in pieces that may be too small."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def finish(device: str) -> None:
    """Wait until a GPU has done what it was given."""
    if is_gpu(device):
        torch.cuda.synchronize(device)


def staging(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> torch.Tensor:
    """Return an uninitialised tensor to fill with what `sent` takes to a device.

    For a GPU it lies in memory that is never moved, which it reads by itself while this thread goes on. Filling it in
    place beats `pin_memory()`, which would copy once more.
    """
    return torch.empty(shape, dtype=dtype, pin_memory=is_gpu(device))


def sent(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """Return the content of a staging tensor on a device. It must not be written to afterwards: a GPU may read it yet.

    It may be let go, though: torch keeps its memory until it has been read.
    """
    return tensor.to(device, non_blocking=True) if is_gpu(device) else tensor


def _bytes_of(device: str, sample: Callable[[], object]) -> int:
    """Return what a pass takes at its peak, beyond what is there before; the first one only warms up."""
    sample()
    finish(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    sample()
    finish(device)
    return max(1, torch.cuda.max_memory_allocated(device) - before)
