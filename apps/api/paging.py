"""Lists, a page at a time: `startIndex`, and `count` or `batchSize`; the header `Link` leads to the next page.

The target of `Link` is a path without host and mount: existing clients glue it to what they found to be the base.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import QueryDict
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import InvalidInput

DEFAULT_COUNT, MAX_COUNT = 100, 1000
MAX_START = 10**9

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def page_reply(
    request: Request, rows: QuerySet[M, T] | Sequence[T], render: Callable[[Sequence[T]], Iterable[object]]
) -> Response:
    """Answer one page of the rows, which have a total order; `render` makes JSON of those on it."""
    start, count = page_asked(request)
    found = list(rows[start : start + count + 1])
    response = Response(list(render(found[:count])))
    if len(found) > count:
        response["Link"] = f'<{_next(request, start + count)}>; rel="next"'
    return response


def page_asked(request: Request) -> tuple[int, int]:
    """Return where the page begins and how many rows it has at most. Raises InvalidInput."""
    asked = {name.lower(): str(value) for name, value in request.query_params.items()}
    start = _whole(asked.get("startindex", ""), "startIndex", default=0, least=0)
    if start > MAX_START:
        raise InvalidInput(f"startIndex is at most {MAX_START:,}.")
    count = asked.get("batchsize") or asked.get("count") or ""
    return start, min(_whole(count, "count", default=DEFAULT_COUNT, least=1), MAX_COUNT)


def _whole(value: str, name: str, *, default: int, least: int) -> int:
    if not value:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= 12 and int(value) >= least):
        raise InvalidInput(f"{name} must be a whole number, {least} or more.")
    return int(value)


def _next(request: Request, start: int) -> str:
    query: QueryDict = request.query_params.copy()
    for name in [name for name in query if name.lower() == "startindex"]:
        del query[name]
    query["startIndex"] = str(start)
    return f"{path_of(request)}?{query.urlencode()}"


def path_of(request: Any) -> str:  # a DRF request passes on what Django's has
    """Return the path as the URL map knows it: without the mount."""
    return str(request.path_info)
