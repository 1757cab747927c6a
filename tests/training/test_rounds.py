"""A round: annotations in, a published model and out-of-fold predictions out."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from apps.core.leases import LEASE_SECONDS
from apps.engine import automl, heads, search
from apps.engine.runtime import Deadline
from apps.engine.types import Recipe, RoundResult, TrainingData
from apps.events.kinds import Audit
from apps.events.models import Event
from apps.functions.models import Function, OutputKind
from apps.functions.services import add_label, delete_function, delete_label, note_data_change
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample, tag_sample
from apps.training.models import (
    FunctionWork,
    Prediction,
    PredictionKind,
    RunState,
    TrainedModel,
    TrainingRun,
    WorkKind,
)
from apps.training.selectors import training_state
from apps.training.services import RoundOutcome, figures, finish_work, publishing, rounds, serving, train_function
from tests.training.conftest import OTHERS, PARCELS, REFUNDS, bring, embed_all, label
from tests.training.reading import as_read

pytestmark = pytest.mark.django_db

Samples = dict[str, list[Sample]]


def out_of_fold(function: Function) -> dict[int, Prediction]:
    rows = Prediction.objects.filter(function=function, kind=PredictionKind.OUT_OF_FOLD).select_related("label")
    return {row.sample_id: row for row in rows}


def live(function: Function) -> dict[int, Prediction]:
    rows = Prediction.objects.filter(function=function, kind=PredictionKind.LIVE).select_related("label")
    return {row.sample_id: row for row in rows}


def test_a_round_publishes_a_model_and_predicts_every_annotated_sample(
    text_function: Function, samples: Samples
) -> None:
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    model = TrainedModel.objects.get()
    assert (model.is_live, model.number, model.n_annotations) == (True, 1, 12)
    assert model.last_annotation_id == max(s.annotations.get().pk for s in samples["Refund"] + samples["Shipping"])
    predictions = out_of_fold(text_function)
    assert predictions.keys() == {sample.pk for sample in samples["Refund"] + samples["Shipping"]}
    n_right = sum(predictions[s.pk].label.name == name for name in ("Refund", "Shipping") for s in samples[name])
    assert model.n_right == n_right >= 10
    run = TrainingRun.objects.get()
    text_function.refresh_from_db()
    assert (run.state, run.data_revision) == (RunState.DONE, text_function.data_revision)
    assert run.trials[0]["recipe"]["backbone"] == "tiny-text"


def test_a_second_call_finds_nothing_new(text_function: Function, samples: Samples) -> None:
    train_function(function_id=text_function.pk)
    assert train_function(function_id=text_function.pk) is RoundOutcome.NOTHING_NEW
    assert TrainedModel.objects.count() == 1


def test_the_same_annotations_under_the_same_recipe_give_the_same_predictions(
    text_function: Function, samples: Samples
) -> None:
    outcomes = []
    for _ in range(3):
        FunctionWork.objects.filter(kind=WorkKind.TRAIN).update(done_revision=0)
        train_function(function_id=text_function.pk)
        rows = out_of_fold(text_function).items()
        recipe = TrainedModel.objects.get(is_live=True).recipe
        outcomes.append((recipe, {pk: (row.label_id, row.confidence, row.margin) for pk, row in rows}))
    # The first round had no recipe in service to start from.
    assert outcomes[0][0] == outcomes[1][0]
    assert outcomes[1] == outcomes[2]


def test_every_published_model_stays_and_one_is_live(text_function: Function, samples: Samples) -> None:
    for sample in samples[""]:
        train_function(function_id=text_function.pk)
        label(text_function, [sample], "Refund")
    train_function(function_id=text_function.pk)
    assert list(TrainedModel.objects.values_list("number", "is_live")) == [
        (5, True),
        (4, False),
        (3, False),
        (2, False),
        (1, False),
    ]
    for model in TrainedModel.objects.all():
        assert (serving.artifact_folder(text_function, model.public_id) / "manifest.json").is_file()


def test_only_a_new_recipe_is_written_to_the_audit_log(text_function: Function, samples: Samples) -> None:
    train_function(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    train_function(function_id=text_function.pk)
    recipes = list(TrainedModel.objects.order_by("number").values_list("recipe", flat=True))
    n_new = 1 + (recipes[0] != recipes[1])
    assert Event.objects.filter(kind=Audit.MODEL_PUBLISHED).count() == n_new


class Parrot:
    """A head that has learned its samples by heart: right on what it saw, at odds with everything else."""

    def __init__(self, n_labels: int) -> None:
        self.n_labels = n_labels

    def fit(self, X: np.ndarray, y: np.ndarray, **options: object) -> "Parrot":
        self.classes_ = np.arange(self.n_labels)
        self.seen_ = {row.tobytes(): int(column) for row, column in zip(X, y, strict=True)}
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        scores = np.zeros((X.shape[0], self.n_labels), dtype=np.float32)
        for scores_row, row in zip(scores, X, strict=True):
            scores_row[self.seen_.get(row.tobytes(), self.n_labels - 1)] = 5.0
        return scores

    def to_arrays(self) -> dict[str, np.ndarray]:
        return heads.LogisticHead().fit(np.eye(2, dtype=np.float32), np.arange(2)).to_arrays()


def test_no_prediction_of_an_annotated_sample_comes_from_a_model_that_saw_it(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_label(function=text_function, name="Never used")
    monkeypatch.setattr(heads, "create", lambda name, settings, **options: Parrot(3))
    # One view in which different texts are different rows: likeness to three names may be equal by chance.
    monkeypatch.setattr(search, "lines", lambda data: [search.Line([Recipe("tiny-text", "logistic", {"C": 1.0})])])
    train_function(function_id=text_function.pk)
    assert {row.label.name for row in out_of_fold(text_function).values()} == {"Never used"}
    assert TrainedModel.objects.get().n_right == 0


def test_texts_that_a_backbone_cannot_tell_apart_are_never_held_out_apart(text_function: Function) -> None:
    """A model that saw *Refund please* has seen *refund, please!* as well."""
    twins = ["refund please", "Refund, please!"]
    label(text_function, bring(text_function, REFUNDS + twins), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    embed_all(text_function)
    given = rounds.read_round(text_function)
    texts = dict(Sample.objects.values_list("pk", "text"))
    groups = {texts[pk]: group for pk, group in zip(given.sample_ids, given.data.groups, strict=True)}
    assert groups[twins[0]] == groups[twins[1]]
    assert len(set(groups.values())) == len(groups) - 1


def test_a_label_taken_away_takes_its_out_of_fold_prediction_with_it(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    sample = samples["Refund"][0]
    annotate_sample(sample=sample, label=None, person=None, picked_by=PickedBy.PERSON)
    finish_work(function_id=text_function.pk)
    assert sample.pk not in out_of_fold(text_function)
    assert sample.pk in live(text_function)


def test_a_label_given_takes_the_live_prediction_away(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    sample = samples[""][0]
    assert sample.pk in live(text_function)
    label(text_function, [sample], "Refund")
    finish_work(function_id=text_function.pk)
    assert sample.pk in out_of_fold(text_function)
    assert sample.pk not in live(text_function)


def test_a_new_label_is_answerable_once_it_has_samples(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    thanks = add_label(function=text_function, name="Thanks")
    label(text_function, bring(text_function, ["thank you", "many thanks", "thank you so much"]), "Thanks")
    finish_work(function_id=text_function.pk)
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert thanks in served.labels
    assert served.labels[int(served.pred_probs(as_read(served, ["thank you very much"])).argmax())] == thanks


def test_a_deleted_label_is_in_no_prediction_and_no_answer(text_function: Function, samples: Samples) -> None:
    thanks = add_label(function=text_function, name="Thanks")
    label(text_function, bring(text_function, ["thank you", "many thanks", "thank you so much"]), "Thanks")
    bring(text_function, ["thank you again"])
    finish_work(function_id=text_function.pk)
    assert "Thanks" in {row.label.name for row in live(text_function).values()}
    delete_label(label=thanks)
    served = serving.load_live(text_function.pk)
    assert served is not None
    assert [row.name for row in served.labels] == ["Refund", "Shipping"]
    finish_work(function_id=text_function.pk)
    assert not Prediction.objects.filter(label=thanks).exists()
    assert len(live(text_function)) == len(OTHERS) + 4


def test_with_one_label_left_nothing_answers_and_no_prediction_names_the_other(
    text_function: Function, samples: Samples
) -> None:
    finish_work(function_id=text_function.pk)
    gone = text_function.labels.get(name="Shipping")
    delete_label(label=gone)
    assert serving.load_live(text_function.pk) is None
    finish_work(function_id=text_function.pk)
    assert not Prediction.objects.filter(label=gone).exists()
    assert training_state(text_function).missing == ["Add another label: it takes at least two to tell apart."]


@pytest.mark.parametrize(
    ("refunds", "parcels", "sentence"),
    [
        (0, 0, "Label 2 more Refund and 2 more Shipping to see the first predictions."),
        (1, 0, "Label 1 more Refund and 2 more Shipping to see the first predictions."),
        (5, 0, "Label 2 more Shipping to see the first predictions."),
        (6, 1, "Label 1 more Shipping to see the first predictions."),
    ],
)
def test_too_few_labels_say_what_is_missing(text_function: Function, refunds: int, parcels: int, sentence: str) -> None:
    sample = bring(text_function, ["nothing to do with it"])[0]
    label(text_function, bring(text_function, REFUNDS[:refunds]), "Refund")
    label(text_function, bring(text_function, PARCELS[:parcels]), "Shipping")
    label(text_function, [sample], "Refund")
    annotate_sample(sample=sample, label=None, person=None, picked_by=PickedBy.PERSON)
    embed_all(text_function)
    assert train_function(function_id=text_function.pk) is RoundOutcome.NOT_TRAINABLE
    run = TrainingRun.objects.get()
    assert (run.state, run.message) == (RunState.NOT_TRAINABLE, sentence)
    assert training_state(text_function).missing == [sentence]
    assert train_function(function_id=text_function.pk) is RoundOutcome.NOTHING_NEW


def test_too_few_tags_say_what_is_missing(text_function: Function) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    refund, shipping = text_function.labels.order_by("name")
    for sample, is_refund in zip(bring(text_function, REFUNDS[:3]), (True, False, False), strict=True):
        said = {refund: is_refund, shipping: False}
        tag_sample(sample=sample, tags=said, person=None, picked_by=PickedBy.PERSON)
    embed_all(text_function)
    sentence = "Label 1 more with Refund to see the first predictions."
    assert training_state(text_function).missing == [sentence]
    assert train_function(function_id=text_function.pk) is RoundOutcome.NOT_TRAINABLE
    assert TrainingRun.objects.get().message == sentence


def test_labels_without_a_function_to_tell_apart_are_asked_for(text_function: Function) -> None:
    text_function.labels.all().delete()
    assert training_state(text_function).missing == ["Add another label: it takes at least two to tell apart."]


def test_samples_still_being_read_are_no_lack_of_labels(text_function: Function) -> None:
    label(text_function, bring(text_function, REFUNDS), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    assert train_function(function_id=text_function.pk) is RoundOutcome.NOT_TRAINABLE
    assert TrainingRun.objects.get().message == rounds.STILL_READING
    assert training_state(text_function).missing == []
    finish_work(function_id=text_function.pk)
    assert len(out_of_fold(text_function)) == 12


def test_what_was_published_stays_when_labels_become_too_few(text_function: Function, samples: Samples) -> None:
    finish_work(function_id=text_function.pk)
    pairs: list[tuple[int, int | None]] = [(sample.pk, None) for sample in samples["Shipping"]]
    annotate_many(function=text_function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)
    finish_work(function_id=text_function.pk)
    assert serving.load_live(text_function.pk) is not None
    assert out_of_fold(text_function).keys() == {sample.pk for sample in samples["Refund"]}
    assert live(text_function).keys() == {sample.pk for sample in samples["Shipping"] + samples[""]}


def test_more_than_one_transaction_of_samples_is_published_whole(
    text_function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(rounds, "FIRST_RESULTS_FROM", 10)
    label(text_function, bring(text_function, REFUNDS), "Refund")
    label(text_function, bring(text_function, PARCELS), "Shipping")
    finish_work(function_id=text_function.pk)
    predictions = out_of_fold(text_function)
    assert len(predictions) == 12
    assert {row.model_id for row in predictions.values()} == {TrainedModel.objects.get(is_live=True).pk}
    assert not TrainedModel.objects.filter(published_at=None).exists()


def test_a_large_first_round_shows_its_first_model_before_its_best(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "FIRST_RESULTS_FROM", 10)
    seen: list[int] = []
    train = automl.train

    def watch(data: TrainingData, **options: object) -> RoundResult:
        result = train(data, **options)  # type: ignore[arg-type]  # passed on as they came
        seen.append(Prediction.objects.filter(kind=PredictionKind.OUT_OF_FOLD).count())
        return result

    monkeypatch.setattr(automl, "train", watch)
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    assert seen == [12]
    assert TrainedModel.objects.count() == 2
    assert TrainingRun.objects.get().state == RunState.DONE


def test_a_sample_deleted_during_the_round_is_left_out(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: samples["Refund"][0].delete())
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    assert len(out_of_fold(text_function)) == 11


def test_a_function_deleted_during_the_round_leaves_nothing(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    function_id = text_function.pk
    meanwhile(monkeypatch, lambda: delete_function(function=text_function))
    assert train_function(function_id=function_id) is RoundOutcome.LOST
    assert not TrainedModel.objects.exists()
    assert train_function(function_id=function_id) is RoundOutcome.NOTHING_NEW


def test_a_lost_vector_is_made_again_and_the_sample_learned_from(text_function: Function, samples: Samples) -> None:
    from apps.training.models import Embedding

    Embedding.objects.filter(content_hash=samples["Refund"][0].content_hash).delete()
    train_function(function_id=text_function.pk)
    assert len(out_of_fold(text_function)) == 11
    finish_work(function_id=text_function.pk)
    assert len(out_of_fold(text_function)) == 12


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Have something happen while the round computes."""
    train = automl.train

    def interrupted(data: TrainingData, **options: object) -> RoundResult:
        act()
        return train(data, **options)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(automl, "train", interrupted)


