"""Whatever is asked under the addresses of the API is answered in JSON, in one shape, and never by a redirect."""

import pytest
from django.db import OperationalError
from django.test import Client

from apps.functions.models import Function
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


@pytest.mark.parametrize("mount", ["", "/api.com"])
@pytest.mark.parametrize("prefix", ["", "function_"])
def test_the_page_that_a_client_tells_people_to_open_leads_to_that_of_the_function(
    member_client: Client, text_function: Function, mount: str, prefix: str
) -> None:
    bare = text_function.public_id.removeprefix("function_")
    response = member_client.get(f"{mount}/console/functions/{prefix}{bare}/train", follow=True)
    assert response.redirect_chain == [(f"/functions/{text_function.public_id}/", 302)]
    assert response.status_code == 200
    assert "Which desk?" in response.content.decode()


@pytest.mark.parametrize("shown", ["//evil.example", "%2F%2Fevil.example", "..%2F..%2Fsign-in", "a:b", "é"])
@pytest.mark.django_db
def test_such_a_page_leads_nowhere_else(client: Client, shown: str) -> None:
    assert client.get(f"/console/functions/{shown}/train").status_code == 404


@pytest.mark.parametrize("method", ["options", "patch", "trace"])
def test_a_method_that_an_address_has_not_is_refused_with_those_it_has(key_client: KeyClient, method: str) -> None:
    response = key_client.http.generic(method.upper(), "/v1/functions")
    assert response.status_code == 405
    assert set(response.json()) == BODY
    assert response["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/connect/token", "/v1/functions", "/sign-in/"])
@pytest.mark.parametrize("charset", ["punycode", "idna", "zlib", "undefined", "utf-7", "nonsense", "'"])
@pytest.mark.django_db
def test_a_writing_that_nobody_sends_is_refused_unread(client: Client, path: str, charset: str) -> None:
    """Reading punycode takes the square of its length, and anonymous callers could ask for it."""
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        response = client.generic("POST", path, b"b9" * 1000, f"{kind}; charset={charset}")
        assert response.status_code == 415
        assert set(response.json()) == BODY


@pytest.mark.parametrize("charset", ["utf-8", "UTF8", '"utf-8"', "us-ascii", "iso-8859-1"])
def test_writings_that_clients_send_are_read(key_client: KeyClient, charset: str) -> None:
    body = b'{"name": "Desks", "input": "Text", "output": "Tags"}'
    response = key_client.http.generic("POST", "/v1/functions", body, f"application/json; charset={charset}")
    assert response.status_code == 200


def test_a_database_that_does_not_answer_is_said_and_when_to_come_back(
    key_client: KeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_bearer: str) -> None:
        raise OperationalError("couldn't get a connection after 5.00 sec")

    monkeypatch.setattr("apps.api.authentication.authenticate", away)
    response = key_client.get("/v1/functions")
    assert (response.status_code, response["Retry-After"], response.json()["code"]) == (503, "1", "unavailable")
    assert "couldn't" not in response.content.decode()
