"""A large round in parts comes to the same as in one process, whatever dies or is labelled meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dramatiq
import numpy as np
import pytest
from django.utils import timezone
from django.utils.module_loading import autodiscover_modules
from pytest_django import Settings

from apps.core import leases
from apps.core.jobs import JobName
from apps.engine import automl, travel
from apps.engine.errors import ArtifactCorrupt
from apps.engine.runtime import Deadline
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import (
    FunctionWork,
    PartState,
    Prediction,
    PredictionKind,
    RoundPart,
    RunState,
    TrainedModel,
    TrainingRun,
    WorkKind,
)
from apps.training.services import (
    RoundOutcome,
    arrays,
    enqueue_unfinished_work,
    fan_out,
    round_data,
    rounds,
    run_part,
    serving,
    train_function,
)
from tests.training.conftest import label

pytestmark = pytest.mark.django_db
Samples = dict[str, list[Sample]]


@pytest.fixture(autouse=True)
def _many_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds are large from ten samples on, two workers are there, and there is time for every line."""
    monkeypatch.setattr(fan_out, "FROM_SAMPLES", 10)
    monkeypatch.setattr(fan_out, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(fan_out, "n_takers", lambda _queue: 2)
    monkeypatch.setattr(fan_out, "_given", fan_out._Given())
    monkeypatch.setattr("apps.engine.search.budget", lambda _n_samples: Deadline.after(300))


@pytest.fixture
def other_process(monkeypatch: pytest.MonkeyPatch, start_fresh: Callable[[], None]) -> Callable[[], None]:
    """Go on as another process, which remembers nothing and holds nothing."""

    def leave() -> None:
        start_fresh()
        monkeypatch.setattr(fan_out, "_given", fan_out._Given())
        monkeypatch.setattr(leases, "_PROCESS_TOKEN", leases.secrets.token_hex(8))

    return leave


@pytest.fixture
def sent_out(text_function: Function, samples: Samples) -> list[RoundPart]:
    """The parts of a round that was just begun."""
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    return list(RoundPart.objects.order_by("number"))


def messages(job: JobName) -> list[object]:
    return [
        dramatiq.Message.decode(data).args[0]
        for data in list(dramatiq.get_broker().queues[job.queue.value].queue)
        if dramatiq.Message.decode(data).actor_name == job.value
    ]


def published(function: Function) -> TrainedModel:
    return TrainedModel.objects.get(function=function, is_live=True)


def said(function: Function) -> dict[int, tuple[int | None, float]]:
    rows = Prediction.objects.filter(function=function, kind=PredictionKind.OUT_OF_FOLD)
    return {
        pk: (label_id, confidence) for pk, label_id, confidence in rows.values_list("sample", "label", "confidence")
    }


def expire_leases() -> None:
    RoundPart.objects.exclude(lease_holder="").update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_a_round_in_parts_comes_to_the_same_as_in_one_process(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch, other_process: Callable[[], None]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fan_out, "n_takers", lambda _queue: 1)
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    alone, of_alone = published(text_function), said(text_function)
    trials = TrainingRun.objects.get().trials
    TrainedModel.objects.all().delete()
    FunctionWork.objects.filter(kind=WorkKind.TRAIN).update(done_revision=0)

    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    for part in RoundPart.objects.order_by("-number"):
        other_process()
        run_part(part_id=part.pk)
    other_process()
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    together = published(text_function)
    assert together.recipe == alone.recipe
    assert together.log_loss == alone.log_loss
    assert said(text_function) == of_alone
    run = TrainingRun.objects.first()
    assert run is not None
    assert run.state == RunState.DONE
    without_seconds = [{**trial, "seconds": 0} for trial in run.trials]
    assert without_seconds == [{**trial, "seconds": 0} for trial in trials]
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert not RoundPart.objects.exists()
    assert not (serving.artifact_folder(text_function, f"round_{run.pk}")).exists()


def test_a_message_goes_out_for_each_part_and_the_function_is_let_go(
    text_function: Function, sent_out: list[RoundPart]
) -> None:
    assert len(sent_out) > 2
    assert messages(JobName.RUN_PART) == [part.pk for part in sent_out]
    assert messages(JobName.TRAIN_FUNCTION) == [], "nothing is to be gone on with yet"
    assert FunctionWork.objects.get(kind=WorkKind.TRAIN).lease_holder == ""


def test_of_a_new_function_a_first_model_answers_while_the_parts_are_at_work(
    text_function: Function, sent_out: list[RoundPart]
) -> None:
    first = published(text_function)
    assert (first.number, TrainingRun.objects.get().state) == (1, RunState.RUNNING)
    assert len(first.recipe["members"]) == 1
    assert said(text_function)


@pytest.mark.django_db(transaction=True)
def test_the_last_message_of_the_group_has_the_round_put_together(
    text_function: Function, sent_out: list[RoundPart]
) -> None:
    autodiscover_modules("actors")
    broker = dramatiq.get_broker()
    broker.flush("train")
    worker = dramatiq.Worker(broker, queues={"parts"}, worker_timeout=10, worker_threads=1)
    worker.start()
    try:
        broker.join("parts", timeout=60_000)
    finally:
        worker.stop()
    assert not RoundPart.objects.exclude(state=PartState.DONE).exists()
    assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk]
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED


def test_what_was_tried_shows_as_parts_end(sent_out: list[RoundPart]) -> None:
    counts = []
    for part in sent_out:
        run_part(part_id=part.pk)
        counts.append(len(TrainingRun.objects.get().trials))
    assert counts == sorted(set(counts))
    assert counts[0] > 0


def lose_the_first(parts: list[RoundPart], other_process: Callable[[], None]) -> RoundPart:
    """Have one process begin the first part and be gone, and another do all the others. Returns the lost one."""
    lost, *others = parts
    leases.claim(RoundPart, lost.pk)
    RoundPart.objects.filter(pk=lost.pk).update(n_attempts=1)
    other_process()
    for part in others:
        run_part(part_id=part.pk)
    return lost


def test_a_part_lost_with_its_worker_is_sent_again_and_costs_one_attempt(
    text_function: Function,
    sent_out: list[RoundPart],
    other_process: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = lose_the_first(sent_out, other_process)
    dramatiq.get_broker().flush_all()
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    assert messages(JobName.RUN_PART) == [], "it may still be at work"
    expire_leases()
    train_function(function_id=text_function.pk)
    assert messages(JobName.RUN_PART) == [lost.pk]
    run_part(part_id=lost.pk)
    assert RoundPart.objects.get(pk=lost.pk).n_attempts == 2
    assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk], "no group counts what was sent again"
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    assert TrainingRun.objects.count() == 1


