"""Labels accepted in the grid: learned from, and in no figure, since the model proposed them itself."""

from __future__ import annotations

import numpy as np
import pytest

from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import create_function
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample, tag_sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import figures, finish_work, held_out, train_function
from apps.workspaces.models import Workspace
from tests.training.conftest import bring, embed_all

pytestmark = pytest.mark.django_db


def give(function: Function, samples: list[Sample], name: str, picked_by: PickedBy) -> None:
    key = function.labels.get(name=name).pk
    pairs: list[tuple[int, int | None]] = [(sample.pk, key) for sample in samples]
    annotate_many(function=function, pairs=pairs, person=None, picked_by=picked_by)


@pytest.fixture
def accepted(text_function: Function) -> list[Sample]:
    """Fifteen samples of each label drawn at random, and twenty of each accepted in the grid, ten of those wrongly."""
    grid: list[Sample] = []
    for word, name, other in (("refund", "Refund", "Shipping"), ("parcel", "Shipping", "Refund")):
        rows = bring(text_function, [f"{word} number {n} please" for n in range(35)])
        give(text_function, rows[:15], name, PickedBy.RANDOM)
        give(text_function, rows[15:30], name, PickedBy.GRID)
        give(text_function, rows[30:], other, PickedBy.GRID)
        grid += rows[15:]
    embed_all(text_function)
    return grid


def live_model(function: Function) -> TrainedModel:
    return TrainedModel.objects.get(function=function, is_live=True)


def test_they_are_learned_from_and_not_judged(text_function: Function, accepted: list[Sample]) -> None:
    train_function(function_id=text_function.pk)
    model = live_model(text_function)
    counted = Sample.objects.filter(function=text_function, annotation__picked_by=PickedBy.RANDOM)
    n_right = sum(
        Prediction.objects.filter(sample=sample, kind=PredictionKind.OUT_OF_FOLD, label=sample.label).exists()
        for sample in counted
    )
    assert (model.n_annotations, model.n_judged, model.n_right) == (70, 30, n_right)
    accuracy = model.figures["accuracy"]
    assert (accuracy["n"], accuracy["n_random"], accuracy["majority"]) == (30, 30, 0.5)
    # They are told of all the same, as a wrong one among them should be found.
    said = Prediction.objects.filter(sample__in=accepted, kind=PredictionKind.OUT_OF_FOLD)
    assert said.count() == len(accepted)


def test_their_mistakes_move_no_figure(text_function: Function, accepted: list[Sample]) -> None:
    train_function(function_id=text_function.pk)
    model = live_model(text_function)
    kept = held_out.read(model)
    assert kept is not None
    assert int(kept.counts.sum()) == 30
    before = figures.estimated(model, kept, list(text_function.labels.all()))
    turned = held_out.Kept(
        kept.sample_ids,
        kept.pred_probs,
        np.where(kept.counts, kept.labels, 1 - kept.labels),
        kept.is_random,
        kept.counts,
        kept.thresholds,
    )
    assert figures.estimated(model, turned, list(text_function.labels.all())) == before


def test_a_correction_does_not_make_one_count(text_function: Function, accepted: list[Sample]) -> None:
    refund = text_function.labels.get(name="Refund")
    annotate_sample(sample=accepted[0], label=refund, person=None, picked_by=PickedBy.PERSON)
    train_function(function_id=text_function.pk)
    assert live_model(text_function).n_judged == 30


def test_with_nothing_else_there_is_a_model_and_no_figure(text_function: Function) -> None:
    for word, name in (("refund", "Refund"), ("parcel", "Shipping")):
        give(text_function, bring(text_function, [f"{word} {n}" for n in range(12)]), name, PickedBy.GRID)
    bring(text_function, ["one more refund"])
    embed_all(text_function)
    finish_work(function_id=text_function.pk)
    model = live_model(text_function)
    assert (model.n_annotations, model.n_judged, model.n_right) == (24, 0, 0)
    assert model.figures["accuracy"]["is_early"]
    assert model.figures["forecast"] is None
    assert all(option["threshold"] is None for option in model.figures["automation"])


def test_tags_accepted_in_the_grid_choose_no_threshold(workspace: Workspace) -> None:
    function = create_function(
        workspace=workspace,
        name="About",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Refund"],
        actor=None,
    )
    refund = function.labels.get()
    samples = bring(function, [f"{'refund' if n % 2 else 'parcel'} number {n}" for n in range(60)])
    embed_all(function)
    for n, sample in enumerate(samples):
        picked_by = PickedBy.GRID if n >= 40 else PickedBy.RANDOM
        tag_sample(sample=sample, tags={refund: bool(n % 2)}, person=None, picked_by=picked_by)
    train_function(function_id=function.pk)
    model = live_model(function)
    assert (model.n_annotations, model.n_judged) == (60, 40)
    assert model.n_right <= 40
