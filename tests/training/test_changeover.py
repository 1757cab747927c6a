"""Another backbone is read with: it takes over where it does as well on a function's own labels, else that is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from apps.engine.backbones import hub
from apps.engine.backbones.registry import Registry
from apps.engine.types import Modality
from apps.functions.models import Function
from apps.training.models import (
    Embedding,
    FunctionWork,
    Prediction,
    Rereading,
    RereadingState,
    TrainedModel,
    TrainingRun,
    WorkKind,
)
from apps.training.selectors import is_finished
from apps.training.services import changeover, chosen, finish_work, sweeper, train_function
from apps.training.services.choosing import pin_model
from apps.training.services.embedding import embed_function
from apps.training.services.inputs import layout_of
from apps.training.services.rereading import Change, reread_function, unread_backbones, use_backbone
from apps.training.services.work import Progress
from tests import tiny_models
from tests.training.conftest import bring, label

MONEY, PARCELS = tiny_models.GROUPS
"""Each word is a text: only a backbone that knows what goes together tells them apart."""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two text encoders that know what goes together, and two that were never taught anything."""
    root = tmp_path_factory.mktemp("models")
    for seed, (name, n_steps) in enumerate([("knows", 60), ("knows-too", 60), ("blank", 0), ("blank-too", 0)]):
        made = tiny_models.bert(root / name, seed=seed, n_steps=n_steps)
        hub.pull(hub.wanted_from_folder(made, name=name), into=root / "here")
    return root / "here"


