"""Calls of a function that has learned nothing yet: a guess, said to be one, or the refusal that clients know."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from django.test import Client
from django.urls import reverse

from apps.engine import languages
from apps.functions.models import FieldType, Function, InputKind, OutputKind
from apps.functions.services import add_rule, describe_label
from tests.invoke.conftest import path_of
from tests.pictures import picture

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]

BEGINNING = "No model available to invoke function"
GERMAN = {"data": "Wo bleibt mein Paket, es ist schon sehr spät"}


def test_from_no_labels_it_answers_and_says_that_it_guesses(text_function: Function, post: Post) -> None:
    response = post(path_of(text_function), json={"data": "a refund please"})
    body = response.json()
    assert response.status_code == 200, body
    assert body["labelName"] == "Refund"
    assert body["labelId"] == text_function.labels.get(name="Refund").public_id
    assert 0 < body["confidence"] < 1
    assert (body["isTrained"], body["isCalibrated"]) == (False, False)
    assert "modelId" not in body
    assert body["decision"] == "review", "nobody lets a guess pass"


def test_descriptions_and_rules_count_within_a_second(text_function: Function, post: Post) -> None:
    shipping = text_function.labels.get(name="Shipping")
    describe_label(label=shipping, description="it never came")
    assert post(path_of(text_function), json={"data": "it never came"}).json()["labelName"] == "Shipping"
    add_rule(label=shipping, words="refund")
    # Another shape of the address is another slot of what was looked up.
    path = path_of(text_function).replace("function_", "")
    body = post(path, json={"data": "a refund please"}, params={"labelCount": 2}).json()
    assert body["labelName"] == "Shipping"
    assert [guess["labelName"] for guess in body["labelConfidences"]] == ["Shipping", "Refund"]


def test_once_trained_nothing_is_said_of_guessing(trained: Function, post: Post) -> None:
    body = post(path_of(trained), json={"data": "refund the charge"}).json()
    assert body["modelId"]
    assert "isTrained" not in body


def test_in_a_language_that_is_not_read_there_is_nothing_to_say(
    text_function: Function, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(languages._READ_BY, "tiny-text", frozenset({"en"}))
    response = post(path_of(text_function), json=GERMAN)
    assert response.status_code == 400
    assert response.json()["code"] == "no_model"
    assert response.json()["message"].startswith(BEGINNING)
    add_rule(label=text_function.labels.get(name="Shipping"), words="Paket")
    path = path_of(text_function).replace("function_", "")
    assert post(path, json=GERMAN).json()["labelName"] == "Shipping"


def test_pictures_are_refused_as_before(text_function: Function, post: Post) -> None:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.IMAGE)
    response = post(path_of(text_function), files={"data": ("a.png", picture("#f00"))})
    assert response.status_code == 400
    assert response.json()["message"].startswith(BEGINNING)


def test_rows_are_answered_by_rules_that_look_in_cells_and_not_in_their_names(
    text_function: Function, post: Post
) -> None:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.TABLE)
    text_function.fields.create(name="Status", type=FieldType.CATEGORY, position=0)
    add_rule(label=text_function.labels.get(name="Refund"), words="status")
    add_rule(label=text_function.labels.get(name="Shipping"), words="late")
    assert post(path_of(text_function), json={"data": {"Status": "late"}}).json()["labelName"] == "Shipping"
    assert post(path_of(text_function), json={"data": {"Status": "open"}}).json()["code"] == "no_model"


def test_tags_are_guessed_by_rules(text_function: Function, post: Post) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    for label in text_function.labels.select_related("function"):
        add_rule(label=label, words="broken")
    body = post(path_of(text_function), json={"data": "it came broken"}).json()
    assert {tag["labelName"] for tag in body["tags"]} == {"Refund", "Shipping"}
    assert body["isTrained"] is False


def test_the_box_on_the_page_says_that_it_guesses(text_function: Function, owner_client: Client) -> None:
    url = reverse("invoke:try_it", args=[text_function.public_id])
    answer = owner_client.post(url, {"text": "a refund please"}).content.decode()
    assert "Refund" in answer
    assert "Not trained yet" in answer
