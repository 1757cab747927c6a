"""What people are told of the better model: that it is on its way, what it changed, and nothing where it was none."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.core.leases import LEASE_SECONDS
from apps.functions.models import Function
from apps.training.better import better_sentence, gain_words
from apps.training.models import Adaptation, AdaptationState, FunctionWork, TrainedModel, WorkKind
from apps.training.recipe_words import recipe_words
from apps.training.selectors import training_state
from apps.training.services import adapt_function, finish_work
from tests.training.hard_texts import bring_labelled, hard_texts, noise_texts

pytestmark = pytest.mark.django_db
ON_ITS_WAY = "A better model is on its way."


def at_work(function: Function, **changes: object) -> None:
    expires_at = timezone.now() + timedelta(seconds=LEASE_SECONDS)
    held = {"lease_holder": "a worker", "lease_expires_at": expires_at, "wanted_revision": 2, "done_revision": 1}
    FunctionWork.objects.update_or_create(function=function, kind=WorkKind.ADAPT, defaults=held | changes)


def said(function: Function) -> str:
    """What a page says, by what it reads."""
    return better_sentence(function, training_state(function).adapting)


def test_while_it_is_made_it_is_on_its_way(text_function: Function) -> None:
    assert said(text_function) == ""
    at_work(text_function)
    assert said(text_function) == ON_ITS_WAY


def test_to_look_whether_it_is_time_is_not_said(text_function: Function) -> None:
    at_work(text_function, wanted_revision=0)
    assert said(text_function) == ""


def test_a_worker_that_died_makes_nothing(text_function: Function) -> None:
    at_work(text_function, lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert said(text_function) == ""


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (17.5, ""),
        (32.0, " Last time that took about 30 seconds."),
        (56.0, " Last time that took about a minute."),
        (61.0, " Last time that took about a minute."),
        (130.0, " Last time that took about 2 minutes."),
    ],
)
def test_how_long_the_last_one_took_is_said_where_it_was_long(
    text_function: Function, seconds: float, words: str
) -> None:
    at_work(text_function)
    Adaptation.objects.create(
        function=text_function, data_revision=1, label_ids=[], n_annotations=60, seconds=seconds, sha256="x"
    )
    assert said(text_function) == f"{ON_ITS_WAY}{words}"
    at_work(text_function, lease_expires_at=None)
    assert said(text_function) == ON_ITS_WAY, "the newest one itself waits to be judged"
    Adaptation.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert said(text_function) == "", "nobody comes to judge it"


def test_what_it_changed_is_said_on_the_home_the_label_page_and_in_the_list(
    text_function: Function, owner_client: Client
) -> None:
    bring_labelled(text_function, hard_texts(60))
    finish_work(function_id=text_function.pk)
    before = TrainedModel.objects.get(is_live=True)
    adapt_function(function_id=text_function.pk)
    assert said(text_function).startswith(ON_ITS_WAY)
    finish_work(function_id=text_function.pk)
    after = TrainedModel.objects.get(is_live=True)
    words = f"{after.n_right - before.n_right} more right ({before.n_right} to {after.n_right} of 60)"
    assert said(text_function) == f"A better model: {words}."
    at_work(text_function)
    assert said(text_function) == "The better model learns your new labels."
    at_work(text_function, lease_expires_at=None)
    for name in ("review:function_home", "labeling:label_page", "training:models_page"):
        assert words in owner_client.get(reverse(name, args=[text_function.public_id])).content.decode()
    page = owner_client.get(reverse("training:models_page", args=[text_function.public_id])).content.decode()
    assert "its own top layers of tiny-text, taught with your 60 labels" in page
    TrainedModel.objects.update(published_at=timezone.now() - timedelta(days=2))
    assert said(text_function) == ""


def test_of_one_that_was_no_better_nothing_is_said(text_function: Function) -> None:
    bring_labelled(text_function, noise_texts(60))
    finish_work(function_id=text_function.pk)
    adapt_function(function_id=text_function.pk)
    finish_work(function_id=text_function.pk)
    assert Adaptation.objects.get().state == AdaptationState.REJECTED
    assert said(text_function) == ""


def test_only_more_is_a_gain() -> None:
    assert gain_words({"better": {"before": 84, "after": 91, "of": 100}}) == "7 more right (84 to 91 of 100)"
    assert gain_words({"better": {"before": 91, "after": 91, "of": 100}}) == ""
    assert gain_words({"better": {"before": 91, "after": 90, "of": 100}}) == ""
    assert gain_words({}) == ""


def test_a_recipe_says_what_was_taught() -> None:
    recipe = {"backbone": "adapted-minilm", "head": "discriminant", "settings": {"shrinkage": 0.6}}
    (words,) = recipe_words(recipe, n_taught=100)
    assert words.startswith("its own top layers of MiniLM, taught with your 100 labels, decided by linear discrim")
