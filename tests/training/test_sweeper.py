"""The database is the queue of record: what is not done is asked for again, what nobody needs is cleared away."""

from collections.abc import Callable
from datetime import timedelta

import dramatiq
import pytest
from django.utils import timezone

from apps.core.jobs import JobName, Queue
from apps.core.leases import LEASE_SECONDS
from apps.functions.models import Function, InputKind
from apps.functions.services import delete_function
from apps.samples.models import Sample
from apps.training.models import Embedding, FunctionWork, TrainedModel, WorkKind
from apps.training.services import enqueue_unfinished_work, finish_work, serving, sweeper, train_function
from tests.training.conftest import REFUNDS, bring, embed_all, label

pytestmark = pytest.mark.django_db

Samples = dict[str, list[Sample]]


def asked_for() -> set[str]:
    """Sweep, and return the names of the jobs that were sent by that. Others have tests of their own."""
    return asked_for_all() - {
        JobName.SURVEY_FUNCTION,
        JobName.PLAN_QUEUE,
        JobName.INSPECT_FUNCTION,
        JobName.ADAPT_FUNCTION,
    }


def asked_for_all() -> set[str]:
    broker = dramatiq.get_broker()
    broker.flush_all()
    enqueue_unfinished_work()
    messages = [dramatiq.Message.decode(data) for queue in Queue for data in broker.queues[queue.value].queue]
    return {message.actor_name for message in messages}


def set_work(kind: WorkKind, **changes: object) -> None:
    FunctionWork.objects.filter(kind=kind).update(**changes)


def test_when_all_is_done_nothing_is_asked_for(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    assert asked_for() == set()


def test_samples_without_vectors_are_asked_for(text_function: Function) -> None:
    bring(text_function, REFUNDS)
    assert asked_for() == {JobName.EMBED_FUNCTION}


def test_annotations_nobody_learned_from_are_asked_for(text_function: Function, samples: Samples) -> None:
    assert asked_for() == {JobName.TRAIN_FUNCTION}


def test_predictions_of_an_older_model_are_asked_for(text_function: Function, samples: Samples) -> None:
    train_function(function_id=text_function.pk)
    assert asked_for() == {JobName.PREDICT_FUNCTION}


def test_what_a_living_worker_holds_is_left_alone_until_it_dies(text_function: Function, samples: Samples) -> None:
    FunctionWork.objects.create(
        function=text_function,
        kind=WorkKind.TRAIN,
        lease_holder="another process",
        lease_expires_at=timezone.now() + timedelta(seconds=LEASE_SECONDS),
    )
    assert asked_for() == set()
    set_work(WorkKind.TRAIN, lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert asked_for() == {JobName.TRAIN_FUNCTION}


def test_what_failed_is_tried_again_after_a_pause(text_function: Function, samples: Samples) -> None:
    FunctionWork.objects.create(
        function=text_function,
        kind=WorkKind.TRAIN,
        n_failures=1,
        retry_at=timezone.now() + timedelta(seconds=5),
    )
    assert asked_for() == set()
    set_work(WorkKind.TRAIN, retry_at=timezone.now() - timedelta(seconds=1))
    assert asked_for() == {JobName.TRAIN_FUNCTION}


def test_after_an_upgrade_of_a_backbone_everything_is_made_anew(
    text_function: Function, samples: Samples, start_fresh: Callable[[], None]
) -> None:
    finish_work(function_id=text_function.pk)
    Embedding.objects.update(version="of yesterday")
    TrainedModel.objects.update(backbone_versions={"tiny-text": "of yesterday"})
    start_fresh()
    assert asked_for() == {JobName.TRAIN_FUNCTION}
    finish_work(function_id=text_function.pk)
    assert serving.load_live(text_function.pk) is not None
    assert TrainedModel.objects.get(is_live=True).n_annotations == 12


def test_an_idle_installation_is_swept_with_few_queries(
    text_function: Function, samples: Samples, django_assert_max_num_queries: Callable[[int], object]
) -> None:
    finish_work(function_id=text_function.pk)
    enqueue_unfinished_work()
    with django_assert_max_num_queries(6):  # type: ignore[attr-defined]  # a context manager
        enqueue_unfinished_work()


class TestLeftovers:
    def test_a_vector_goes_with_the_last_sample_of_its_content(self, text_function: Function, samples: Samples) -> None:
        twin = text_function.workspace.functions.create(name="Another question", input_kind=InputKind.TEXT)
        bring(twin, REFUNDS[:1])
        embed_all(twin)
        content_hash = samples["Refund"][0].content_hash
        samples["Refund"][0].delete()
        enqueue_unfinished_work()
        assert Embedding.objects.filter(content_hash=content_hash).exists()
        twin.samples.all().delete()
        enqueue_unfinished_work()
        assert not Embedding.objects.filter(content_hash=content_hash).exists()
        assert Embedding.objects.count() == 15

    def test_the_same_content_in_another_workspace_holds_nothing(
        self, text_function: Function, samples: Samples, outsider: object
    ) -> None:
        from apps.workspaces.models import Workspace

        elsewhere = Workspace.objects.get(name="Elsewhere").functions.create(name="Same?", input_kind=InputKind.TEXT)
        bring(elsewhere, REFUNDS[:1])
        samples["Refund"][0].delete()
        enqueue_unfinished_work()
        assert Embedding.objects.count() == 15

    def test_a_large_table_is_looked_over_bit_by_bit(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeper, "EMBEDDINGS_PER_SWEEP", 5)
        text_function.samples.all().delete()
        counts = []
        for _ in range(4):
            enqueue_unfinished_work()
            counts.append(Embedding.objects.count())
        assert counts == [11, 6, 1, 0]

    def test_the_models_of_a_deleted_function_leave_the_disk(self, text_function: Function, samples: Samples) -> None:
        finish_work(function_id=text_function.pk)
        folder = serving.artifact_folder(text_function, "x").parent
        assert folder.is_dir()
        delete_function(function=text_function)
        enqueue_unfinished_work()
        assert not folder.exists()

    def test_the_folder_of_a_round_that_died_goes_once_it_is_old(
        self,
        text_function: Function,
        samples: Samples,
        monkeypatch: pytest.MonkeyPatch,
        start_fresh: Callable[[], None],
    ) -> None:
        finish_work(function_id=text_function.pk)
        published = serving.artifact_folder(text_function, TrainedModel.objects.get().public_id)
        left_over = serving.artifact_folder(text_function, "model_of_a_dead_round")
        left_over.mkdir()
        enqueue_unfinished_work()
        assert left_over.is_dir()
        monkeypatch.setattr(sweeper, "LEFTOVER_SECONDS", -1.0)
        start_fresh()
        enqueue_unfinished_work()
        assert not left_over.exists()
        assert published.is_dir()


def test_a_label_given_while_messages_are_lost_is_learned_from_by_sweeping(
    text_function: Function, samples: Samples
) -> None:
    finish_work(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    dramatiq.get_broker().flush_all()
    assert asked_for() == {JobName.TRAIN_FUNCTION}
