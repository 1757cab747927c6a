"""Labels that people ask for: asked once, decided once, by those who may make labels."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.models import Event
from apps.functions.models import Function, LabelProposal
from apps.functions.services import add_label
from apps.functions.services.proposals import MOST_OPEN, accept_proposal, decline_proposal, propose_label

pytestmark = pytest.mark.django_db


@pytest.fixture
def proposal(text_function: Function, member: User) -> LabelProposal:
    return propose_label(function=text_function, name="  Charge back ", person=member, note="Refused by the bank")


def test_a_label_is_asked_for_once(text_function: Function, member: User, owner: User, proposal: LabelProposal) -> None:
    again = propose_label(function=text_function, name="CHARGE BACK", person=owner)

    assert again == proposal
    assert (proposal.name, proposal.person, proposal.state) == ("Charge back", member, "open")
    assert text_function.labels.count() == 2
    event = Event.objects.get(kind="label.proposed")
    assert (event.actor, event.data["name"]) == (member.public_id, "Charge back")


@pytest.mark.parametrize(("name", "error"), [("refund", Conflict), (" ", InvalidInput), ("x" * 201, InvalidInput)])
def test_what_cannot_be_a_label_is_not_asked_for(
    text_function: Function, member: User, name: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        propose_label(function=text_function, name=name, person=member)

    assert not LabelProposal.objects.exists()


def test_nobody_floods_those_who_decide(text_function: Function, member: User) -> None:
    for n in range(MOST_OPEN):
        propose_label(function=text_function, name=f"label {n}", person=member)

    with pytest.raises(Conflict, match="wait to be decided"):
        propose_label(function=text_function, name="one more", person=member)


def test_accepting_makes_the_label_and_deciding_twice_is_refused(proposal: LabelProposal, owner: User) -> None:
    label = accept_proposal(proposal=proposal, actor=owner)

    proposal.refresh_from_db()
    assert (label.name, label.position, proposal.state, proposal.label) == ("Charge back", 2, "accepted", label)
    assert Event.objects.filter(kind="label.proposal_accepted", actor=owner.public_id).count() == 1
    for decide in (accept_proposal, decline_proposal):
        with pytest.raises(Conflict, match="decided already"):
            decide(proposal=proposal, actor=owner)
    assert proposal.function.labels.count() == 3


def test_accepting_takes_the_label_that_was_made_meanwhile(proposal: LabelProposal, owner: User) -> None:
    made = add_label(function=proposal.function, name="charge back", actor=owner)

    assert accept_proposal(proposal=proposal, actor=owner) == made
    assert proposal.function.labels.count() == 3


def test_a_declined_one_makes_no_label_and_may_be_asked_for_again(
    proposal: LabelProposal, owner: User, member: User
) -> None:
    decline_proposal(proposal=proposal, actor=owner)

    assert proposal.function.labels.count() == 2
    assert propose_label(function=proposal.function, name="Charge back", person=member) != proposal


def test_who_decides_sees_them_and_who_asks_does_not(
    owner_client: Client, member_client: Client, text_function: Function, proposal: LabelProposal
) -> None:
    settings = owner_client.get(reverse("functions:settings_page", args=[text_function.public_id])).content.decode()
    assert "Suggested labels" in settings
    assert "Refused by the bank" in settings
    label_page = reverse("labeling:label_page", args=[text_function.public_id])
    assert "data-proposals" in owner_client.get(label_page).content.decode()
    assert "data-proposals" not in member_client.get(label_page).content.decode()

    accept = reverse("functions:accept_proposal", args=[proposal.public_id])
    assert member_client.post(accept).status_code == 403
    response = owner_client.post(accept, follow=True)

    assert "“Charge back” is a label now." in response.content.decode()
    assert "Suggested labels" not in response.content.decode()
    assert text_function.labels.filter(name="Charge back").exists()


def test_what_somebody_asked_for_who_has_left_can_be_decided_all_the_same(
    owner_client: Client, text_function: Function, proposal: LabelProposal, member: User
) -> None:
    member.delete()

    html = owner_client.get(reverse("functions:settings_page", args=[text_function.public_id])).content.decode()

    assert "somebody who has left" in html


def test_declining_says_so(
    owner_client: Client, member_client: Client, outsider_client: Client, proposal: LabelProposal
) -> None:
    decline = reverse("functions:decline_proposal", args=[proposal.public_id])
    assert outsider_client.post(decline).status_code == 404
    assert member_client.post(decline).status_code == 403

    assert "is not taken up" in owner_client.post(decline, follow=True).content.decode()
    assert proposal.function.labels.count() == 2


def test_a_labeler_asks_from_the_label_page(
    member_client: Client, outsider_client: Client, text_function: Function, member: User
) -> None:
    url = reverse("labeling:suggest_label", args=[text_function.public_id])
    json = {"content_type": "application/json", "headers": {"accept": "application/json"}}
    assert outsider_client.post(url, {"name": "Charge back"}, **json).status_code == 404  # type: ignore[arg-type]

    response = member_client.post(url, {"name": "Charge back"}, **json)  # type: ignore[arg-type]

    assert response.status_code == 201
    assert response.json() == {"words": "“Charge back” is suggested: whoever makes labels here decides."}
    assert LabelProposal.objects.get().person == member
    refused = member_client.post(url, {"name": "refund"}, **json)  # type: ignore[arg-type]
    assert (refused.status_code, refused.json()["message"]) == (409, "There is already a label “Refund”.")
