"""The event stream of one visible browser tab (server-sent events).

It holds no database connection while it waits, asks again each minute whether its reader may still listen, and at once
when somebody's access changed.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.contrib.auth import get_user
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse
from django.views.decorators.http import require_GET

from apps.accounts.models import User
from apps.core.errors import HundredfoldError
from apps.events.kinds import Live
from apps.events.live import LiveEvent, StreamEnded, hub
from apps.workspaces.access import Access, AppHttpRequest, requires_async
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Action

HEARTBEAT_SECONDS = 10.0
CHECK_SECONDS = 60.0
FOR_EVERYONE = {Live.ACCESS_CHANGED.value, Live.WORKER_CHANGED.value}


@dataclass(frozen=True)
class Reader:
    """Who listens, as the session cookie says, and to what."""

    session: SessionBase
    workspace: str
    subject: str

    def may_listen(self) -> bool:
        """Read session, password, membership and role anew."""
        request = HttpRequest()
        request.session = type(self.session)(self.session.session_key)
        try:
            person = get_user(request)
            if not isinstance(person, User):
                return False
            Access(Action.VIEW, user=person).fetch(Workspace, self.workspace)
        except HundredfoldError:
            return False
        finally:
            # The stream lives for hours; the connection goes back now. (In a test's transaction it must stay.)
            if not connection.in_atomic_block:
                connection.close()
        return True

    def wants(self, event: LiveEvent) -> bool:
        return event.kind in FOR_EVERYONE or not self.subject or event.subject in {"", self.subject}


@require_GET
@requires_async(Action.VIEW)
async def live(request: AppHttpRequest, workspace_id: str) -> StreamingHttpResponse:
    workspace = await sync_to_async(request.access.fetch)(Workspace, workspace_id)
    reader = Reader(request.session, workspace.public_id, request.GET.get("subject", ""))
    response = StreamingHttpResponse(event_stream(reader), content_type="text/event-stream")
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


async def event_stream(reader: Reader) -> AsyncIterator[bytes]:
    """Yield events until the reader goes away, may no longer listen, or should open a new stream."""
    may_listen = sync_to_async(reader.may_listen)
    clock = asyncio.get_running_loop().time
    async with hub().subscribe(reader.workspace) as events:
        check_at = clock()  # at once, too: access may have ended between the view and the subscription
        yield b": open\n\n"
        while True:
            if clock() >= check_at:
                if not await may_listen():
                    yield LiveEvent(Live.ACCESS_CHANGED, "", {"is_lost": True}).encode()
                    return
                check_at = clock() + CHECK_SECONDS
            try:
                event = await events.next(timeout_seconds=HEARTBEAT_SECONDS)
            except StreamEnded:
                return
            if event is None:
                yield b": still here\n\n"
            elif reader.wants(event):
                yield event.encode()
            if event is not None and event.kind == Live.ACCESS_CHANGED:
                check_at = clock()
