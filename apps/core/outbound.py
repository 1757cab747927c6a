"""The one door out: whatever the server fetches from, or sends to, an address that somebody gave.

Such an address may point at what only this machine can reach: its own ports, the machines beside it, a cloud's list of
secrets. So every address a name stands for must be public, the connection goes to the very address that was checked (a
name may stand for another one a moment later), redirects are not followed, proxies of the environment are not asked,
and what comes back is bounded in bytes and in time. Errors carry nothing of a reply. `HUNDREDFOLD_OUTBOUND_ALLOW` names
hosts and networks that are meant to be reached all the same.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import quote, urlsplit

import httpcore2
from django.conf import settings

from apps.core.connections import let_go
from apps.core.errors import InvalidInput, TooLarge

SECONDS = 10.0
CONNECT_SECONDS = 5.0
MOST_ADDRESSES = 4
MOST_CHARACTERS = 2000
WRITE_BYTES = 16 * 1024

_NOT_AN_ADDRESS = "Give a whole address that begins with https:// or http://, without a name or password in it."
_NOT_PUBLIC = (
    "This address cannot be used: it must be one that the public internet knows. An operator can allow others."
)
_ODD_PORT = "Use port 443, 80, or one from 1024 up."
_NO_ANSWER = "There was no whole answer from this address."
_LATE = "The address did not answer in time."
_BAD_CERTIFICATE = "The certificate of this address is not valid for its name."

_PORTS = {"http": 80, "https": 443}
_AS_WRITTEN = "/%:@!$&'()*+,;=~-._?"
_WORD = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\Z){_WORD}(?:\.{_WORD})*")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")
_UNSAFE = re.compile(r"[\x00-\x20\x7f\\]")
# Beside what `ipaddress` knows not to be global: a relay to IPv4, and where a cloud answers its own machines.
_NOT_FOR_US = [ip_network(text) for text in ("192.88.99.0/24", "168.63.129.16/32", "192.0.0.0/24")]
# Of IPv6 only what is given out to the world; inside it tunnels, which carry an IPv4 address, and examples.
_GIVEN_OUT = IPv6Network("2000::/3")
_NOT_GIVEN_OUT = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]

Address = IPv4Address | IPv6Address


class Refused(InvalidInput):
    """The address is not one that this server may reach."""


class NoAnswer(InvalidInput):
    """Nothing usable came back: not reachable, too slow, a bad certificate, or broken off."""


@dataclass(frozen=True)
class Target:
    """An address that may be reached now, and the numbers its name stands for at this moment."""

    scheme: str
    host: str
    port: int
    path: str
    numbers: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Posted:
    """What a receiver said to a message: its code, and how long it took to say so."""

    status: int
    milliseconds: float


def check(url: str, *, seconds: float = CONNECT_SECONDS) -> Target:
    """Return where the address leads. Raises Refused where that is not public, whichever way it is written."""
    target = _read(url)
    is_allowed = target.host in {word.lower() for word in settings.OUTBOUND_ALLOW}
    if not is_allowed and target.port not in (80, 443) and target.port < 1024:
        raise Refused(_ODD_PORT)
    found = _addresses(target, seconds)
    if not found or not (is_allowed or all(_may_reach(address) for address in found)):
        # One sentence for both: which names exist in here is nobody's business out there.
        raise Refused(_NOT_PUBLIC)
    return replace(target, numbers=[str(address) for address in found[:MOST_ADDRESSES]])


def fetch(url: str, *, max_bytes: int, seconds: float = SECONDS) -> bytes:
    """Return what lies at the address. Raises Refused, NoAnswer, or TooLarge once more than `max_bytes` came."""
    headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
    with _exchange("GET", url, headers, None, seconds) as response:
        if response.status != 200:
            raise NoAnswer(f"The address answered with the code {response.status} instead of a file.")
        body = bytearray()
        for part in response.iter_stream():
            body += part
            if len(body) > max_bytes:
                raise TooLarge(f"The file at this address is larger than {max_bytes // 1024**2 or 1} MB.")
    return bytes(body)


def post(url: str, *, body: bytes, headers: Mapping[str, str], seconds: float = SECONDS) -> Posted:
    """Send a message and return the code of the reply, whatever it is; no more of it is read."""
    started = time.monotonic()
    with _exchange("POST", url, headers, body, seconds) as response:
        return Posted(response.status, 1000 * (time.monotonic() - started))


def _read(url: str) -> Target:
    """Return an address as it is written, before anybody asked what its name stands for."""
    if len(url) > MOST_CHARACTERS or _UNSAFE.search(url):
        raise Refused(_NOT_AN_ADDRESS)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused(_NOT_AN_ADDRESS) from error
    if parts.scheme not in _PORTS or "@" in parts.netloc or not parts.hostname or port == 0:
        raise Refused(_NOT_AN_ADDRESS)
    path = quote(parts.path or "/", safe=_AS_WRITTEN) + (
        f"?{quote(parts.query, safe=_AS_WRITTEN)}" if parts.query else ""
    )
    return Target(parts.scheme, _host(parts.hostname), port or _PORTS[parts.scheme], path)


def _host(text: str) -> str:
    """Return the host in the one form that counts: a name in ASCII, or a number in its usual writing."""
    try:
        host = text.encode("idna").decode("ascii").lower().removesuffix(".") if ":" not in text else text
        is_number = ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is not None
        if is_number and "%" not in host:
            return str(ip_address(host))
    except ValueError as error:  # 127.1, 0x7f000001, 017700000001, and names that are none
        raise Refused(_NOT_AN_ADDRESS) from error
    if not _NAME.fullmatch(host):
        raise Refused(_NOT_AN_ADDRESS)
    return host


def _addresses(target: Target, seconds: float) -> list[Address]:
    try:
        return [ip_address(target.host)]
    except ValueError:
        return _look_up(target.host, target.port, seconds)


def _look_up(host: str, port: int, seconds: float) -> list[Address]:
    """Ask what the name stands for. The system's own question knows no time-out, so it is asked aside."""
    found: list[Address] = []

    def ask() -> None:
        try:
            answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(dict.fromkeys(ip_address(answer[4][0]) for answer in answers))

    let_go()
    asking = threading.Thread(target=ask, name="look_up", daemon=True)
    asking.start()
    asking.join(seconds)
    return list(found)