def test_a_part_that_comes_back_late_is_thrown_away(
    sent_out: list[RoundPart], other_process: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = sent_out[0]
    late: list[RoundPart] = []
    try_line = automl.try_line

    def slowly(*args: object, **options: object) -> object:
        if not late:
            late.append(part)
            expire_leases()
            token = leases._PROCESS_TOKEN
            other_process()
            run_part(part_id=part.pk)
            monkeypatch.setattr(leases, "_PROCESS_TOKEN", token)
        return try_line(*args, **options)  # type: ignore[arg-type]  # passed on as given

    monkeypatch.setattr(automl, "try_line", slowly)
    run_part(part_id=part.pk)
    row = RoundPart.objects.get(pk=part.pk)
    assert (row.state, row.n_attempts) == (PartState.DONE, 2)
    n_tried = len(travel.unpack(bytes(row.result or b""), shape=(12, 2)))
    assert len(TrainingRun.objects.get().trials) == n_tried


def test_a_part_that_fails_again_and_again_is_left_out(
    text_function: Function, sent_out: list[RoundPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    poor, *others = sent_out

    def fail(*_args: object, **_options: object) -> None:
        raise MemoryError

    for part in others:
        run_part(part_id=part.pk)
    with monkeypatch.context() as patch:
        patch.setattr(automl, "try_line", fail)
        for _ in range(fan_out.MOST_ATTEMPTS):
            with pytest.raises(MemoryError):
                run_part(part_id=poor.pk)
    assert RoundPart.objects.get(pk=poor.pk).message
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    run_part(part_id=poor.pk)
    assert RoundPart.objects.get(pk=poor.pk).state == PartState.FAILED
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED


def test_parts_that_nobody_takes_are_done_in_one_process(text_function: Function, sent_out: list[RoundPart]) -> None:
    dramatiq.get_broker().flush_all()
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    assert not RoundPart.objects.filter(state=PartState.DONE).exists()
    RoundPart.objects.update(created_at=timezone.now() - timedelta(seconds=fan_out.STALL_SECONDS + 1))
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk]
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED


def test_a_round_whose_last_message_was_lost_is_found_by_sweeping(
    text_function: Function, sent_out: list[RoundPart]
) -> None:
    for part in sent_out:
        run_part(part_id=part.pk)
    dramatiq.get_broker().flush_all()
    enqueue_unfinished_work()
    assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk]


def test_what_is_labelled_meanwhile_changes_nothing_and_is_learned_by_the_next_round(
    text_function: Function, samples: Samples, sent_out: list[RoundPart], other_process: Callable[[], None]
) -> None:
    label(text_function, samples[""][:1], "Refund")
    label(text_function, samples["Refund"][:1], "Shipping")
    for part in sent_out:
        other_process()
        run_part(part_id=part.pk)
    other_process()
    dramatiq.get_broker().flush_all()
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    assert published(text_function).n_annotations == 12
    assert TrainingRun.objects.count() == 1
    assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk]
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    assert TrainingRun.objects.count() == 2


def test_a_sample_deleted_meanwhile_starts_the_round_again_where_nobody_has_read_it(
    text_function: Function, samples: Samples, sent_out: list[RoundPart], other_process: Callable[[], None]
) -> None:
    Sample.everywhere.filter(pk=samples["Refund"][0].pk).delete()
    other_process()
    run_part(part_id=sent_out[0].pk)
    assert not RoundPart.objects.exists()
    assert text_function.pk in messages(JobName.TRAIN_FUNCTION)
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    assert TrainingRun.objects.filter(state=RunState.RUNNING).count() == 1


def test_a_part_of_a_round_that_ended_is_dropped(text_function: Function, sent_out: list[RoundPart]) -> None:
    TrainingRun.objects.update(state=RunState.FAILED)
    run_part(part_id=sent_out[0].pk)
    assert TrainingRun.objects.get().trials == []
    enqueue_unfinished_work()
    assert not RoundPart.objects.exists()


def test_data_that_is_not_what_was_sent_is_refused(
    text_function: Function, sent_out: list[RoundPart], other_process: Callable[[], None]
) -> None:
    other_process()
    with pytest.raises(round_data.DataMoved):
        fan_out.read_given(text_function, sent_out[0].batch, "0" * 64)


def test_what_a_round_learns_from_is_the_same_after_the_journey(text_function: Function, samples: Samples) -> None:
    given = arrays.read_round(text_function)
    again = round_data.unpack(text_function, round_data.pack(given))
    assert again.sample_ids == given.sample_ids
    assert again.public_ids == given.public_ids
    assert again.annotation_ids == given.annotation_ids
    assert again.labels == given.labels
    assert again.revision == given.revision
    assert again.data.label_names == given.data.label_names
    for name in ("labels", "groups", "is_random", "is_counted"):
        assert (getattr(again.data, name) == getattr(given.data, name)).all()
    for name, rows in given.data.label_embeddings.items():
        assert (again.data.label_embeddings[name] == rows).all()
    for name, rows in given.data.inputs.embeddings.items():
        assert (again.data.inputs.embeddings[name] == rows).all()
    assert list(again.data.inputs.texts) == list(given.data.inputs.texts)


