"""The listening socket of `up`. It belongs to `up` and not to the web process, so that a restart refuses nobody."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

BACKLOG = 2048


class CannotListen(Exception):
    """The address cannot be had; the message says why and what to do."""


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen. Connections made before the web process is there wait in the backlog. Raises CannotListen."""
    if not 0 <= port <= 65535:  # the resolver would take what is left of it after division
        raise CannotListen(f"{port} is not a port: choose one from 1 to 65535, or 0 for any free one.")
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        raise CannotListen(f"{host!r} is not an address of this machine.") from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise CannotListen(_reason(error, host, port)) from error
    return listener


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken by another program. Choose another with --port; 0 takes any free one."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this user has. Choose one above 1023 with --port."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine."
    return f"Cannot listen on {host}, port {port}: {error}."


def url_of(listener: socket.socket, host: str) -> str:
    """Return the address to open in a browser on this machine."""
    port = listener.getsockname()[1]
    if _is_wildcard(host):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def host_names(host: str) -> list[str]:
    """Return the names by which browsers reach a server bound there; a wildcard means all of this machine's."""
    names = ["localhost", "127.0.0.1", "[::1]"]
    if not _is_wildcard(host):
        return [*names, f"[{host}]" if ":" in host else host]
    own_name = socket.gethostname()
    names += [own_name, own_name.partition(".")[0]]
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(own_name, None)}
    except socket.gaierror:
        found = set()
    return names + sorted(f"[{name}]" if ":" in name else name for name in found | _outward_addresses())


def _outward_addresses() -> set[str]:
    """Return the address other machines see. Connecting a datagram socket sends nothing; it asks the routing table."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return set()
        return {str(probe.getsockname()[0])}


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def inherited(descriptor: int) -> socket.socket:
    """Return the socket a parent process passed on."""
    return socket.socket(fileno=os.dup(descriptor))
