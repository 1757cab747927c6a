"""Selecting many samples of a list: the same filter, without anything else to press in its lines."""

import re

import pytest
from django.test import Client

from apps.functions.models import Function
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db


def test_it_shows_what_the_list_showed(text_function: Function, add: Add, owner_client: Client) -> None:
    add("Refund", "Refund")
    wrong = add("Refund", "Shipping")
    path = f"/functions/{text_function.public_id}/samples/select/?verdict=wrong"
    for asked in (path, f"{path}&items="):
        html = owner_client.get(asked).content.decode()
        assert re.findall(r'data-sample="([^"]+)"', html) == [wrong.public_id]
    assert "<html" not in owner_client.get(f"{path}&items=").content.decode()


def test_options_hold_nothing_to_press(text_function: Function, add: Add, owner_client: Client) -> None:
    add("Refund", "Shipping")
    html = owner_client.get(f"/functions/{text_function.public_id}/samples/select/?items=").content.decode()
    assert not re.search(r"<(a|button|input)\b", html)


def test_only_filters_and_only_reviewers(
    text_function: Function, owner_client: Client, member_client: Client, outsider_client: Client
) -> None:
    path = f"/functions/{text_function.public_id}/samples/select/"
    assert owner_client.get(path).status_code == 200
    assert owner_client.get(f"{path}?nonsense=1").status_code == 400
    assert member_client.get(path).status_code == 403
    assert outsider_client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["samples/select/", "review/provisional/"])
def test_the_labels_beside_the_list_know_what_they_need(
    text_function: Function, owner_client: Client, path: str
) -> None:
    html = owner_client.get(f"/functions/{text_function.public_id}/{path}").content.decode()
    dock = re.search(r'<section id="label-dock".*?</section>', html, re.DOTALL)
    assert dock is not None
    assert int(re.findall(r'data-most="(\d+)"', dock[0])[0]) > 100
    assert len(re.findall(r"data-place=", dock[0])) == 2
