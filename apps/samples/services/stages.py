"""What taking an act back is made of: stages of small steps, so that a worker can go on where another left off.

`undoing` runs them. What a stage does is in the module that did the act; nothing of it is written down beforehand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from apps.accounts.models import User
from apps.functions.models import Act

SLICE_KEYS = 5_000
"""How many keys a stage reads at a time."""


@dataclass(frozen=True)
class Done:
    """What a step came to: samples that are as before, that stay as they are now, that are in the bin now."""

    n_restored: int = 0
    n_left: int = 0
    n_binned: int = 0


@dataclass(frozen=True)
class Stage:
    """Rows of one sort, and what taking an act back does to them.

    Parameters
    ----------
    left
        Given the act and a key, returns the next keys of rows past it, in order, at most `SLICE_KEYS`.
    do
        Called with some of the keys, in a transaction that holds the function's lock.
    n_at_once
        How many keys that may be, so that nobody else has to wait for long.
    """

    left: Callable[[Act, int], Sequence[int]]
    do: Callable[[Act, User | None, Sequence[int]], Done]
    n_at_once: int


def single(do: Callable[[Act, User | None], None]) -> Stage:
    """Return a stage of one step."""

    def at_once(act: Act, person: User | None, _keys: Sequence[int]) -> Done:
        do(act, person)
        return Done()

    return Stage(lambda _act, after: [] if after else [1], at_once, 1)