@pytest.fixture(autouse=True)
def chosen_ones(settings: Settings, pulled: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.BACKBONES, settings.BACKBONES_DIR = "default", pulled
    monkeypatch.setattr(chosen, "FRESH_SECONDS", 60.0)  # what is learned must not go by what was so a moment ago
    chosen.forget()
    yield
    chosen.forget()


def use(name: str, pulled: Path, *, is_anyway: bool = False) -> Change:
    manifest = Registry(pulled).manifest(name)
    return use_backbone(modality=Modality.TEXT, manifest=manifest, is_anyway=is_anyway)


def names(function: Function) -> list[str]:
    chosen.forget()
    return [spec.name for spec in layout_of(function).specs]


def live(function: Function) -> TrainedModel:
    return TrainedModel.objects.get(function=function, is_live=True)


def row_of(function: Function) -> Rereading:
    return Rereading.objects.get(function=function)


def read_all(function: Function) -> None:
    while reread_function(function_id=function.pk) is Progress.MORE:
        pass


def trained_with(name: str, function: Function, pulled: Path) -> Function:
    """Twenty-two labelled words, and two others."""
    use(name, pulled)
    label(function, bring(function, MONEY[:-1]), "Refund")
    label(function, bring(function, PARCELS[:-1]), "Shipping")
    bring(function, [MONEY[-1], PARCELS[-1]])
    finish_work(function_id=function.pk)
    assert names(function) == [name]
    return function


@pytest.fixture
def trained(text_function: Function, pulled: Path) -> Function:
    return trained_with("knows", text_function, pulled)


def test_one_that_does_worse_is_kept_out(
    trained: Function, pulled: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = live(trained)
    use("blank", pulled)
    finish_work(function_id=trained.pk)
    assert is_finished(trained.pk)
    assert names(trained) == ["knows"]
    row = row_of(trained)
    assert (row.state, row.name, row.n_compared) == (RereadingState.KEPT, "knows", 22)
    assert row.n_right_after < row.n_right_before <= 22
    assert "backbone_worse_and_kept_out" in capsys.readouterr().err + caplog.text
    # Nothing of the other was ever published, and all goes on as before: new samples, labels, models.
    since = TrainedModel.objects.filter(function=trained, number__gt=before.number)
    assert all(set(model.backbone_versions) == {"knows"} for model in since)
    assert "knows" not in unread_backbones()
    label(trained, bring(trained, ["refund money"]), "Refund")
    late = bring(trained, ["parcel door"])
    finish_work(function_id=trained.pk)
    assert live(trained).number > before.number
    assert set(live(trained).backbone_versions) == {"knows"}
    assert {vector.backbone for vector in Embedding.objects.filter(content_hash=late[0].content_hash)} == {"knows"}
    assert Prediction.objects.filter(sample=late[0], model=live(trained)).exists()


def test_one_that_does_as_well_takes_over(trained: Function, pulled: Path) -> None:
    use("knows-too", pulled)
    finish_work(function_id=trained.pk)
    assert names(trained) == ["knows-too"]
    assert set(live(trained).backbone_versions) == {"knows-too"}
    row = row_of(trained)
    assert (row.state, row.n_compared) == (RereadingState.TAKEN, 22)
    assert "knows" in unread_backbones()


def test_one_that_does_better_takes_over(text_function: Function, pulled: Path) -> None:
    function = trained_with("blank", text_function, pulled)
    use("knows", pulled)
    finish_work(function_id=function.pk)
    assert set(live(function).backbone_versions) == {"knows"}
    assert row_of(function).n_right_after > row_of(function).n_right_before


def test_who_insists_gets_it(trained: Function, pulled: Path) -> None:
    use("blank", pulled, is_anyway=True)
    finish_work(function_id=trained.pk)
    assert names(trained) == ["blank"]
    assert "knows" not in live(trained).backbone_versions
    assert not Rereading.objects.exists()


def test_who_insists_later_gets_it_too(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    finish_work(function_id=trained.pk)
    late = bring(trained, ["parcel door"])  # read as before only
    finish_work(function_id=trained.pk)
    change = use("blank", pulled, is_anyway=True)
    assert (change.before, change.after, change.n_functions, change.n_samples) == ("blank", "blank", 1, 25)
    finish_work(function_id=trained.pk)
    assert names(trained) == ["blank"]
    assert "knows" not in live(trained).backbone_versions
    assert not Rereading.objects.exists()
    assert Prediction.objects.filter(sample=late[0], model=live(trained)).exists()


def test_asked_again_it_is_compared_on_todays_labels(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    finish_work(function_id=trained.pk)
    assert use("blank", pulled).n_functions == 1
    label(trained, bring(trained, ["refund money"]), "Refund")
    finish_work(function_id=trained.pk)
    assert (row_of(trained).state, row_of(trained).n_compared) == (RereadingState.KEPT, 23)
    assert names(trained) == ["knows"]


def test_the_one_that_was_kept_is_chosen_again_without_ado(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    finish_work(function_id=trained.pk)
    assert use("knows", pulled).n_functions == 0
    assert not Rereading.objects.exists()
    assert names(trained) == ["knows"]
    assert is_finished(trained.pk)


def test_a_third_one_is_compared_with_what_was_kept(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    finish_work(function_id=trained.pk)
    assert use("blank-too", pulled).n_functions == 1
    assert (row_of(trained).state, row_of(trained).name) == (RereadingState.READING, "knows")
    finish_work(function_id=trained.pk)
    assert row_of(trained).state == RereadingState.KEPT
    assert use("knows-too", pulled).n_functions == 1
    finish_work(function_id=trained.pk)
    assert row_of(trained).state == RereadingState.TAKEN
    assert use("blank", pulled).n_functions == 1
    assert (row_of(trained).state, row_of(trained).name) == (RereadingState.READING, "knows-too")


def test_another_choice_before_it_was_compared(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    read_all(trained)
    assert row_of(trained).state == RereadingState.READ
    assert names(trained) == ["blank"]
    assert not is_finished(trained.pk)
    assert "knows" not in unread_backbones()
    assert use("knows", pulled).n_functions == 1
    assert (row_of(trained).state, row_of(trained).name) == (RereadingState.READING, "blank")
    finish_work(function_id=trained.pk)
    assert set(live(trained).backbone_versions) == {"knows"}


def test_insisting_before_it_was_compared(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    read_all(trained)
    use("blank", pulled, is_anyway=True)
    finish_work(function_id=trained.pk)
    assert names(trained) == ["blank"]
    assert "knows" not in live(trained).backbone_versions
    use("knows", pulled)
    use("knows", pulled, is_anyway=True)
    assert row_of(trained).is_anyway


def test_a_choice_made_while_they_are_compared_counts(
    trained: Function, pulled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("blank", pulled)
    read_all(trained)
    compare = changeover._compare

    def slowly(function: Function, names: dict[str, str]) -> object:
        found = compare(function, names)
        use("knows-too", pulled)
        return found

    monkeypatch.setattr(changeover, "_compare", slowly)
    train_function(function_id=trained.pk)
    assert (row_of(trained).state, row_of(trained).name) == (RereadingState.READING, "blank")


def test_samples_that_come_before_they_are_compared_are_read_both_ways(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    read_all(trained)
    late = bring(trained, ["parcel door", "refund money"])
    while embed_function(function_id=trained.pk) is Progress.MORE:
        pass
    kinds = set(Embedding.objects.filter(content_hash=late[0].content_hash).values_list("backbone", flat=True))
    assert kinds == {"knows", "blank"}
    finish_work(function_id=trained.pk)
    assert names(trained) == ["knows"]
    assert Prediction.objects.filter(sample__in=late, model=live(trained)).count() == 2


def test_vectors_that_are_missing_after_it_was_kept_out_are_made_anew(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    read_all(trained)
    late = bring(trained, ["parcel door"])
    finish_work(function_id=trained.pk)
    Embedding.objects.filter(content_hash=late[0].content_hash).delete()
    Prediction.objects.filter(sample=late[0]).delete()
    FunctionWork.objects.filter(function=trained, kind=WorkKind.PREDICT).update(done_revision=0)
    finish_work(function_id=trained.pk)
    assert Prediction.objects.filter(sample=late[0], model=live(trained)).exists()


def test_with_a_handful_of_labels_it_takes_over(text_function: Function, pulled: Path) -> None:
    use("knows", pulled)
    label(text_function, bring(text_function, MONEY[:6]), "Refund")
    label(text_function, bring(text_function, PARCELS[:6]), "Shipping")
    finish_work(function_id=text_function.pk)
    use("blank", pulled)
    finish_work(function_id=text_function.pk)
    assert names(text_function) == ["blank"]
    assert not Rereading.objects.exists()


def test_without_a_model_there_is_nothing_to_compare(text_function: Function, pulled: Path) -> None:
    use("knows", pulled)
    bring(text_function, MONEY)
    finish_work(function_id=text_function.pk)
    use("blank", pulled)
    read_all(text_function)
    assert not Rereading.objects.exists()
    assert names(text_function) == ["blank"]


def test_a_pinned_model_goes_on_whatever_comes_of_it(trained: Function, pulled: Path) -> None:
    pin_model(model=live(trained))
    pinned = live(trained)
    use("blank", pulled)
    finish_work(function_id=trained.pk)
    assert live(trained) == pinned
    assert row_of(trained).state == RereadingState.KEPT


def test_a_round_of_a_worker_that_is_a_moment_behind_compares(trained: Function, pulled: Path) -> None:
    """Choices are looked up every few seconds: what another process did just now must count in what is learned."""
    chosen.chosen()
    use("blank", pulled)
    chosen.chosen()
    FunctionWork.objects.filter(function=trained, kind=WorkKind.REREAD).update(wanted_revision=0)
    Rereading.objects.update(state=RereadingState.READ)  # behind this process's back
    FunctionWork.objects.filter(function=trained, kind=WorkKind.TRAIN).update(done_revision=0)
    n_runs = TrainingRun.objects.count()
    train_function(function_id=trained.pk)
    assert TrainingRun.objects.count() == n_runs + 1
    assert not Rereading.objects.filter(state=RereadingState.READ).exists()


def test_vectors_of_before_stay_until_it_was_compared(trained: Function, pulled: Path) -> None:
    use("blank", pulled)
    read_all(trained)
    sweeper.drop_orphan_embeddings()
    assert Embedding.objects.filter(backbone="knows").count() == 24
    finish_work(function_id=trained.pk)
    sweeper.drop_orphan_embeddings()
    assert Embedding.objects.filter(backbone="knows").count() == 24
