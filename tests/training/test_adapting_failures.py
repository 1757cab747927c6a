"""Whatever fails or changes while a backbone learns, or later to what it learned: answers go on, and it recovers."""

import errno
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.utils import timezone

from apps.core import leases
from apps.core.jobs import JobName
from apps.engine import artifacts
from apps.functions.models import Function, Label
from apps.functions.services import rename_label
from apps.samples.models import Annotation, Sample
from apps.samples.services.acts import undo_act
from apps.samples.services.annotations import annotate_many, undo_annotation
from apps.samples.services.bin import bin_samples, purge_samples
from apps.samples.services.surgery import merge_labels
from apps.training.better import better_sentence
from apps.training.models import (
    Adaptation,
    AdaptationState,
    FunctionWork,
    Prediction,
    PredictionKind,
    TrainedModel,
    WorkKind,
)
from apps.training.selectors import training_state
from apps.training.services import (
    Progress,
    RoundOutcome,
    adapt_function,
    adapting,
    adapting_views,
    enqueue_unfinished_work,
    finish_work,
    serving,
    sweeper,
    towers,
    train_function,
)
from tests.training.conftest import bring
from tests.training.hard_texts import adapt_now, bring_labelled, hard_texts
from tests.training.reading import as_read
from tests.training.test_adapting_life import assert_nothing_is_left, meanwhile
from tests.training.test_sweeper import asked_for_all

pytestmark = pytest.mark.django_db


def answer(function: Function) -> str:
    """What the live model says of a text, and by what."""
    served = serving.load_live(function.pk)
    assert served is not None
    assert served.pred_probs(as_read(served, ["123 456"])).shape == (1, 2)
    return served.specs[-1].name


def retry_now() -> None:
    FunctionWork.objects.update(retry_at=timezone.now())


def harm_file(path: Path, harm: str, other: Path) -> None:
    if harm == "gone":
        path.unlink()
    elif harm == "empty":
        path.write_bytes(b"")
    elif harm == "cut short":
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    elif harm == "of another function":
        shutil.copyfile(other, path)
    else:
        path.unlink()
        path.mkdir()


class TestTheFile:
    @pytest.mark.parametrize("harm", ["gone", "empty", "cut short", "of another function", "a folder"])
    def test_answers_go_on_without_what_cannot_be_read_and_it_is_made_anew(
        self,
        learned: Function,
        adapted: Adaptation,
        start_fresh: Callable[[], None],
        harm: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        other = learned.workspace.functions.create(name="Another", input_kind="text")
        for name in ("Refund", "Shipping"):
            Label.objects.create(function=other, name=name, position=other.labels.count(), colour=0)
        bring_labelled(other, hard_texts(40, seed=3))
        finish_work(function_id=other.pk)
        of_other = adapt_now(other)
        assert answer(learned) == "adapted-tiny-text"

        harm_file(towers.folder_of(adapted) / towers.FILE, harm, towers.folder_of(of_other) / towers.FILE)
        start_fresh()
        assert not answer(learned).startswith("adapted-")
        assert "damaged" in caplog.text
        new = bring(learned, ["a text nobody has seen"])
        finish_work(function_id=learned.pk)
        assert Prediction.objects.filter(sample=new[0], kind=PredictionKind.LIVE).exists()
        assert training_state(learned).message == ""

        assert adapt_now(learned).state == AdaptationState.USED
        start_fresh()
        assert answer(learned) == "adapted-tiny-text"
        assert answer(other) == "adapted-tiny-text", "nobody else is touched"

    @pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOSPC])
    def test_a_machine_out_of_means_takes_nothing_for_damaged(
        self,
        learned: Function,
        adapted: Adaptation,
        start_fresh: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch,
        number: int,
    ) -> None:
        def fail(_path: Path) -> bytes:
            raise OSError(number, os.strerror(number))

        start_fresh()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "read_bytes", fail)
            with pytest.raises(OSError, match=os.strerror(number)):
                serving.load_live(learned.pk)
            with pytest.raises(OSError, match=os.strerror(number)):
                towers.tower_of(adapted)
        assert not TrainedModel.objects.filter(is_damaged=True).exists()
        assert Adaptation.objects.filter(pk=adapted.pk).exists()
        assert answer(learned) == "adapted-tiny-text"


