"""How people work together on a function: what may be chosen, and that choosing it is kept and recorded."""

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.models import Event
from apps.functions.models import DecidedBy, Function, ReviewLevel
from apps.functions.services.teamwork import Teamwork, set_teamwork

FORM = {
    "overlap_share": "10",
    "overlap_people": "3",
    "decided_by": "adjudicator",
    "review_level": "spot",
    "review_share": "20",
    "gold_share": "5",
    "gold_bar": "90",
    "is_machine_first": "on",
}


def address(function: Function) -> str:
    return reverse("functions:teamwork_page", args=[function.public_id])


def test_the_page_shows_what_holds_and_keeps_what_is_chosen(text_function: Function, owner_client: Client) -> None:
    assert 'id="id_overlap_people" min="2" max="7" required value="2"' in str(
        owner_client.get(address(text_function)).content
    )
    response = owner_client.post(address(text_function), FORM)
    assert response.status_code == 302
    text_function.refresh_from_db()
    assert Teamwork.of(text_function) == Teamwork(0.1, 3, DecidedBy.ADJUDICATOR, ReviewLevel.SPOT, 0.2, 0.05, 0.9, True)
    event = Event.objects.get(kind="function.teamwork_changed")
    assert event.data["overlap_share"] == 0.1
    assert "gold_share" not in event.data  # it was so before


@pytest.mark.parametrize(
    ("name", "value"), [("overlap_share", "101"), ("overlap_people", "1"), ("decided_by", "me"), ("gold_share", "31")]
)
def test_what_cannot_be_meant_is_refused_with_the_page(
    text_function: Function, owner_client: Client, name: str, value: str
) -> None:
    response = owner_client.post(address(text_function), FORM | {name: value})
    assert response.status_code == 422
    text_function.refresh_from_db()
    assert text_function.overlap_share == 0


def test_labelers_may_not_change_it(text_function: Function, member_client: Client) -> None:
    assert member_client.post(address(text_function), FORM).status_code == 403


def test_choosing_what_holds_already_records_nothing(text_function: Function, owner: User) -> None:
    set_teamwork(function=text_function, teamwork=Teamwork.of(text_function), actor=owner)
    assert not Event.objects.filter(kind="function.teamwork_changed").exists()


def test_the_service_refuses_what_a_form_would(text_function: Function, owner: User) -> None:
    odd = replace(Teamwork.of(text_function), gold_share=0.9)
    with pytest.raises(InvalidInput, match="known answer"):
        set_teamwork(function=text_function, teamwork=odd, actor=owner)
