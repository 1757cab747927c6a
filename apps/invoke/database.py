"""Database work of calls, off the event loop: a few threads whose connections live as a request's would.

Django opens and closes connections around its own requests only. A call is none, so each job here is one: an old or
broken connection is dropped before it and closed or kept after it as `CONN_MAX_AGE` says.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import close_old_connections

Result = TypeVar("Result")
N_THREADS = 4

_threads = ThreadPoolExecutor(N_THREADS, thread_name_prefix="invoke-database")


def in_database_thread(job: Callable[[], Result]) -> "Future[Result]":
    """Run the job in one of the threads."""
    return _threads.submit(as_request, job)


def as_request(job: Callable[[], Result]) -> Result:
    """Run the job in this thread with the connection handling of a request."""
    close_old_connections()
    try:
        return job()
    finally:
        close_old_connections()


def has_failed(asked: "Future[Any]") -> bool:
    """Whether a question has been answered, and not with what was asked for."""
    return asked.done() and (asked.cancelled() or asked.exception() is not None)
