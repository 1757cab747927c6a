"""Requests that may be sent again: words of the client's own name one, and it is carried out once.

A door claims the words with `begin` and, whatever happens, ends with `finish` or `give_up`. Sent again, the request is
answered as it was; another request under the same words is refused, and so is the same one while the first is at work.
A process that dies in between frees the words after `DEAD_AFTER`, which is longer than any request is let take.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from apps.core.errors import Conflict, InvalidInput, OtherRequest
from apps.workspaces.models import ApiKey, IdempotentReply

KEPT_FOR = timedelta(hours=24)
DEAD_AFTER = timedelta(minutes=5)
LATE_AFTER = timedelta(seconds=10)
"""Hardly any request takes so long: whoever is told of one is told of the end of waiting as well."""
MAX_BODY_BYTES = 4 * 1024 * 1024
NOT_KEPT = frozenset({401, 402, 429})
CLEARED_AT_ONCE = 500
_WORDS = re.compile(r"[\x20-\x7e]{1,200}")
_BOUNDARY = re.compile(r'^multipart/.*;\s*boundary="?([^";]+)"?', re.IGNORECASE)


class StillAtWork(Conflict):
    """The same request was sent before and has not been answered yet; `retry_after_s` says when to look again."""

    code = "still_at_work"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Claim:
    """Words that are this request's until it has been answered."""

    row_id: int
    claimed_at: datetime


@dataclass(frozen=True)
class Replay:
    """What the same request was answered before."""

    status: int
    body: bytes


def hash_of(*, method: str, path: str, query: str, content_type: str, body: bytes) -> str:
    """Return what tells one request from another. The boundary of a form does not: clients draw a new one each time."""
    boundary = _BOUNDARY.match(content_type)
    if boundary:
        body = body.replace(boundary[1].encode("latin-1", "replace"), b"-")
        content_type = "multipart"
    digest = hashlib.sha256()
    for part in (method, path, query, content_type):
        digest.update(part.encode("utf-8", "replace") + b"\0")
    digest.update(body)
    return digest.hexdigest()


def begin(*, key: ApiKey, words: str, request_hash: str) -> Claim | Replay:
    """Claim the words for a request, or return what it was answered before.

    Raises InvalidInput for words that are none, OtherRequest where they stand for another one, StillAtWork while the
    first is. Call it outside any transaction: others must see the claim.
    """
    if not _WORDS.fullmatch(words):
        raise InvalidInput("Idempotency-Key takes 1 to 200 printable characters, such as a UUID.")
    try:
        with transaction.atomic():
            row = IdempotentReply.objects.create(key=key, words=words, request_hash=request_hash)
        return Claim(row.pk, row.created_at)
    except IntegrityError:
        there = IdempotentReply.objects.filter(key=key, words=words).first()
    if there is None:  # freed that moment
        raise StillAtWork(_AT_WORK)
    return _met(there, request_hash)


def finish(claim: Claim, *, status: int, body: bytes, is_secret: bool = False) -> None:
    """Keep the answer for whoever sends the request again, or free the words where trying again may end differently.

    An answer that holds a secret is shown once: of it only the fact is kept.
    """
    if status >= 500 or status in NOT_KEPT:
        give_up(claim)
        return
    # Compressed answers are never empty, so an empty one says that there was another.
    kept = b"" if is_secret or len(body) > MAX_BODY_BYTES else zlib.compress(body, 1)
    _rows(claim).update(status=status, body=kept)


def give_up(claim: Claim) -> None:
    """Free the words: the request was not carried out."""
    _rows(claim).delete()


def clear_old_replies() -> int:
    """Forget what was answered more than a day ago, some at a time, and return how many."""
    old = IdempotentReply.objects.filter(created_at__lt=timezone.now() - KEPT_FOR).order_by("created_at")
    keys = list(old.values_list("pk", flat=True)[:CLEARED_AT_ONCE])
    return IdempotentReply.objects.filter(pk__in=keys).delete()[0] if keys else 0


_NOT_KEPT = (
    "This request was carried out before. Its answer was not kept, as it is very long or holds a secret that is shown "
    "once. Ask for what it made."
)
_AT_WORK = "The same request is still being carried out. Send it again in a moment."


def _met(row: IdempotentReply, request_hash: str) -> Claim | Replay:
    if _is_free(row):
        return _taken_over(row, request_hash)
    if row.request_hash != request_hash:
        raise OtherRequest("This Idempotency-Key came with another request before. Send new words with a new request.")
    if row.status is None:
        raise _still_at_work(timezone.now() - row.created_at)
    return _replay(row)


def _still_at_work(age: timedelta) -> StillAtWork:
    """Send whoever asks away for longer and longer, but never past the moment at which the words are free."""
    if age < LATE_AFTER:
        return StillAtWork(_AT_WORK)
    since_s, left_s = int(age.total_seconds()), math.ceil((DEAD_AFTER - age).total_seconds()) + 1
    message = (
        f"The same request came {since_s} seconds ago and has not been answered yet. If the server went down over it, "
        f"it is carried out anew when you send it again in {left_s} seconds, with the same Idempotency-Key."
    )
    return StillAtWork(message, retry_after_s=min(left_s, max(1, since_s // 4)))


def _is_free(row: IdempotentReply) -> bool:
    age = timezone.now() - row.created_at
    return age > KEPT_FOR or (row.status is None and age > DEAD_AFTER)


def _taken_over(row: IdempotentReply, request_hash: str) -> Claim:
    now = timezone.now()
    mine = IdempotentReply.objects.filter(pk=row.pk, created_at=row.created_at, status=row.status)
    if not mine.update(created_at=now, request_hash=request_hash, status=None, body=b""):
        raise StillAtWork(_AT_WORK)
    return Claim(row.pk, now)


def _replay(row: IdempotentReply) -> Replay:
    body = bytes(row.body)
    if not body:
        raise Conflict(_NOT_KEPT)
    return Replay(row.status or 0, zlib.decompress(body))


def _rows(claim: Claim) -> QuerySet[IdempotentReply]:
    """The row, unless it was taken for dead and is another's by now."""
    return IdempotentReply.objects.filter(pk=claim.row_id, created_at=claim.claimed_at)
