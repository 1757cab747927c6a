"""Pictures over the API: sent as data, as files and as addresses, and given back by addresses that end."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable

import pytest
from django.core import signing
from django.test import Client
from PIL import Image

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.workspaces.models import ApiKey
from apps.workspaces.services import revoke_key
from tests.api.conftest import KeyClient
from tests.api.sample_calls import address_of, post, send_batch
from tests.pictures import data_uri, picture


def test_a_picture_comes_back_as_an_address_that_needs_no_key(
    key_client: KeyClient, image_function: Function, client: Client
) -> None:
    content = picture(size=(1600, 400))
    made = post(key_client, image_function, data_uri(content), annotation={"labelName": "Apple"})
    assert made["data"].startswith("http://testserver/v1/media/")
    response = client.get(made["data"], headers={"Accept": "image/png"})
    assert response.status_code == 200
    assert response["Content-Type"] == "image/jpeg"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert Image.open(io.BytesIO(response.content)).size == (1024, 256)
    assert key_client.post(address_of(image_function), {"data": data_uri(content)}).status_code == 409


def test_under_the_mount_pictures_have_addresses_under_the_mount(
    key_client: KeyClient, image_function: Function, client: Client
) -> None:
    post(key_client, image_function, data_uri(picture()))
    [sample] = key_client.get(f"/api.com{address_of(image_function)}").json()
    assert sample["data"].startswith("http://testserver/api.com/v1/media/")
    assert client.get(sample["data"]).status_code == 200


def test_an_address_of_a_picture_dies_by_itself_and_with_its_sample(
    key_client: KeyClient, image_function: Function, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = post(key_client, image_function, data_uri(picture()))
    for minutes, status in ((19, 200), (21, 404)):
        ago = signing.b62_encode(int(time.time()) - minutes * 60)
        monkeypatch.setattr(signing.TimestampSigner, "timestamp", lambda _signer, ago=ago: ago)
        earlier = key_client.get(address_of(image_function, made["id"])).json()["data"]
        assert client.get(earlier).status_code == status
    assert client.get(made["data"]).status_code == 200
    key_client.delete(address_of(image_function, made["id"]))
    assert client.get(made["data"]).status_code == 404


def test_an_address_of_a_picture_dies_with_the_key_it_was_given_out_for(
    client_with: Callable[..., KeyClient], image_function: Function, client: Client, owner: User
) -> None:
    addresses = [post(client_with(), image_function, data_uri(picture(colour)))["data"] for colour in ("red", "blue")]
    assert [client.get(address).status_code for address in addresses] == [200, 200]
    revoke_key(key=ApiKey.objects.earliest("pk"), actor=owner)
    assert [client.get(address).status_code for address in addresses] == [404, 200]
    owner.memberships.all().delete()
    assert [client.get(address).status_code for address in addresses] == [404, 404]


@pytest.mark.parametrize(
    "token",
    ["x", "x:y:z", "..%2F", signing.dumps(["sample_x", ""], salt="another")],
    ids=["short", "of three parts", "a path", "signed for something else"],
)
def test_an_address_that_was_not_made_here_opens_nothing(db: None, client: Client, token: str) -> None:
    response = client.get(f"/v1/media/{token}")
    assert response.status_code == 404
    assert set(response.json()) == {"message", "code", "requestId"}


@pytest.mark.parametrize("part", ["data", "picture"])
def test_a_picture_comes_as_a_form_too(key_client: KeyClient, image_function: Function, part: str) -> None:
    file = io.BytesIO(picture())
    file.name = "apple.png"
    fields = {part: file, "externalId": "e-1", "annotation.labelName": "Apple"}
    response = key_client.send_files(address_of(image_function), fields)
    assert response.status_code == 200, response.json()
    assert response.json()["externalId"] == "e-1"
    assert response.json()["annotation"]["labelName"] == "Apple"


@pytest.mark.parametrize(
    "data",
    [
        "not a picture",
        "data:image/png;base64,%%%",
        "data:image/png;base64,AAAA",
        17,
        None,
        {"a": 1},
        "file:///etc/passwd",
        "http://127.0.0.1/x.png",
        "http://169.254.169.254/latest",
        "http://[::1]/x",
    ],
)
def test_what_is_no_picture_is_refused(key_client: KeyClient, image_function: Function, data: object) -> None:
    response = key_client.post(address_of(image_function), {"data": data})
    assert response.status_code == 400
    assert not Sample.objects.exists()


def test_a_picture_on_the_web_is_fetched_through_the_guard(
    key_client: KeyClient, image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []

    def fetch(url: str, *, max_bytes: int, seconds: float = 10) -> bytes:
        asked.append((url, max_bytes))
        return picture("green")

    monkeypatch.setattr("apps.core.outbound.fetch", fetch)
    post(key_client, image_function, "https://example.org/apple.png")
    assert asked == [("https://example.org/apple.png", 20 * 1024 * 1024)]
    sent = [{"data": f"https://example.org/{number}.png"} for number in range(10)]
    body = send_batch(key_client, image_function, [*sent, {"data": "http://"}]).json()
    assert {url for url, _most in asked} == {"http://", "https://example.org/apple.png", *(one["data"] for one in sent)}
    assert [item["outcome"] for item in body["items"]] == ["duplicate"] * 11


def test_pictures_that_do_not_come_are_refused_and_the_others_kept(
    key_client: KeyClient, image_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()

    def fetch(url: str, *, max_bytes: int, seconds: float = 10) -> bytes:
        if "slow" in url:
            goes_on.wait(60)
        return picture("green")

    monkeypatch.setattr("apps.core.outbound.fetch", fetch)
    monkeypatch.setattr("apps.api.sample_batches.FETCH_SECONDS", 0.5)
    sent = ["https://example.org/quick.png", "https://example.org/slow.png", data_uri(picture("blue"))]
    body = send_batch(key_client, image_function, [{"data": data} for data in sent]).json()
    goes_on.set()
    assert [item["outcome"] for item in body["items"]] == ["added", "refused", "added"]
