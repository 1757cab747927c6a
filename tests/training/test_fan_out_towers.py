"""Towers fitted by several workers are those that one would have fitted, whoever dies."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import dramatiq
import numpy as np
import pytest
from django.utils import timezone

from apps.core import leases
from apps.core.jobs import JobName
from apps.engine import backbones
from apps.engine.adapt import process
from apps.engine.adapt.process import Cancelled
from apps.engine.readers import State
from apps.functions.models import Function
from apps.training.models import FunctionWork, PartKind, PartState, RoundPart, WorkKind
from apps.training.services import adapting, enqueue_unfinished_work, fan_out_towers, fit_towers, serving
from tests.training.hard_texts import hard_texts

pytestmark = pytest.mark.django_db
TEXTS = [text for text, _name in hard_texts(40)]
LABELS = np.arange(40) % 2
HELD_OUT = [np.arange(start, 40, 3) for start in range(3)] + [np.zeros(0, dtype=np.int64)]


@pytest.fixture
def packed() -> bytes:
    return process.pack("tiny-text", TEXTS, LABELS, HELD_OUT, seed=3)


@pytest.fixture
def expected() -> list[State]:
    tiny = backbones.load("tiny-text")
    return tiny.fit_towers(TEXTS, LABELS, HELD_OUT, seed=3)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[int]]:
    """Fit in this process; return which towers were asked for, part by part."""
    asked: list[Sequence[int]] = []

    def fit_packed(packed: bytes, towers: Sequence[int], **_options: object) -> list[State]:
        asked.append(list(towers))
        all_towers = backbones.load("tiny-text").fit_towers(TEXTS, LABELS, HELD_OUT, seed=3)
        return [all_towers[number] for number in towers]

    monkeypatch.setattr(process, "fit_packed", fit_packed)
    return asked


def are_same(some: Sequence[State], others: Sequence[State]) -> bool:
    return len(some) == len(others) and all(
        one.facts == other.facts and all((one.arrays[name] == other.arrays[name]).all() for name in other.arrays)
        for one, other in zip(some, others, strict=True)
    )


def fit(function: Function, packed: bytes, *, n_parts: int = 2, cancelled: Callable[[], bool] = bool) -> list[State]:
    return fan_out_towers.fit(
        function=function, packed=packed, n_towers=len(HELD_OUT), n_parts=n_parts, cancelled=cancelled
    )


def messages() -> list[int]:
    sent = [dramatiq.Message.decode(data) for data in list(dramatiq.get_broker().queues["adapt"].queue)]
    return [message.args[0] for message in sent if message.actor_name == JobName.FIT_TOWERS]


def test_some_of_the_towers_fitted_elsewhere_are_the_same_ones(packed: bytes, expected: list[State]) -> None:
    some = process.fit_packed(packed, [3, 1])
    assert are_same(process.unpack_towers(process.pack_towers(some)), [expected[3], expected[1]])


def test_where_nobody_comes_all_is_done_here(
    text_function: Function, packed: bytes, expected: list[State], here: list[Sequence[int]]
) -> None:
    assert are_same(fit(text_function, packed, n_parts=3), expected)
    assert here == [[0, 3], [1], [2]]
    assert len(messages()) == 2, "the first part is begun by whoever sends the others"
    assert not RoundPart.objects.exists()
    assert not any(serving.artifact_folder(text_function, "x").parent.glob("towers_*"))


def test_more_workers_than_towers_make_no_empty_parts(
    text_function: Function, packed: bytes, expected: list[State], here: list[Sequence[int]]
) -> None:
    assert are_same(fit(text_function, packed, n_parts=9), expected)
    assert here == [[0], [1], [2], [3]]


@pytest.mark.django_db(transaction=True)
def test_what_another_worker_does_is_waited_for(
    text_function: Function,
    packed: bytes,
    expected: list[State],
    here: list[Sequence[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken, go = threading.Event(), threading.Event()
    here_only = fan_out_towers._fit_part

    def with_another_worker(part: RoundPart, cancelled: Callable[[], bool]) -> None:
        if not taken.is_set():  # somebody else takes the last one before this one is begun
            taken.set()
            other = RoundPart.objects.filter(batch=part.batch).order_by("-number")[:1].get()
            expiry = timezone.now() + timedelta(seconds=30)
            RoundPart.objects.filter(pk=other.pk).update(lease_holder="another", lease_expires_at=expiry)
            threading.Timer(0.2, go.set).start()
        here_only(part, cancelled)

    def finish_there(_seconds: float) -> None:
        assert go.wait(10)
        of_other = RoundPart.objects.filter(lease_holder="another")
        towers = [expected[number] for number in of_other.get().task["towers"]]
        of_other.update(
            state=PartState.DONE, result=process.pack_towers(towers), lease_holder="", lease_expires_at=None
        )

    monkeypatch.setattr(fan_out_towers, "_fit_part", with_another_worker)
    monkeypatch.setattr(fan_out_towers.time, "sleep", finish_there)
    assert are_same(fit(text_function, packed), expected)
    assert here == [[0, 2]]


def test_the_part_of_a_worker_that_died_is_done_here(
    text_function: Function,
    packed: bytes,
    expected: list[State],
    here: list[Sequence[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def die(_seconds: float) -> None:
        RoundPart.objects.filter(lease_holder="dead").update(lease_expires_at=timezone.now() - timedelta(seconds=1))

    create = RoundPart.objects.bulk_create

    def taken_by_another(rows: object) -> list[RoundPart]:
        made = create(list(rows))  # type: ignore[call-overload]  # a generator
        expiry = timezone.now() + timedelta(seconds=30)
        RoundPart.objects.filter(pk=made[1].pk).update(lease_holder="dead", lease_expires_at=expiry, n_attempts=1)
        return made

    monkeypatch.setattr(RoundPart.objects, "bulk_create", taken_by_another)
    monkeypatch.setattr(fan_out_towers.time, "sleep", die)
    assert are_same(fit(text_function, packed), expected)
    assert here == [[0, 2], [1, 3]]


def test_a_worker_that_is_asked_does_its_part(
    text_function: Function, packed: bytes, expected: list[State], here: list[Sequence[int]]
) -> None:
    part = sent_part(text_function, packed)
    fit_towers(part_id=part.pk)
    fit_towers(part_id=part.pk)
    part.refresh_from_db()
    assert (part.state, part.lease_holder, here) == (PartState.DONE, "", [[1, 3]])
    assert are_same(process.unpack_towers(bytes(part.result or b"")), [expected[1], expected[3]])


def sent_part(function: Function, packed: bytes) -> RoundPart:
    path = fan_out_towers._path(function, "towers_x")
    path.parent.mkdir(parents=True)
    path.write_bytes(packed)
    task = {"towers": [1, 3], "fingerprint": fan_out_towers.sha256_of(packed)}
    return RoundPart.objects.create(function=function, batch="towers_x", number=1, kind=PartKind.TOWER, task=task)


def test_a_part_whose_task_is_gone_is_given_up(text_function: Function, packed: bytes) -> None:
    part = sent_part(text_function, packed)
    fan_out_towers._path(text_function, "towers_x").unlink()
    fit_towers(part_id=part.pk)
    part.refresh_from_db()
    assert (part.state, part.lease_holder) == (PartState.WAITING, "")


def test_what_is_not_wanted_any_more_is_dropped(text_function: Function, packed: bytes) -> None:
    with pytest.raises(Cancelled):
        fit(text_function, packed, cancelled=lambda: True)
    assert not RoundPart.objects.exists()


def test_a_part_dropped_while_it_is_fitted_ends_the_fitting(text_function: Function, packed: bytes) -> None:
    part = sent_part(text_function, packed)
    leases.claim(RoundPart, part.pk)
    is_lost = fan_out_towers._Lost(part.pk, lambda: False)
    is_lost._looked_at -= 1
    assert not is_lost()
    fan_out_towers.drop(text_function, part.batch)
    is_lost._looked_at -= 1
    assert is_lost()


def test_parts_that_nobody_waits_for_are_swept_away(text_function: Function, packed: bytes) -> None:
    part = sent_part(text_function, packed)
    work = FunctionWork.objects.create(function=text_function, kind=WorkKind.ADAPT)
    leases.claim(FunctionWork, work.pk)
    enqueue_unfinished_work()
    assert RoundPart.objects.filter(pk=part.pk).exists()
    leases.release(FunctionWork, work.pk)
    enqueue_unfinished_work()
    assert not RoundPart.objects.exists()
    assert not fan_out_towers._path(text_function, part.batch).exists()


@pytest.mark.parametrize(("n_workers", "is_shared"), [(1, False), (3, True)])
def test_adapting_shares_the_towers_where_others_take_such_work(
    text_function: Function,
    expected: list[State],
    here: list[Sequence[int]],
    monkeypatch: pytest.MonkeyPatch,
    n_workers: int,
    is_shared: bool,
) -> None:
    monkeypatch.setattr(adapting, "n_takers", lambda _queue: n_workers)
    monkeypatch.setattr(process, "fit_apart", lambda *_args, **_options: expected)
    work = FunctionWork.objects.create(function=text_function, kind=WorkKind.ADAPT)
    leases.claim(FunctionWork, work.pk)
    watch = adapting._Watch(work, adapting.label_ids(text_function.pk))
    made = adapting._fit_apart(text_function, "tiny-text", TEXTS, LABELS, HELD_OUT, (), watch)
    assert are_same(made, expected)
    assert len(here) == (3 if is_shared else 0)
