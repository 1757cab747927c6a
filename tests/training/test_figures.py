"""What is estimated with a model: written as it is published, and again when more is known."""

from __future__ import annotations

import json

import numpy as np
import pytest

from apps.core.errors import Conflict
from apps.engine.automation import TARGETS
from apps.functions.models import Function, InputKind, OutputKind, Weight
from apps.functions.services import create_function, delete_label, weigh_label
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many, tag_sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import decide_anew, figures, finish_work, held_out, train_function
from apps.training.services.serving import artifact_folder
from apps.workspaces.models import Workspace
from tests.training.conftest import bring, embed_all, label

pytestmark = pytest.mark.django_db

Samples = dict[str, list[Sample]]


@pytest.fixture
def many(text_function: Function) -> Function:
    """Thirty labelled samples of each label, a few of them mislabelled, and twenty without; nothing trained."""
    for word, name in (("refund", "Refund"), ("parcel", "Shipping")):
        rows = bring(text_function, [f"{word} number {n} please" for n in range(30)])
        embed_all(text_function)
        row = text_function.labels.get(name=name)
        other = text_function.labels.exclude(name=name).first()
        assert other is not None
        pairs: list[tuple[int, int | None]] = [
            (sample.pk, other.pk if i % 10 == 9 else row.pk) for i, sample in enumerate(rows)
        ]
        annotate_many(function=text_function, pairs=pairs, person=None, picked_by=PickedBy.RANDOM)
    bring(text_function, [f"{word} again {n}" for word in ("refund", "parcel") for n in range(10)])
    embed_all(text_function)
    return text_function


def live_model(function: Function) -> TrainedModel:
    return TrainedModel.objects.get(function=function, is_live=True)


def said_of(function: Function, name: str, kind: PredictionKind) -> int:
    return Prediction.objects.filter(function=function, kind=kind, label__name=name).count()


def test_a_published_model_has_its_figures(many: Function) -> None:
    train_function(function_id=many.pk)
    model = live_model(many)
    accuracy = model.figures["accuracy"]
    assert accuracy["n"] == accuracy["n_random"] == 60
    assert accuracy["basis"] == "random"
    assert not accuracy["is_early"]
    assert accuracy["value"] == pytest.approx(model.n_right / 60)
    assert 0 <= accuracy["low"] <= accuracy["value"] <= accuracy["high"] <= 1
    assert accuracy["majority"] == 0.5
    assert [option["target"] for option in model.figures["automation"]] == list(TARGETS)
    assert json.loads(json.dumps(model.figures)) == model.figures


def test_a_forecast_follows_once_the_curve_is_drawn(many: Function) -> None:
    train_function(function_id=many.pk)
    figures_now = live_model(many).figures
    assert figures_now["curve"]["n"] == 60
    assert figures_now["forecast"]["n_more"] == 60
    accuracy = figures_now["accuracy"]
    then = figures_now["forecast"]
    assert accuracy["value"] <= then["value"]
    assert accuracy["low"] <= then["low"] <= then["value"] <= then["high"] <= 1


def test_with_few_labels_it_is_too_early_for_a_forecast(text_function: Function, samples: Samples) -> None:
    train_function(function_id=text_function.pk)
    model = live_model(text_function)
    assert model.figures["accuracy"]["is_early"]
    assert model.figures["forecast"] is None
    assert model.figures["accuracy"]["n_random"] == 0  # people chose them


def test_the_next_model_has_a_forecast_at_once_from_the_last_curve(many: Function) -> None:
    train_function(function_id=many.pk)
    label(many, bring(many, ["one more refund"]), "Refund")
    embed_all(many)
    train_function(function_id=many.pk)
    model = live_model(many)
    assert model.number == 2
    assert model.figures["curve"]["n"] == 60  # not drawn again for one more
    assert model.figures["forecast"] is not None


def test_unlabelled_samples_count_once_they_are_predicted(many: Function) -> None:
    finish_work(function_id=many.pk)
    model = live_model(many)
    options = {option["target"]: option for option in model.figures["automation"]}
    assert 0 <= options[0.8]["share"] <= 1
    before = json.dumps(model.figures, sort_keys=True)
    Prediction.objects.filter(function=many, kind=PredictionKind.LIVE).update(confidence=0.5)
    assert figures.refresh(model)
    model.refresh_from_db()
    assert json.dumps(model.figures, sort_keys=True) != before


def test_the_threshold_is_that_of_the_next_stricter_promise() -> None:
    model = TrainedModel(
        figures={
            "automation": [
                {"target": 0.9, "threshold": 0.7, "share": 0.8, "right": 0.92},
                {"target": 0.95, "threshold": 0.8, "share": 0.6, "right": 0.96},
                {"target": 0.99, "threshold": None, "share": 0.0, "right": None},
            ]
        }
    )
    assert figures.threshold_for(model, 0.5) == 0.7
    assert figures.threshold_for(model, 0.9) == 0.7
    assert figures.threshold_for(model, 0.93) == 0.8
    assert figures.threshold_for(model, 0.97) is None
    assert figures.threshold_for(model, 0.999) is None
    assert figures.threshold_for(TrainedModel(), 0.9) is None


