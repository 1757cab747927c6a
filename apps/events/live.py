"""Live events on their way into browsers: one Redis subscription per process, fanned out to bounded queues.

`announce` publishes, the hub of this process receives and puts each event into the queue of every stream open on its
workspace. Where events may have been missed (Redis was away, or a reader was too slow) the streams are ended instead:
browsers open a new one and refresh what they show.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol, cast
from weakref import WeakKeyDictionary

import redis.asyncio
import structlog
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from apps.events.channels import PATTERN, workspace_of
from apps.events.kinds import Live
from apps.events.services import JsonValue

QUEUE_LENGTH = 200
CONNECT_SECONDS = 1.0
SILENCE_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0

logger = structlog.get_logger(__name__)


class StreamEnded(Exception):
    """The stream should be closed: the server stops, or events may have been missed."""


@dataclass(frozen=True)
class LiveEvent:
    """One announcement as a browser gets it."""

    kind: str
    subject: str
    data: dict[str, JsonValue]

    @classmethod
    def decode(cls, body: bytes) -> LiveEvent | None:
        """Read what `announce` published; None for anything else."""
        try:
            fields = json.loads(body)
            return cls(fields["kind"], fields["subject"], fields["data"])
        except (ValueError, KeyError, TypeError):
            return None

    def encode(self) -> bytes:
        """Return it in the wire format of server-sent events."""
        body = json.dumps({"subject": self.subject, "data": self.data})
        return f"event: {self.kind}\ndata: {body}\n\n".encode()


class Subscription:
    """The events of one workspace for one stream."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[LiveEvent] = asyncio.Queue(QUEUE_LENGTH)
        self._ended = False

    async def next(self, *, timeout_seconds: float) -> LiveEvent | None:
        """Return the next event, or None when there was none in time. Raises StreamEnded at the end."""
        if self._ended:
            raise StreamEnded
        try:
            event = await asyncio.wait_for(self._queue.get(), timeout_seconds)
        except TimeoutError:
            return None
        if event is _END:
            raise StreamEnded
        return event

    def put(self, event: LiveEvent) -> None:
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.end()

    def end(self) -> None:
        """Make `next` raise, at once if someone waits in it."""
        self._ended = True
        if self._queue.empty():
            self._queue.put_nowait(_END)


_END = LiveEvent("", "", {})


class Watcher(Protocol):
    """Somebody in this process who hears of every workspace, in the event loop; what it does must not take long."""

    def heard(self, workspace: str, event: LiveEvent) -> None: ...

    def missed(self) -> None:
        """Events may have been missed, and may be from now on; `is_connected` says when that is over."""


class Hub:
    """Holds the process's one subscription for as long as any stream is open, or anybody watches."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._open: defaultdict[str, set[Subscription]] = defaultdict(set)
        self._watchers: list[Watcher] = []
        self._reader: asyncio.Task[None] | None = None
        self._is_connected = asyncio.Event()

    @property
    def n_open(self) -> int:
        return sum(map(len, self._open.values()))

    @property
    def is_connected(self) -> bool:
        return self._is_connected.is_set()

    @asynccontextmanager
    async def subscribe(self, workspace: str) -> AsyncIterator[Subscription]:
        """Receive a workspace's events from now on; what is announced after this was entered is not missed."""
        subscription = Subscription()
        self._open[workspace].add(subscription)
        try:
            await self._connect()
            yield subscription
        finally:
            self._open[workspace].discard(subscription)
            if not self._open[workspace]:
                del self._open[workspace]
            self._rest()

    def watch(self, watcher: Watcher) -> None:
        """Tell it of all that happens, until `unwatch`."""
        self._watchers.append(watcher)
        self._read()

    def unwatch(self, watcher: Watcher) -> None:
        self._watchers.remove(watcher)
        self._rest()

    def end_all(self) -> None:
        for subscriptions in self._open.values():
            for subscription in subscriptions:
                subscription.end()

    def _rest(self) -> None:
        if not self._open and not self._watchers and self._reader is not None:
            self._reader.cancel()
            self._reader = None
            self._is_connected.clear()

    def _read(self) -> None:
        if self._url is not None and (self._reader is None or self._reader.done()):
            self._is_connected.clear()
            self._reader = asyncio.create_task(self._read_for_ever(self._url), name="live-events")

    async def _connect(self) -> None:
        if self._url is None:
            return
        self._read()
        # Without Redis the stream opens all the same; it is ended, and opened again, when Redis is back.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_connected.wait(), CONNECT_SECONDS)

    async def _read_for_ever(self, url: str) -> None:
        pause, was_away = FIRST_PAUSE_SECONDS, False
        while True:
            try:
                async with aclosing(_messages(url)) as messages:
                    async for message in messages:
                        if message is not None:
                            self._deliver(message)
                            continue
                        if was_away:
                            self.end_all()
                            self._tell_of_gap()
                        pause, was_away = FIRST_PAUSE_SECONDS, False
                        self._is_connected.set()
            except (redis.RedisError, OSError) as error:
                logger.info("live_events_away", reason=type(error).__name__)
            was_away = True
            self._is_connected.clear()
            self._tell_of_gap()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _deliver(self, message: dict[str, bytes]) -> None:
        event = LiveEvent.decode(message["data"])
        if event is not None:
            workspace = workspace_of(message["channel"].decode())
            for subscription in self._open.get(workspace, ()) if event.kind != Live.RECORDED else ():
                subscription.put(event)
            for watcher in self._watchers:
                watcher.heard(workspace, event)

    def _tell_of_gap(self) -> None:
        for watcher in self._watchers:
            watcher.missed()


async def _messages(url: str) -> AsyncGenerator[dict[str, bytes] | None, None]:
    """Yield None once subscribed, then every message. Raises when the connection breaks or goes silent."""
    client = redis.asyncio.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, retry=Retry(NoBackoff(), 0))
    async with client, client.pubsub() as pubsub:
        await pubsub.psubscribe(PATTERN)
        is_silent = False
        while True:
            message = await pubsub.get_message(timeout=SILENCE_SECONDS)
            if message is None and is_silent:
                raise redis.ConnectionError("No answer to a ping.")
            is_silent = message is None
            if message is None:
                # A peer that vanished without a word is only noticed by asking.
                await pubsub.ping()
            elif message["type"] == "psubscribe":
                yield None
            elif message["type"] == "pmessage":
                yield cast("dict[str, bytes]", message)


# One per event loop, which means one per web process; tests run many loops.
_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """Return the hub of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub(None if settings.IS_ALONE else settings.REDIS_URL)
    return _hubs[loop]


def end_streams() -> None:
    """End every open stream of this process, so that a stop need not wait for them. Callable from a signal handler."""
    for loop, its_hub in list(_hubs.items()):
        if not loop.is_closed():
            loop.call_soon_threadsafe(its_hub.end_all)
