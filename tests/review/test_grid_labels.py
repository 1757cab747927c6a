"""Labels accepted in the grid stand beside the figures, with a link of their own."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import create_function
from apps.review.filters import SampleFilter, Verdict
from apps.review.selectors import figures, samples_page
from apps.samples.media import content_hash
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import tag_sample
from apps.training.models import Prediction, PredictionKind
from apps.workspaces.models import Workspace
from tests.review.conftest import Add, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def mixed(add: Add) -> dict[str, Sample]:
    return {
        "right": add("Refund", "Refund", picked_by=PickedBy.RANDOM),
        "wrong": add("Refund", "Shipping", margin=0.1),
        "grid right": add("Refund", "Refund", picked_by=PickedBy.GRID),
        "grid wrong": add("Refund", "Shipping", margin=0.1, picked_by=PickedBy.GRID),
        "grid waiting": add("Refund", picked_by=PickedBy.GRID),
    }


def listed(function: Function, chosen: SampleFilter) -> list[Sample]:
    page = samples_page(function, list(function.labels.in_use()), chosen)
    assert page.n_total == len(page.rows)
    return sorted((row.sample for row in page.rows), key=lambda sample: sample.pk)


def test_they_are_in_no_figure_but_their_own(text_function: Function, mixed: dict[str, Sample]) -> None:
    shown = figures(text_function)
    assert (shown.n_labelled, shown.n_judged, shown.n_from_grid, shown.n_waiting) == (5, 2, 2, 1)
    assert (shown.n_right, shown.n_wrong, shown.n_unsure) == (1, 1, 1)
    refund, shipping = shown.lines
    assert (refund.n, refund.n_caught, shipping.n_false_alarms) == (2, 1, 1)


def test_every_number_leads_to_exactly_its_samples(text_function: Function, mixed: dict[str, Sample]) -> None:
    refund, shipping = text_function.labels.all()
    expected = {
        SampleFilter(verdict=Verdict.JUDGED): ["right", "wrong"],
        SampleFilter(verdict=Verdict.RIGHT): ["right"],
        SampleFilter(verdict=Verdict.WRONG): ["wrong"],
        SampleFilter(verdict=Verdict.UNSURE): ["wrong"],
        SampleFilter(verdict=Verdict.WAITING): ["grid waiting"],
        SampleFilter(verdict=Verdict.GRID): ["grid right", "grid wrong"],
        SampleFilter(verdict=Verdict.WRONG, predicted=shipping): ["wrong"],
        SampleFilter(predicted=shipping): ["wrong"],
        SampleFilter(verdict=Verdict.GRID, predicted=shipping): ["grid wrong"],
        SampleFilter(label=refund): list(mixed),
    }
    for chosen, names in expected.items():
        assert listed(text_function, chosen) == [mixed[name] for name in names], chosen


def test_the_home_says_how_many_and_why(
    text_function: Function, mixed: dict[str, Sample], owner_client: Client
) -> None:
    page = owner_client.get(f"/functions/{text_function.public_id}/").content.decode()
    assert 'href="?verdict=grid#list">2 more</a> were accepted in the grid' in page
    rows = owner_client.get(f"/functions/{text_function.public_id}/?verdict=grid").content.decode()
    assert rows.count("accepted in the grid, not counted") == 2


def test_tags_accepted_in_the_grid_are_aside_too(workspace: Workspace) -> None:
    function = create_function(
        workspace=workspace,
        name="About",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Food"],
        actor=None,
    )
    food, model = function.labels.get(), publish(function)
    made = {}
    for picked_by, prob in ((PickedBy.RANDOM, 0.9), (PickedBy.GRID, 0.1), (PickedBy.GRID, None)):
        words = f"{picked_by} {prob}"
        sample = Sample.objects.create(
            function=function, text=words, content_hash=content_hash(words), origin=Origin.BROWSER
        )
        tag_sample(sample=sample, tags={food: True}, person=None, picked_by=picked_by)
        made[words] = sample
        if prob is not None:
            Prediction.objects.create(
                sample=sample,
                function=function,
                kind=PredictionKind.OUT_OF_FOLD,
                model=model,
                tags={food.public_id: prob},
                confidence=0.9,
                margin=0.4,
            )
    function.refresh_from_db()
    shown = figures(function)
    assert (shown.n_labelled, shown.n_judged, shown.n_right, shown.n_from_grid, shown.n_waiting) == (3, 1, 1, 1, 1)
    assert (shown.lines[0].n, shown.lines[0].n_caught) == (1, 1)
    assert listed(function, SampleFilter(verdict=Verdict.WRONG)) == []
    assert listed(function, SampleFilter(verdict=Verdict.GRID)) == [made["grid 0.1"]]
    assert listed(function, SampleFilter(predicted=food)) == [made["random 0.9"]]
