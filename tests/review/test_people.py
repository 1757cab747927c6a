"""The people page: who did what, who agrees with whom, and samples whose answer is known."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Act, Function, Label
from apps.review import people
from apps.samples.models import GoldSample, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample, undo_annotation
from apps.samples.services.confirmations import confirm_annotation
from apps.samples.services.gold import make_gold
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import give_opinion
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(8)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


@pytest.fixture
def reviewer(workspace: Workspace) -> User:
    user = make_user("rae@example.com", "Rae Reviewer")
    workspace.memberships.create(user=user, role=Role.REVIEWER)
    return user


def two_labels(function: Function) -> tuple[Label, Label]:
    refund, shipping = function.labels.in_use()[:2]
    return refund, shipping


def page_of(function: Function, name: str = "people_page") -> str:
    return reverse(f"review:{name}", args=[function.public_id])


def say(sample: Sample, person: User, label: Label) -> None:
    give_opinion(sample=sample, person=person, label=label, picked_by=PickedBy.QUEUE)


def test_work_counts_answers_that_stand_and_the_time_they_took(
    samples: list[Sample], text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = two_labels(text_function)
    for sample, ms in zip(samples[:3], (30_000, 90_000, None), strict=True):
        annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.QUEUE, active_ms=ms)
    taken_back = annotate_sample(sample=samples[3], label=shipping, person=member, picked_by=PickedBy.QUEUE)
    undo_annotation(annotation=taken_back, person=member)
    annotate_many(function=text_function, pairs=[(samples[4].pk, refund.pk)], person=owner, picked_by=PickedBy.IMPORT)
    work = people.work_by_person(text_function)
    assert set(work) == {member.pk}
    assert (work[member.pk].n_answers, work[member.pk].minutes, work[member.pk].seconds_each) == (3, 2, 60.0)


def test_reviewers_see_everybody_and_labelers_themselves(
    samples: list[Sample], text_function: Function, member: User, owner: User, reviewer: User
) -> None:
    refund, _shipping = two_labels(text_function)
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.QUEUE)
    everybody = client_of(reviewer).get(page_of(text_function)).content.decode()
    assert "Olga Owner" in everybody
    assert "Who agrees with whom" in everybody
    own = client_of(member).get(page_of(text_function)).content.decode()
    assert "Mika Member" in own
    assert "Olga Owner" not in own
    assert "known answer" not in own


def test_a_click_on_two_people_shows_what_they_dispute(
    samples: list[Sample], text_function: Function, member: User, owner: User, reviewer: User
) -> None:
    refund, shipping = two_labels(text_function)
    Sample.objects.filter(pk__in=[sample.pk for sample in samples[:2]]).update(n_wanted=2)
    for sample, theirs in zip(samples[:2], (refund, shipping), strict=True):
        sample.refresh_from_db()
        say(sample, owner, refund)
        say(sample, member, theirs)
    page = client_of(reviewer).get(page_of(text_function)).content.decode()
    address = f"{page_of(text_function, 'pair_page')}?a={owner.public_id}&amp;b={member.public_id}"
    other_way = f"{page_of(text_function, 'pair_page')}?a={member.public_id}&amp;b={owner.public_id}"
    assert address in page or other_way in page
    shown = client_of(reviewer).get(address.replace("&amp;", "&")).content.decode()
    assert "message 1" in shown
    assert "message 0" not in shown
    assert client_of(reviewer).get(page_of(text_function, "pair_page")).status_code == 400


def test_who_gets_too_few_known_answers_right_is_told_and_nobody_after_one_slip(
    samples: list[Sample], text_function: Function, member: User, owner: User
) -> None:
    refund, shipping = two_labels(text_function)
    for place, sample in enumerate(samples[: people.FEWEST_KNOWN]):
        make_gold(sample=sample, label=refund, person=owner)
        sample.refresh_from_db()
        say(sample, member, refund if place else shipping)
        say(sample, owner, shipping if place < 2 else refund)
        (line,) = people.people_table(text_function, member).lines
        assert not line.is_below_bar
    lines = {line.person: line for line in people.people_table(text_function).lines}
    assert (lines[member].known.n_right, lines[member].is_below_bar) == (4, False)  # four of five are 80 %
    assert (lines[owner].known.n_right, lines[owner].is_below_bar) == (3, True)
    assert "ask a reviewer" not in client_of(member).get(page_of(text_function)).content.decode()


def test_known_answers_are_taken_first_from_what_a_reviewer_has_looked_at(
    samples: list[Sample], text_function: Function, owner: User, owner_client: Client
) -> None:
    refund, _shipping = two_labels(text_function)
    for sample in samples[:4]:
        annotate_sample(sample=sample, label=refund, person=owner, picked_by=PickedBy.QUEUE)
    confirm_annotation(sample=samples[2], person=owner)
    assert owner_client.post(page_of(text_function, "choose_gold"), {"n": "1"}).status_code == 302
    assert GoldSample.objects.get().sample == samples[2]
    owner_client.post(page_of(text_function, "choose_gold"), {"n": "100"})
    assert GoldSample.objects.count() == 4
    owner_client.post(reverse("review:drop_gold", args=[samples[2].public_id]))
    assert GoldSample.objects.count() == 3


@pytest.mark.parametrize("n", ["0", "101", "", "x", "9" * 5000, "٣"])
def test_an_odd_number_of_known_answers_is_refused(text_function: Function, owner_client: Client, n: str) -> None:
    assert owner_client.post(page_of(text_function, "choose_gold"), {"n": n}).status_code == 400


def test_setting_answers_aside_takes_a_person_of_this_workspace(
    samples: list[Sample], text_function: Function, member: User, owner_client: Client, outsider: User
) -> None:
    refund, _shipping = two_labels(text_function)
    annotate_sample(sample=samples[0], label=refund, person=member, picked_by=PickedBy.QUEUE)
    address = page_of(text_function, "set_aside")
    assert owner_client.post(address, {"person": outsider.public_id}).status_code == 400
    assert owner_client.post(address, {"person": member.public_id}).status_code == 302
    samples[0].refresh_from_db()
    assert samples[0].annotation_id is None
    assert Act.objects.get().kind == "set_aside"
