"""What other programs are told of models, by whatever door these changed."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import User
from apps.events.models import Notice
from apps.events.services import keep_audience
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import TrainedModel
from apps.training.services import finish_work, serving, telling
from apps.training.services.choosing import pin_model, unpin_model
from tests.told import undescribed
from tests.training.conftest import label

Samples = dict[str, list[Sample]]


@pytest.fixture
def heard(text_function: Function) -> Function:
    keep_audience(workspace=text_function.workspace.public_id, is_there=True)
    return text_function


def notices(kind: str) -> list[dict[str, Any]]:
    told = list(Notice.objects.filter(kind=kind).order_by("id").values_list("data", flat=True))
    assert [undescribed(kind, data) for data in told if undescribed(kind, data)] == []
    return told


def test_each_new_model_is_told_with_how_often_it_is_right(heard: Function, samples: Samples) -> None:
    finish_work(function_id=heard.pk)
    label(heard, samples[""][:1], "Refund")
    finish_work(function_id=heard.pk)
    models = list(TrainedModel.objects.order_by("number"))
    told = notices("model.trained")
    assert [one["model_id"] for one in told] == [model.public_id for model in models]
    assert [one["annotation_count"] for one in told] == [model.n_annotations for model in models]
    for one in told:
        assert 0 <= one["accuracyLow"] <= one["accuracy"] <= one["accuracyHigh"] <= 1
    assert [one["because"] for one in notices("model.published")] == ["trained"] * len(models)
    assert set(Notice.objects.values_list("function_id", flat=True)) == {heard.public_id}


def test_another_model_that_answers_is_told_whoever_chose_it(heard: Function, samples: Samples, owner: User) -> None:
    finish_work(function_id=heard.pk)
    label(heard, samples[""][:1], "Refund")
    finish_work(function_id=heard.pk)
    first, newest = TrainedModel.objects.order_by("number")
    Notice.objects.all().delete()
    pin_model(model=first, actor=owner)
    pin_model(model=first, actor=owner)
    label(heard, samples[""][1:2], "Refund")
    finish_work(function_id=heard.pk)
    assert len(notices("model.trained")) == 1
    unpin_model(function=heard, actor=owner)
    last = TrainedModel.objects.get(number=3)
    serving.retire_damaged(model=last, reason="test")
    assert [(one["model_id"], one["because"]) for one in notices("model.published")] == [
        (first.public_id, "pinned"),
        (last.public_id, "unpinned"),
        (newest.public_id, "damaged"),
    ]


def test_pinning_the_one_that_answers_is_no_news(heard: Function, samples: Samples, owner: User) -> None:
    finish_work(function_id=heard.pk)
    Notice.objects.all().delete()
    pin_model(model=TrainedModel.objects.get(), actor=owner)
    unpin_model(function=heard, actor=owner)
    assert notices("model.published") == []


def model_with(function: Function, *, number: int, revision: int, **accuracy: object) -> TrainedModel:
    model = TrainedModel.objects.create(
        function=function,
        number=number,
        data_revision=revision,
        recipe={},
        label_ids=[],
        sha256="0" * 64,
        last_annotation_id=1,
        n_annotations=100,
        n_right=50,
        log_loss=0.5,
        figures={"accuracy": {"is_early": False, **accuracy}},
        published_at="2026-01-01T00:00:00Z",
    )
    return TrainedModel.objects.get(pk=model.pk)


@pytest.mark.parametrize(
    ("now", "is_told"),
    [
        ({"value": 0.70, "low": 0.65, "high": 0.75}, True),
        ({"value": 0.84, "low": 0.79, "high": 0.89}, False),
        ({"value": 0.95, "low": 0.92, "high": 0.97}, False),
        ({"value": 0.70, "low": 0.65, "high": 0.75, "is_early": True}, False),
    ],
)
def test_a_model_that_is_less_often_right_beyond_chance_is_told_with_both_figures(
    now: dict[str, object], is_told: bool, heard: Function
) -> None:
    before = model_with(heard, number=1, revision=1, value=0.9, low=0.85, high=0.94)
    model_with(heard, number=2, revision=2, value=0.2, low=0.1, high=0.3)  # the draft of the same round
    model = model_with(heard, number=3, revision=2, **now)
    telling.tell_trained(model, is_last=False)
    assert notices("accuracy.dropped") == []
    telling.tell_trained(model, is_last=True)
    told = notices("accuracy.dropped")
    assert bool(told) is is_told
    if told:
        assert told[0]["accuracy"] == 0.7
        assert (told[0]["accuracyLow"], told[0]["accuracyHigh"]) == (0.65, 0.75)
        assert told[0]["before"] == {
            "modelId": before.public_id,
            "number": 1,
            "accuracy": 0.9,
            "accuracyLow": 0.85,
            "accuracyHigh": 0.94,
        }


def test_where_nobody_listens_nothing_is_written(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    assert not Notice.objects.exists()
