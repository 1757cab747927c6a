"""Leases: who is at work on a row, so that work is done once and a dead worker's work is taken up again.

A holder claims by update (only one of two racing processes changes the row), renews while it works, and releases.
A process that dies simply stops renewing; after `LEASE_SECONDS` anyone may claim. One that goes on living without being
able to release, its connection to the database being lost, renews no more either: it knows what it is at.
"""

import os
import secrets
import threading
from datetime import datetime, timedelta

from django.db import connection, models
from django.db.models import Q
from django.utils import timezone

LEASE_SECONDS = 10
RENEW_SECONDS = 3

_PROCESS_TOKEN = secrets.token_hex(8)
_lock = threading.Lock()
_at_work: set[tuple[type["Leased"], int]] = set()


def holder_id() -> str:
    """Name this process; forked children get names of their own through the pid."""
    return f"{os.getpid()}-{_PROCESS_TOKEN}"


class Leased(models.Model):
    """Adds a lease to a row."""

    lease_holder = models.CharField(max_length=60, blank=True, default="", editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_held(self) -> bool:
        """Whether somebody was at work on the row when it was read."""
        return self.lease_expires_at is not None and self.lease_expires_at > timezone.now()


def is_free() -> Q:
    """Filter for rows nobody holds, or whose holder stopped renewing."""
    return Q(lease_expires_at=None) | Q(lease_expires_at__lt=timezone.now())


def claim(model: type[Leased], pk: int) -> bool:
    """Take the row if it is free. True means it is ours alone until released or expired.

    Whoever claimed a row releases it, or lets it `go`, whatever happens.
    """
    changed = model._default_manager.filter(is_free(), pk=pk).update(
        lease_holder=holder_id(), lease_expires_at=_expiry()
    )
    if changed:
        with _lock:
            _at_work.add((model, pk))
    return changed == 1


def release(model: type[Leased], pk: int) -> None:
    """Give the row back, if it is still ours."""
    let_go(model, pk)
    model._default_manager.filter(pk=pk, lease_holder=holder_id()).update(lease_holder="", lease_expires_at=None)


def let_go(model: type[Leased], pk: int) -> None:
    """Renew a lease no more, without asking the database: unless it is given back it runs out by itself."""
    with _lock:
        _at_work.discard((model, pk))


def reconnect_if_lost() -> None:
    """Have another connection where the server ended this one, so that it can be said that work failed."""
    if connection.connection is not None and not connection.in_atomic_block and not connection.is_usable():
        connection.close()


def renew_all(model: type[Leased]) -> int:
    """Renew what this process is at work on, of that model; called by the worker's heartbeat."""
    with _lock:
        keys = [pk for of, pk in _at_work if of is model]
    rows = model._default_manager.filter(pk__in=keys, lease_holder=holder_id(), lease_expires_at__gte=timezone.now())
    return rows.update(lease_expires_at=_expiry()) if keys else 0


def release_all(model: type[Leased]) -> int:
    """Give back every lease of this process on that model; called by a worker that ends on purpose."""
    return model._default_manager.filter(lease_holder=holder_id()).update(lease_holder="", lease_expires_at=None)


def _expiry() -> datetime:
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)
