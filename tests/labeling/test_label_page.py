"""The page, the queue's JSON and the small posts around them: who may, who may not, what they carry."""

import json
import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling import proofs, serializers
from apps.labeling.models import Skip
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.training.models import Prediction, TrainedModel

pytestmark = pytest.mark.django_db

JSON = {"accept": "application/json"}


def url(name: str, function: Function) -> str:
    return reverse(f"labeling:{name}", args=[function.public_id])


def queue_in(html: str) -> dict[str, object]:
    found = re.search(r'<script id="label-queue" type="application/json">(.*?)</script>', html, re.DOTALL)
    assert found
    body: dict[str, object] = json.loads(found[1])
    return body


@pytest.mark.usefixtures("samples")
def test_labeler_sees_the_page_with_its_first_samples(member_client: Client, text_function: Function) -> None:
    response = member_client.get(url("label_page", text_function))

    assert response.status_code == 200
    queue = queue_in(response.content.decode())
    assert len(queue["items"]) == 4  # type: ignore[arg-type]  # JSON
    assert [label["name"] for label in queue["labels"]] == ["Refund", "Shipping"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["label_page", "queue", "progress"])
def test_outsider_viewer_and_anonymous_cannot_see(
    client: Client, member_client: Client, outsider_client: Client, member: User, text_function: Function, name: str
) -> None:
    assert outsider_client.get(url(name, text_function)).status_code == 404
    member.memberships.update(role="viewer")
    assert member_client.get(url(name, text_function)).status_code == 403
    assert client.get(url(name, text_function)).status_code == 302


@pytest.mark.usefixtures("predictions")
def test_the_queue_tells_a_suggestion_in_plain_words_and_none_at_random(
    member_client: Client, member: User, text_function: Function
) -> None:
    body = member_client.get(url("queue", text_function), {"n": 5}, headers=JSON).json()

    *asked, at_random = body["items"]
    refund = text_function.labels.get(name="Refund")
    assert {item["suggestion"]["labelId"] for item in asked} == {refund.public_id}
    assert {item["suggestion"]["word"] for item in asked} == {"only guessing"}
    assert (at_random["reason"], at_random["suggestion"]) == ({"kind": "random", "labels": []}, None)
    assert body["nGiven"] == 5
    proof = proofs.picked_by_of(at_random["proof"], sample_id=at_random["sampleId"], person=member)
    assert proof == PickedBy.RANDOM


@pytest.mark.usefixtures("samples")
def test_the_queue_leaves_out_what_the_page_holds(member_client: Client, text_function: Function) -> None:
    first = member_client.get(url("queue", text_function), {"n": 20}, headers=JSON).json()
    held = [item["sampleId"] for item in first["items"]]

    second = member_client.get(
        url("queue", text_function), {"n": 20, "given": 20, "exclude": ",".join(held)}, headers=JSON
    ).json()

    assert len(held) == len(second["items"]) == 20
    assert not set(held) & {item["sampleId"] for item in second["items"]}


@pytest.mark.parametrize("query", [{"n": "many"}, {"n": "-1"}, {"given": "1e9"}, {"n": "٣"}])
def test_a_count_that_is_none_is_told_in_a_sentence(
    member_client: Client, text_function: Function, query: dict[str, str]
) -> None:
    response = member_client.get(url("queue", text_function), query, headers=JSON)

    assert response.status_code == 400
    assert response.json()["code"] == "invalid_input"


def test_a_very_long_text_is_cut_for_showing(member_client: Client, text_function: Function) -> None:
    Sample.objects.create(function=text_function, text="word " * 10_000, content_hash="long", origin="import")

    item = member_client.get(url("queue", text_function), headers=JSON).json()["items"][0]

    assert (len(item["text"]), item["isCut"]) == (serializers.SHOWN_CHARACTERS, True)


def test_the_page_says_that_there_is_nothing_to_label(owner_client: Client, text_function: Function) -> None:
    html = owner_client.get(url("label_page", text_function)).content.decode()

    assert queue_in(html)["hasSamples"] is False
    assert reverse("samples:bring_page", args=[text_function.public_id]) in html


