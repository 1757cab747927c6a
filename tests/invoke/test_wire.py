"""Every answer of POST /v1/functions/{id}/invoke, through a real ASGI client."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from django.db import OperationalError
from pytest_django import Settings

from apps.accounts.models import User
from apps.engine.errors import BackboneUnavailable
from apps.functions.models import Function
from apps.functions.services import delete_function
from apps.invoke import incoming, lookup
from apps.invoke.asgi import InvokeApp
from apps.invoke.gate import Gate
from apps.invoke.lookup import Lookup
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.training.models import TrainedModel
from apps.training.services import towers
from apps.workspaces.models import ApiKey, Workspace
from apps.workspaces.roles import Action
from apps.workspaces.services import create_key, revoke_key
from tests.invoke.conftest import Run, path_of
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]

TEXT = {"data": "i want my money back, a refund"}


def assert_refused(response: httpx.Response, status: int, code: str) -> str:
    """Check the one shape of errors and return the message."""
    body = response.json()
    assert response.status_code == status, body
    assert set(body) == {"message", "code", "requestId"}
    assert body["code"] == code
    assert body["requestId"] == response.headers["x-request-id"]
    assert "access-control-allow-origin" not in response.headers
    return str(body["message"])


class TestAnswers:
    def test_a_text_is_answered_with_label_and_confidence(self, trained: Function, post: Post) -> None:
        response = post(path_of(trained), json=TEXT)
        model = TrainedModel.objects.get(function=trained, is_live=True)
        body = response.json()
        assert response.status_code == 200
        assert set(body) == {"labelName", "labelId", "confidence", "decision", "modelId"}
        assert body["labelName"] == "Refund"
        assert body["labelId"] == trained.labels.get(name="Refund").public_id
        assert body["modelId"] == model.public_id
        assert 0.5 < body["confidence"] <= 1

    @pytest.mark.parametrize("shape", ["/v1/functions/{id}/invoke", "/v1/functions/{id}/invoke/"])
    @pytest.mark.parametrize("mount", ["", "/api.com"])
    @pytest.mark.parametrize("has_prefix", [True, False])
    def test_every_shape_of_address_answers(
        self, trained: Function, post: Post, app: InvokeApp, shape: str, mount: str, has_prefix: bool
    ) -> None:
        public_id = trained.public_id if has_prefix else trained.public_id.removeprefix("function_")
        path = mount + shape.format(id=public_id)
        assert app.handles(path)
        assert post(path, json=TEXT).status_code == 200

    @pytest.mark.parametrize("path", ["/", "/v1/functions", "/v1/functions/x/invokes", "/v1/functions/a/b/invoke"])
    def test_other_addresses_are_left_to_others(self, app: InvokeApp, path: str) -> None:
        assert not app.handles(path)

    def test_what_the_official_package_sends_is_accepted(self, trained: Function, post: Post) -> None:
        body = {**TEXT, "externalId": None, "metadata": None, "somethingNew": [1]}
        headers = {"Nyckel-Client-Name": "python-sdk"}
        assert post(path_of(trained) + "?modelId=&capture=false", json=body, headers=headers).status_code == 200

    def test_names_in_the_body_compare_without_case(self, trained: Function, post: Post) -> None:
        assert post(path_of(trained), json={"Data": TEXT["data"]}).json()["labelName"] == "Refund"

    def test_label_count_adds_the_likeliest_labels(self, trained: Function, post: Post) -> None:
        body = post(path_of(trained) + "?labelCount=5", json=TEXT).json()
        confidences = [entry["confidence"] for entry in body["labelConfidences"]]
        assert [entry["labelName"] for entry in body["labelConfidences"]] == ["Refund", "Shipping"]
        assert confidences[0] == body["confidence"]
        assert sum(confidences) == pytest.approx(1, abs=1e-5)

    def test_metadata_of_the_label_comes_when_asked_for(self, trained: Function, post: Post) -> None:
        trained.labels.filter(name="Refund").update(metadata={"desk": "7"})
        assert post(path_of(trained) + "?includeMetadata=true", json=TEXT).json()["labelMetadata"] == {"desk": "7"}

    def test_the_callers_own_id_comes_back(self, trained: Function, post: Post) -> None:
        assert post(path_of(trained), json={**TEXT, "externalId": "ticket-7"}).json()["externalId"] == "ticket-7"
        assert post(path_of(trained) + "?externalId=q-8", json=TEXT).json()["externalId"] == "q-8"

    def test_the_current_model_may_be_named(self, trained: Function, post: Post) -> None:
        model = TrainedModel.objects.get(function=trained, is_live=True)
        assert post(f"{path_of(trained)}?modelId={model.public_id}", json=TEXT).status_code == 200
        assert_refused(post(path_of(trained) + "?modelId=other", json=TEXT), 404, "not_found")

    def test_a_text_function_takes_a_form_field_too(self, trained: Function, post: Post) -> None:
        response = post(path_of(trained), files={"data": (None, TEXT["data"])})
        assert response.json()["labelName"] == "Refund"

    @pytest.mark.parametrize("part", ["data", "image"])
    def test_a_picture_is_taken_as_data_or_as_the_only_file(
        self, trained_pictures: Function, post: Post, part: str
    ) -> None:
        response = post(path_of(trained_pictures), files={part: ("x.png", picture("#e00"), "image/png")})
        assert response.json()["labelName"] == "Red"

    def test_a_picture_is_taken_as_data_uri(self, trained_pictures: Function, post: Post) -> None:
        # The official package writes jpg where the registered name is jpeg.
        uri = "data:image/jpg;base64," + base64.b64encode(picture("#00e", kind="JPEG")).decode()
        assert post(path_of(trained_pictures), json={"data": uri}).json()["labelName"] == "Blue"

    def test_every_answer_leaves_a_row(
        self, trained: Function, post: Post, predictions: Predictions, key: tuple[ApiKey, str]
    ) -> None:
        answers = [post(path_of(trained), json=TEXT).json() for _ in range(3)]
        predictions.recorder.flush()
        rows = Invocation.objects.filter(function=trained)
        assert rows.count() == 3
        row = rows.latest("id")
        assert row.confidence == pytest.approx(answers[0]["confidence"])
        assert row.label == trained.labels.get(name="Refund")
        assert row.key == key[0]
        assert row.milliseconds > 0


class TestRefusals:
    def test_without_a_key(self, trained: Function, run: Run) -> None:
        response = run(lambda client: client.post(path_of(trained), json=TEXT))
        assert_refused(response, 401, "not_signed_in")
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Basic abc", "Bearer hf_short", "Bearer \xe9"])
    def test_with_something_else_than_a_key(self, trained: Function, post: Post, header: str) -> None:
        response = post(path_of(trained), json=TEXT, headers={"Authorization": header.encode("latin-1")})
        assert_refused(response, 401, "not_signed_in")

    def test_a_key_in_the_address_is_no_key(self, trained: Function, run: Run, secret: str) -> None:
        response = run(lambda client: client.post(f"{path_of(trained)}?key={secret}", json=TEXT))
        assert_refused(response, 401, "not_signed_in")

    def test_a_changed_secret(self, trained: Function, post: Post, secret: str) -> None:
        wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
        response = post(path_of(trained), json=TEXT, headers={"Authorization": f"Bearer {wrong}"})
        assert_refused(response, 401, "not_signed_in")

    def test_somebody_elses_function_reads_as_none(
        self, trained: Function, run: Run, outsider: User, post: Post
    ) -> None:
        elsewhere = Workspace.objects.get(memberships__user=outsider)
        _key, secret = create_key(workspace=elsewhere, owner=outsider, name="Theirs", actions=[Action.INVOKE])
        headers = {"Authorization": f"Bearer {secret}"}
        theirs = assert_refused(post(path_of(trained), json=TEXT, headers=headers), 404, "not_found")
        nobodys = assert_refused(post("/v1/functions/nothing/invoke", json=TEXT, headers=headers), 404, "not_found")
        assert theirs == nobodys

    def test_a_key_without_the_right_to_invoke(
        self, trained: Function, post: Post, workspace: Workspace, owner: User
    ) -> None:
        _key, secret = create_key(workspace=workspace, owner=owner, name="Reader", actions=[Action.VIEW])
        response = post(path_of(trained), json=TEXT, headers={"Authorization": f"Bearer {secret}"})
        assert_refused(response, 403, "not_allowed")

    def test_a_function_without_a_model_says_so_in_the_known_words(
        self, trained_pictures: Function, post: Post
    ) -> None:
        TrainedModel.objects.filter(function=trained_pictures).update(is_live=False)
        trained_pictures.samples.all().delete()
        message = assert_refused(post(path_of(trained_pictures), json=TEXT), 400, "no_model")
        assert "No model available to invoke function" in message
        assert "Label" in message

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"])
    def test_other_methods(self, trained: Function, run: Run, method: str) -> None:
        response = run(lambda client: client.request(method, path_of(trained)))
        assert_refused(response, 405, "method_not_allowed")
        assert response.headers["allow"] == "POST"

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b'"text"',
            b"\xff\xfe",
            b'{"data": 7}',
            b'{"data": null}',
            b'{"data": ""}',
            b'{"data": "\\ud800"}',
            b'{"data": "a", "externalId": 7}',
            b"[" * 100_000,
        ],
    )
    def test_unreadable_texts(self, trained: Function, post: Post, content: bytes) -> None:
        response = post(path_of(trained), content=content, headers={"Content-Type": "application/json"})
        assert_refused(response, 400, "invalid_input")

    @pytest.mark.parametrize("query", ["labelCount=many", "labelCount=-1", "includeMetadata=perhaps"])
    def test_unreadable_options(self, trained: Function, post: Post, query: str) -> None:
        assert_refused(post(f"{path_of(trained)}?{query}", json=TEXT), 400, "invalid_input")

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            ("http://127.0.0.1/cat.jpg", "public internet"),
            ("https://[::1]/cat.jpg", "public internet"),
            ("not a picture", "data URI"),
            ("data:image/png;base64,@@@@", "base64"),
            ("data:image/png;base64," + base64.b64encode(b"GIF8 not really").decode(), "picture"),
        ],
    )
    def test_unreadable_pictures(self, trained_pictures: Function, post: Post, data: str, words: str) -> None:
        message = assert_refused(post(path_of(trained_pictures), json={"data": data}), 400, "invalid_input")
        assert words in message

    def test_a_form_without_a_clear_picture(self, trained_pictures: Function, post: Post) -> None:
        two = [("a", ("a.png", picture("red"))), ("b", ("b.png", picture("blue")))]
        assert_refused(post(path_of(trained_pictures), files=two), 400, "invalid_input")
        broken = {"Content-Type": "multipart/form-data"}
        assert_refused(post(path_of(trained_pictures), content=b"--x", headers=broken), 400, "invalid_input")

    def test_a_text_that_is_too_long(self, trained: Function, post: Post) -> None:
        assert_refused(post(path_of(trained), json={"data": "a" * 100_001}), 413, "too_large")

    def test_a_declared_size_over_the_cap_is_refused_unread(
        self, trained: Function, post: Post, settings: Settings
    ) -> None:
        settings.INVOKE_MAX_BYTES = 1000
        assert_refused(post(path_of(trained), content=b"x" * 1001), 413, "too_large")

    def test_a_streamed_body_is_cut_at_the_cap(
        self, trained: Function, run: Run, secret: str, settings: Settings
    ) -> None:
        settings.INVOKE_MAX_BYTES = 100_000
        n_sent = 0

        async def endless() -> AsyncIterator[bytes]:
            nonlocal n_sent
            while True:
                n_sent += 10_000
                yield b"x" * 10_000

        async def send(client: httpx.AsyncClient) -> httpx.Response:
            return await client.post(path_of(trained), content=endless(), headers={"Authorization": f"Bearer {secret}"})

        assert_refused(run(send), 413, "too_large")
        assert n_sent <= 130_000

    def test_over_capacity_callers_are_asked_to_come_back(
        self, trained: Function, predictions: Predictions, secret: str
    ) -> None:
        app = InvokeApp(service=predictions, gate=Gate(max_calls=0, max_bytes=1))
        with_no_room = _call_with(app, path_of(trained), secret)
        assert_refused(with_no_room, 503, "unavailable")
        assert with_no_room.headers["retry-after"] == "1"

    def test_bodies_have_only_so_much_room_together(
        self, trained: Function, predictions: Predictions, secret: str
    ) -> None:
        gate = Gate(max_calls=9, max_bytes=5)
        app = InvokeApp(service=predictions, gate=gate)
        assert_refused(_call_with(app, path_of(trained), secret), 503, "unavailable")
        assert (gate.n_calls, gate.n_bytes) == (0, 0)

    def test_a_body_that_does_not_come_is_not_waited_for(
        self, trained: Function, run: Run, secret: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(incoming, "BODY_SECONDS", 0.05)

        async def hanging() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.Event().wait()

        async def send(client: httpx.AsyncClient) -> httpx.Response:
            headers = {"Authorization": f"Bearer {secret}"}
            return await client.post(path_of(trained), content=hanging(), headers=headers)

        refused = run(send)
        assert_refused(refused, 408, "too_slow")
        assert refused.headers["connection"] == "close"

    def test_without_the_backbone_or_the_database_callers_are_asked_to_come_back(
        self, trained: Function, trained_pictures: Function, post: Post, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def missing(_name: str) -> None:
            raise BackboneUnavailable("Install the weights.")

        monkeypatch.setattr(towers, "backbone", missing)
        sent = {"data": ("a.png", picture("red"))}
        assert "Install" not in assert_refused(post(path_of(trained_pictures), files=sent), 503, "unavailable")

        def away(*_asked: str) -> None:
            raise OperationalError("gone")

        monkeypatch.setattr(lookup, "admit", away)
        response = post(path_of(trained).replace("function_", ""), json=TEXT)
        assert "gone" not in assert_refused(response, 503, "unavailable")
        assert response.headers["retry-after"] == "1"

    def test_a_fault_of_ours_is_said_without_its_insides(
        self, trained: Function, predictions: Predictions, secret: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_arguments: object) -> None:
            raise ZeroDivisionError("secret inside")

        monkeypatch.setattr(predictions, "submit", fail)
        response = _call_with(InvokeApp(service=predictions), path_of(trained), secret)
        message = assert_refused(response, 500, "internal_error")
        assert "secret" not in message


def _call_with(app: InvokeApp, path: str, secret: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # httpx types ASGI loosely
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await client.post(path, json=TEXT, headers={"Authorization": f"Bearer {secret}"})

    return asyncio.run(send())


class TestChangesAreSeen:
    """Within a second, which the clock of the look-up measures."""

    def test_a_revoked_key_and_a_deleted_function(
        self, trained: Function, predictions: Predictions, key: tuple[ApiKey, str], owner: User, workspace: Workspace
    ) -> None:
        now = 100.0
        app = InvokeApp(service=predictions, lookup=Lookup(clock=lambda: now))
        assert _call_with(app, path_of(trained), key[1]).status_code == 200
        revoke_key(key=key[0], actor=owner)
        now += 1.0
        assert_refused(_call_with(app, path_of(trained), key[1]), 401, "not_signed_in")
        _other, secret = create_key(workspace=workspace, owner=owner, name="Second", actions=[Action.INVOKE])
        assert _call_with(app, path_of(trained), secret).status_code == 200
        delete_function(function=trained, actor=owner)
        now += 1.0
        assert_refused(_call_with(app, path_of(trained), secret), 404, "not_found")

    def test_without_its_model_a_function_guesses_again(self, post: Post, trained: Function) -> None:
        TrainedModel.objects.filter(function=trained).update(is_live=False)
        assert post(path_of(trained), json=TEXT).json()["isTrained"] is False


def test_a_caller_who_goes_away_gets_nothing(trained: Function, app: InvokeApp, secret: str) -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path_of(trained),
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {secret}".encode())],
    }
    asyncio.run(app(scope, receive, send))  # type: ignore[arg-type]  # as much of a scope as is read
    assert sent == []


def test_errors_are_json_with_their_length(trained: Function, run: Run) -> None:
    response = run(lambda client: client.post(path_of(trained), json=TEXT))
    assert response.headers["content-type"] == "application/json"
    assert int(response.headers["content-length"]) == len(response.content)
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(response.content)
