"""The event stream: who may open it, what ends it, and that it holds nothing while it waits."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.core.asgi import get_asgi_application
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from apps.accounts.models import User
from apps.accounts.services import change_password
from apps.events.kinds import Live
from apps.events.live import hub
from apps.events.services import announce
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from apps.workspaces.services import announce_access_change, change_role, remove_member
from apps.workspaces.views import live
from tests.conftest import client_of
from tests.private_redis import KillableRedis, killable_redis
from tests.workspaces.conftest import membership_of

pytestmark = pytest.mark.django_db(transaction=True)
LOST = ("access", {"is_lost": True})


@pytest.fixture
def redis_server(tmp_path: Path, settings: Settings) -> Iterator[KillableRedis]:
    with killable_redis(tmp_path) as server:
        settings.REDIS_URL, settings.IS_ALONE = server.url, False
        yield server


class Stream:
    """A browser's end of one open stream, spoken to as the web server would."""

    def __init__(self, path: str, client: Client, query: str) -> None:
        cookies = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": [(b"host", b"localhost"), (b"cookie", cookies.encode())],
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 80),
            "scheme": "http",
        }
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_over = asyncio.Event()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._began = asyncio.Event()
        self._has_asked = False

    async def receive(self) -> dict[str, object]:
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self._chunks.put_nowait(message.get("body", b""))
            if not message.get("more_body"):
                self.is_over.set()
        self._began.set()

    async def open(self) -> None:
        await self._began.wait()

    def leave(self) -> None:
        self._gone.set()

    async def chunk(self, seconds: float = 5) -> str:
        async with asyncio.timeout(seconds):
            return (await self._chunks.get()).decode()

    async def event(self, seconds: float = 5) -> tuple[str, dict[str, object]]:
        """Return the next event's name and data, passing over comments."""
        async with asyncio.timeout(seconds):
            while True:
                text = await self.chunk(seconds)
                if text.startswith("event: "):
                    name, data = text.strip().split("\n")
                    body = json.loads(data.removeprefix("data: "))
                    return name.removeprefix("event: "), body["data"]


@asynccontextmanager
async def stream_of(client: Client, workspace: Workspace, query: str = "") -> AsyncIterator[Stream]:
    stream = Stream(reverse("workspaces:live", args=[workspace.public_id]), client, query)
    application = cast("Callable[..., Awaitable[None]]", get_asgi_application())
    task = asyncio.create_task(cast("Any", application)(stream.scope, stream.receive, stream.send))
    try:
        async with asyncio.timeout(10):
            await stream.open()
        yield stream
    finally:
        stream.leave()
        async with asyncio.timeout(10):
            await asyncio.gather(task, return_exceptions=True)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async_to_sync(scenario)()


def test_it_is_an_event_stream_that_nobody_keeps_or_holds_back(member_client: Client, workspace: Workspace) -> None:
    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            assert stream.status == 200
            assert stream.headers["content-type"] == "text/event-stream"
            assert stream.headers["cache-control"] == "no-store"
            assert stream.headers["x-accel-buffering"] == "no"
            assert await stream.chunk() == ": open\n\n"

    run(scenario)


def test_an_announcement_reaches_the_browser(
    member_client: Client, workspace: Workspace, redis_server: KillableRedis
) -> None:
    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            await sync_to_async(announce)(
                workspace=workspace.public_id, kind=Live.PREDICTIONS_CHANGED, subject="function_a", n_right=87
            )
            assert await stream.event() == ("predictions", {"n_right": 87})

    run(scenario)


def test_a_page_about_one_function_hears_of_no_other(
    member_client: Client, workspace: Workspace, redis_server: KillableRedis
) -> None:
    async def scenario() -> None:
        say = sync_to_async(announce)
        here = workspace.public_id
        async with stream_of(member_client, workspace, "subject=function_a") as stream:
            await stream.chunk()
            await say(workspace=here, kind=Live.SAMPLES_CHANGED, subject="function_b", n=1)
            await say(workspace=here, kind=Live.SAMPLES_CHANGED, subject="function_a", n=2)
            await say(workspace=here, kind=Live.SAMPLES_CHANGED, n=3)
            await say(workspace=here, kind=Live.WORKER_CHANGED, subject="worker", n=4)
            assert [(await stream.event())[1]["n"] for _ in range(3)] == [2, 3, 4]

    run(scenario)


def test_a_quiet_stream_shows_that_it_is_alive(
    member_client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)

    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            assert [await stream.chunk() for _ in range(3)] == [": still here\n\n"] * 3

    run(scenario)


def test_a_browser_that_goes_away_leaves_nothing_behind(
    member_client: Client, workspace: Workspace, redis_server: KillableRedis
) -> None:
    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            assert hub().n_open == 1
        assert hub().n_open == 0

    run(scenario)


