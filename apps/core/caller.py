"""Who is asking, for whoever needs to know without having been told: the audit log and throttles.

The address is that of the connection. Behind a proxy it is the one the proxy forwards, and only there: uvicorn puts it
into the request where `HUNDREDFOLD_BASE_URL` is https and the connection comes from one of `HUNDREDFOLD_PROXIES`.
Nothing else reads a forwarding header, so nobody can claim another's address.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, IPv6Network, ip_address


@dataclass(frozen=True)
class Caller:
    """Both empty where no request is being answered: in workers and commands."""

    address: str = ""
    key: str = ""
    """The public id of the API key; empty for people and for whoever has not shown one."""

    @property
    def network(self) -> str:
        """What throttles count together: an IPv6 subscriber has 2^64 addresses."""
        return network_of(self.address)


_NOBODY = Caller()
_caller: ContextVar[Caller] = ContextVar("caller", default=_NOBODY)


def current() -> Caller:
    return _caller.get()


@contextmanager
def calling(address: str) -> Iterator[None]:
    """Say for the length of the block where the request came from."""
    token = _caller.set(Caller(_plain(address)))
    try:
        yield
    finally:
        _caller.reset(token)


def shown(key: str) -> None:
    """Add the key that the caller showed, by its public id; it counts until the end of the request."""
    _caller.set(replace(_caller.get(), key=key))


def network_of(address: str) -> str:
    """Return an IPv6 address's /64, anything else as it is."""
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket has none, a test any
        return address
    return str(IPv6Network((int(parsed), 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _plain(address: str) -> str:
    """Return an IPv4 address that came over an IPv6 socket as the IPv4 address it is."""
    return address.removeprefix("::ffff:") if address.startswith("::ffff:") and "." in address else address
