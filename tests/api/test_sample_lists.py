"""Lists of samples over the API hold what was asked for, a page at a time."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function, Label
from apps.samples.models import Capture, CaptureReason, Origin, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Prediction, PredictionKind, TrainedModel
from tests.api.conftest import KeyClient
from tests.api.sample_calls import address_of, ids_of, post


def model_of(function: Function, **facts: Any) -> TrainedModel:
    number = TrainedModel.objects.count() + 1
    needed = {
        "data_revision": 1,
        "recipe": {},
        "label_ids": [label.public_id for label in function.labels.in_use()],
        "sha256": "0" * 64,
        "last_annotation_id": 0,
        "n_annotations": 0,
        "n_right": 0,
        "log_loss": 0.5,
        "published_at": timezone.now(),
    }
    return TrainedModel.objects.create(function=function, number=number, **{**needed, **facts})


def say(sample: Sample, model: TrainedModel, label: Label | None, kind: PredictionKind, **facts: Any) -> None:
    Prediction.objects.create(
        sample=sample,
        function=sample.function,
        kind=kind,
        model=model,
        label=label,
        margin=0.5,
        confidence=0.8,
        **facts,
    )


def test_lists_are_newest_first_and_lead_to_their_next_page(key_client: KeyClient, text_function: Function) -> None:
    made = [post(key_client, text_function, f"text {number}")["id"] for number in range(5)]
    assert ids_of(key_client, text_function) == made[::-1]
    assert ids_of(key_client, text_function, sortBy="creation", sortOrder="ascending") == made
    page = key_client.get(address_of(text_function), {"batchSize": 2, "sortOrder": "ascending", "includeData": "false"})
    assert [sample["id"] for sample in page.json()] == made[:2]
    assert "data" not in page.json()[0]
    target = page["Link"].partition("<")[2].partition(">")[0]
    assert [sample["id"] for sample in key_client.get(target).json()] == made[2:4]


def test_a_list_holds_what_was_asked_for(
    key_client: KeyClient, text_function: Function, refund: Label, shipping: Label
) -> None:
    right = post(key_client, text_function, "money back", annotation={"labelName": "Refund"}, externalId="r-1")["id"]
    wrong = post(key_client, text_function, "parcel", annotation={"labelName": "Shipping"})["id"]
    bare = post(key_client, text_function, "unlabelled")["id"]
    unsaid = post(key_client, text_function, "nothing said")["id"]
    samples = {sample.public_id: sample for sample in Sample.objects.all()}
    model = model_of(text_function, is_live=True, last_annotation_id=samples[right].annotation_id)
    say(samples[right], model, refund, PredictionKind.OUT_OF_FOLD)
    say(samples[wrong], model, refund, PredictionKind.OUT_OF_FOLD)
    say(samples[bare], model, shipping, PredictionKind.LIVE)
    say(samples[unsaid], model, shipping, PredictionKind.OUT_OF_FOLD)  # left over: it has no annotation any more
    text_function.refresh_from_db()

    def found(**query: object) -> set[str]:
        return set(ids_of(key_client, text_function, **query))

    assert found(externalId="r-1") == {right}
    assert found(annotated="true") == {right, wrong}
    assert found(annotated=False) == {bare, unsaid}
    assert found(predicted="true") == {right, wrong, bare}
    assert found(predicted="false") == {unsaid}
    assert found(annotationLabelId=refund.public_id) == {right}
    assert found(predictionLabelId=refund.public_id) == {right, wrong}
    assert found(predictionLabelId=shipping.public_id.removeprefix("label_")) == {bare}
    assert found(predictionAndAnnotationAgree="true") == {right}
    assert found(predictionAndAnnotationAgree="false") == {wrong}
    assert found(predictionAndAnnotationAgree="false", annotationLabelId=refund.public_id) == set()
    assert found(inTrainSet="true") == {right}
    assert found(inTrainSet="false") == {wrong, bare, unsaid}
    assert found(searchText="PARC") == {wrong}
    assert found(sampleIds=f"{right},{bare.removeprefix('sample_')}") == {right, bare}
    assert set(ids_of(key_client, text_function, **{"sampleIds[]": [right, wrong]})) == {right, wrong}
    assert found(sampleIds="") == set()
    assert found(sampleSetId="sampleset_1") == set()
    assert found(origin="api") == {right, wrong, bare, unsaid}
    assert found(origin="Browser") == set()


def test_a_list_of_captured_calls(key_client: KeyClient, text_function: Function) -> None:
    for text in ("odd", "random"):
        add_texts(function=text_function, items=[NewText(text)], person=None, origin=Origin.CAPTURE)
    odd, _random = text_function.samples.order_by("pk")
    Capture.objects.create(sample=odd, function=text_function, reason=CaptureReason.LOW_CONFIDENCE, confidence=0.4)
    [sample] = key_client.get(address_of(text_function), {"captureReason": "lowconfidence"}).json()
    assert (sample["id"], sample["captureReason"]) == (odd.public_id, "LowConfidence")
    assert len(ids_of(key_client, text_function, origin="InvokeCapture")) == 2


def test_a_list_between_two_moments(key_client: KeyClient, text_function: Function) -> None:
    early, late = (post(key_client, text_function, text)["id"] for text in ("early", "late"))
    Sample.objects.filter(public_id=early).update(created_at="2026-01-01T12:00:00Z")
    assert ids_of(key_client, text_function, createdBefore="2026-01-01T12:00:01Z") == [early]
    assert ids_of(key_client, text_function, createdBefore="2026-01-01T13:00:01+02:00") == []
    assert ids_of(key_client, text_function, createdAfter="2026-01-02") == [late]
    plain = key_client.get(f"{address_of(text_function)}?createdBefore=2026-01-01T15:00:00+02:00")
    assert [sample["id"] for sample in plain.json()] == [early]


@pytest.mark.parametrize(
    "query",
    [
        "annotated=maybe",
        "sortBy=size",
        "sortOrder=up",
        "origin=Moon",
        "captureReason=None",
        "createdAfter=yesterday",
        "createdAfter=2026-02-31T00:00:00Z",
        "createdAfter=0001-01-01T00:00:00%2B14:00",
        "createdBefore=9999-12-31T23:59:59-14:00",
        "createdBefore=99999999999999999999",
        "annotationLabelId=label_nothing",
        "predictionLabelId=%00",
        "startIndex=-1",
        "startIndex=99999999999",
        "count=many",
        "searchText=" + "x" * 201,
        "sampleIds=" + ",".join(f"s{number}" for number in range(10_000)),
    ],
)
def test_what_no_list_can_hold_is_refused(key_client: KeyClient, text_function: Function, query: str) -> None:
    response = key_client.get(f"{address_of(text_function)}?{query}")
    assert response.status_code == 400
    assert response.json()["message"]


@pytest.mark.parametrize("name", ["externalId", "searchText", "sampleIds", "sampleSetId"])
@pytest.mark.parametrize("value", ["%00", "%ED%A0%80", "%FF", "'; --", "%25_%5C"])
def test_odd_characters_find_nothing(key_client: KeyClient, text_function: Function, name: str, value: str) -> None:
    post(key_client, text_function, "plain")
    response = key_client.get(f"{address_of(text_function)}?{name}={value}")
    assert response.status_code == 200
    assert response.json() == []


def test_predictions_of_tags_are_those_judged_to_be_there(key_client: KeyClient, tags_function: Function) -> None:
    angry, price, delivery = tags_function.labels.all()
    made = post(key_client, tags_function, "too dear", annotation=[{"labelName": "Price", "present": True}])
    bare = post(key_client, tags_function, "hello")
    model = model_of(tags_function, is_live=True, figures={"thresholds": {angry.public_id: 0.9}})
    tags = {angry.public_id: 0.8, price.public_id: 0.6, delivery.public_id: 0.1}
    for id_, kind in ((made["id"], PredictionKind.OUT_OF_FOLD), (bare["id"], PredictionKind.LIVE)):
        say(Sample.objects.get(public_id=id_), model, price, kind, tags=tags)
    tags_function.refresh_from_db()
    for sample in key_client.get(address_of(tags_function)).json():
        assert sample["prediction"] == [{"labelId": price.public_id, "labelName": "Price", "confidence": 0.6}]
    assert ids_of(key_client, tags_function, predictionLabelId=price.public_id) == [bare["id"], made["id"]]
    assert ids_of(key_client, tags_function, predictionLabelId=angry.public_id) == []
    assert ids_of(key_client, tags_function, annotationLabelId=price.public_id) == [made["id"]]
    assert ids_of(key_client, tags_function, predictionAndAnnotationAgree="true") == [made["id"]]
    assert ids_of(key_client, tags_function, predictionAndAnnotationAgree="false") == []


def test_a_page_of_many_takes_no_more_queries_than_a_page_of_few(
    key_client: KeyClient, text_function: Function, owner: User
) -> None:
    items = [NewText(f"text {number}", label_name="Refund") for number in range(300)]
    add_texts(function=text_function, items=items, person=owner, origin=Origin.API)

    def n_queries(count: int) -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(ids_of(key_client, text_function, count=count)) == count
        return len(queries)

    n_queries(1)  # the key's first use is noted
    assert n_queries(300) == n_queries(2) <= 9
