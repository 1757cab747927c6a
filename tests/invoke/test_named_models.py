"""Calls that name a model: any that was published, and only the function's own."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from apps.functions.models import Function
from apps.invoke.models import Invocation
from apps.invoke.services import Predictions
from apps.samples.models import Origin
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import TrainedModel
from apps.training.services import finish_work
from tests.invoke.conftest import path_of

pytestmark = pytest.mark.django_db(transaction=True)
Post = Callable[..., httpx.Response]
TEXT = {"data": "an odd word: zebra"}


@pytest.fixture
def taught_more(trained: Function) -> Function:
    """The function with a second model, which learned that zebras mean shipping."""
    items = [NewText(f"zebra {i}", "Shipping") for i in range(6)]
    add_texts(function=trained, items=items, person=None, origin=Origin.IMPORT)
    finish_work(function_id=trained.pk)
    assert TrainedModel.objects.filter(function=trained).exclude(published_at=None).count() >= 2
    return trained


def test_a_model_of_before_answers_as_it_did(
    trained: Function, post: Post, predictions: Predictions, request: pytest.FixtureRequest
) -> None:
    then = post(path_of(trained), json=TEXT).json()
    request.getfixturevalue("taught_more")
    first, *_between, last = TrainedModel.objects.filter(function=trained).order_by("number")
    named = post(f"{path_of(trained)}?modelId={first.public_id}", json=TEXT).json()
    assert named["modelId"] == then["modelId"] == first.public_id
    assert named["confidence"] == pytest.approx(then["confidence"], abs=1e-6)
    bare = post(f"{path_of(trained)}?modelId={last.public_id.removeprefix('model_')}", json=TEXT).json()
    assert bare["modelId"] == last.public_id
    predictions.recorder.flush()
    assert set(Invocation.objects.values_list("model__public_id", flat=True)) == {first.public_id, last.public_id}


def test_an_unknown_model_is_said_to_be_none(trained: Function, trained_pictures: Function, post: Post) -> None:
    others = TrainedModel.objects.get(function=trained_pictures, is_live=True).public_id
    for model_id in ("nothing", others):
        response = post(f"{path_of(trained)}?modelId={model_id}", json=TEXT)
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
        assert "modelId" in response.json()["message"]


def test_a_model_that_can_answer_no_more_says_so(taught_more: Function, post: Post) -> None:
    first = TrainedModel.objects.filter(function=taught_more).order_by("number")[0]
    TrainedModel.objects.filter(pk=first.pk).update(is_damaged=True)
    response = post(f"{path_of(taught_more)}?modelId={first.public_id}", json=TEXT)
    assert response.status_code == 400
    assert "can answer no more" in response.json()["message"]
