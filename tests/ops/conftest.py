"""A real `up` for one test, to be killed and maltreated; and a Redis for tests that need one without the rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.live_up import LiveUp, running_up
from tests.private_redis import killable_redis


@pytest.fixture
def up(tmp_path: Path) -> Iterator[LiveUp]:
    with running_up(tmp_path / "data") as live:
        yield live


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private Redis for the tests of this process."""
    with killable_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


@pytest.fixture
def with_redis(settings: Settings, redis_url: str) -> None:
    """Have this test's code meet that Redis."""
    settings.REDIS_URL, settings.IS_ALONE = redis_url, False
