"""The better model: made in the background once it is quiet, judged like any other, served if it is better."""

import pytest

from apps.functions.models import Function
from apps.training.models import Adaptation, AdaptationState, FunctionWork, TrainedModel, WorkKind
from apps.training.services import Progress, adapt_function, finish_work, serving
from tests.training.hard_texts import bring_labelled, hard_texts, noise_texts
from tests.training.reading import as_read

pytestmark = pytest.mark.django_db


def adapt_now(function: Function) -> Adaptation:
    """Adapt whatever the clock says, and let a round judge it."""
    FunctionWork.objects.filter(function=function, kind=WorkKind.ADAPT).update(done_revision=0, retry_at=None)
    assert adapt_function(function_id=function.pk) is Progress.DONE
    finish_work(function_id=function.pk)
    return Adaptation.objects.filter(function=function).latest("pk")


def test_what_is_better_is_made_judged_and_served(text_function: Function) -> None:
    bring_labelled(text_function, hard_texts(60))
    finish_work(function_id=text_function.pk)
    before = TrainedModel.objects.get(is_live=True)
    adaptation = adapt_now(text_function)
    assert adaptation.state == AdaptationState.USED
    live = TrainedModel.objects.get(is_live=True)
    assert (live.number, live.adaptation) == (before.number + 1, adaptation)
    assert live.backbone_versions["adapted-tiny-text"] == adaptation.public_id
    assert live.n_right > before.n_right
    served = serving.load_live(text_function.pk)
    assert served is not None
    fresh = hard_texts(100, seed=1)
    said = served.pred_probs(as_read(served, [text for text, _name in fresh])).argmax(axis=1)
    n_right = sum(served.labels[column].name == name for column, (_text, name) in zip(said, fresh, strict=True))
    assert n_right >= 70


def test_labels_that_mean_nothing_choose_no_adaptation(text_function: Function) -> None:
    bring_labelled(text_function, noise_texts(60))
    finish_work(function_id=text_function.pk)
    adaptation = adapt_now(text_function)
    assert adaptation.state == AdaptationState.REJECTED
    assert TrainedModel.objects.get(is_live=True).adaptation is None