def test_a_label_that_is_worse_to_miss_is_said_at_once_more_often_and_a_round_keeps_to_it(many: Function) -> None:
    finish_work(function_id=many.pk)
    model = live_model(many)
    refund = many.labels.get(name="Refund")
    n_before = said_of(many, "Refund", PredictionKind.OUT_OF_FOLD)
    kept = held_out.read(model)
    assert kept is not None
    column = model.label_ids.index(refund.public_id)
    expected = int(np.sum(kept.pred_probs[:, column] * 10 > kept.pred_probs[:, 1 - column]))
    assert expected > n_before, "the test's samples must be doubtful enough"
    weigh_label(label=refund, weight=Weight.MUCH_WORSE)
    decide_anew(function=many)
    assert said_of(many, "Refund", PredictionKind.OUT_OF_FOLD) == expected
    assert TrainedModel.objects.filter(function=many).count() == 1  # no round
    figures_now = live_model(many).figures
    assert figures_now["accuracy"]["value"] != model.figures["accuracy"]["value"]
    assert said_of(many, "Refund", PredictionKind.LIVE) == 0  # being made again
    finish_work(function_id=many.pk)
    assert said_of(many, "Refund", PredictionKind.LIVE) > 0
    label(many, bring(many, ["yet another refund"]), "Refund")
    finish_work(function_id=many.pk)
    assert said_of(many, "Refund", PredictionKind.OUT_OF_FOLD) > n_before


def test_what_was_held_out_comes_back_as_it_was_and_a_lost_file_is_learned_anew(many: Function) -> None:
    finish_work(function_id=many.pk)
    model = live_model(many)
    kept = held_out.read(model)
    assert kept is not None
    assert kept.pred_probs.shape == (60, 2)
    assert kept.is_random.all()
    assert kept.thresholds is None
    (artifact_folder(many, model.public_id) / held_out.FILE).write_bytes(b"broken")
    assert held_out.read(model) is None
    assert not figures.refresh(model)
    revision = Function.objects.get(pk=many.pk).data_revision
    decide_anew(function=many)
    assert Function.objects.get(pk=many.pk).data_revision == revision + 1


def test_a_deleted_label_breaks_no_figures(many: Function) -> None:
    finish_work(function_id=many.pk)
    model = live_model(many)
    row = many.labels.get(name="Refund")
    delete_label(label=row)
    assert figures.refresh(model)
    with pytest.raises(Conflict):
        weigh_label(label=row, weight=Weight.WORSE)
    decide_anew(function=many)
    assert said_of(many, "Refund", PredictionKind.OUT_OF_FOLD) == 0


def test_a_function_without_a_model_is_decided_in_peace(text_function: Function) -> None:
    decide_anew(function=text_function)
    assert not Prediction.objects.exists()


def test_a_tag_that_is_worse_to_miss_has_a_lower_threshold_at_once(workspace: Workspace) -> None:
    function = create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Money", "Parcel"],
        actor=None,
    )
    money, parcel = function.labels.all()
    texts = (
        [f"refund {n}" for n in range(12)]
        + [f"parcel {n}" for n in range(12)]
        + [f"parcel refund {n}" for n in range(6)]
    )
    samples = bring(function, texts)
    embed_all(function)
    for sample in samples:
        tags = {money: "refund" in sample.text, parcel: "parcel" in sample.text}
        tag_sample(sample=sample, tags=tags, person=None, picked_by=PickedBy.RANDOM)
    finish_work(function_id=function.pk)
    model = live_model(function)
    usual = model.figures["thresholds"]
    assert usual.keys() == {money.public_id, parcel.public_id}
    assert model.figures["accuracy"]["n"] == 30
    assert model.figures["accuracy"]["value"] == pytest.approx(model.n_right / 30)
    weigh_label(label=money, weight=Weight.WORSE)
    decide_anew(function=function)
    worse = live_model(function).figures["thresholds"]
    assert worse[money.public_id] < usual[money.public_id]
    assert worse[parcel.public_id] == usual[parcel.public_id]
    kept = held_out.read(model)
    assert kept is not None
    column = model.label_ids.index(money.public_id)
    said = kept.pred_probs[:, column] >= worse[money.public_id]
    rows = Prediction.objects.filter(function=function, kind=PredictionKind.OUT_OF_FOLD)
    assert sum((row.tags or {})[money.public_id] >= worse[money.public_id] for row in rows) == said.sum()


def test_a_curve_drawn_while_figures_are_estimated_anew_is_kept(many: Function) -> None:
    finish_work(function_id=many.pk)
    stale = live_model(many)
    drawn = {"removed": 0.123, "n": 66}
    newer = stale.figures | {"curve": drawn, "forecast": {"n_more": 70, "value": 0.92, "low": 0.9, "high": 0.95}}
    TrainedModel.objects.filter(pk=stale.pk).update(figures=newer)
    assert figures.refresh(stale)
    stored = live_model(many).figures
    assert stored["curve"] == drawn
    assert stored["forecast"]["n_more"] == 70


def test_a_model_deleted_meanwhile_is_no_fault(many: Function) -> None:
    finish_work(function_id=many.pk)
    model = live_model(many)
    TrainedModel.objects.filter(pk=model.pk).delete()
    assert not figures.refresh(model)
