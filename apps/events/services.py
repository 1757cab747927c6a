"""Writing down what happened (`record`), telling the open browsers (`announce`) and other programs (`notify`)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import TypeAlias

import redis
import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.core import caller
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.channels import channel_of
from apps.events.kinds import Audit, Live, Notify
from apps.events.models import Audience, ChainHead, Event, Notice

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"

logger = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ChainCheck:
    """What a walk over one workspace's audit log found; `broken_at` is the first sequence number that does not fit."""

    n_events: int
    broken_at: int | None

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None


@transaction.atomic(savepoint=False)
def record(*, workspace: str, kind: Audit, actor: str = "", subject: str = "", **data: JsonValue) -> None:
    """Append one event, in the caller's transaction: what happened and its record are kept or lost together.

    Where a request is being answered, its address and its key are added. Locks the end of the workspace's chain until
    that transaction ends. Never pass sample text: it could not be deleted.
    """
    asking = caller.current()
    data |= {name: said for name, said in (("address", asking.address), ("key", asking.key)) if said}
    ChainHead.objects.get_or_create(workspace_id=workspace)
    head = ChainHead.objects.select_for_update().get(workspace_id=workspace)
    event = Event(
        workspace_id=workspace,
        sequence=head.sequence + 1,
        kind=kind.value,
        actor=actor,
        subject=subject,
        about=about_of(subject, data),
        data=data,
        created_at=timezone.now(),
        previous_hash=head.hash,
    )
    event.hash = hash_of(event)
    event.save(force_insert=True)
    ChainHead.objects.filter(pk=head.pk).update(sequence=event.sequence, hash=event.hash)
    announce(workspace=workspace, kind=Live.RECORDED, subject=subject)


def about_of(subject: str, data: Mapping[str, JsonValue]) -> str:
    """Return the function that something happened in, else what it happened to."""
    return str(data.get("function") or subject)


def hash_of(event: Event) -> str:
    """SHA-256 over every column and the hash before, so that no row can be changed, moved or left out unseen."""
    fields = [
        event.workspace_id,
        event.sequence,
        event.kind,
        event.actor,
        event.subject,
        event.data,
        moment_of(event),
        event.previous_hash,
    ]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def moment_of(event: Event) -> str:
    """Return the time in the one way of writing that is hashed."""
    return event.created_at.astimezone(UTC).isoformat(timespec="microseconds")


def verify_chain(workspace: str) -> ChainCheck:
    """Walk a workspace's audit log from its beginning and compare every link, and the end with the head kept apart."""
    n_events, previous = 0, ""
    for event in Event.objects.filter(workspace_id=workspace).order_by("sequence").iterator(chunk_size=1000):
        is_next = (event.sequence, event.previous_hash, event.hash) == (n_events + 1, previous, hash_of(event))
        if not is_next or event.about != about_of(event.subject, event.data):
            return ChainCheck(n_events, broken_at=n_events + 1)
        n_events, previous = event.sequence, event.hash
    head = ChainHead.objects.filter(workspace_id=workspace).first() or ChainHead()
    is_complete = (head.sequence, head.hash) == (n_events, previous)
    return ChainCheck(n_events, broken_at=None if is_complete else n_events + 1)


def notify(*, workspace: str, kind: Notify, function: str = "", **data: JsonValue) -> None:
    """Write down, in the caller's transaction, what the workspace's webhooks are told once it has committed.

    One look by primary key where there is no webhook. Never pass sample text: it goes to other machines.
    """
    if is_heard(workspace):
        Notice.objects.create(workspace_id=workspace, function_id=function, kind=kind.value, data=data)
        enqueue_on_commit(JobName.DELIVER)


def is_heard(workspace: str) -> bool:
    """Whether anybody would hear of it: for those who must ask more before they can say what happened."""
    return Audience.objects.filter(pk=workspace).exists()


@transaction.atomic(savepoint=False)
def keep_audience(*, workspace: str, is_there: bool) -> None:
    """Note whether anybody hears what happens in the workspace. Its webhooks say so, each time one goes on or off."""
    if is_there:
        Audience.objects.get_or_create(workspace_id=workspace)
    else:
        Audience.objects.filter(pk=workspace).delete()


def announce(*, workspace: str, kind: Live, subject: str = "", **data: JsonValue) -> None:
    """Tell every open browser of the workspace, once the surrounding transaction has committed.

    Nothing depends on it: without a broker the pages catch up at their next refresh.
    """
    if settings.IS_ALONE:
        return
    message = json.dumps({"kind": kind.value, "subject": subject, "data": data})
    transaction.on_commit(lambda: _publish(channel_of(workspace), message), robust=True)


def _publish(channel: str, message: str) -> None:
    try:
        _client(settings.REDIS_URL).publish(channel, message)
    except redis.RedisError as error:
        logger.info("announcement_lost", channel=channel, reason=type(error).__name__)


@cache
def _client(url: str) -> "redis.Redis":
    # One more try for a connection gone stale, no waiting: a save must not stand still for an announcement.
    return redis.Redis.from_url(url, socket_connect_timeout=1, socket_timeout=2, retry=Retry(NoBackoff(), 1))
