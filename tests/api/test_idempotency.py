"""`Idempotency-Key`: what is sent again is answered as it was and does nothing more."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Unavailable
from apps.functions import services as functions
from apps.functions.models import Function
from apps.workspaces.models import ApiKey, IdempotentReply, Workspace
from apps.workspaces.services import idempotency
from tests.api.conftest import KeyClient, make_client

NEW = {"name": "Which desk?", "input": "Text", "output": "Classification"}
WORDS = {"Idempotency-Key": "b0a1-order-17"}


def make(client: KeyClient, body: object = None, words: dict[str, str] = WORDS, path: str = "/v1/functions") -> Any:
    return client.post(path, NEW if body is None else body, headers=words)


def test_the_same_request_again_is_answered_the_same_and_does_nothing(key_client: KeyClient) -> None:
    first, second = make(key_client), make(key_client)
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert second.headers["Content-Type"] == "application/json"
    assert Function.objects.count() == 1


def test_without_the_header_nothing_is_remembered(key_client: KeyClient) -> None:
    assert key_client.post("/v1/functions", NEW).status_code == 200
    assert not IdempotentReply.objects.exists()


def test_other_words_are_another_request(key_client: KeyClient) -> None:
    make(key_client)
    make(key_client, words={"Idempotency-Key": "another"})
    assert Function.objects.count() == 2


@pytest.mark.parametrize(
    ("body", "path"),
    [(NEW | {"name": "Another"}, "/v1/functions"), (None, "/v1/functions?x=1"), (None, "/v1/functions/x/labels")],
)
def test_another_request_under_the_same_words_is_refused(key_client: KeyClient, body: object, path: str) -> None:
    make(key_client)
    response = make(key_client, body, path=path)
    assert (response.status_code, response.json()["code"]) == (422, "other_request")
    assert Function.objects.count() == 1


def test_words_of_one_key_are_not_anothers(
    key_client: KeyClient, client_with: Callable[..., KeyClient], outsider_key_client: KeyClient
) -> None:
    for client in (key_client, client_with(), outsider_key_client):
        response = make(client)
        assert response.status_code == 200
        assert "Idempotent-Replayed" not in response.headers
    assert Function.objects.count() == 3


def test_a_refusal_is_answered_again_as_well(key_client: KeyClient) -> None:
    refused = make(key_client, {"name": "x", "input": "Sound", "output": "Classification"})
    again = make(key_client, {"name": "x", "input": "Sound", "output": "Classification"})
    assert refused.status_code == 400
    assert (again.content, again.headers["Idempotent-Replayed"]) == (refused.content, "true")


@pytest.mark.parametrize("words", ["", "x" * 201, "é", "tab\there"])
def test_words_are_short_and_printable(key_client: KeyClient, words: str) -> None:
    response = make(key_client, words={"Idempotency-Key": words})
    assert response.status_code == 400
    assert "Idempotency-Key" in response.json()["message"]
    assert not Function.objects.exists()


def test_while_the_first_is_at_work_the_second_is_told_to_come_back(
    key_client: KeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: list[Any] = []
    create = functions.create_function

    def slow(**fields: Any) -> Function:
        if not inner:
            inner.append(None)
            inner.append(make(key_client))
        return create(**fields)

    monkeypatch.setattr(functions, "create_function", slow)
    assert make(key_client).status_code == 200
    busy = inner[1]
    assert (busy.status_code, busy.json()["code"], busy.headers["Retry-After"]) == (409, "still_at_work", "1")
    assert make(key_client).headers["Idempotent-Replayed"] == "true"
    assert Function.objects.count() == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), Unavailable("The worker is away.")])
def test_what_failed_here_may_be_tried_again(
    key_client: KeyClient, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(**_fields: Any) -> Function:
        raise error

    key_client.http.raise_request_exception = False
    with monkeypatch.context() as patched:
        patched.setattr(functions, "create_function", fail)
        assert make(key_client).status_code >= 500
    assert make(key_client).status_code == 200
    assert Function.objects.count() == 1


def test_a_quota_that_was_raised_lets_the_same_request_through(key_client: KeyClient, settings: Any) -> None:
    settings.QUOTAS = settings.QUOTAS | {"max_functions": 1}
    Function.objects.create(workspace=Workspace.objects.get(), name="First", input_kind="text")
    assert make(key_client).status_code == 402
    settings.QUOTAS = settings.QUOTAS | {"max_functions": 2}
    assert make(key_client).status_code == 200


def test_a_process_that_died_frees_the_words_after_a_while(key_client: KeyClient) -> None:
    make(key_client)
    IdempotentReply.objects.update(status=None, body=b"", created_at=timezone.now())
    assert make(key_client).status_code == 409
    IdempotentReply.objects.update(created_at=timezone.now() - idempotency.DEAD_AFTER)
    assert make(key_client).status_code == 200
    assert Function.objects.count() == 2


def test_one_that_was_taken_for_dead_changes_nothing_any_more(key_client: KeyClient) -> None:
    make(key_client)
    row = IdempotentReply.objects.get()
    late = idempotency.Claim(row.pk, row.created_at - timedelta(minutes=6))
    idempotency.finish(late, status=418, body=b"late")
    idempotency.give_up(late)
    assert IdempotentReply.objects.get().status == 200


def test_answers_are_kept_for_a_day(key_client: KeyClient) -> None:
    make(key_client)
    IdempotentReply.objects.update(created_at=timezone.now() - timedelta(hours=23))
    assert idempotency.clear_old_replies() == 0
    assert make(key_client).headers["Idempotent-Replayed"] == "true"
    IdempotentReply.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert "Idempotent-Replayed" not in make(key_client, {**NEW, "name": "Next day"}).headers
    IdempotentReply.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert idempotency.clear_old_replies() == 1
    assert not IdempotentReply.objects.exists()


def test_an_answer_too_long_to_keep_is_said_so_and_not_made_twice(
    key_client: KeyClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_BODY_BYTES", 10)
    make(key_client)
    response = make(key_client)
    assert response.status_code == 409
    assert "was not kept" in response.json()["message"]
    assert "Retry-After" not in response.headers
    assert Function.objects.count() == 1


def test_a_form_sent_again_draws_another_boundary_and_is_the_same(
    key_client: KeyClient, text_function: Function
) -> None:
    path = f"/v1/functions/{text_function.public_id}/samples"

    def send(boundary: str, text: str = "money back") -> Any:
        part = f'--{boundary}\r\nContent-Disposition: form-data; name="data"\r\n\r\n{text}\r\n--{boundary}--\r\n'
        kind = f"multipart/form-data; boundary={boundary}"
        return key_client.http.post(path, part.encode(), content_type=kind, headers=WORDS)

    first, second = send("aaaa"), send("bbbb")
    assert first.status_code < 500
    assert (second.content, second.headers["Idempotent-Replayed"]) == (first.content, "true")
    assert send("cccc", "another text").status_code == 422


def test_a_body_larger_than_a_page_may_send_is_read_whole(
    key_client: KeyClient, text_function: Function, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    path = f"/v1/functions/{text_function.public_id}/samples"
    response = key_client.post(path, {"data": "x" * 5000}, headers=WORDS)
    assert response.status_code == 200
    assert text_function.samples.get().text == "x" * 5000


def test_a_key_that_lost_the_right_reads_no_old_answers(key_client: KeyClient) -> None:
    make(key_client)
    ApiKey.objects.update(actions=["view"])
    response = make(key_client)
    assert response.status_code == 403
    assert "Idempotent-Replayed" not in response.headers


def test_a_dead_key_gets_no_old_answers(key_client: KeyClient) -> None:
    make(key_client)
    ApiKey.objects.update(revoked_at=timezone.now())
    assert make(key_client).status_code == 401


def test_only_posts_are_remembered(key_client: KeyClient, text_function: Function) -> None:
    path = f"/v1/functions/{text_function.public_id}"
    for _ in range(2):
        response = key_client.put(path, {"name": "Other"}, headers=WORDS)
        assert (response.status_code, "Idempotent-Replayed" in response.headers) == (200, False)
    assert not IdempotentReply.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_carried_out(workspace: Workspace, owner: User) -> None:
    client = make_client(workspace, owner)

    def send(_index: int) -> tuple[int, bool]:
        try:
            response = make(KeyClient(client.key_text))
            return response.status_code, "Idempotent-Replayed" in response.headers
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, range(12)))
    assert {status for status, _replayed in answers} <= {200, 409}
    assert answers.count((200, False)) == 1
    assert Function.objects.count() == 1
