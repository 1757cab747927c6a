"""Looking for more of one label: by likeness to its samples, by what the model makes of them, or both."""

from html import unescape
from itertools import pairwise
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import Progress, survey_function
from tests.training.conftest import bring, embed_all, label

pytestmark = pytest.mark.django_db

COLOURS = ("red", "blue", "green", "lime", "pink", "gold", "teal", "grey", "black", "white", "brown", "ivory")
REFUNDS = [f"please refund the money for order {word} {word}" for word in COLOURS]
PARCELS = [f"parcel delivery of {word} things is late" for word in COLOURS]


@pytest.fixture
def surveyed(text_function: Function, settings: Settings, tmp_path: Path) -> Function:
    """Twenty-four texts of two sorts, looked over; two of the first sort are *Refund*, and nothing is trained."""
    settings.ARTIFACTS_DIR = tmp_path / "models"
    bring(text_function, REFUNDS + PARCELS)
    embed_all(text_function)
    label(text_function, list(text_function.samples.filter(text__in=REFUNDS[:2])), "Refund")
    assert survey_function(function_id=text_function.pk) is Progress.DONE
    return text_function


def ask(client: Client, function: Function, **query: str | int) -> list[dict[str, object]]:
    address = reverse("labeling:grid_samples", args=[function.public_id])
    response = client.get(address, query, headers={"accept": "application/json"})
    assert response.status_code == 200
    body = response.json()
    assert body["show"] == query["show"]
    items: list[dict[str, object]] = body["items"]
    return items


def hunt(client: Client, function: Function, name: str, n: int) -> list[str]:
    wanted = function.labels.get(name=name).public_id
    items = ask(client, function, show="hunt", label=wanted, n=n)
    assert all(item["word"] is None for item in items)
    return [str(item["text"]) for item in items]


def test_without_a_model_those_like_the_labelled_ones_come_first(member_client: Client, surveyed: Function) -> None:
    assert set(hunt(member_client, surveyed, "Refund", 10)) == set(REFUNDS[2:])


def test_what_the_model_takes_for_it_comes_before_what_is_only_like_it(
    member_client: Client, surveyed: Function, model: TrainedModel
) -> None:
    refund, shipping = surveyed.labels.get(name="Refund"), surveyed.labels.get(name="Shipping")
    said = {PARCELS[0]: (refund, None, 0.9, 0.8), PARCELS[1]: (shipping, refund, 0.6, 0.2)}
    for text, (first, second, confidence, margin) in said.items():
        Prediction.objects.create(
            sample=Sample.objects.get(text=text), function=surveyed, kind=PredictionKind.LIVE, model=model,
            label=first, runner_up=second, confidence=confidence, margin=margin,
        )  # fmt: skip
    assert hunt(member_client, surveyed, "Refund", 2) == PARCELS[:2]
    assert set(hunt(member_client, surveyed, "Refund", 12)) == {*PARCELS[:2], *REFUNDS[2:]}


def test_a_label_nobody_gave_yet_is_hunted_by_the_model_alone(
    member_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    assert hunt(member_client, text_function, "Refund", 2) == ["message 0", "message 1"]
    assert hunt(member_client, text_function, "Shipping", 2) == []


def test_what_has_been_labelled_or_is_for_several_is_not_hunted(
    member_client: Client, member: User, surveyed: Function
) -> None:
    shipping = surveyed.labels.get(name="Shipping")
    annotate_sample(
        sample=Sample.objects.get(text=REFUNDS[2]), label=shipping, person=member, picked_by=PickedBy.PERSON
    )
    Sample.objects.filter(text=REFUNDS[3]).update(n_wanted=2)
    assert set(hunt(member_client, surveyed, "Refund", 8)) == set(REFUNDS[4:])


def test_the_settings_lead_to_hunting_for_each_label(
    owner_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    refund = text_function.labels.get(name="Refund").public_id
    link = f"{reverse('labeling:grid_page', args=[text_function.public_id])}?show=hunt&amp;label={refund}"
    page = owner_client.get(reverse("functions:settings_page", args=[text_function.public_id]))
    assert link in page.content.decode()
    grid = owner_client.get(unescape(link)).context["grid"]
    assert (grid["show"], grid["labelId"], len(grid["items"])) == ("hunt", refund, 40)


def test_drawn_ones_stand_beside_those_like_them(member_client: Client, surveyed: Function) -> None:
    items = ask(member_client, surveyed, show="any", n=30)
    sorts = ["refund" in str(item["text"]) for item in items]
    assert len(sorts) == 22
    assert sum(first != second for first, second in pairwise(sorts)) == 1