class TestNoSpaceIsLeft:
    def test_for_the_layers(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(artifacts.os, "fsync", fail)
            with pytest.raises(OSError, match="No space left"):
                adapt_function(function_id=learned.pk)
        self.nobody_is_told_and_it_comes_later(learned)

    def test_in_the_database(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(**_given: object) -> None:
            raise OperationalError("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(adapting_views, "write_vectors", fail)
            with pytest.raises(OperationalError):
                adapt_function(function_id=learned.pk)
        self.nobody_is_told_and_it_comes_later(learned)

    def nobody_is_told_and_it_comes_later(self, function: Function) -> None:
        assert_nothing_is_left(function)
        hidden = [path.name for path in serving.artifact_folder(function, "x").parent.iterdir()]
        assert not [name for name in hidden if name.startswith(".")]
        assert training_state(function).message == ""
        work = FunctionWork.objects.get(kind=WorkKind.ADAPT)
        assert better_sentence(function, work) == ""
        assert answer(function) != "adapted-tiny-text"
        assert JobName.ADAPT_FUNCTION not in asked_for_all(), "not at once"
        retry_now()
        assert JobName.ADAPT_FUNCTION in asked_for_all()
        assert adapt_now(function).state == AdaptationState.USED


def children() -> list[int]:
    """The processes that this one started and that are still there."""
    of_threads = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [int(pid) for path in of_threads for pid in path.read_text().split()]


class TestTheChildIsKilled:
    def test_by_a_machine_short_of_memory_it_is_tried_again_ever_later(
        self, learned: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(adapting, "HERE", set())

        def kill(_watch: adapting._Watch) -> bool:
            for pid in children():
                if b"adapt.process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
            return False

        pauses = []
        with monkeypatch.context() as patch:
            patch.setattr(adapting._Watch, "__call__", kill)
            for _ in range(2):
                with pytest.raises(subprocess.CalledProcessError) as died:
                    adapt_function(function_id=learned.pk)
                assert died.value.returncode == -signal.SIGKILL
                work = FunctionWork.objects.get(kind=WorkKind.ADAPT)
                assert work.retry_at is not None
                pauses.append((work.retry_at - timezone.now()).total_seconds())
        assert pauses[0] <= 5 < pauses[1] <= 15
        assert (work.n_failures, work.lease_expires_at) == (2, None)
        assert training_state(learned).message == ""
        assert_nothing_is_left(learned)
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        assert FunctionWork.objects.get(kind=WorkKind.ADAPT).n_failures == 0


class TestMeanwhile:
    def test_a_label_is_renamed(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        refund = learned.labels.get(name="Refund")
        meanwhile(monkeypatch, lambda: rename_label(label=refund, name="Money back"))
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        finish_work(function_id=learned.pk)
        assert answer(learned) == "adapted-tiny-text"
        served = serving.load_live(learned.pk)
        assert served is not None
        assert set(served.names) == {"Money back", "Shipping"}

    def test_labels_are_merged_and_parted_again(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        refund, shipping = learned.labels.order_by("position")

        def act() -> None:
            undo_act(act=merge_labels(source=shipping, target=refund, person=None), person=None)

        meanwhile(monkeypatch, act)
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        finish_work(function_id=learned.pk)
        assert answer(learned) == "adapted-tiny-text"

    @pytest.mark.parametrize("is_for_good", [False, True])
    def test_samples_are_deleted(self, learned: Function, monkeypatch: pytest.MonkeyPatch, is_for_good: bool) -> None:
        ids = [sample.public_id for sample in learned.samples.order_by("pk")[:10]]

        def act() -> None:
            bin_samples(function=learned, sample_ids=ids, person=None)
            if is_for_good:
                purge_samples(function=learned, sample_ids=ids, person=None)

        meanwhile(monkeypatch, act)
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        finish_work(function_id=learned.pk)
        assert TrainedModel.objects.get(is_live=True).n_annotations == 30
        assert learned.samples.count() == 30
        assert answer(learned)
        assert training_state(learned).message == ""

    def test_labels_are_taken_back_until_too_few_are_left(
        self, learned: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = list(learned.samples.order_by("pk").values_list("pk", flat=True)[:1])

        def act() -> None:
            for annotation in Annotation.objects.filter(sample__function=learned).exclude(sample__in=kept):
                undo_annotation(annotation=annotation, person=None)

        meanwhile(monkeypatch, act)
        before = TrainedModel.objects.get(is_live=True)
        assert adapt_function(function_id=learned.pk) is Progress.DONE
        assert train_function(function_id=learned.pk) is RoundOutcome.NOT_TRAINABLE
        assert TrainedModel.objects.get(is_live=True) == before
        assert training_state(learned).missing
        work = FunctionWork.objects.get(kind=WorkKind.ADAPT)
        assert better_sentence(learned, work) == ""
        bring_labelled(learned, hard_texts(40, seed=5))
        finish_work(function_id=learned.pk)
        assert TrainedModel.objects.get(is_live=True).n_annotations == 41
        assert Adaptation.objects.get().state != AdaptationState.TRYING

    def test_the_whole_workspace_goes(self, learned: Function, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = serving.artifact_folder(learned, "x").parent
        meanwhile(monkeypatch, lambda: learned.workspace.delete())
        assert adapt_function(function_id=learned.pk) is Progress.BUSY
        assert not Adaptation.objects.exists()
        monkeypatch.setattr(sweeper, "_progress", sweeper._Progress())  # as a new process
        enqueue_unfinished_work()
        assert not folder.exists()


class TestTheDatabaseIsLost:
    def test_while_learning_the_lease_is_not_kept_for_ever(
        self, learned: Function, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lose() -> None:
            raise OperationalError("server closed the connection unexpectedly")

        def unreachable(*_given: object) -> None:
            raise OperationalError("could not connect")

        meanwhile(monkeypatch, lose)
        monkeypatch.setattr("apps.training.services.work._note_failure", unreachable)
        with pytest.raises(OperationalError, match="could not connect"):
            adapt_function(function_id=learned.pk)
        held = FunctionWork.objects.get(kind=WorkKind.ADAPT)
        assert held.lease_holder == leases.holder_id(), "it could not be said"
        assert leases.renew_all(FunctionWork) == 0, "so that it runs out"
        assert better_sentence(learned, held) == ""
        FunctionWork.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        monkeypatch.undo()
        assert adapt_function(function_id=learned.pk) is Progress.DONE


def test_a_sample_labelled_by_somebody_else_at_the_same_moment_is_no_reason_to_stop(
    learned: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = learned.labels.get(name="Refund")
    pairs = [(pk, refund.pk) for pk in learned.samples.order_by("pk").values_list("pk", flat=True)[:4]]
    meanwhile(
        monkeypatch,
        lambda: annotate_many(function=learned, pairs=pairs, person=None, picked_by="person"),  # type: ignore[arg-type]  # its value
    )
    assert adapt_function(function_id=learned.pk) is Progress.DONE
    finish_work(function_id=learned.pk)
    assert Sample.objects.filter(pk__in=[pk for pk, _label in pairs], label=refund).count() == 4
    assert TrainedModel.objects.get(is_live=True).n_annotations == 40
