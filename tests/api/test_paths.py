"""Whatever is asked under the addresses of the API is answered in JSON, in one shape, and never by a redirect."""

import pytest
from django.test import Client

from tests.api.conftest import KeyClient

BODY = {"message", "code", "requestId"}


@pytest.mark.parametrize("path", ["/v1/nothing", "/v0.9/", "/v1", "/api.com/v1/nothing/", "/api.com/", "/connect/x"])
@pytest.mark.django_db
def test_an_address_that_does_not_exist_is_said_in_json(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert set(response.json()) == BODY
    assert response.json()["requestId"] == response["X-Request-ID"]


@pytest.mark.django_db
def test_pages_are_not_reached_through_the_mount(client: Client) -> None:
    response = client.get("/api.com/sign-in/")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/json"


@pytest.mark.parametrize("method", ["options", "patch", "trace"])
def test_a_method_that_an_address_has_not_is_refused_with_those_it_has(key_client: KeyClient, method: str) -> None:
    response = key_client.http.generic(method.upper(), "/v1/functions")
    assert response.status_code == 405
    assert set(response.json()) == BODY
    assert response["Allow"] == "GET, HEAD, POST"
