"""Which model answers: the newest whole one, or the one a person pinned."""

import shutil
from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function
from apps.functions.services import add_label, delete_label
from apps.samples.models import Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.services import choosing, clearing, finish_work, serving, sweeper
from apps.training.services.choosing import pin_model, unpin_model
from apps.workspaces.audit_sentences import sentence
from tests.training.conftest import bring, label

Samples = dict[str, list[Sample]]


@pytest.fixture
def models(text_function: Function, samples: Samples) -> list[TrainedModel]:
    """Three published models, oldest first."""
    for sample in [None, *samples[""][:2]]:
        if sample is not None:
            label(text_function, [sample], "Refund")
        finish_work(function_id=text_function.pk)
    return list(TrainedModel.objects.order_by("number"))


def live_number(function: Function) -> int:
    served = serving.load_live(function.pk)
    assert served is not None
    return served.model.number


def predicted_by(function: Function, kind: PredictionKind) -> set[int]:
    rows = Prediction.objects.filter(function=function, kind=kind)
    return set(rows.values_list("model__number", flat=True))


def test_going_back_is_at_once_and_stays(
    text_function: Function, samples: Samples, models: list[TrainedModel], owner: User
) -> None:
    pin_model(model=models[0], actor=owner)
    assert live_number(text_function) == 1
    label(text_function, samples[""][2:3], "Shipping")
    finish_work(function_id=text_function.pk)
    assert live_number(text_function) == 1
    newest = TrainedModel.objects.get(number=4)
    assert newest.published_at is not None
    assert not newest.is_live
    event = Event.objects.get(kind=Audit.MODEL_PINNED)
    assert sentence(event) == "had model 1 answer until it is unpinned"
    assert event.actor == owner.public_id


def test_what_is_unlabelled_is_said_by_the_pinned_model_and_figures_are_those_of_the_newest(
    text_function: Function, samples: Samples, models: list[TrainedModel]
) -> None:
    pin_model(model=models[0])
    finish_work(function_id=text_function.pk)
    assert predicted_by(text_function, PredictionKind.LIVE) == {1}
    assert predicted_by(text_function, PredictionKind.OUT_OF_FOLD) == {3}
    label(text_function, samples[""][2:3], "Shipping")
    finish_work(function_id=text_function.pk)
    assert predicted_by(text_function, PredictionKind.LIVE) == {1}
    assert predicted_by(text_function, PredictionKind.OUT_OF_FOLD) == {4}


def test_unpinned_the_newest_answers_at_once(text_function: Function, models: list[TrainedModel], owner: User) -> None:
    pin_model(model=models[0])
    assert unpin_model(function=text_function, actor=owner) == models[2]
    assert live_number(text_function) == 3
    finish_work(function_id=text_function.pk)
    assert predicted_by(text_function, PredictionKind.LIVE) == {3}
    event = Event.objects.get(kind=Audit.MODEL_UNPINNED)
    assert sentence(event) == "unpinned model 1; model 3 answers now"
    with pytest.raises(Conflict, match="No model is pinned"):
        unpin_model(function=text_function)


def test_the_newest_can_be_kept_too_and_pinning_twice_is_once(
    text_function: Function, samples: Samples, models: list[TrainedModel]
) -> None:
    pin_model(model=models[2])
    pin_model(model=models[2])
    label(text_function, samples[""][2:3], "Shipping")
    finish_work(function_id=text_function.pk)
    assert live_number(text_function) == 3
    assert Event.objects.filter(kind=Audit.MODEL_PINNED).count() == 1


def test_one_pinned_after_another_leaves_one_pinned(text_function: Function, models: list[TrainedModel]) -> None:
    pin_model(model=models[0])
    pin_model(model=models[1])
    assert list(TrainedModel.objects.filter(is_pinned=True)) == [models[1]]
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainedModel.objects.filter(pk=models[0].pk).update(is_pinned=True)


def test_a_damaged_pinned_model_falls_back_to_the_newest_whole_one(
    text_function: Function, models: list[TrainedModel], start_fresh: Callable[[], None]
) -> None:
    pin_model(model=models[0])
    shutil.rmtree(serving.artifact_folder(text_function, models[0].public_id))
    start_fresh()
    assert live_number(text_function) == 3
    assert not TrainedModel.objects.filter(is_pinned=True).exists()
    models[0].refresh_from_db()
    assert models[0].is_damaged
    with pytest.raises(Conflict, match="damaged"):
        pin_model(model=models[0])


