"""Leases: who is at work on a row, so that work is done once and a dead worker's work is taken up again.

A holder claims by update (only one of two racing processes changes the row), renews while it works, and releases.
A process that dies simply stops renewing; after `LEASE_SECONDS` anyone may claim.
"""

import os
import secrets
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

LEASE_SECONDS = 10
RENEW_SECONDS = 3

_PROCESS_TOKEN = secrets.token_hex(8)


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
    """Take the row if it is free. True means it is ours alone until released or expired."""
    changed = model._default_manager.filter(is_free(), pk=pk).update(
        lease_holder=holder_id(), lease_expires_at=_expiry()
    )
    return changed == 1


def release(model: type[Leased], pk: int) -> None:
    """Give the row back, if it is still ours."""
    model._default_manager.filter(pk=pk, lease_holder=holder_id()).update(lease_holder="", lease_expires_at=None)


def renew_all(model: type[Leased]) -> int:
    """Renew every lease of this process on that model; called by the worker's heartbeat."""
    return model._default_manager.filter(lease_holder=holder_id(), lease_expires_at__gte=timezone.now()).update(
        lease_expires_at=_expiry()
    )


def release_all(model: type[Leased]) -> int:
    """Give back every lease of this process on that model; called by a worker that ends on purpose."""
    return model._default_manager.filter(lease_holder=holder_id()).update(lease_holder="", lease_expires_at=None)


def _expiry() -> datetime:
    return timezone.now() + timedelta(seconds=LEASE_SECONDS)