class TestOneAtATime:
    """One round in flight per function, whoever asks, and none is ever stuck."""

    def test_a_call_during_a_round_does_nothing(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        outcomes: list[RoundOutcome] = []
        meanwhile(monkeypatch, lambda: outcomes.append(train_function(function_id=text_function.pk)))
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        assert outcomes == [RoundOutcome.BUSY]
        assert TrainedModel.objects.count() == 1

    def test_an_annotation_during_a_round_causes_another(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patch:
            meanwhile(patch, lambda: label(text_function, samples[""][:1], "Refund"))
            sent: list[tuple[str, int]] = []
            patch.setattr(rounds, "enqueue", lambda job, function_id: sent.append((job, function_id)))
            assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        assert sent == [("train_function", text_function.pk)]
        assert samples[""][0].pk not in out_of_fold(text_function)
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        assert samples[""][0].pk in out_of_fold(text_function)

    def test_the_lease_of_a_dead_worker_is_taken_over(self, text_function: Function, samples: Samples) -> None:
        function_id = text_function.pk
        dead = TrainingRun.objects.create(function=text_function, data_revision=1, state=RunState.RUNNING)
        work, _ = FunctionWork.objects.update_or_create(
            function=text_function,
            kind=WorkKind.TRAIN,
            defaults={
                "lease_holder": "another process",
                "lease_expires_at": timezone.now() + timedelta(seconds=LEASE_SECONDS),
            },
        )
        assert train_function(function_id=function_id) is RoundOutcome.BUSY
        FunctionWork.objects.filter(pk=work.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        assert train_function(function_id=function_id) is RoundOutcome.PUBLISHED
        dead.refresh_from_db()
        assert (dead.state, dead.message) == (RunState.FAILED, rounds.STOPPED)

    def test_a_worker_that_lost_its_lease_publishes_nothing(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def take_over() -> None:
            FunctionWork.objects.filter(kind=WorkKind.TRAIN).update(lease_holder="another process")

        meanwhile(monkeypatch, take_over)
        assert train_function(function_id=text_function.pk) is RoundOutcome.LOST
        assert not TrainedModel.objects.exists()
        assert FunctionWork.objects.get(kind=WorkKind.TRAIN).lease_holder == "another process"
        assert not any((serving.artifact_folder(text_function, "x").parent).iterdir())


class TestFailures:
    """Whatever a round dies of leaves a finished run with a sentence, and is tried again."""

    def test_an_unexpected_error_is_kept_in_words_and_raised(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail() -> None:
            raise ZeroDivisionError("inner detail")

        with monkeypatch.context() as patch:
            meanwhile(patch, fail)
            with pytest.raises(ZeroDivisionError):
                train_function(function_id=text_function.pk)
        run = TrainingRun.objects.get()
        assert run.state == RunState.FAILED
        assert "inner detail" not in run.message
        assert training_state(text_function).message == run.message
        work = FunctionWork.objects.get(kind=WorkKind.TRAIN)
        assert (work.lease_holder, work.n_failures) == ("", 1)
        assert work.retry_at is not None
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        work.refresh_from_db()
        assert (work.n_failures, work.retry_at) == (0, None)
        assert training_state(text_function).message == ""

    def test_a_round_that_dies_between_artifact_and_rows_is_simply_run_again(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class PowerCut(BaseException):
            pass

        def cut(*args: object, **options: object) -> None:
            raise PowerCut

        with monkeypatch.context() as patch:
            patch.setattr(publishing, "_write", cut)
            patch.setattr(publishing.files, "drop", lambda _path: None)  # a dead process tidies nothing
            with pytest.raises(PowerCut):
                train_function(function_id=text_function.pk)
        folder = serving.artifact_folder(text_function, "x").parent
        assert len(list(folder.iterdir())) == 1
        assert not TrainedModel.objects.exists()
        assert not Prediction.objects.exists()
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        assert TrainedModel.objects.get().number == 1

    def test_a_round_cut_off_in_the_middle_of_its_rows_is_not_published(
        self, text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cut(*args: object, **options: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(publishing, "ROWS_AT_ONCE", 5)
        with monkeypatch.context() as patch:
            patch.setattr(publishing, "_put_into_service", cut)
            with pytest.raises(ZeroDivisionError):
                train_function(function_id=text_function.pk)
        assert serving.load_live(text_function.pk) is None
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        assert list(TrainedModel.objects.values_list("is_live", flat=True)) == [True]
        assert len(out_of_fold(text_function)) == 12


def test_the_learning_curve_gives_way_to_the_next_round(
    text_function: Function, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def draw(model: TrainedModel, given: object, *, deadline: Deadline) -> None:
        asked.append(deadline.expired())
        note_data_change(text_function.pk)
        asked.append(deadline.expired())

    monkeypatch.setattr(figures, "draw_curve", draw)
    train_function(function_id=text_function.pk)
    assert asked == [False, True]
