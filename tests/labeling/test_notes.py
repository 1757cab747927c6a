"""Flags, doubts and comments sent from the label page: kept once, under the name of who sent them, and shown again."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Annotation, Comment, Mark, Sample
from tests.conftest import delete_for_good

pytestmark = pytest.mark.django_db

Row = dict[str, object]


def send(client: Client, name: str, function: Function, body: object, **headers: str) -> tuple[int, Row]:
    response = client.post(
        reverse(f"labeling:{name}", args=[function.public_id]),
        data=body,
        content_type="application/json",
        headers={"accept": "application/json", **headers},
    )
    return response.status_code, response.json()


def flag(sample: Sample, is_on: bool = True) -> Row:
    return {"sampleId": sample.public_id, "mark": "flag", "isOn": is_on}


def test_a_flag_is_put_on_once_and_taken_off(
    member_client: Client, member: User, text_function: Function, samples: list[Sample]
) -> None:
    for _ in range(2):
        assert send(member_client, "mark", text_function, flag(samples[0])) == (200, {})
    mark = Mark.objects.get()
    assert (mark.sample, mark.person, mark.kind) == (samples[0], member, "flag")

    for _ in range(2):
        assert send(member_client, "mark", text_function, flag(samples[0], is_on=False))[0] == 200
    assert not Mark.objects.exists()


def test_a_comment_sent_twice_is_kept_once(
    member_client: Client, member: User, text_function: Function, samples: list[Sample]
) -> None:
    body = {"sampleId": samples[0].public_id, "text": " Is a voucher a refund? ", "token": str(uuid4())}

    for _ in range(2):
        assert send(member_client, "comment", text_function, body)[0] == 201

    comment = Comment.objects.get()
    assert (comment.sample, comment.person, comment.text) == (samples[0], member, "Is a voucher a refund?")


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mark", {"mark": "star"}),
        ("mark", {"mark": None}),
        ("mark", {"isOn": "yes"}),
        ("mark", {"sampleId": 1}),
        ("comment", {"text": ""}),
        ("comment", {"text": "x" * 2_001}),
        ("comment", {"text": None}),
        ("comment", {"token": "x"}),
        ("comment", {"sampleId": None}),
    ],
)
def test_what_is_no_note_is_told_in_a_sentence(
    member_client: Client, text_function: Function, samples: list[Sample], name: str, changes: Row
) -> None:
    good = {"sampleId": samples[0].public_id, "mark": "flag", "isOn": True, "text": "x", "token": str(uuid4())}

    status, body = send(member_client, name, text_function, {**good, **changes})

    assert (status, body["code"]) == (400, "invalid_input")
    assert str(body["message"]).endswith((".", "}."))
    assert not Mark.objects.exists()
    assert not Comment.objects.exists()


def test_a_note_on_what_is_gone_is_refused_and_stops_nothing_else(
    member_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    """404 would tell the page that it itself is gone, and it would send nothing more."""
    delete_for_good(samples[0])
    elsewhere = Sample.objects.create(
        function=text_function.workspace.functions.create(name="Other", input_kind="text"),
        text="x",
        content_hash="x",
        origin="import",
    )

    for sample_id in (samples[0].public_id, elsewhere.public_id, "sample_0"):
        status, body = send(member_client, "mark", text_function, {"sampleId": sample_id, "mark": "flag", "isOn": True})
        assert (status, body["code"]) == (409, "conflict")
    assert not Mark.objects.exists()


def test_strangers_viewers_and_other_people_in_the_same_browser_leave_no_notes(
    member_client: Client,
    outsider_client: Client,
    member: User,
    owner: User,
    text_function: Function,
    samples: list[Sample],
) -> None:
    comment = {"sampleId": samples[0].public_id, "text": "x", "token": str(uuid4())}
    for name, body in (("mark", flag(samples[0])), ("comment", comment)):
        assert send(outsider_client, name, text_function, body)[0] == 404
        status, answer = send(member_client, name, text_function, body, **{"X-Person": owner.public_id})
        assert (status, answer["code"]) == (409, "other_person")
    member.memberships.update(role="viewer")
    assert send(member_client, "mark", text_function, flag(samples[0]))[0] == 403
    assert not Mark.objects.exists()
    assert not Comment.objects.exists()


@pytest.mark.parametrize("ms", [-1, "5", True, 1.5])
def test_a_time_that_is_none_is_told_in_a_sentence(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    answer_row: Callable[..., Row],
    ms: object,
) -> None:
    label = text_function.labels.get(name="Refund").public_id

    status, body = send(member_client, "answers", text_function, [answer_row(samples[0], label, member, ms=ms)])

    assert (status, body["message"]) == (400, "The time of answer 1 must be a number of milliseconds.")
    assert not Annotation.objects.exists()
