"""How often one address and one key may ask, in a process. Pages of the API and calls of functions share the buckets.

A burst of two seconds' worth is let in at once; beyond it a program is told when to come back.
"""

import math
from functools import cache

from django.conf import settings

from apps.core import caller
from apps.core.errors import Throttled
from apps.core.throttling import Throttle
from apps.workspaces.models import ApiKey

BURST_S = 2


def admit_address() -> None:
    """Let the caller's address in, before anything is done for it. Raises Throttled."""
    _admit("address", settings.ADDRESS_RATE, caller.current().network, "this address")


def admit_key(key: ApiKey, n: int = 1) -> None:
    """Let a key in `n` times: a call of many inputs counts as many. Raises Throttled."""
    _admit("key", settings.KEY_RATE, str(key.pk), "one key", n)


def _admit(kind: str, rate: int, name: str, words: str, n: int = 1) -> None:
    wait_s = _throttle(kind, rate).take(name, n)
    if wait_s:
        message = f"Too many requests: {words} may send {rate:,} a second. Wait as long as Retry-After says."
        raise Throttled(message, retry_after_s=math.ceil(wait_s))


@cache
def _throttle(_kind: str, rate: int) -> Throttle:
    return Throttle(rate, BURST_S * rate)
