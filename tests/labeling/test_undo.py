"""Undo: step by step, one's own answers only, and never over someone else's."""

from collections.abc import Callable
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling.items import Answer
from apps.labeling.services import save_answers, undo_answer
from apps.samples.models import Annotation, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample

pytestmark = pytest.mark.django_db


@pytest.fixture
def give(text_function: Function, answer_row: Callable[..., dict[str, str]]) -> Callable[[User, Sample, str], UUID]:
    def answer(person: User, sample: Sample, label_name: str) -> UUID:
        label = text_function.labels.get(name=label_name)
        row = answer_row(sample, label.public_id, person)
        token = UUID(row["token"])
        given = Answer(token, row["sampleId"], row["labelId"], row["proof"])
        assert save_answers(function=text_function, person=person, answers=[given]).refused == []
        return token

    return answer


Give = Callable[[User, Sample, str], UUID]


def post(client: Client, function: Function, body: object) -> tuple[int, dict[str, dict[str, str]]]:
    response = client.post(
        reverse("labeling:undo", args=[function.public_id]),
        data=body,
        content_type="application/json",
        headers={"accept": "application/json"},
    )
    return response.status_code, response.json()


def test_undo_goes_back_several_steps_and_keeps_the_history(
    member_client: Client, member: User, text_function: Function, samples: list[Sample], give: Give
) -> None:
    for sample in samples[:3]:
        give(member, sample, "Refund")

    came_back = [post(member_client, text_function, {})[1]["item"]["sampleId"] for _ in range(3)]

    assert came_back == [sample.public_id for sample in samples[2::-1]]
    assert not Sample.objects.filter(label__isnull=False).exists()
    assert Annotation.objects.count() == 6
    status, body = post(member_client, text_function, {})
    assert (status, body["message"]) == (409, "There is nothing to undo.")


def test_an_undone_sample_can_be_answered_anew_and_keeps_its_reason(
    member: User, text_function: Function, samples: list[Sample], give: Give
) -> None:
    give(member, samples[0], "Refund")
    item = undo_answer(function=text_function, person=member)
    assert (item.sample.pk, item.picked_by) == (samples[0].pk, PickedBy.RANDOM)

    give(member, samples[0], "Shipping")

    samples[0].refresh_from_db()
    assert samples[0].label is not None
    assert samples[0].label.name == "Shipping"


def test_undo_of_one_named_answer_happens_once(
    member_client: Client, member: User, text_function: Function, samples: list[Sample], give: Give
) -> None:
    give(member, samples[0], "Refund")
    token = give(member, samples[1], "Refund")

    for _ in range(3):
        status, body = post(member_client, text_function, {"token": str(token)})
        assert (status, body["item"]["sampleId"]) == (200, samples[1].public_id)

    assert Annotation.objects.filter(undoes__isnull=False).count() == 1
    samples[0].refresh_from_db()
    assert samples[0].label is not None


def test_undo_never_touches_what_someone_else_did_since(
    member_client: Client, member: User, owner: User, text_function: Function, samples: list[Sample], give: Give
) -> None:
    give(member, samples[0], "Refund")
    token = give(member, samples[1], "Refund")
    shipping = text_function.labels.get(name="Shipping")
    annotate_sample(sample=samples[1], label=shipping, person=owner, picked_by=PickedBy.PERSON)

    assert post(member_client, text_function, {"token": str(token)})[0] == 409
    assert post(member_client, text_function, {})[1]["item"]["sampleId"] == samples[0].public_id

    samples[1].refresh_from_db()
    assert samples[1].label == shipping


def test_nobody_undoes_anothers_answer(
    member_client: Client, owner: User, text_function: Function, samples: list[Sample], give: Give
) -> None:
    token = give(owner, samples[0], "Refund")

    assert post(member_client, text_function, {"token": str(token)})[0] == 409
    assert post(member_client, text_function, {})[0] == 409
    samples[0].refresh_from_db()
    assert samples[0].label is not None


def test_labels_given_elsewhere_are_not_undone_here(
    member_client: Client, member: User, text_function: Function, samples: list[Sample]
) -> None:
    label = text_function.labels.get(name="Refund")
    annotate_sample(sample=samples[0], label=label, person=member, picked_by=PickedBy.PERSON)

    assert post(member_client, text_function, {})[0] == 409


@pytest.mark.parametrize("body", ["[", [], {"token": "x"}, {"token": 3}])
def test_what_is_no_undo_is_told_in_a_sentence(member_client: Client, text_function: Function, body: object) -> None:
    assert post(member_client, text_function, body)[0] == 400


def test_viewer_and_outsider_cannot_undo(
    member_client: Client,
    outsider_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    give: Give,
) -> None:
    give(member, samples[0], "Refund")
    member.memberships.update(role="viewer")

    assert post(member_client, text_function, {})[0] == 403
    assert post(outsider_client, text_function, {})[0] == 404
    samples[0].refresh_from_db()
    assert samples[0].label is not None
