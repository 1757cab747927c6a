"""How often one name may ask: token buckets in this process's memory, a few microseconds a look.

Each process counts for itself: with several web processes behind a balancer, a limit is that of each.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MAX_NAMES = 65_536


class Throttle:
    """Lets each name in `rate_per_s` times a second on average, and `burst` times at once after a rest.

    Of a bucket only the moment is kept at which it is full again (the virtual scheduling algorithm of ITU-T I.371).
    With more than `max_names`, the one unseen for longest is forgotten, that is, let in again.
    """

    def __init__(
        self,
        rate_per_s: float,
        burst: float,
        *,
        max_names: int = MAX_NAMES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make a throttle; a rate of 0 lets everybody in."""
        self._cost_s = 1 / rate_per_s if rate_per_s > 0 else 0.0
        self._room_s = max(burst, 1.0) * self._cost_s
        self._max_names = max_names
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, name: str, n: int = 1) -> float:
        """Let `name` in `n` times: return 0.0 if it may, else the seconds until it may; a refusal takes nothing.

        More than the burst in one go is let in when the bucket is full, and paid for afterwards.
        """
        if not self._cost_s:
            return 0.0
        cost_s = n * self._cost_s
        with self._lock:
            now = self._clock()
            full_at = max(self._full_at.get(name, now), now)
            wait_s = full_at - now + min(cost_s, self._room_s) - self._room_s
            if wait_s > 1e-9:  # the seconds asked for must be enough, however floats round
                return wait_s
            self._full_at[name] = full_at + cost_s
            self._full_at.move_to_end(name)
            if len(self._full_at) > self._max_names:
                self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)