def test_what_people_brought_reaches_the_page_as_data_only(owner_client: Client, text_function: Function) -> None:
    payload = "</script><img src=x onerror=alert(1)><div hx-get=/sign-out/ hx-trigger=load>"
    Sample.objects.create(function=text_function, text=payload, content_hash="x", origin="import")
    text_function.labels.create(name=payload, position=2, colour=2)

    html = owner_client.get(url("label_page", text_function)).content.decode()

    assert "<img src=x" not in html
    assert queue_in(html)["items"][0]["text"] == payload  # type: ignore[index]


def test_progress_says_what_is_missing_before_it_says_how_well(
    member_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    html = member_client.get(url("progress", text_function)).content.decode()

    assert "0 of a first hundred labelled" in html
    assert "Right on" not in html

    for name, some in (("Refund", samples[:2]), ("Shipping", samples[2:4])):
        label = text_function.labels.get(name=name)
        for sample in some:
            annotate_sample(sample=sample, label=label, person=None, picked_by=PickedBy.PERSON)
    assert "4 of a first hundred labelled" in member_client.get(url("progress", text_function)).content.decode()


def test_progress_says_how_the_model_does_on_what_it_never_saw(
    member_client: Client, text_function: Function, samples: list[Sample], model: TrainedModel
) -> None:
    for name, some in (("Refund", samples[:20]), ("Shipping", samples[20:])):
        label = text_function.labels.get(name=name)
        for sample in some:
            annotate_sample(sample=sample, label=label, person=None, picked_by=PickedBy.PERSON)

    html = member_client.get(url("progress", text_function)).content.decode()

    assert f"Right on {model.n_right} of {model.n_annotations} it never saw" in html


def test_a_new_label_comes_back_with_all_labels(owner_client: Client, text_function: Function) -> None:
    body = {"name": "  Complaint "}
    response = owner_client.post(url("new_label", text_function), body, content_type="application/json", headers=JSON)

    assert response.status_code == 201
    made = response.json()
    assert made["labels"][-1] == {
        "id": made["labelId"],
        "name": "Complaint",
        "description": "",
        "colour": 2,
    }


@pytest.mark.parametrize(("name", "status"), [("refund", 409), ("", 400), (None, 400), ("x" * 201, 400)])
def test_a_label_that_cannot_be_is_told_in_a_sentence(
    owner_client: Client, text_function: Function, name: str | None, status: int
) -> None:
    response = owner_client.post(
        url("new_label", text_function), {"name": name}, content_type="application/json", headers=JSON
    )

    assert response.status_code == status
    assert response.json()["message"].endswith((".", "”."))
    assert text_function.labels.count() == 2


def test_a_labeler_makes_no_labels(member_client: Client, outsider_client: Client, text_function: Function) -> None:
    for client, status in ((member_client, 403), (outsider_client, 404)):
        response = client.post(
            url("new_label", text_function), {"name": "X"}, content_type="application/json", headers=JSON
        )
        assert response.status_code == status
    assert text_function.labels.count() == 2
    html = member_client.get(url("label_page", text_function)).content.decode()
    assert url("new_label", text_function) not in html
    assert url("suggest_label", text_function) in html


def test_skipped_again_forgets_ones_own_skips_only(
    member_client: Client,
    outsider_client: Client,
    member: User,
    owner: User,
    text_function: Function,
    samples: list[Sample],
    answer_row: object,
) -> None:
    rows = [answer_row(sample, None, member, token=str(uuid4())) for sample in samples[:3]]  # type: ignore[operator]
    member_client.post(url("answers", text_function), rows, content_type="application/json", headers=JSON)
    Skip.objects.create(sample=samples[5], person=owner, skipped_at=Skip.objects.latest("pk").skipped_at)
    assert member_client.get(url("queue", text_function), headers=JSON).json()["nSkipped"] == 3

    assert outsider_client.post(url("skipped_again", text_function), headers=JSON).status_code == 404
    assert member_client.post(url("skipped_again", text_function), headers=JSON).json() == {"nBack": 3}

    assert [skip.person for skip in Skip.objects.all()] == [owner]


def test_predictions_of_the_other_kind_are_never_suggested(
    member_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    Prediction.objects.update(kind="out_of_fold")

    items = member_client.get(url("queue", text_function), headers=JSON).json()["items"]

    assert [item["suggestion"] for item in items] == [None] * 8
