"""A function's figures in a few words, as the list of functions shows them."""

import pytest
from django.test import Client

from apps.functions.models import Function
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db


def teaser_of(function: Function) -> str:
    return f"/functions/{function.public_id}/teaser/"


@pytest.mark.parametrize(("who", "status"), [("member_client", 200), ("outsider_client", 404), ("client", 302)])
def test_members_see_it_and_strangers_do_not(
    who: str, status: int, text_function: Function, request: pytest.FixtureRequest
) -> None:
    assert request.getfixturevalue(who).get(teaser_of(text_function)).status_code == status


def test_it_counts_what_the_function_home_counts(text_function: Function, add: Add, owner_client: Client) -> None:
    add("Refund", "Refund")
    add("Refund", "Shipping")
    add("Shipping", "Shipping")
    add("Shipping")
    assert "2 of 3 right" in owner_client.get(teaser_of(text_function)).content.decode()


def test_before_anything_was_judged_it_says_nothing(text_function: Function, owner_client: Client) -> None:
    assert owner_client.get(teaser_of(text_function)).content.decode().strip() == ""
