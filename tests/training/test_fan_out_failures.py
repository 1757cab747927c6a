"""A round in parts goes on when the broker, the database or the disk is away for a while."""

import errno
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import dramatiq
import pytest
import redis
from django.db import OperationalError, connection
from django.utils import timezone

from apps.core import jobs, leases
from apps.core.jobs import JobName
from apps.engine import automl
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import FunctionWork, PartState, RoundPart, RunState, TrainedModel, TrainingRun, WorkKind
from apps.training.services import RoundOutcome, enqueue_unfinished_work, fan_out, run_part, serving, train_function
from tests.training.conftest import OTHERS, PARCELS, REFUNDS, bring, embed_all, label
from tests.training.test_fan_out import _many_workers, expire_leases, lose_the_first, messages, other_process, sent_out

__all__ = ["_many_workers", "other_process", "sent_out"]

Samples = dict[str, list[Sample]]


class NoBroker:
    """Redis is away: whatever is sent."""

    def enqueue(self, _message: object) -> None:
        raise redis.ConnectionError("Connection refused")


@pytest.fixture
def broker_away(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Until it is undone."""
    monkeypatch.setattr(jobs, "get_broker", NoBroker)
    monkeypatch.setattr("dramatiq.composition.get_broker", NoBroker)
    return monkeypatch


def publishes(function: Function) -> bool:
    return train_function(function_id=function.pk) is RoundOutcome.PUBLISHED


@pytest.mark.django_db
class TestTheBroker:
    def test_away_when_parts_are_sent_they_are_found_by_sweeping(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "group", lambda _messages: _Refused())
            assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
        assert messages(JobName.RUN_PART) == []
        RoundPart.objects.update(created_at=timezone.now() - timedelta(seconds=fan_out.STALL_SECONDS + 1))
        enqueue_unfinished_work()
        assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk]
        dramatiq.get_broker().flush_all()
        assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
        assert publishes(text_function)
        assert TrainingRun.objects.count() == 1

    def test_away_while_parts_are_done_none_is_lost_and_the_round_is_found_by_sweeping(
        self, text_function: Function, sent_out: list[RoundPart], broker_away: pytest.MonkeyPatch
    ) -> None:
        RoundPart.objects.filter(pk=sent_out[0].pk).update(n_attempts=1)  # one that was sent again: it tells by itself
        for part in sent_out:
            run_part(part_id=part.pk)
        assert not RoundPart.objects.exclude(state=PartState.DONE).exists()
        enqueue_unfinished_work()
        broker_away.undo()
        dramatiq.get_broker().flush_all()
        enqueue_unfinished_work()
        assert messages(JobName.TRAIN_FUNCTION) == [text_function.pk]

    def test_away_a_lost_part_is_asked_for_once_it_is_back(
        self,
        text_function: Function,
        sent_out: list[RoundPart],
        other_process: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        lost = lose_the_first(sent_out, other_process)
        expire_leases()
        dramatiq.get_broker().flush_all()
        with monkeypatch.context() as patch:
            patch.setattr(jobs, "get_broker", NoBroker)
            assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
        assert messages(JobName.RUN_PART) == []
        assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
        assert messages(JobName.RUN_PART) == [lost.pk]


class _Refused:
    """A group that cannot be sent."""

    def add_completion_callback(self, _message: object) -> None:
        """As if."""

    def run(self) -> None:
        raise redis.ConnectionError("Connection refused")


@pytest.mark.django_db
class TestTheDatabase:
    @pytest.mark.parametrize("place", ["_try", "_hand_in"])
    def test_lost_in_a_part_the_part_is_taken_up_again(
        self,
        text_function: Function,
        sent_out: list[RoundPart],
        other_process: Callable[[], None],
        monkeypatch: pytest.MonkeyPatch,
        place: str,
    ) -> None:
        poor, *others = sent_out

        def lose(*_given: object) -> None:
            raise OperationalError("server closed the connection unexpectedly")

        with monkeypatch.context() as patch:
            patch.setattr(fan_out, place, lose)
            with pytest.raises(OperationalError):
                run_part(part_id=poor.pk)
        assert leases.renew_all(RoundPart) == 0, "nobody is at it any more"
        for part in others:
            run_part(part_id=part.pk)
        expire_leases()
        other_process()
        dramatiq.get_broker().flush_all()
        train_function(function_id=text_function.pk)
        assert messages(JobName.RUN_PART) == [poor.pk]
        run_part(part_id=poor.pk)
        assert publishes(text_function)

    def test_lost_so_that_not_even_the_failure_can_be_written_down(
        self, sent_out: list[RoundPart], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def lose(*_given: object, **_more: object) -> None:
            raise OperationalError("server closed the connection unexpectedly")

        with monkeypatch.context() as patch:
            patch.setattr(fan_out, "_try", lose)
            patch.setattr(fan_out, "sentence_of", lose)
            with pytest.raises(OperationalError):
                run_part(part_id=sent_out[0].pk)
        row = RoundPart.objects.get(pk=sent_out[0].pk)
        assert row.lease_holder == leases.holder_id(), "it could not be given back"
        assert leases.renew_all(RoundPart) == 0, "so that it runs out"


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_ended_is_made_anew_to_say_so(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("only a server ends connections; this suite is run again on one")
    label(text_function, bring(text_function, REFUNDS), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    bring(text_function, OTHERS)
    embed_all(text_function)
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    parts = list(RoundPart.objects.order_by("number"))

    def end(*_given: object, **_more: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patch:
        patch.setattr(automl, "try_line", end)
        with pytest.raises(OperationalError):
            run_part(part_id=parts[0].pk)
    row = RoundPart.objects.get(pk=parts[0].pk)
    assert (row.lease_holder, row.state, row.n_attempts) == ("", PartState.WAITING, 1)
    for part in parts:
        run_part(part_id=part.pk)
    assert publishes(text_function)


@pytest.mark.django_db
def test_no_space_for_what_parts_read_is_a_round_put_off(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_bytes

    def fail(path: Path, content: bytes) -> int:
        write(path, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fail)
        with pytest.raises(OSError, match="No space left"):
            train_function(function_id=text_function.pk)
    assert not RoundPart.objects.exists()
    assert not TrainingRun.objects.filter(state=RunState.RUNNING).exists()
    folder = serving.artifact_folder(text_function, "x").parent
    assert not [path for path in folder.rglob("*") if path.is_file()], "what was written of it takes no space"
    work = FunctionWork.objects.get(kind=WorkKind.TRAIN)
    assert (work.n_failures, work.lease_holder) == (1, "")
    assert train_function(function_id=text_function.pk) is RoundOutcome.IN_PARTS
    for part in RoundPart.objects.all():
        run_part(part_id=part.pk)
    assert publishes(text_function)
    assert TrainedModel.objects.get(is_live=True).n_annotations == 12
