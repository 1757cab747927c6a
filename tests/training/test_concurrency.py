"""Real threads on a real database: whoever asks at once, one does the work."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import close_old_connections, connections

from apps.engine import automl
from apps.engine.types import RoundResult, TrainingData
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import Embedding, Prediction, PredictionKind, TrainedModel, TrainingRun
from apps.training.services import RoundOutcome, embed_function, finish_work, train_function
from tests.training.conftest import OTHERS, PARCELS, REFUNDS, bring, label

pytestmark = pytest.mark.django_db(transaction=True)

N_THREADS = 4


def at_once(act: "object", function_id: int) -> list[object]:
    """Have several threads do the same at the same moment, each on a connection of its own."""
    all_there = threading.Barrier(N_THREADS)

    def one() -> object:
        close_old_connections()
        all_there.wait()
        try:
            return act(function_id=function_id)  # type: ignore[operator]  # a service
        finally:
            connections.close_all()

    with ThreadPoolExecutor(N_THREADS) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(N_THREADS)]]


def test_one_round_is_in_flight_however_many_ask(
    text_function: Function, samples: dict[str, list[Sample]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train, lock, in_flight, most = automl.train, threading.Lock(), 0, 0

    def watched(data: TrainingData, **options: object) -> RoundResult:
        nonlocal in_flight, most
        with lock:
            in_flight += 1
            most = max(most, in_flight)
        try:
            return train(data, **options)  # type: ignore[arg-type]  # passed on as they came
        finally:
            with lock:
                in_flight -= 1

    monkeypatch.setattr(automl, "train", watched)
    outcomes = at_once(train_function, text_function.pk)
    assert outcomes.count(RoundOutcome.PUBLISHED) == 1
    assert set(outcomes) <= {RoundOutcome.PUBLISHED, RoundOutcome.BUSY, RoundOutcome.NOTHING_NEW}
    assert most == 1
    assert TrainingRun.objects.count() == TrainedModel.objects.count() == 1


def test_samples_are_embedded_once_however_many_ask(text_function: Function) -> None:
    bring(text_function, REFUNDS + PARCELS)
    at_once(embed_function, text_function.pk)
    assert Embedding.objects.count() == len(REFUNDS + PARCELS)
    assert not text_function.samples.filter(is_embedded=False).exists()


def test_all_work_done_by_several_at_once_ends_as_if_by_one(text_function: Function) -> None:
    label(text_function, bring(text_function, REFUNDS), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    bring(text_function, OTHERS)
    at_once(finish_work, text_function.pk)
    newest = TrainedModel.objects.get(is_live=True)
    assert newest.n_annotations == 12
    assert Prediction.objects.filter(kind=PredictionKind.OUT_OF_FOLD, model=newest).count() == 12
    assert Prediction.objects.filter(kind=PredictionKind.LIVE, model=newest).count() == 4
