"""Planning what to ask next: from rows to what the engine looks at, and back."""

from datetime import timedelta
from pathlib import Path

import dramatiq
import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from apps.accounts.models import User
from apps.core import leases
from apps.core.jobs import JobName, Queue
from apps.engine.types import FloatArray
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import add_label
from apps.labeling import planning
from apps.labeling.models import QueueEntry, Reason
from apps.labeling.planning import plan_queue
from apps.labeling.services import next_samples
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, tag_sample
from apps.samples.services.intake import NewText, add_texts
from apps.training.models import FunctionWork, Prediction, PredictionKind, TrainedModel, WorkKind
from apps.training.services import embed_function, enqueue_unfinished_work, finish_work
from apps.training.services.work import Progress, want_plan

pytestmark = pytest.mark.django_db

WORDS = {
    "Refund": ["please refund my money", "i want my money back", "charged twice on my card", "refund the lamp"],
    "Shipping": ["where is my parcel", "the parcel is late", "track my delivery", "delivery to norway possible"],
    "Spam": ["win a prize now", "click this lucky link"],
}


@pytest.fixture(autouse=True)
def own_files(settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_DIR = tmp_path / "models"
    dramatiq.get_broker().flush_all()


def bring(function: Function, texts: list[str]) -> list[Sample]:
    items = [NewText(text) for text in texts]
    samples = add_texts(function=function, items=items, person=None, origin=Origin.IMPORT).samples
    while embed_function(function_id=function.pk) is Progress.MORE:
        pass
    return samples


def about(name: str, n: int) -> list[str]:
    return [f"{WORDS[name][i % len(WORDS[name])]} number {i}" for i in range(n)]


def label(samples: list[Sample], name: str) -> None:
    function = samples[0].function
    row = function.labels.get(name=name)
    pairs: list[tuple[int, int | None]] = [(sample.pk, row.pk) for sample in samples]
    annotate_many(function=function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)


def plan_now(function: Function) -> list[QueueEntry]:
    """Plan although nothing may have changed since."""
    want_plan(function.pk)
    FunctionWork.objects.filter(kind=WorkKind.PLAN).update(retry_at=None)
    assert plan_queue(function_id=function.pk) is Progress.DONE
    return list(QueueEntry.objects.filter(function=function).select_related("sample"))


def trained(function: Function) -> dict[str, list[Sample]]:
    """Thirty labelled samples and forty that are not, learned from and predicted."""
    refunds, parcels = bring(function, about("Refund", 35)), bring(function, about("Shipping", 35))
    label(refunds[:15], "Refund")
    label(parcels[:15], "Shipping")
    finish_work(function_id=function.pk)
    return {"Refund": refunds[15:], "Shipping": parcels[15:]}


def test_before_a_model_the_first_are_one_of_each_kind(text_function: Function) -> None:
    bring(text_function, about("Refund", 30) + about("Shipping", 20))

    entries = plan_now(text_function)

    assert [entry.place for entry in entries] == list(range(50))
    assert {entry.reason for entry in entries} == {Reason.TYPICAL}
    first = [entry.sample.text.rpartition(" number ")[0] for entry in entries[:8]]
    assert len(set(first)) >= 7


def test_with_a_model_what_it_doubts_comes_first_and_says_so(text_function: Function) -> None:
    rest = trained(text_function)
    doubted = {sample.pk for sample in rest["Shipping"][:4]}
    Prediction.objects.filter(kind=PredictionKind.LIVE).update(margin=0.99)
    Prediction.objects.filter(kind=PredictionKind.LIVE, sample__in=doubted).update(margin=0.02)

    entries = plan_now(text_function)

    assert {entry.sample_id for entry in entries[:2]} <= doubted
    assert {entry.reason for entry in entries if entry.sample_id in doubted} == {Reason.TORN}
    assert {entry.reason for entry in entries if entry.sample_id not in doubted} == {Reason.TYPICAL}
    assert {entry.sample_id for entry in entries} == {sample.pk for samples in rest.values() for sample in samples}


def test_a_label_seldom_given_is_called_rare(text_function: Function) -> None:
    rest = trained(text_function)
    rare = add_label(function=text_function, name="Spam", actor=None)
    candidate = rest["Refund"][0]
    Prediction.objects.filter(kind=PredictionKind.LIVE, sample=candidate).update(label=rare, margin=0.3)

    entries = {entry.sample_id: entry for entry in plan_now(text_function)}

    assert entries[candidate.pk].reason == Reason.RARE
    assert [entry.reason for entry in entries.values()].count(Reason.RARE) == 1


def test_what_nobody_may_be_asked_about_is_not_planned(text_function: Function) -> None:
    samples = bring(text_function, about("Refund", 12))
    Sample.objects.filter(pk=samples[0].pk).update(deleted_at=timezone.now())
    Sample.objects.filter(pk=samples[1].pk).update(is_disputed=True)
    Sample.objects.filter(pk=samples[2].pk).update(is_embedded=False)
    label(samples[3:4], "Refund")

    assert {entry.sample_id for entry in plan_now(text_function)} == {sample.pk for sample in samples[4:]}


def test_samples_the_model_has_not_looked_at_are_new_at_most(text_function: Function) -> None:
    rest = trained(text_function)
    unread = [sample.pk for sample in rest["Refund"]]
    Prediction.objects.filter(sample__in=unread).delete()
    Prediction.objects.filter(kind=PredictionKind.LIVE).update(margin=0.1)

    entries = plan_now(text_function)

    assert {entry.reason for entry in entries if entry.sample_id in unread} == {Reason.NEW}
    assert {entry.reason for entry in entries if entry.sample_id not in unread} == {Reason.TORN}


def test_tags_are_planned_by_how_near_they_are_to_their_threshold(text_function: Function, owner: User) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    samples = bring(text_function, about("Refund", 20) + about("Shipping", 20))
    tags = dict(zip(text_function.labels.order_by("pk")[:2], (True, False), strict=True))
    for i in (*range(12), *range(20, 32)):
        is_first = i < 20
        said = {label: is_there is is_first for label, is_there in tags.items()}
        tag_sample(sample=samples[i], tags=said, person=owner, picked_by=PickedBy.PERSON)
    finish_work(function_id=text_function.pk)
    Prediction.objects.filter(kind=PredictionKind.LIVE).update(margin=0.5)
    Prediction.objects.filter(sample=samples[15]).update(margin=0.01)

    entries = plan_now(text_function)

    assert entries[0].sample_id == samples[15].pk
    assert entries[0].reason == Reason.TORN
    assert len(entries) == 16


@pytest.mark.parametrize("kind", [InputKind.IMAGE, InputKind.TABLE])
def test_pictures_and_rows_are_planned_too(text_function: Function, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of numbers have no vectors: they are looked at by their cells."""
    function = text_function.workspace.functions.create(name="Other", input_kind=kind)
    field = function.fields.create(name="Amount", type="number", position=0) if kind == InputKind.TABLE else None
    samples = Sample.objects.bulk_create(
        Sample(
            function=function,
            row={field.public_id: i // 8} if field else None,
            content_hash=f"{kind}-{i}",
            origin=Origin.IMPORT,
            is_embedded=True,
        )
        for i in range(16)
    )
    if field is None:
        random = np.random.default_rng(0)

        def read(**of: object) -> dict[str, FloatArray]:
            return {sample.content_hash: random.normal(size=48).astype(np.float32) for sample in samples}

        monkeypatch.setattr("apps.training.services.points.read_vectors", read)

    entries = plan_now(function)

    assert len(entries) == 16
    if field is not None:
        assert {entry.sample.row[field.public_id] for entry in entries[:2]} == {0, 1}


def test_of_many_samples_a_bounded_number_is_looked_at(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(text_function)
    doubted = Prediction.objects.filter(kind=PredictionKind.LIVE).order_by("pk").last()
    assert doubted is not None
    Prediction.objects.filter(kind=PredictionKind.LIVE).exclude(pk=doubted.pk).update(margin=0.9)
    Prediction.objects.filter(pk=doubted.pk).update(margin=0.01)
    monkeypatch.setattr(planning, "N_POOL", 10)
    monkeypatch.setattr(planning, "N_DOUBTFUL", 1)

    for _ in range(3):
        entries = plan_now(text_function)
        assert len(entries) in (10, 11)  # the doubted one is among those drawn, or looked at besides
        assert doubted.sample_id in {entry.sample_id for entry in entries}


def test_planning_asks_the_database_the_same_however_much_is_waiting(text_function: Function) -> None:
    def n_queries() -> int:
        want_plan(text_function.pk)
        FunctionWork.objects.filter(kind=WorkKind.PLAN).update(retry_at=None)
        with CaptureQueriesContext(connection) as queries:
            plan_queue(function_id=text_function.pk)
        return len(queries)

    bring(text_function, about("Refund", 30))
    plan_now(text_function)
    few = n_queries()
    bring(text_function, about("Shipping", 300))
    assert n_queries() == few <= 30


def test_nothing_is_planned_twice_and_between_plans_it_rests(text_function: Function) -> None:
    bring(text_function, about("Refund", 40))
    assert plan_queue(function_id=text_function.pk) is Progress.DONE
    first = list(QueueEntry.objects.values_list("pk", flat=True))
    assert len(first) == 40

    FunctionWork.objects.filter(kind=WorkKind.PLAN).update(retry_at=None)
    plan_queue(function_id=text_function.pk)
    assert list(QueueEntry.objects.values_list("pk", flat=True)) == first  # nothing has changed

    want_plan(text_function.pk)
    FunctionWork.objects.filter(kind=WorkKind.PLAN).update(retry_at=timezone.now() + timedelta(minutes=1))
    plan_queue(function_id=text_function.pk)
    assert list(QueueEntry.objects.values_list("pk", flat=True)) == first  # it rests

    QueueEntry.objects.filter(place__gte=planning.FEW_LEFT - 1).delete()
    plan_queue(function_id=text_function.pk)
    assert QueueEntry.objects.count() == 40  # too few were left


def test_a_plan_that_somebody_else_has_taken_over_is_thrown_away(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(text_function, about("Refund", 5))

    def take_over(*_of: object) -> list[object]:
        FunctionWork.objects.filter(kind=WorkKind.PLAN).update(lease_holder="another")
        return []

    monkeypatch.setattr(planning.query, "next_batch", take_over)
    assert plan_queue(function_id=text_function.pk) is Progress.BUSY
    assert not QueueEntry.objects.exists()
    assert leases.holder_id() != "another"


def test_new_samples_and_new_predictions_ask_for_a_plan_and_the_sweeper_asks_again(text_function: Function) -> None:
    broker = dramatiq.get_broker()

    def asked_for() -> bool:
        messages = [dramatiq.Message.decode(data) for queue in Queue for data in broker.queues[queue.value].queue]
        broker.flush_all()
        return JobName.PLAN_QUEUE in {message.actor_name for message in messages}

    broker.flush_all()
    trained(text_function)
    assert asked_for()
    FunctionWork.objects.filter(kind=WorkKind.PLAN).update(retry_at=None)
    enqueue_unfinished_work()
    assert asked_for()

    plan_now(text_function)
    FunctionWork.objects.filter(kind=WorkKind.PLAN).update(retry_at=None)
    enqueue_unfinished_work()
    assert not asked_for()

    sample = Sample.objects.filter(annotation=None).first()
    assert sample is not None
    label([sample], "Refund")
    finish_work(function_id=text_function.pk)
    assert asked_for()


def test_the_label_page_asks_what_was_planned(text_function: Function, owner: User) -> None:
    trained(text_function)
    entries = plan_now(text_function)

    items = next_samples(function=text_function, person=owner, n=4)

    asked = [item.sample.pk for item in items if item.picked_by == PickedBy.QUEUE]
    assert asked == [entry.sample_id for entry in entries if entry.sample_id in asked]
    assert TrainedModel.objects.filter(is_live=True).exists()


def test_a_function_deleted_meanwhile_is_let_go(text_function: Function) -> None:
    assert plan_queue(function_id=text_function.pk + 1000) is Progress.DONE
