"""`/connect/token` on the wire."""

import base64
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import authenticate, authentication, create_key

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(autouse=True)
def fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "_guesses", authentication._Guesses())


@pytest.fixture
def pair(workspace: Workspace, owner: User) -> tuple[ApiKey, str]:
    return create_key(workspace=workspace, owner=owner, name="Help desk", actions=[Action.VIEW])


@pytest.fixture
def form(pair: tuple[ApiKey, str]) -> dict[str, str]:
    return {"grant_type": "client_credentials", "client_id": pair[0].client_id, "client_secret": pair[1]}


def post(form: dict[str, str], path: str = "/connect/token", **headers: Any) -> Any:
    body = "&".join(f"{name}={value}" for name, value in form.items())
    return Client(enforce_csrf_checks=True).post(path, body, content_type=FORM, headers=headers)


@pytest.mark.parametrize("path", ["/connect/token", "/connect/token/", "/api.com/connect/token"])
def test_a_form_gets_a_token_everywhere_clients_ask(form: dict[str, str], pair: tuple[ApiKey, str], path: str) -> None:
    response = post(form, path)
    assert response.status_code == 200
    reply = response.json()
    assert authenticate(reply.pop("access_token")) == pair[0]
    assert reply == {"token_type": "Bearer", "expires_in": 3600}
    assert response.headers["Cache-Control"] == "no-store"


def test_json_does_as_well(form: dict[str, str]) -> None:
    response = Client().post("/connect/token", form | {"scope": None, "odd": 1}, content_type="application/json")
    assert response.status_code == 200


def test_the_pair_may_come_in_a_basic_header(form: dict[str, str]) -> None:
    text = base64.b64encode(f"{form['client_id']}:{form['client_secret']}".encode()).decode()
    response = post({"grant_type": "client_credentials"}, Authorization=f"Basic {text}")
    assert response.status_code == 200


def test_a_wrong_pair_is_401_in_both_tongues(form: dict[str, str]) -> None:
    wrong = [
        post(form | {"client_secret": "hf_aaaaaaaaaaaa_" + "A" * 43}),
        post(form | {"client_secret": "of my own choice"}),
        post(form | {"client_id": "hf_aaaaaaaaaaaa"}),
        post(form | {"client_id": "somebody", "client_secret": "of my own choice"}),
    ]
    assert [response.status_code for response in wrong] == [401] * 4
    assert len({response.json()["message"] for response in wrong}) == 1
    for response in wrong:
        assert (response.json()["error"], response.json()["code"]) == ("invalid_client", "not_signed_in")
        assert response.json()["requestId"] == response.headers["X-Request-ID"]
        assert response.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "invalid_request"),
        ({"client_id": ""}, "invalid_request"),
        ({"client_secret": ""}, "invalid_request"),
        ({"client_secret": "x" * 1001}, "invalid_request"),
        ({"client_id": "a%00b"}, "invalid_request"),
    ],
)
def test_a_form_that_lacks_something_is_400(form: dict[str, str], change: dict[str, str], error: str) -> None:
    response = post(form | change)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.json()["message"]


@pytest.mark.parametrize(
    "header", ["Basic", "Basic !!!", "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Basic YQ=="]
)
def test_a_basic_header_that_cannot_be_read_is_400(header: str) -> None:
    response = post({"grant_type": "client_credentials"}, Authorization=header)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "json", 400),
        ("[]", "json", 400),
        ("1", "json", 400),
        ("x", "csv", 415),
    ],
)
def test_other_bodies_are_refused_in_words(body: str, kind: str, status: int) -> None:
    response = Client().post("/connect/token", body, content_type=f"application/{kind}")
    assert (response.status_code, response.json()["error"]) == (status, "invalid_request")


def test_many_wrong_tries_are_429_with_when_to_come_back(form: dict[str, str]) -> None:
    authentication._guesses._addresses.take("127.0.0.1", 60)
    response = post(form | {"client_secret": "of my own choice"})
    assert (response.status_code, response.json()["error"]) == (429, "temporarily_unavailable")
    assert int(response.headers["Retry-After"]) >= 1


def test_only_post_is_taken_and_cookies_are_not_looked_at(owner_client: Client, form: dict[str, str]) -> None:
    response = owner_client.get("/connect/token")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert owner_client.post("/connect/token", {"grant_type": "client_credentials"}).status_code == 400


def test_s57_secret_and_token_are_in_no_log_line(form: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    token = post(form).json()["access_token"]
    post(form | {"grant_type": "password"})
    written = "".join(capfd.readouterr())
    assert form["client_secret"][16:] not in written
    assert token[25:] not in written


def test_strangers_bodies_are_small_and_flat() -> None:
    client = Client(enforce_csrf_checks=True)
    deep = client.post("/connect/token", "[" * 50_000, content_type="application/json")
    assert (deep.status_code, deep.json()["error"]) == (400, "invalid_request")
    long = client.post("/connect/token", "client_id=" + "x" * 70_000, content_type=FORM)
    assert (long.status_code, long.json()["error"]) == (413, "invalid_request")
    assert "64 kB" in long.json()["message"]