def _may_reach(address: Address) -> bool:
    return is_public(address) or any(address in network for network in _networks(tuple(settings.OUTBOUND_ALLOW)))


@cache
def _networks(words: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    found = []
    for word in words:
        with suppress(ValueError):  # else it is a name
            found.append(ip_network(word, strict=False))
    return found


def is_public(address: Address) -> bool:
    """Whether anybody on the internet means the same machine by this address."""
    if isinstance(address, IPv6Address):
        return address in _GIVEN_OUT and address.is_global and not _is_in(address, _NOT_GIVEN_OUT)
    is_one_machine = not (address.is_multicast or address.is_reserved or address.is_unspecified)
    return address.is_global and is_one_machine and not _is_in(address, _NOT_FOR_US)


def _is_in(address: Address, networks: Iterable[Any]) -> bool:
    return any(address in network for network in networks)


class _Deadline:
    """The moment by which all must be over, however many small steps it is cut into."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, at_most: float = 3600.0) -> float:
        seconds = self._end - time.monotonic()
        if seconds <= 0:
            raise httpcore2.ReadTimeout
        return min(seconds, at_most)


class _Stream(httpcore2.NetworkStream):
    """A connection whose every step ends by the deadline: a peer that drips a byte now and then gains nothing."""

    def __init__(self, stream: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._stream, self._deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_BYTES):
            self._stream.write(buffer[start : start + WRITE_BYTES], self._deadline.left())

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left())
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Pinned(httpcore2.NetworkBackend):
    """Connects to numbers that were checked and never asks what the name stands for again."""

    def __init__(self, numbers: list[str], deadline: _Deadline) -> None:
        self._numbers, self._deadline = numbers, deadline

    def connect_tcp(self, host: str, port: int, *_args: Any, **_options: Any) -> httpcore2.NetworkStream:
        last: Exception = httpcore2.ConnectError()
        for number in self._numbers:
            try:
                seconds = self._deadline.left(at_most=CONNECT_SECONDS)
                return _Stream(httpcore2.SyncBackend().connect_tcp(number, port, seconds), self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last


@contextmanager
def _exchange(
    method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float
) -> Iterator[httpcore2.Response]:
    deadline = _Deadline(seconds)
    let_go()
    target = check(url, seconds=min(seconds, CONNECT_SECONDS))
    place = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
    ours = {"Host": _host_header(target), "User-Agent": "Hundredfold", "Connection": "close"}
    said = [*ours.items(), *headers.items()]
    connection = httpcore2.HTTPConnection(
        place.origin, ssl_context=_trust(), network_backend=_Pinned(target.numbers, deadline)
    )
    try:
        with (
            connection,
            connection.stream(method, place, headers=said, content=body) as response,
        ):
            yield response
    except httpcore2.TimeoutException as error:
        raise NoAnswer(_LATE) from error
    except (httpcore2.NetworkError, httpcore2.ProtocolError) as error:
        is_certificate = isinstance(error.__cause__, ssl.SSLCertVerificationError)
        raise NoAnswer(_BAD_CERTIFICATE if is_certificate else _NO_ANSWER) from error


def _host_header(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == _PORTS[target.scheme] else f"{host}:{target.port}"


@cache
def _trust() -> ssl.SSLContext:
    """Whom the system trusts, or the file that `SSL_CERT_FILE` names."""
    return httpcore2.default_ssl_context()
