"""`Idempotency-Key` at the door of the API: a POST that came before is answered as it was, and does nothing more."""

from __future__ import annotations

import structlog
from django.db import DatabaseError
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from apps.workspaces.models import ApiKey
from apps.workspaces.services import idempotency
from apps.workspaces.services.idempotency import Claim, Replay

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

logger = structlog.get_logger(__name__)


class KeptResponse(Response):
    """What was answered before, byte for byte."""

    def __init__(self, replay: Replay) -> None:
        super().__init__(status=replay.status)
        self._kept = replay.body
        self["Content-Type"] = "application/json"
        self[REPLAYED] = "true"

    @property
    def rendered_content(self) -> str:
        return self._kept.decode()


class Replayed(Exception):
    """The request was answered before; carries that answer out of the view."""

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self.response = KeptResponse(replay)


def claim_of(request: Request, key: ApiKey) -> Claim | None:
    """Claim the words of a request; None where it has none. Raises Replayed, and what `begin` does."""
    words = request.headers.get(HEADER)
    if words is None:
        return None
    request_hash = idempotency.hash_of(
        method=str(request.method),
        path=str(request._request.path_info),
        query=request.META.get("QUERY_STRING", ""),
        content_type=request.META.get("CONTENT_TYPE", ""),
        body=_body(request),
    )
    claimed = idempotency.begin(key=key, words=words, request_hash=request_hash)
    if isinstance(claimed, Replay):
        raise Replayed(claimed)
    return claimed


def end_claim(claim: Claim, response: HttpResponseBase | None) -> None:
    """Keep the answer, or free the words where there is none to keep."""
    try:
        if isinstance(response, Response):
            response.render()
        if isinstance(response, HttpResponse):
            is_secret = "no-store" in response.get("Cache-Control", "")
            idempotency.finish(claim, status=response.status_code, body=response.content, is_secret=is_secret)
        else:
            idempotency.give_up(claim)
    except DatabaseError:
        # What was done is done and answered; who sends it again within minutes is told to wait.
        logger.exception("idempotent_reply_not_kept")


def _body(request: Request) -> bytes:
    """Return the body, and leave it to be read again. Django's own way has a lower cap, which is that of pages."""
    plain = request._request
    if not hasattr(plain, "_body"):
        plain._body = plain.read()
    body: bytes = plain.body
    return body
