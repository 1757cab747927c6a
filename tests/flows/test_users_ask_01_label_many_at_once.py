"""Row 1: label many at once, in a grid: what looks alike, a range of it, everything similar, each with one key.

From a handful of labels through a trained model to accepted grids, hunting and undo; over HTTP, with the real rounds.
"""

from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from apps.functions.models import Function
from apps.samples.models import Annotation, PickedBy, Sample
from apps.training.models import TrainedModel
from apps.training.services import finish_work
from tests.training.conftest import bring, label

pytestmark = pytest.mark.django_db

COLOURS = ("red", "blue", "green", "lime", "pink", "gold", "teal", "grey", "black", "white")
THINGS = ("lamp", "chair", "phone", "table")
REFUNDS = [f"please refund my money for the {colour} {thing}" for thing in THINGS for colour in COLOURS]
PARCELS = [f"where is the parcel with the {colour} {thing}" for thing in THINGS for colour in COLOURS]
TAUGHT = {*REFUNDS[::8], *PARCELS[::8]}


@pytest.fixture
def trained(text_function: Function, settings: Settings, tmp_path: Path) -> Function:
    settings.ARTIFACTS_DIR = tmp_path / "models"
    bring(text_function, REFUNDS + PARCELS)
    for name, texts in (("Refund", REFUNDS[::8]), ("Shipping", PARCELS[::8])):
        label(text_function, list(text_function.samples.filter(text__in=texts)), name)
    catch_up(text_function)
    return text_function


def catch_up(function: Function) -> None:
    """Do what the worker would."""
    finish_work(function_id=function.pk)


def grid(client: Client, function: Function, **query: str | int) -> list[dict[str, str]]:
    address = reverse("labeling:grid_samples", args=[function.public_id])
    items: list[dict[str, str]] = client.get(address, query, headers={"accept": "application/json"}).json()["items"]
    return items


def give(client: Client, function: Function, items: list[dict[str, str]], name: str, kind: str) -> str:
    """Press one key. Returns where it is undone."""
    body = {
        "samples": [item["sampleId"] for item in items],
        "label": function.labels.get(name=name).public_id,
        "kind": kind,
    }
    address = reverse("labeling:label_selection", args=[function.public_id])
    answer = client.post(address, body, content_type="application/json").json()
    assert answer["n"] == len(items)
    url: str = answer["undoUrl"]
    return url


def labelled(function: Function) -> dict[str, str]:
    """What was labelled beyond what was taught, by text."""
    rows = function.samples.exclude(text__in=TAUGHT).exclude(label=None)
    return {sample.text: sample.label.name for sample in rows.select_related("label") if sample.label}


def test_forty_that_look_alike_take_one_key_and_are_learned_from_but_never_counted(
    trained: Function, member_client: Client
) -> None:
    refund = trained.labels.get(name="Refund").public_id
    shown = grid(member_client, trained, label=refund, n=30)
    assert len(shown) == 30
    assert {item["text"] for item in shown} <= {*REFUNDS}
    give(member_client, trained, shown, "Refund", "grid")
    assert labelled(trained) == {item["text"]: "Refund" for item in shown}
    assert set(Annotation.objects.filter(act__isnull=False).values_list("picked_by", flat=True)) == {PickedBy.GRID}

    catch_up(trained)
    model = TrainedModel.objects.get(function=trained, is_live=True)
    assert model.last_annotation_id == Annotation.objects.latest("pk").pk  # learned from
    assert model.n_judged == len(TAUGHT)  # not counted


def test_a_range_of_them_takes_one_key_and_all_of_it_comes_back_with_another(
    trained: Function, member_client: Client
) -> None:
    shown = grid(member_client, trained, show="any", n=20)
    url = give(member_client, trained, shown[3:13], "Shipping", "selection")
    assert set(labelled(trained)) == {item["text"] for item in shown[3:13]}
    assert set(Annotation.objects.filter(act__isnull=False).values_list("picked_by", flat=True)) == {PickedBy.PERSON}
    undone = member_client.post(url, headers={"accept": "application/json"})
    assert undone.status_code == 200
    assert labelled(trained) == {}


def test_everything_similar_to_a_few_is_found_and_selected_at_once(trained: Function, member_client: Client) -> None:
    shipping = trained.labels.get(name="Shipping").public_id
    found = grid(member_client, trained, show="hunt", label=shipping, n=35)
    assert {item["text"] for item in found} == {*PARCELS} - TAUGHT
    give(member_client, trained, found, "Shipping", "selection")
    assert Sample.objects.filter(label__name="Shipping").count() == len(PARCELS)