def test_a_label_deleted_meanwhile_is_noticed(text_function: Function, samples: Samples) -> None:
    packed = round_data.pack(arrays.read_round(text_function))
    text_function.labels.filter(name="Refund").update(deleted_at=timezone.now())
    with pytest.raises(round_data.DataMoved):
        round_data.unpack(text_function, packed)


class TestWhetherItPays:
    def test_small_rounds_ask_nobody(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def ask(_queue: object) -> int:
            raise AssertionError("the broker was asked")

        monkeypatch.setattr(fan_out, "FROM_SAMPLES", 1_000)
        monkeypatch.setattr(fan_out, "n_takers", ask)
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED

    def test_with_one_worker_rounds_stay_in_one_process(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fan_out, "n_takers", lambda _queue: 1)
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED

    def test_rounds_of_a_moment_are_not_shared_until_one_took_long(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fan_out, "WORTH_SECONDS", 4.0)
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        TrainingRun.objects.update(trials=[{"seconds": 2.5}, {"seconds": 1.6}])
        label(text_function, samples[""][:1], "Refund")
        assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS

    def test_regressions_that_take_long_are_shared_at_once(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fan_out, "WORTH_SECONDS", 4.0)
        monkeypatch.setattr("apps.engine.search.expected_seconds", lambda recipe, *_args, **_options: 0.5)
        assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS

    def test_lines_that_take_longer_than_a_round_are_left_out(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = arrays.read_round(text_function)
        all_lines = fan_out.lines_of(given, None)
        monkeypatch.setattr("apps.engine.search.expected_seconds", lambda recipe, *_args, **_options: 200.0)
        assert [list(line.recipes) for line in fan_out.lines_of(given, None)] == [list(all_lines[0].recipes)]


def test_candidates_travel_to_the_bit(text_function: Function, samples: Samples) -> None:
    data = arrays.read_round(text_function).data
    tried = automl.try_line(data, automl.plan(data)[0])
    again = travel.unpack(travel.pack(tried), shape=(12, 2))
    for before, after in zip(tried, again, strict=True):
        assert after.trial == before.trial
        assert after.temperature == before.temperature
        assert after.pred_probs.dtype == before.pred_probs.dtype == np.float32
        assert (after.pred_probs == before.pred_probs).all()
    with pytest.raises(ArtifactCorrupt):
        travel.unpack(travel.pack(tried), shape=(13, 2))
    with pytest.raises(ArtifactCorrupt):
        travel.unpack(b"nothing of ours", shape=(12, 2))


def test_between_machines_without_a_shared_disk_the_data_travels_too(
    text_function: Function, samples: Samples, settings: Settings, tmp_path: Path, other_process: Callable[[], None]
) -> None:
    settings.FILES = "database"
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {"BACKEND": "apps.core.database_storage.DatabaseStorage", "OPTIONS": {"root": "models"}},
    }
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    for turn, part in enumerate(RoundPart.objects.order_by("number")):
        settings.ARTIFACTS_DIR = tmp_path / f"machine{turn}"
        other_process()
        run_part(part_id=part.pk)
    settings.ARTIFACTS_DIR = tmp_path / "web"
    other_process()
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED


def test_a_round_put_together_by_somebody_else_is_not_put_together_again(
    text_function: Function, sent_out: list[RoundPart]
) -> None:
    for part in sent_out:
        run_part(part_id=part.pk)
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    assert train_function(function_id=text_function.pk) is RoundOutcome.NOTHING_NEW
    assert TrainedModel.objects.filter(function=text_function).count() == 2, "the first, and the one of the round"
    assert rounds.fan_out.batch_of(text_function.pk) is None
