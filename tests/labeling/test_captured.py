"""Captured calls in the label queue: asked as any other sample, and it is said why they are here."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function, Label
from apps.samples.models import Capture, CaptureReason, Origin, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import Prediction, PredictionKind
from tests.review.conftest import publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def captured(text_function: Function, refund: Label) -> Sample:
    add_texts(function=text_function, items=[NewText("odd one")], person=None, origin=Origin.CAPTURE)
    sample = Sample.objects.get()
    Capture.objects.create(
        sample=sample, function=text_function, reason=CaptureReason.LOW_CONFIDENCE, label=refund, confidence=0.4
    )
    return sample


def reason_in(client: Client, function: Function) -> dict[str, object]:
    url = reverse("labeling:queue", args=[function.public_id])
    [item] = client.get(url, {"n": 1}, headers={"accept": "application/json"}).json()["items"]
    reason: dict[str, object] = item["reason"]
    return reason


def test_it_is_said_that_it_came_in_as_a_call_and_why_it_was_kept(
    captured: Sample, text_function: Function, member_client: Client
) -> None:
    at = captured.capture.created_at.isoformat()
    assert reason_in(member_client, text_function)["call"] == {"at": at, "because": "the model was not sure"}


def test_who_is_to_answer_by_themselves_is_not_told_why(
    captured: Sample, text_function: Function, member_client: Client
) -> None:
    Sample.objects.filter(pk=captured.pk).update(n_wanted=2)
    call = reason_in(member_client, text_function)["call"]
    assert call == {"at": captured.capture.created_at.isoformat(), "because": ""}


def test_a_call_drawn_at_random_is_asked_without_a_suggestion(
    captured: Sample, text_function: Function, refund: Label, member_client: Client
) -> None:
    model = publish(text_function)
    Prediction.objects.create(
        function=text_function,
        sample=captured,
        model=model,
        kind=PredictionKind.LIVE,
        label=refund,
        confidence=0.6,
        margin=0.2,
    )
    url = reverse("labeling:queue", args=[text_function.public_id])
    for is_random, kinds in [(False, {"torn", "typical"}), (True, {"random"})]:
        Capture.objects.update(is_random=is_random)
        [item] = member_client.get(url, {"n": 1}, headers={"accept": "application/json"}).json()["items"]
        assert (item["suggestion"] is None) == is_random
        assert item["mayNotSuggest"] == is_random
        assert item["reason"]["kind"] in kinds
        assert (item["reason"]["call"]["because"] == "") == is_random


def test_nothing_is_said_of_others(text_function: Function, member_client: Client) -> None:
    add_texts(function=text_function, items=[NewText("sent from a file")], person=None, origin=Origin.CAPTURE)
    assert "call" not in reason_in(member_client, text_function)