def test_an_open_stream_holds_no_database_connection(member_client: Client, workspace: Workspace) -> None:
    opened: list[BaseDatabaseWrapper] = []

    def note(connection: BaseDatabaseWrapper, **_: object) -> None:
        opened.append(connection)

    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            async with asyncio.timeout(5):
                while not opened or any(connection.connection for connection in opened):
                    await asyncio.sleep(0.02)

    connection_created.connect(note)
    try:
        run(scenario)
    finally:
        connection_created.disconnect(note)


def test_s09_strangers_former_members_and_nobody_get_no_stream(
    workspace: Workspace, outsider_client: Client, owner: User, member: User, member_client: Client
) -> None:
    other = Workspace.objects.create(name="Other")
    other.memberships.create(user=member, role=Role.OWNER)
    remove_member(membership=membership_of(member, workspace), actor=owner)
    path = reverse("workspaces:live", args=[workspace.public_id])
    assert outsider_client.get(path).status_code == 404
    assert member_client.get(path).status_code == 404
    assert Client().get(path).status_code == 302
    assert member_client.post(path).status_code == 405


def test_s16_a_removed_persons_stream_ends_at_once_and_others_stay(
    workspace: Workspace,
    owner: User,
    owner_client: Client,
    member: User,
    member_client: Client,
    redis_server: KillableRedis,
) -> None:
    async def scenario() -> None:
        async with stream_of(member_client, workspace) as theirs, stream_of(owner_client, workspace) as mine:
            await theirs.chunk()
            await mine.chunk()
            await sync_to_async(remove)()
            assert await theirs.event() == ("access", {})  # as everyone hears it, then that it is theirs
            assert await theirs.event() == LOST
            await asyncio.wait_for(theirs.is_over.wait(), 5)
            assert await mine.event() == ("access", {})
            await asyncio.sleep(0.1)
            assert not mine.is_over.is_set()

    def remove() -> None:
        remove_member(membership=membership_of(member, workspace), actor=owner)

    run(scenario)


def test_access_is_asked_for_again_by_and_by_even_if_nothing_was_announced(
    workspace: Workspace, member: User, member_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.05)

    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            await asyncio.sleep(0.3)
            assert not stream.is_over.is_set()
            await sync_to_async(lambda: membership_of(member, workspace).delete())()
            assert await stream.event() == LOST
            await asyncio.wait_for(stream.is_over.wait(), 5)

    run(scenario)


def test_a_changed_role_keeps_the_stream_open(
    workspace: Workspace, owner: User, member: User, member_client: Client, redis_server: KillableRedis
) -> None:
    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            await sync_to_async(demote)()
            assert await stream.event() == ("access", {})
            await asyncio.sleep(0.2)
            assert not stream.is_over.is_set()

    def demote() -> None:
        change_role(membership=membership_of(member, workspace), role=Role.VIEWER, actor=owner)

    run(scenario)


def test_signing_out_or_a_new_password_ends_that_persons_streams(
    workspace: Workspace, member: User, redis_server: KillableRedis
) -> None:
    def new_password() -> None:
        change_password(person=member, password="an entirely new passphrase")
        announce_access_change(person=member)

    def sign_out(client: Client) -> None:
        client.post("/sign-out/")

    async def ends(client: Client, act: Callable[[], None]) -> None:
        async with stream_of(client, workspace) as stream:
            await stream.chunk()
            await sync_to_async(act)()
            assert await stream.event() == ("access", {})
            assert await stream.event() == LOST

    first, second = client_of(member), client_of(member)

    async def scenario() -> None:
        await ends(first, lambda: sign_out(first))
        await ends(second, new_password)

    run(scenario)


def test_someone_removed_while_the_stream_opens_is_noticed(
    workspace: Workspace, member: User, member_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the view's check and the subscription an announcement would find nobody listening."""
    real = live.event_stream

    async def opened_late(reader: live.Reader) -> AsyncIterator[bytes]:
        await sync_to_async(lambda: membership_of(member, workspace).delete())()
        async for chunk in real(reader):
            yield chunk

    monkeypatch.setattr(live, "event_stream", opened_late)

    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            assert stream.status == 200
            assert await stream.event() == LOST

    run(scenario)


def test_the_stream_ends_when_events_may_have_been_missed(
    member_client: Client, workspace: Workspace, redis_server: KillableRedis
) -> None:
    async def scenario() -> None:
        async with stream_of(member_client, workspace) as stream:
            await stream.chunk()
            redis_server.kill()
            redis_server.start()
            await asyncio.wait_for(stream.is_over.wait(), 10)

    run(scenario)
