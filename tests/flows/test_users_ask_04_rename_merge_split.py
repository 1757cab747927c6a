"""Users ask (4): rename, merge and split labels after work has begun, without losing any of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, Label
from apps.functions.selectors import label_lines
from apps.functions.services import create_function, rename_label
from apps.invoke.services import answer_many, load_answerer
from apps.samples.models import Annotation, Origin, Sample
from apps.samples.services.acts import undo_act
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.surgery import merge_labels, split_label
from apps.training.models import TrainedModel
from apps.training.services import finish_work
from apps.training.services.choosing import pin_model
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS = {
    "Refund": [f"please refund {what}" for what in ("my order", "the lamp", "both chairs", "me", "the vase")],
    "Money back": [f"i want money back for {what}" for what in ("my order", "the lamp", "this", "the cup", "it")],
    "Shipping": [f"the parcel with {what} is late" for what in ("my order", "the lamp", "the cup", "a book", "tea")],
}


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR, settings.MEDIA_ROOT = tmp_path / "models", tmp_path / "media"


@pytest.fixture
def function(workspace: Workspace, owner: User) -> Function:
    function = create_function(
        workspace=workspace, name="Desk", input_kind=InputKind.TEXT, label_names=list(TEXTS), actor=owner
    )
    items = [NewText(text, label_name=name) for name, texts in TEXTS.items() for text in texts]
    add_texts(function=function, items=items, person=owner, origin=Origin.IMPORT)
    finish_work(function_id=function.pk)
    return function


@pytest.fixture
def answered(function: Function) -> Callable[[str], dict[str, float]]:
    """What a caller hears: every label by its name, with how sure the model is."""

    def answered(text: str) -> dict[str, float]:
        answerer = load_answerer(function)
        assert answerer is not None
        return {guess.name: guess.confidence for guess in answer_many(answerer, [text])[0].guesses}

    return answered


def label(function: Function, name: str) -> Label:
    return function.labels.select_related("function__workspace").get(name=name)


def lines(function: Function) -> dict[str, int]:
    return {line.label.name: line.n_samples for line in label_lines(function)}


def test_a_rename_keeps_all_work_and_callers_hear_it_with_the_next_model(
    function: Function, owner: User, answered: Callable[[str], dict[str, float]]
) -> None:
    act = rename_label(label=label(function, "Shipping"), name="Delivery", actor=owner)
    assert lines(function) == {"Refund": 5, "Money back": 5, "Delivery": 5}
    assert "Shipping" in answered("where is the parcel")
    finish_work(function_id=function.pk)
    assert "Delivery" in answered("where is the parcel")
    assert act is not None
    undo_act(act=act, person=owner)
    finish_work(function_id=function.pk)
    assert "Shipping" in answered("where is the parcel")


def test_a_merge_is_one_act_that_loses_nothing_and_a_pinned_model_adds_up(
    function: Function, owner: User, answered: Callable[[str], dict[str, float]]
) -> None:
    before = answered("refund for the lamp")
    said = list(Annotation.objects.order_by("pk").values_list("pk", "label_id"))
    pin_model(model=TrainedModel.objects.get(function=function, is_live=True), actor=owner)
    act = merge_labels(source=label(function, "Money back"), target=label(function, "Refund"), person=owner)
    assert lines(function) == {"Refund": 10, "Shipping": 5}
    assert list(Annotation.objects.order_by("pk").values_list("pk", "label_id")) == said
    after = answered("refund for the lamp")
    assert after.keys() == {"Refund", "Shipping"}
    assert after["Refund"] == pytest.approx(before["Refund"] + before["Money back"], abs=1e-5)
    undo_act(act=act, person=owner)
    assert lines(function) == {"Refund": 5, "Money back": 5, "Shipping": 5}
    assert answered("refund for the lamp") == pytest.approx(before)


def test_a_split_takes_those_picked_and_undo_brings_them_back(
    function: Function, owner: User, answered: Callable[[str], dict[str, float]]
) -> None:
    picked = Sample.objects.filter(function=function, text__contains="order", label__name="Shipping")
    picked |= Sample.objects.filter(function=function, text__contains="book")
    ids = list(picked.values_list("public_id", flat=True))
    act = split_label(label=label(function, "Shipping"), name="Late books", sample_ids=ids, person=owner)
    assert lines(function) == {"Refund": 5, "Money back": 5, "Shipping": 3, "Late books": 2}
    finish_work(function_id=function.pk)
    assert "Late books" in answered("the parcel is late")
    undo_act(act=act, person=owner)
    finish_work(function_id=function.pk)
    assert lines(function) == {"Refund": 5, "Money back": 5, "Shipping": 5}
    assert "Late books" not in answered("the parcel is late")
