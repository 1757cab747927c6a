"""S53: too many requests are told when to come back, before anything is done for them."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from apps.workspaces import throttles
from tests.api.conftest import KeyClient


@pytest.fixture(autouse=True)
def fresh_process() -> Iterator[None]:
    throttles._throttle.cache_clear()
    yield
    throttles._throttle.cache_clear()


def test_a_key_that_asks_too_often_is_told_when_to_come_back(key_client: KeyClient, settings: Any) -> None:
    settings.KEY_RATE = 1
    answers = [key_client.get("/v1/functions") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["Retry-After"] == "1"
    body = answers[-1].json()
    assert (body["code"], body["requestId"]) == ("throttled", answers[-1].headers["X-Request-ID"])
    assert "one key may send 1 a second" in body["message"]


def test_one_keys_haste_does_not_hold_another_up(client_with: Callable[..., KeyClient], settings: Any) -> None:
    settings.KEY_RATE = 1
    hasty, calm = client_with("read"), client_with("read")
    statuses = [hasty.get("/v1/functions").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert calm.get("/v1/functions").status_code == 200


def test_an_address_is_held_up_whatever_it_shows_and_before_the_database_is_asked(
    key_client: KeyClient, settings: Any, django_assert_num_queries: Any
) -> None:
    settings.ADDRESS_RATE = 2
    stranger = Client(headers={"authorization": "Bearer nonsense"})
    assert [stranger.get("/v1/functions").status_code for _ in range(4)] == [401] * 4
    with django_assert_num_queries(0):
        assert stranger.get("/v1/functions").status_code == 429
        assert key_client.get("/v1/functions").status_code == 429
        assert Client().post("/connect/token").status_code == 429
    assert key_client.get("/v1/functions", REMOTE_ADDR="203.0.113.5").status_code == 200


def test_nothing_is_held_up_without_limits(key_client: KeyClient, settings: Any) -> None:
    settings.KEY_RATE = settings.ADDRESS_RATE = 0
    assert {key_client.get("/v1/functions").status_code for _ in range(20)} == {200}


@pytest.mark.parametrize(("path", "most"), [("/v1/functions", "1 MB"), ("/connect/token", "64 kB")])
def test_a_body_over_the_cap_is_413_before_it_is_read(
    key_client: KeyClient, settings: Any, path: str, most: str
) -> None:
    settings.API_MAX_BYTES = 1024**2
    response = key_client.post(path, "x" * (1024**2 + 1))
    assert response.status_code == 413
    assert response.json()["code"] == "too_large"
    assert most in response.json()["message"]
