"""What the published model says of samples nobody has labelled."""

import pytest

from apps.engine import predictor
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import Embedding, FunctionWork, Prediction, PredictionKind, TrainedModel, WorkKind
from apps.training.services import Progress, finish_work, predict_function, prediction, train_function
from tests.training.conftest import bring, embed_all, label

pytestmark = pytest.mark.django_db

Samples = dict[str, list[Sample]]


def live() -> dict[int, Prediction]:
    return {row.sample_id: row for row in Prediction.objects.filter(kind=PredictionKind.LIVE)}


def test_every_unlabelled_sample_is_predicted_by_the_live_model(text_function: Function, samples: Samples) -> None:
    train_function(function_id=text_function.pk)
    while predict_function(function_id=text_function.pk) is Progress.MORE:
        pass
    rows = live()
    assert rows.keys() == {sample.pk for sample in samples[""]}
    assert {row.model_id for row in rows.values()} == {TrainedModel.objects.get().pk}
    for row in rows.values():
        assert 0.5 <= row.confidence <= 1.0
        assert row.margin == pytest.approx(2 * row.confidence - 1, abs=1e-5)  # of two labels


def test_each_prediction_says_which_label_comes_second(text_function: Function, samples: Samples) -> None:
    labels = set(text_function.labels.values_list("pk", flat=True))
    finish_work(function_id=text_function.pk)
    assert {frozenset((row.label_id, row.runner_up_id)) for row in Prediction.objects.all()} == {frozenset(labels)}

    Prediction.objects.update(runner_up=None)
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    assert not Prediction.objects.filter(runner_up=None).exists()


def test_a_label_that_is_worse_to_miss_leaves_the_likelier_one_second(
    text_function: Function, samples: Samples
) -> None:
    text_function.labels.filter(name="Refund").update(weight=10)
    finish_work(function_id=text_function.pk)
    for row in Prediction.objects.all():
        assert row.label_id != row.runner_up_id


def test_nothing_is_predicted_without_a_model(text_function: Function) -> None:
    bring(text_function, ["hello"])
    embed_all(text_function)
    assert predict_function(function_id=text_function.pk) is Progress.DONE
    assert not live()


def test_when_nothing_changed_nothing_is_computed(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish_work(function_id=text_function.pk)
    monkeypatch.setattr(predictor.Predictor, "pred_probs", None)
    assert predict_function(function_id=text_function.pk) is Progress.DONE


def test_a_new_model_predicts_them_all_again(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    newest = TrainedModel.objects.get(is_live=True)
    assert newest.number == 2
    assert {row.model_id for row in live().values()} == {newest.pk}


def test_a_pass_stops_when_its_time_is_over_and_goes_on_where_it_was(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(prediction, "CHUNK_SECONDS", 0.0)
    train_function(function_id=text_function.pk)
    order = []
    while predict_function(function_id=text_function.pk) is Progress.MORE:
        order.append(set(live()))
    pks = [sample.pk for sample in samples[""]]
    assert order[:4] == [set(pks[:1]), set(pks[:2]), set(pks[:3]), set(pks)]


def test_a_newer_model_in_the_middle_does_not_start_over(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the last samples would never get their turn while somebody labels."""
    monkeypatch.setattr(prediction, "ROWS_AT_ONCE", 1)
    monkeypatch.setattr(prediction, "CHUNK_SECONDS", 0.0)
    train_function(function_id=text_function.pk)
    predict_function(function_id=text_function.pk)
    predict_function(function_id=text_function.pk)
    first, second, third, _fourth = (sample.pk for sample in samples[""])
    FunctionWork.objects.filter(kind=WorkKind.TRAIN).update(done_revision=0)
    train_function(function_id=text_function.pk)
    predict_function(function_id=text_function.pk)
    numbers = {row.sample_id: row.model.number for row in Prediction.objects.filter(kind=PredictionKind.LIVE)}
    assert numbers == {first: 1, second: 1, third: 2}
    while predict_function(function_id=text_function.pk) is Progress.MORE:
        pass
    assert {row.model.number for row in Prediction.objects.filter(kind=PredictionKind.LIVE)} == {2}
    assert len(live()) == 4


def test_a_sample_labelled_meanwhile_gets_no_live_prediction(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_function(function_id=text_function.pk)
    pred_probs = predictor.Predictor.pred_probs

    def label_meanwhile(self: predictor.Predictor, embeddings: object) -> object:
        label(text_function, samples[""][:1], "Refund")
        return pred_probs(self, embeddings)  # type: ignore[arg-type]  # passed on as it came

    monkeypatch.setattr(predictor.Predictor, "pred_probs", label_meanwhile)
    predict_function(function_id=text_function.pk)
    assert live().keys() == {sample.pk for sample in samples[""][1:]}


def test_a_lost_vector_is_made_again(text_function: Function, samples: Samples) -> None:
    train_function(function_id=text_function.pk)
    Embedding.objects.filter(content_hash=samples[""][0].content_hash).delete()
    finish_work(function_id=text_function.pk)
    assert live().keys() == {sample.pk for sample in samples[""]}
