"""The hub of a web process: one Redis subscription, many streams, and what happens when Redis goes away."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
import redis
import redis.asyncio

from apps.events import live
from apps.events.channels import channel_of
from apps.events.live import Hub, LiveEvent, StreamEnded
from tests.private_redis import KillableRedis

HERE, THERE = "workspace_here", "workspace_there"


def publish(server: KillableRedis, workspace: str = HERE, *, subject: str = "function_a") -> None:
    with redis.Redis.from_url(server.url) as client:
        client.publish(channel_of(workspace), json.dumps({"kind": "predictions", "subject": subject, "data": {}}))


def n_subscriptions(server: KillableRedis) -> int:
    with redis.Redis.from_url(server.url) as client:
        return int(client.pubsub_numpat()) + len(client.pubsub_channels())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def within_time() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(within_time())


def test_every_stream_of_the_workspace_gets_the_event_and_no_other_does(redis_server: KillableRedis) -> None:
    async def scenario() -> None:
        hub = Hub(redis_server.url)
        async with hub.subscribe(HERE) as one, hub.subscribe(HERE) as two, hub.subscribe(THERE) as other:
            publish(redis_server)
            expected = LiveEvent("predictions", "function_a", {})
            assert await one.next(timeout_seconds=5) == expected
            assert await two.next(timeout_seconds=5) == expected
            assert await other.next(timeout_seconds=0.1) is None

    run(scenario)


def test_nothing_announced_after_entering_is_missed(redis_server: KillableRedis) -> None:
    async def scenario() -> None:
        for number in range(20):
            async with Hub(redis_server.url).subscribe(HERE) as events:
                publish(redis_server, subject=f"function_{number}")
                event = await events.next(timeout_seconds=5)
                assert event is not None
                assert event.subject == f"function_{number}"

    run(scenario)


def test_a_process_has_one_subscription_however_many_streams_and_none_without(redis_server: KillableRedis) -> None:
    async def scenario() -> None:
        hub = Hub(redis_server.url)
        async with hub.subscribe(HERE), hub.subscribe(HERE), hub.subscribe(THERE):
            assert hub.n_open == 3
            assert n_subscriptions(redis_server) == 1
        assert hub.n_open == 0
        await until(lambda: n_subscriptions(redis_server) == 0)
        async with hub.subscribe(HERE):
            assert n_subscriptions(redis_server) == 1

    run(scenario)


def test_streams_end_when_redis_comes_back_because_they_may_have_missed_events(redis_server: KillableRedis) -> None:
    async def scenario() -> None:
        hub = Hub(redis_server.url)
        async with hub.subscribe(HERE) as events:
            redis_server.kill()
            assert await events.next(timeout_seconds=0.3) is None
            redis_server.start()
            with pytest.raises(StreamEnded):
                await events.next(timeout_seconds=10)
            with pytest.raises(StreamEnded):
                await events.next(timeout_seconds=10)
        async with hub.subscribe(HERE) as events:
            publish(redis_server)
            assert await events.next(timeout_seconds=5) is not None

    run(scenario)


def test_a_stream_opens_without_redis_and_is_ended_when_it_comes(redis_server: KillableRedis) -> None:
    redis_server.kill()

    async def scenario() -> None:
        async with Hub(redis_server.url).subscribe(HERE) as events:
            assert await events.next(timeout_seconds=0.1) is None
            redis_server.start()
            with pytest.raises(StreamEnded):
                await events.next(timeout_seconds=10)

    run(scenario)


def test_a_redis_that_answers_nothing_more_is_noticed(
    redis_server: KillableRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(live, "CONNECT_SECONDS", 0.2)

    async def scenario() -> None:
        hub = Hub(redis_server.url)
        async with hub.subscribe(HERE) as events:
            await asyncio.sleep(0.5)
            assert hub.is_connected  # quiet is not dead: pings are answered
            redis_server.fall_silent()
            await until(lambda: not hub.is_connected)
            redis_server.wake()
            with pytest.raises(StreamEnded):
                await events.next(timeout_seconds=20)

    run(scenario)


def test_a_reader_too_slow_for_the_queue_is_ended_and_others_are_not(
    redis_server: KillableRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "QUEUE_LENGTH", 5)

    async def scenario() -> None:
        hub = Hub(redis_server.url)
        async with hub.subscribe(HERE) as slow, hub.subscribe(HERE) as quick:
            for _ in range(10):
                publish(redis_server)
                assert await quick.next(timeout_seconds=5) is not None
            with pytest.raises(StreamEnded):
                await slow.next(timeout_seconds=5)

    run(scenario)


def test_a_message_of_someone_else_on_the_channel_is_passed_over(redis_server: KillableRedis) -> None:
    async def scenario() -> None:
        async with Hub(redis_server.url).subscribe(HERE) as events:
            with redis.Redis.from_url(redis_server.url) as client:
                for strange in ("not json", "[]", "{}", "7", "null"):
                    client.publish(channel_of(HERE), strange)
            publish(redis_server)
            event = await events.next(timeout_seconds=5)
            assert event is not None
            assert event.kind == "predictions"

    run(scenario)


def test_a_stop_ends_every_stream_at_once(redis_server: KillableRedis) -> None:
    async def scenario() -> None:
        async with live.hub().subscribe(HERE) as one, live.hub().subscribe(THERE) as two:
            waiting = [asyncio.create_task(events.next(timeout_seconds=20)) for events in (one, two)]
            await asyncio.sleep(0.05)
            live.end_streams()
            results = await asyncio.gather(*waiting, return_exceptions=True)
            assert [type(result) for result in results] == [StreamEnded, StreamEnded]

    run(scenario)


def test_one_process_alone_has_streams_that_stay_quiet() -> None:
    async def scenario() -> None:
        async with live.hub().subscribe(HERE) as events:
            assert await events.next(timeout_seconds=0.05) is None

    run(scenario)


def test_an_event_is_encoded_as_the_browser_reads_it() -> None:
    event = LiveEvent("samples", "function_a", {"text": "two\nlines"})
    name, data, *rest = event.encode().decode().split("\n")
    assert name == "event: samples"
    assert json.loads(data.removeprefix("data: ")) == {"subject": "function_a", "data": {"text": "two\nlines"}}
    assert rest == ["", ""]
