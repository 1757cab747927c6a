"""Calls in the words of version 0.9, which existing clients of tags use."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from apps.functions.models import Function
from apps.invoke.asgi import InvokeApp
from tests.invoke.conftest import path_of
from tests.invoke.test_tags import tagged, text_about  # noqa: F401  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]


def old_path_of(function: Function) -> str:
    return path_of(function).replace("/v1/", "/v0.9/")


def test_tags_are_a_bare_list_of_those_that_are_there(tagged: Function, post: Post) -> None:  # noqa: F811
    body = post(old_path_of(tagged), json={"data": text_about(0b101, 99)}).json()
    assert isinstance(body, list)
    assert {tag["labelName"] for tag in body} == {"Food", "Money"}
    assert all(set(tag) == {"labelName", "labelId", "confidence"} for tag in body)
    assert body == post(path_of(tagged), json={"data": text_about(0b101, 99)}).json()["tags"]


def test_where_no_tag_is_there_the_list_is_empty(tagged: Function, post: Post) -> None:  # noqa: F811
    response = post(old_path_of(tagged), json={"data": text_about(0, 99)})
    assert (response.status_code, response.json()) == (200, [])


def test_one_label_is_answered_with_its_name_in_both_words(trained: Function, post: Post) -> None:
    text = {"data": "i want a refund"}
    old, new = post(old_path_of(trained), json=text).json(), post(path_of(trained), json=text).json()
    assert old == new | {"name": new["labelName"]}


@pytest.mark.parametrize("shape", ["/api.com{path}", "{path}/", "/api.com{path}/"])
def test_every_shape_of_address_answers(trained: Function, post: Post, app: InvokeApp, shape: str) -> None:
    path = shape.format(path=old_path_of(trained))
    assert app.handles(path)
    assert post(path, json={"data": "i want a refund"}).json()["name"] == "Refund"


def test_a_refusal_has_the_same_shape_as_ever(tagged: Function, post: Post) -> None:  # noqa: F811
    response = post(old_path_of(tagged), json={"data": 7})
    assert response.status_code == 400
    assert set(response.json()) == {"message", "code", "requestId"}
