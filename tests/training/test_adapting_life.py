"""When a better model is looked for, what ends the search, and what is left behind by it: nothing."""

import subprocess
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from apps.core.jobs import JobName
from apps.core.leases import LEASE_SECONDS
from apps.engine import adapt
from apps.functions.models import Function, InputKind
from apps.functions.services import add_label, delete_function, delete_label
from apps.samples.models import Sample
from apps.samples.services.surgery import merge_labels
from apps.training.models import Adaptation, AdaptationState, Embedding, FunctionWork, TrainedModel, WorkKind
from apps.training.selectors import training_state
from apps.training.services import (
    Progress,
    adapt_function,
    adapting,
    clearing,
    enqueue_unfinished_work,
    finish_work,
    serving,
    sweeper,
    towers,
    train_function,
)
from apps.training.services.adapting_due import seconds_until_due
from apps.training.services.choosing import pin_model, unpin_model, why_not
from tests.training.hard_texts import adapt_now, bring_labelled, hard_texts, label_all, noise_texts
from tests.training.reading import as_read
from tests.training.test_sweeper import asked_for_all

pytestmark = pytest.mark.django_db


def quiet_for(seconds: float) -> None:
    Sample.objects.update(labelled_at=timezone.now() - timedelta(seconds=seconds))


def rested(adaptation: Adaptation) -> None:
    Adaptation.objects.filter(pk=adaptation.pk).update(created_at=timezone.now() - timedelta(hours=1))


def label_more(function: Function, n: int, *, seed: int) -> list[Sample]:
    samples = bring_labelled(function, hard_texts(n, seed=seed))
    finish_work(function_id=function.pk)
    return samples


