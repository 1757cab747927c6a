"""A real Redis where events travel."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.private_redis import KillableRedis, killable_redis


@pytest.fixture
def redis_server(tmp_path: Path, settings: Settings) -> Iterator[KillableRedis]:
    """A private Redis that this test's code meets and that the test may maltreat."""
    with killable_redis(tmp_path) as server:
        settings.REDIS_URL, settings.IS_ALONE = server.url, False
        yield server