def test_a_new_label_goes_live_unless_pinned(
    text_function: Function, samples: Samples, models: list[TrainedModel]
) -> None:
    pin_model(model=models[2])
    add_label(function=text_function, name="Hello")
    label(text_function, bring(text_function, ["hello there", "hello friend", "hello you"]), "Hello")
    finish_work(function_id=text_function.pk)
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert [row.name for row in served.labels] == ["Refund", "Shipping"]
    unpin_model(function=text_function)
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert [row.name for row in served.labels] == ["Refund", "Shipping", "Hello"]


def test_a_pinned_model_that_cannot_answer_any_more_gives_way(
    text_function: Function, samples: Samples, models: list[TrainedModel]
) -> None:
    pin_model(model=models[0])
    add_label(function=text_function, name="Hello")
    label(text_function, bring(text_function, ["hello there", "hello friend", "hello you"]), "Hello")
    delete_label(label=text_function.labels.get(name="Refund"))
    finish_work(function_id=text_function.pk)
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert {row.name for row in served.labels} == {"Shipping", "Hello"}
    with pytest.raises(Conflict, match="Too many of the labels"):
        pin_model(model=models[0])


def test_a_model_of_another_way_of_reading_is_not_gone_back_to(
    text_function: Function, models: list[TrainedModel]
) -> None:
    TrainedModel.objects.filter(pk=models[0].pk).update(backbone_versions={"tiny-text": "0"})
    with pytest.raises(Conflict, match="no longer in use"):
        pin_model(model=TrainedModel.objects.get(pk=models[0].pk))


class TestOldFiles:
    """A day of labeling makes hundreds of models; their files do not stay for ever."""

    @pytest.fixture(autouse=True)
    def keep_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clearing, "KEPT", 1)

    def files(self, function: Function) -> set[str]:
        folder = serving.artifact_folder(function, "x").parent
        names = {path.name for path in folder.iterdir()}
        return {str(row.number) for row in TrainedModel.objects.filter(public_id__in=names)}

    def test_old_ones_are_cleared_and_stay_as_history(
        self, text_function: Function, models: list[TrainedModel]
    ) -> None:
        TrainedModel.objects.update(recipe=models[2].recipe)
        clearing.clear_old_artifacts()
        assert self.files(text_function) == {"3"}
        assert TrainedModel.objects.count() == 3
        with pytest.raises(Conflict, match="cleared away"):
            pin_model(model=models[0])
        assert live_number(text_function) == 3

    def test_the_pinned_one_and_the_last_of_each_sort_stay(
        self, text_function: Function, models: list[TrainedModel]
    ) -> None:
        TrainedModel.objects.update(recipe=models[2].recipe)
        pin_model(model=models[0])
        TrainedModel.objects.filter(pk=models[1].pk).update(recipe={"backbone": "tiny-text", "head": "other"})
        clearing.clear_old_artifacts()
        assert self.files(text_function) == {"1", "2", "3"}
        unpin_model(function=text_function)
        clearing.clear_old_artifacts()
        assert self.files(text_function) == {"2", "3"}

    def test_the_sweeper_does_it_and_finishes_what_was_cut_off(
        self, text_function: Function, models: list[TrainedModel], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        TrainedModel.objects.update(recipe=models[2].recipe)
        with monkeypatch.context() as patch:
            patch.setattr(clearing.files, "drop", lambda _path: None)
            clearing.clear_old_artifacts()
        assert self.files(text_function) == {"1", "2", "3"}
        monkeypatch.setattr(sweeper, "LEFTOVER_SECONDS", -1.0)
        sweeper.enqueue_unfinished_work()
        assert self.files(text_function) == {"3"}

    def test_a_damaged_newest_falls_back_to_one_that_has_its_file(
        self, text_function: Function, models: list[TrainedModel], start_fresh: Callable[[], None]
    ) -> None:
        TrainedModel.objects.filter(pk=models[1].pk).update(sha256="")
        shutil.rmtree(serving.artifact_folder(text_function, models[2].public_id))
        start_fresh()
        assert live_number(text_function) == 1


def test_the_newest_whole_model_of_a_new_function_is_none(text_function: Function) -> None:
    assert choosing.newest_whole(text_function) is None
    assert choosing.pinned_model(text_function) is None
