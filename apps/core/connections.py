"""The database while a request waits for something else.

A process has as many connections as its pool holds. A request keeps one from its first query to its end, so a few that
wait for a slow address, or in line for a costly check, would keep all others from the database.
"""

from django.db import connections


def let_go() -> None:
    """Give this thread's connection back before a long wait; the next query takes another. Keeps open transactions."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