class TestWhenItIsTime:
    def test_the_first_comes_as_soon_as_there_is_enough(self, text_function: Function) -> None:
        bring_labelled(text_function, hard_texts(19))
        finish_work(function_id=text_function.pk)
        assert seconds_until_due(text_function) is None
        bring_labelled(text_function, hard_texts(1, seed=1), is_embedded=False)
        assert seconds_until_due(text_function) == pytest.approx(5)  # it has not been read yet
        finish_work(function_id=text_function.pk)
        assert seconds_until_due(text_function) == 0

    def test_a_few_new_labels_wait_until_it_is_quiet(self, learned: Function, adapted: Adaptation) -> None:
        assert seconds_until_due(learned) is None
        rested(adapted)
        label_more(learned, 4, seed=1)
        assert 4 < (seconds_until_due(learned) or 0) <= 5
        quiet_for(5)
        assert seconds_until_due(learned) == 0

    def test_hardly_any_wait_for_a_minute(self, learned: Function, adapted: Adaptation) -> None:
        rested(adapted)
        label_more(learned, 1, seed=1)
        quiet_for(10)
        assert 49 < (seconds_until_due(learned) or 0) <= 50
        quiet_for(60)
        assert seconds_until_due(learned) == 0

    def test_many_new_ones_wait_for_nothing(self, learned: Function, adapted: Adaptation) -> None:
        rested(adapted)
        label_more(learned, 8, seed=1)
        assert seconds_until_due(learned) == 0

    def test_it_rests_twice_as_long_as_it_took(self, learned: Function, adapted: Adaptation) -> None:
        label_more(learned, 8, seed=1)
        Adaptation.objects.update(seconds=30, created_at=timezone.now() - timedelta(seconds=20))
        assert 39 < (seconds_until_due(learned) or 0) <= 40

    def test_after_one_that_was_no_better_there_must_be_half_as_many_again(self, text_function: Function) -> None:
        bring_labelled(text_function, noise_texts(40))
        finish_work(function_id=text_function.pk)
        rejected = adapt_now(text_function)
        assert rejected.state == AdaptationState.REJECTED
        rested(rejected)
        label_more(text_function, 19, seed=1)
        assert seconds_until_due(text_function) is None
        label_more(text_function, 1, seed=2)
        assert seconds_until_due(text_function) == 0
        Adaptation.objects.update(n_annotations=200, label_ids=["label_that_was_there"])
        assert seconds_until_due(text_function) == 0, "with other labels it is another question"

    def test_nothing_new_is_no_reason(self, learned: Function, adapted: Adaptation) -> None:
        rested(adapted)
        quiet_for(1000)
        assert seconds_until_due(learned) is None

    def test_after_an_upgrade_it_is_made_anew(self, learned: Function, adapted: Adaptation) -> None:
        Adaptation.objects.update(version="of yesterday", state=AdaptationState.TRYING)
        assert seconds_until_due(learned) == 0

    def test_tables_and_installations_that_do_without_are_never_asked(
        self, learned: Function, settings: Settings
    ) -> None:
        assert JobName.ADAPT_FUNCTION in asked_for_all()
        settings.ADAPT = "off"
        assert JobName.ADAPT_FUNCTION not in asked_for_all()
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        settings.ADAPT = "on"
        Function.objects.update(input_kind=InputKind.TABLE)
        assert JobName.ADAPT_FUNCTION not in asked_for_all()
        assert not Adaptation.objects.exists()

    def test_the_sweeper_asks_until_it_was_looked_at(self, learned: Function) -> None:
        assert JobName.ADAPT_FUNCTION in asked_for_all()
        adapt_function(function_id=learned.pk)
        finish_work(function_id=learned.pk)
        adapt_function(function_id=learned.pk)  # nothing new since
        assert JobName.ADAPT_FUNCTION not in asked_for_all()
        label_more(learned, 1, seed=1)
        assert JobName.ADAPT_FUNCTION in asked_for_all()
        adapt_function(function_id=learned.pk)  # it is not quiet yet: looked at again in seconds
        assert JobName.ADAPT_FUNCTION not in asked_for_all()
        FunctionWork.objects.filter(kind=WorkKind.ADAPT).update(retry_at=timezone.now())
        assert JobName.ADAPT_FUNCTION in asked_for_all()


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen while the layers learn."""
    assemble = adapt.assemble

    def acting(*args: object) -> adapt.Adaptation:
        act()
        return assemble(*args)  # type: ignore[arg-type]  # whatever it was called with

    monkeypatch.setattr(adapt, "assemble", acting)


class TestWhatEndsIt:
    @pytest.mark.parametrize("change", ["added", "deleted", "merged"])
    def test_other_labels(self, learned: Function, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
        refund, shipping = learned.labels.order_by("position")
        act = {
            "added": lambda: add_label(function=learned, name="Thanks"),
            "deleted": lambda: delete_label(label=shipping),
            "merged": lambda: merge_labels(source=shipping, target=refund, person=None),
        }[change]
        meanwhile(monkeypatch, act)
        assert adapt_function(function_id=learned.pk) is Progress.BUSY
        assert_nothing_is_left(learned)

    def test_the_end_of_the_function(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        meanwhile(monkeypatch, lambda: delete_function(function=learned))
        assert adapt_function(function_id=learned.pk) is Progress.BUSY
        assert not Adaptation.objects.exists()

    def test_a_worker_that_took_over(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        meanwhile(
            monkeypatch, lambda: FunctionWork.objects.filter(kind=WorkKind.ADAPT).update(lease_holder="another worker")
        )
        assert adapt_function(function_id=learned.pk) is Progress.BUSY
        assert_nothing_is_left(learned)

    def test_the_end_of_the_worker(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(adapting, "_must_end", threading.Event())
        meanwhile(monkeypatch, adapting.stop_adapting)
        assert adapt_function(function_id=learned.pk) is Progress.BUSY
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        assert_nothing_is_left(learned)

    def test_new_labels_do_not_end_it(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        meanwhile(monkeypatch, lambda: bring_labelled(learned, hard_texts(4, seed=1)))
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        finish_work(function_id=learned.pk)
        model = TrainedModel.objects.get(is_live=True)
        assert (model.n_annotations, model.adaptation) == (44, Adaptation.objects.get())

    def test_a_process_that_dies_is_tried_again_later_and_nobody_is_told(
        self, learned: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapting, "HERE", set())
        monkeypatch.setattr("sys.executable", "/bin/false")
        with pytest.raises(subprocess.CalledProcessError):
            adapt_function(function_id=learned.pk)
        work = FunctionWork.objects.get(kind=WorkKind.ADAPT)
        assert (work.n_failures, work.lease_expires_at) == (1, None)
        assert work.retry_at is not None
        assert_nothing_is_left(learned)
        assert training_state(learned).message == ""

    def test_a_process_of_its_own_does_it_where_a_backbone_has_weights(
        self, learned: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapting, "HERE", set())
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        assert Adaptation.objects.get().state == AdaptationState.TRYING


def assert_nothing_is_left(function: Function) -> None:
    """Neither rows nor files, and no vectors once the sweeper has been round."""
    assert not Adaptation.objects.exists()
    folders = {path.name for path in serving.artifact_folder(function, "x").parent.iterdir() if path.is_dir()}
    assert not {name for name in folders if name.startswith("adaptation")}
    FunctionWork.objects.filter(kind=WorkKind.ADAPT).update(lease_holder="", lease_expires_at=None)
    sweeper.drop_orphan_embeddings()
    assert not Embedding.objects.filter(backbone__startswith="adapted-").exists()


class TestWhatIsKept:
    def test_a_worker_that_died_leaves_a_lease_that_expires(self, learned: Function) -> None:
        expires_at = timezone.now() + timedelta(seconds=LEASE_SECONDS)
        FunctionWork.objects.create(
            function=learned, kind=WorkKind.ADAPT, lease_holder="a dead one", lease_expires_at=expires_at
        )
        assert adapt_function(function_id=learned.pk) is Progress.BUSY
        FunctionWork.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        assert Adaptation.objects.exists()

    def test_vectors_in_the_making_are_left_alone(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        make = adapting._make_vectors

        def and_sweep(*args: object) -> None:
            make(*args)  # type: ignore[arg-type]  # whatever it was called with
            sweeper.drop_orphan_embeddings()

        monkeypatch.setattr(adapting, "_make_vectors", and_sweep)
        adapt_function(function_id=learned.pk)
        assert Embedding.objects.filter(version=Adaptation.objects.get().public_id).count() == 4 * 40

    def test_a_newer_one_takes_the_place_of_the_last_and_sets_out_from_it(
        self, learned: Function, adapted: Adaptation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rested(adapted)
        label_more(learned, 20, seed=1)
        newer = adapt_now(learned)
        assert newer.pk != adapted.pk
        assert newer.state == AdaptationState.USED
        before, after = towers.folds_of(adapted).fold_of, towers.folds_of(newer).fold_of
        assert {key: after[key] for key in before} == before
        sweeper.drop_orphan_embeddings()
        assert not Embedding.objects.filter(version=adapted.public_id).exists()
        assert Embedding.objects.filter(version=newer.public_id).exists()

    def test_one_can_go_back_to_a_model_that_reads_the_last_one(self, learned: Function, adapted: Adaptation) -> None:
        older = TrainedModel.objects.get(is_live=True)
        rested(adapted)
        label_more(learned, 20, seed=1)
        adapt_now(learned)
        sweeper.drop_orphan_embeddings()
        clearing.clear_old_artifacts()
        pin_model(model=older)
        served = serving.load_live(learned.pk)
        assert served is not None
        assert served.model == older
        assert len(served.pred_probs(as_read(served, ["123 456"]))) == 1
        unpin_model(function=learned)

    def test_files_that_nobody_can_go_back_to_are_cleared(self, learned: Function, adapted: Adaptation) -> None:
        rested(adapted)
        label_more(learned, 20, seed=1)
        newer = adapt_now(learned)
        TrainedModel.objects.filter(adaptation=adapted).update(sha256="")
        clearing.clear_old_artifacts()
        assert not towers.folder_of(adapted).exists()
        assert towers.folder_of(newer).is_dir()
        adapted.refresh_from_db()
        assert adapted.sha256 == ""

    def test_a_rejected_one_leaves_no_file_and_no_vectors(self, text_function: Function) -> None:
        bring_labelled(text_function, noise_texts(40))
        finish_work(function_id=text_function.pk)
        rejected = adapt_now(text_function)
        assert not towers.folder_of(rejected).exists()
        sweeper.drop_orphan_embeddings()
        assert not Embedding.objects.filter(version=rejected.public_id).exists()
        assert TrainedModel.objects.latest("number").figures["accuracy"]["n"] == 40

    def test_all_goes_with_the_function(
        self, learned: Function, adapted: Adaptation, start_fresh: Callable[[], None]
    ) -> None:
        folder = towers.folder_of(adapted)
        delete_function(function=learned)
        start_fresh()
        enqueue_unfinished_work()
        assert not folder.parent.exists()
        assert not Embedding.objects.exists()

    @pytest.mark.parametrize("harm", ["damaged", "gone"])
    def test_layers_that_cannot_be_read_are_never_served(
        self, learned: Function, adapted: Adaptation, start_fresh: Callable[[], None], harm: str
    ) -> None:
        first = TrainedModel.objects.earliest("number")
        damage(towers.folder_of(adapted) / towers.FILE, harm)
        start_fresh()
        served = serving.load_live(learned.pk)
        assert served is not None
        assert served.model == first, "the newest whole one before it answers"
        assert TrainedModel.objects.filter(is_damaged=True).exists()
        finish_work(function_id=learned.pk)
        now = serving.load_live(learned.pk)
        assert now is not None
        assert (now.model.adaptation, now.model.n_annotations) == (None, 40)
        assert seconds_until_due(learned) == 0, "another one is made"

    def test_a_round_does_without_layers_that_cannot_be_read(
        self, learned: Function, adapted: Adaptation, start_fresh: Callable[[], None]
    ) -> None:
        damage(towers.folder_of(adapted) / towers.FILE, "damaged")
        start_fresh()
        label_all(learned, list(Sample.objects.order_by("pk")[:1]), ["Shipping"])
        train_function(function_id=learned.pk)
        model = TrainedModel.objects.latest("number")
        assert (model.adaptation, model.is_live) == (None, True)

    def test_an_older_model_whose_layers_are_gone_says_so(self, learned: Function, adapted: Adaptation) -> None:
        model = TrainedModel.objects.get(is_live=True)
        Adaptation.objects.filter(pk=adapted.pk).update(sha256="")
        model.refresh_from_db()
        assert "no longer in use" in why_not(TrainedModel.objects.get(pk=model.pk))


def damage(path: Path, harm: str) -> None:
    if harm == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
