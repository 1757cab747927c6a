"""Answers: each saved once, in order, and none lost because of another."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function
from apps.functions.services import delete_label
from apps.labeling import proofs
from apps.labeling.models import Skip
from apps.samples.models import Annotation, PickedBy, Sample

pytestmark = pytest.mark.django_db

Row = dict[str, object]
MakeRow = Callable[..., Row]


def send(client: Client, function: Function, rows: object, **headers: str) -> tuple[int, dict[str, object]]:
    response = client.post(
        reverse("labeling:answers", args=[function.public_id]),
        data=rows,
        content_type="application/json",
        headers={"accept": "application/json", **headers},
    )
    return response.status_code, response.json()


@pytest.fixture
def refund(text_function: Function) -> str:
    return text_function.labels.get(name="Refund").public_id


def test_answers_are_saved_with_who_what_and_why(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    rows = [answer_row(sample, refund, member) for sample in samples[:3]]
    asked = proofs.sign(sample_id=samples[2].public_id, picked_by=PickedBy.QUEUE, person=member)
    rows[2]["proof"] = asked

    status, body = send(member_client, text_function, rows)

    assert (status, body) == (200, {"saved": [row["token"] for row in rows], "refused": []})
    annotations = list(Annotation.objects.order_by("pk"))
    assert [annotation.sample_id for annotation in annotations] == [sample.pk for sample in samples[:3]]
    assert [annotation.picked_by for annotation in annotations] == ["random", "random", "queue"]
    assert {annotation.person for annotation in annotations} == {member}
    samples[0].refresh_from_db()
    assert samples[0].label is not None
    assert samples[0].label.public_id == refund


def test_the_same_answer_twice_counts_once(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    row = answer_row(samples[0], refund, member)

    for _ in range(3):
        status, body = send(member_client, text_function, [row, row])
        assert (status, body["refused"]) == (200, [])
        assert set(body["saved"]) == {row["token"]}  # type: ignore[call-overload]  # JSON

    assert Annotation.objects.count() == 1


def test_an_answer_already_saved_stays_saved_when_its_label_goes(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    row = answer_row(samples[0], refund, member)
    send(member_client, text_function, [row])
    delete_label(label=text_function.labels.get(name="Refund"))

    _status, body = send(member_client, text_function, [row])

    assert body == {"saved": [row["token"]], "refused": []}


def test_one_answer_that_cannot_be_saved_stops_no_other(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    shipping = text_function.labels.get(name="Shipping")
    rows = [
        answer_row(samples[0], refund, member),
        answer_row(samples[1], shipping.public_id, member),
        answer_row(samples[2], refund, member),
        answer_row(samples[3], refund, member),
    ]
    delete_label(label=shipping)
    samples[2].delete()

    status, body = send(member_client, text_function, rows)

    assert status == 200
    assert body["saved"] == [rows[0]["token"], rows[3]["token"]]
    messages = {refusal["token"]: refusal["message"] for refusal in body["refused"]}  # type: ignore[attr-defined]
    assert "label was deleted" in messages[rows[1]["token"]]
    assert "sample was deleted" in messages[rows[2]["token"]]
    assert Annotation.objects.count() == 2


@pytest.mark.parametrize(
    "tamper",
    [
        lambda proof: proof[:-2] + ("AA" if not proof.endswith("AA") else "BB"),
        lambda proof: "",
        lambda proof: "random",
        lambda proof: proof.replace(":", "", 1),
    ],
)
def test_a_tampered_proof_saves_nothing(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
    tamper: Callable[[str], str],
) -> None:
    row = answer_row(samples[0], refund, member)
    row["proof"] = tamper(str(row["proof"]))

    status, body = send(member_client, text_function, [row])

    assert (status, body["saved"]) == (200, [])
    assert not Annotation.objects.exists()


def test_a_proof_is_good_for_its_own_sample_and_person_only(
    member_client: Client,
    member: User,
    owner: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    other_sample = answer_row(samples[0], refund, member, sampleId=samples[1].public_id)
    other_person = answer_row(samples[2], refund, owner)

    _status, body = send(member_client, text_function, [other_sample, other_person])

    assert body["saved"] == []
    assert not Annotation.objects.exists()


def test_a_label_or_sample_of_another_function_is_refused(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    other = text_function.workspace.functions.create(name="Other", input_kind="text")
    foreign_label = other.labels.create(name="Foreign", position=0, colour=0)
    foreign_sample = Sample.objects.create(function=other, text="x", content_hash="x", origin="import")

    rows = [
        answer_row(samples[0], foreign_label.public_id, member),
        answer_row(foreign_sample, refund, member),
    ]
    _status, body = send(member_client, text_function, rows)

    assert body["saved"] == []
    assert not Annotation.objects.exists()


def test_a_token_of_someone_else_gives_nothing_away_and_takes_nothing(
    member_client: Client,
    owner_client: Client,
    member: User,
    owner: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    first = answer_row(samples[0], refund, owner)
    send(owner_client, text_function, [first])
    shipping = text_function.labels.get(name="Shipping").public_id

    _status, body = send(member_client, text_function, [answer_row(samples[0], shipping, member, token=first["token"])])

    assert body["saved"] == []
    assert Annotation.objects.get().person == owner


def test_an_answer_without_a_label_is_a_skip(
    member_client: Client, member: User, text_function: Function, samples: list[Sample], answer_row: MakeRow
) -> None:
    row = answer_row(samples[0], None, member)

    for _ in range(2):
        _status, body = send(member_client, text_function, [row])
        assert body == {"saved": [row["token"]], "refused": []}

    assert Skip.objects.get().sample == samples[0]
    assert not Annotation.objects.exists()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "not valid JSON"),
        ({"token": "x"}, "JSON list"),
        ([1], "Answer 1"),
        ([{"token": "no", "sampleId": "s", "labelId": None, "proof": "p"}], "token of answer 1"),
        ([{"token": str(UUID(int=1)), "labelId": None, "proof": "p"}], "names no sample"),
        ([{"token": str(UUID(int=1)), "sampleId": "s", "labelId": 3, "proof": "p"}], "no label id"),
        ([{"token": str(UUID(int=1)), "sampleId": "s", "labelId": None}], "proof"),
        ([{}] * 101, "At most 100"),
    ],
)
def test_what_is_no_list_of_answers_is_told_in_a_sentence(
    member_client: Client, text_function: Function, body: object, words: str
) -> None:
    status, answer = send(member_client, text_function, body)

    assert (status, answer["code"]) == (400, "invalid_input")
    assert words in str(answer["message"])
    assert answer["requestId"]


def test_a_page_of_one_person_saves_nothing_under_anothers_name(
    member_client: Client,
    outsider_client: Client,
    owner: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    row = answer_row(samples[0], refund, owner)

    for client in (member_client, outsider_client):  # even one who may not see the function: 404 would mean it is gone
        status, body = send(client, text_function, [row], **{"X-Person": owner.public_id})
        assert (status, body["code"]) == (409, "other_person")
    assert not Annotation.objects.exists()


def test_viewer_and_outsider_cannot_answer(
    member_client: Client,
    outsider_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    row = answer_row(samples[0], refund, member)
    member.memberships.update(role="viewer")

    assert send(member_client, text_function, [row])[0] == 403
    assert send(outsider_client, text_function, [row])[0] == 404
    assert not Annotation.objects.exists()


def test_answers_need_the_token_against_forged_requests(member: User, text_function: Function) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(member, backend="allauth.account.auth_backends.AuthenticationBackend")

    response = client.post(
        reverse("labeling:answers", args=[text_function.public_id]), data=[], content_type="application/json"
    )

    assert response.status_code == 403


def test_tokens_of_a_hundred_answers_arrive_in_one_request(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    refund: str,
    answer_row: MakeRow,
) -> None:
    rows = [answer_row(sample, refund, member, token=str(uuid4())) for sample in samples]

    _status, body = send(member_client, text_function, rows)

    assert len(body["saved"]) == len(samples)  # type: ignore[arg-type]
    assert not Sample.objects.filter(function=text_function, label=None).exists()
