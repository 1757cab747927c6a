"""Calls sent again under the same words are answered as before, and ask no model."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from apps.functions.models import Function
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from tests.invoke.conftest import path_of

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
WORDS = {"Idempotency-Key": "5f0c-1"}
TEXT = {"data": "a refund please"}


def test_the_same_call_is_answered_once(trained: Function, post: Post, predictions: Predictions) -> None:
    first, again = (post(path_of(trained), json=TEXT, headers=WORDS) for _ in range(2))
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    predictions.recorder.flush()
    assert Invocation.objects.count() == 1


def test_so_is_one_of_many_inputs_and_one_that_was_refused(
    trained: Function, post: Post, predictions: Predictions
) -> None:
    batch = {"items": [TEXT, {"data": 7}]}
    path = f"{path_of(trained)}/batch"
    first, again = (post(path, json=batch, headers=WORDS).json() for _ in range(2))
    assert first == again
    wrong = [post(path_of(trained), json={"data": 7}, headers={"Idempotency-Key": "other"}) for _ in range(2)]
    assert [each.status_code for each in wrong] == [400, 400]
    assert wrong[0].json()["message"] == wrong[1].json()["message"]


def test_another_call_under_the_same_words_is_refused(trained: Function, post: Post) -> None:
    assert post(path_of(trained), json=TEXT, headers=WORDS).status_code == 200
    other = post(path_of(trained), json={"data": "my parcel"}, headers=WORDS)
    assert 400 <= other.status_code < 500
    assert "Idempotency-Key" in other.json()["message"]


def test_after_a_fault_of_ours_it_is_tried_again(
    trained: Function, post: Post, predictions: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(predictions, "submit", fail)
        assert post(path_of(trained), json=TEXT, headers=WORDS).status_code == 500
    assert post(path_of(trained), json=TEXT, headers=WORDS).status_code == 200


def test_words_that_are_none_are_refused(trained: Function, post: Post) -> None:
    for words in ("", "x" * 201):
        assert post(path_of(trained), json=TEXT, headers={"Idempotency-Key": words}).status_code == 400
