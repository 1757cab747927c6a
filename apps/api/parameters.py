"""Query parameters that several addresses share, as the document describes them."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter

from apps.api.paging import DEFAULT_COUNT, MAX_COUNT, MAX_START

_START = {"type": "integer", "minimum": 0, "maximum": MAX_START, "default": 0}
_COUNT = {"type": "integer", "minimum": 1, "default": DEFAULT_COUNT}

PAGING = [
    OpenApiParameter(
        "startIndex", _START, description="How many to leave out from the beginning. The header Link has it right."
    ),
    OpenApiParameter("count", _COUNT, description=f"How many at once; more than {MAX_COUNT:,} are never answered."),
    OpenApiParameter("batchSize", {"type": "integer", "minimum": 1}, description="Another name of count."),
]
"""More to come is told by a header, `Link: </v1/…?startIndex=100>; rel="next"`."""
