"""People ask: finding wrong labels needs probabilities of models that never saw the sample, and beginners get it wrong.

Here nobody hands in any. Folds are the product's: duplicates in one, the order that of the samples, always held out.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from apps.functions.models import Function
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import FindingKind, FunctionWork, Prediction, PredictionKind
from apps.training.selectors import findings, judging_model
from apps.training.services import finish_work, held_out, inspect_function, survey_function

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"


def bring(function: Function, texts: list[str], label_name: str) -> list[Sample]:
    items = [NewText(text) for text in texts]
    samples = add_texts(function=function, items=items, person=None, origin=Origin.IMPORT).samples
    key = function.labels.get(name=label_name).pk
    pairs: list[tuple[int, int | None]] = [(sample.pk, key) for sample in samples]
    annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)
    return samples


def wrong_labels(function: Function) -> list[Sample]:
    """What the review page shows once workers had a quiet minute."""
    finish_work(function_id=function.pk)
    for job in (survey_function, inspect_function):
        FunctionWork.objects.filter(function=function).update(retry_at=None)
        job(function_id=function.pk)
    return [row.sample for row in findings(function, FindingKind.WRONG_LABEL)]


@pytest.fixture
def labelled(text_function: Function) -> Function:
    bring(text_function, [f"please refund my money for order {n}" for n in range(20)], "Refund")
    bring(text_function, [f"where is the parcel with number {n}" for n in range(20)], "Shipping")
    return text_function


def test_wrong_labels_surface_by_themselves(labelled: Function) -> None:
    (wrong,) = bring(labelled, ["please refund my money for the lamp"], "Shipping")
    assert wrong in wrong_labels(labelled)


def test_a_wrong_label_given_twice_does_not_vouch_for_itself(labelled: Function) -> None:
    """The same but for capitals: had a model seen one of them, it would repeat its label for the other."""
    twins = ["please refund my money for the blue lamp", "PLEASE refund my money for the blue LAMP"]
    wrong = bring(labelled, twins, "Shipping")
    assert set(wrong_labels(labelled)) >= set(wrong)
    said = Prediction.objects.filter(sample__in=wrong, kind=PredictionKind.OUT_OF_FOLD)
    assert {prediction.label.name for prediction in said if prediction.label} == {"Refund"}


def test_what_was_held_out_is_in_the_order_of_the_samples(labelled: Function) -> None:
    late = bring(labelled, ["the parcel never came", "give me a refund at once"], "Shipping")
    wrong_labels(labelled)
    model = judging_model(labelled)
    assert model is not None
    kept = held_out.read(model)
    assert kept is not None
    assert kept.sample_ids[-2:].tolist() == [sample.pk for sample in late]
    told = {
        row.sample_id: row.label.public_id
        for row in Prediction.objects.filter(function=labelled, kind=PredictionKind.OUT_OF_FOLD).select_related("label")
        if row.label
    }
    likeliest = [model.label_ids[column] for column in kept.pred_probs.argmax(axis=1)]
    assert [told[pk] for pk in kept.sample_ids.tolist()] == likeliest
    given = dict(Sample.objects.filter(function=labelled).values_list("pk", "label__public_id"))
    assert [given[pk] for pk in kept.sample_ids.tolist()] == [model.label_ids[column] for column in kept.labels]


def test_what_is_said_of_a_sample_does_not_turn_round_with_its_own_label(labelled: Function) -> None:
    """A model that had learned from it would repeat whatever label it carries."""
    (turned,) = bring(labelled, ["please refund my money for the zephyr"], "Refund")
    wrong_labels(labelled)
    assert _said_of(turned) == "Refund"
    shipping = labelled.labels.get(name="Shipping").pk
    annotate_many(function=labelled, pairs=[(turned.pk, shipping)], person=None, picked_by=PickedBy.PERSON)
    assert turned in wrong_labels(labelled)
    assert _said_of(turned) == "Refund"


def _said_of(sample: Sample) -> str:
    said = Prediction.objects.select_related("label").get(sample=sample, kind=PredictionKind.OUT_OF_FOLD)
    return said.label.name if said.label else ""
