"""The better model: made in the background once it is quiet, judged like any other, served if it is better."""

from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from apps.functions.models import Function, InputKind, OutputKind
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import tag_sample
from apps.samples.services.intake import NewImage, add_images
from apps.training.models import (
    Adaptation,
    AdaptationState,
    Embedding,
    FunctionWork,
    Prediction,
    PredictionKind,
    RunState,
    TrainedModel,
    TrainingRun,
    WorkKind,
)
from apps.training.services import (
    RoundOutcome,
    adapt_function,
    adapting_views,
    finish_work,
    prediction,
    serving,
    towers,
    train_function,
)
from apps.training.services.rounds import read_round
from apps.workspaces.models import Workspace
from tests.training.conftest import bring
from tests.training.hard_texts import adapt_now, bring_labelled, hard_texts, label_all, noise_texts
from tests.training.reading import as_read

pytestmark = pytest.mark.django_db


def test_what_is_better_is_made_judged_and_served(text_function: Function) -> None:
    bring_labelled(text_function, hard_texts(60))
    finish_work(function_id=text_function.pk)
    before = TrainedModel.objects.get(is_live=True)
    adaptation = adapt_now(text_function)
    assert adaptation.state == AdaptationState.USED
    live = TrainedModel.objects.get(is_live=True)
    assert (live.number, live.adaptation) == (before.number + 1, adaptation)
    assert live.backbone_versions["adapted-tiny-text"] == adaptation.public_id
    assert live.n_right > before.n_right
    served = serving.load_live(text_function.pk)
    assert served is not None
    fresh = hard_texts(100, seed=1)
    said = served.pred_probs(as_read(served, [text for text, _name in fresh])).argmax(axis=1)
    n_right = sum(served.labels[column].name == name for column, (_text, name) in zip(said, fresh, strict=True))
    assert n_right >= 70


def test_labels_that_mean_nothing_choose_no_adaptation(text_function: Function) -> None:
    bring_labelled(text_function, noise_texts(60))
    finish_work(function_id=text_function.pk)
    adaptation = adapt_now(text_function)
    assert adaptation.state == AdaptationState.REJECTED
    assert TrainedModel.objects.get(is_live=True).adaptation is None


def relabel(function: Function, sample: Sample, name: str) -> None:
    label_all(function, [sample], [name])


@pytest.fixture
def adapted(text_function: Function) -> Adaptation:
    """Sixty labelled texts, and a model that reads an adaptation to them."""
    bring_labelled(text_function, hard_texts(60))
    finish_work(function_id=text_function.pk)
    return adapt_now(text_function)


def adapted_vectors(adaptation: Adaptation) -> dict[str, int]:
    """How many vectors there are, by name."""
    names = Embedding.objects.filter(version=adaptation.public_id).order_by().values_list("backbone", flat=True)
    return dict(Counter(names))


class TestLabelsThatComeLater:
    def test_heads_learn_from_them_on_the_same_layers(self, text_function: Function, adapted: Adaptation) -> None:
        later = bring_labelled(text_function, hard_texts(8, seed=2))
        finish_work(function_id=text_function.pk)
        model = TrainedModel.objects.get(is_live=True)
        assert (model.n_annotations, model.adaptation) == (68, adapted)
        assert Adaptation.objects.count() == 1
        assert set(adapted_vectors(adapted).values()) == {68}
        assert set(
            Prediction.objects.filter(sample__in=later, kind=PredictionKind.OUT_OF_FOLD).values_list("model", flat=True)
        ) == {model.pk}

    def test_no_sample_leaves_the_fold_it_was_held_out_in(self, text_function: Function, adapted: Adaptation) -> None:
        before = towers.folds_of(adapted).fold_of
        sample = Sample.objects.filter(function=text_function).first()
        assert sample is not None
        relabel(text_function, sample, "Shipping")
        bring_labelled(text_function, hard_texts(9, seed=3))
        given = read_round(text_function)
        assert given.data.folds is not None
        now = dict(zip(given.public_ids, given.data.folds.tolist(), strict=True))
        assert len(now) == 69
        assert {public_id: now[public_id] for public_id in before} == before

    def test_a_duplicate_joins_the_one_that_was_held_out(self, text_function: Function, adapted: Adaptation) -> None:
        first = Sample.objects.filter(function=text_function).earliest("pk")
        (twin,) = bring_labelled(text_function, [(f"{first.text} .", "Refund")])
        given = read_round(text_function)
        assert given.data.folds is not None
        fold_of = dict(zip(given.sample_ids, given.data.folds.tolist(), strict=True))
        assert fold_of[twin.pk] == towers.folds_of(adapted).fold_of[first.public_id]

    def test_of_very_many_a_round_makes_some_and_the_others_follow(
        self, text_function: Function, adapted: Adaptation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unlabelled = bring(text_function, [text for text, _name in hard_texts(80, seed=4)])
        finish_work(function_id=text_function.pk)
        monkeypatch.setattr(adapting_views.View.complete, "__kwdefaults__", {"seconds": 0.0})
        label_all(text_function, unlabelled, [name for _text, name in hard_texts(80, seed=4)])
        assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
        assert TrainedModel.objects.latest("number").n_annotations == 60 + adapting_views.AT_ONCE
        finish_work(function_id=text_function.pk)
        assert TrainedModel.objects.latest("number").n_annotations == 140
        assert set(adapted_vectors(adapted).values()) == {140}


def test_what_the_model_makes_of_unlabelled_samples_is_stored_for_the_next(
    text_function: Function, adapted: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring(text_function, [text for text, _name in hard_texts(40, seed=5)])
    Embedding.objects.filter(version=adapted.public_id).delete()
    finish_work(function_id=text_function.pk)
    live = Prediction.objects.filter(kind=PredictionKind.LIVE)
    assert live.count() == 40
    assert adapted_vectors(adapted)["adapted-tiny-text"] == 40
    assert "adapted-tiny-text@0" not in adapted_vectors(adapted)
    n_before = Embedding.objects.count()
    relabel(text_function, Sample.objects.filter(annotation__isnull=False).earliest("pk"), "Shipping")
    monkeypatch.setattr(prediction, "keep_vectors", lambda *args: pytest.fail("all vectors are there"))
    finish_work(function_id=text_function.pk)
    assert live.count() == 40
    assert Embedding.objects.count() == n_before + 4 * 60  # the round made those of the labelled ones again


def test_one_that_is_no_better_makes_no_model(text_function: Function) -> None:
    bring_labelled(text_function, noise_texts(60))
    finish_work(function_id=text_function.pk)
    before = TrainedModel.objects.get()
    adapt_now(text_function)
    assert TrainedModel.objects.get() == before
    assert TrainingRun.objects.latest("pk").state == RunState.DONE
    bring_labelled(text_function, noise_texts(1, seed=1))
    finish_work(function_id=text_function.pk)
    assert TrainedModel.objects.latest("number").n_annotations == 61


def test_what_was_labelled_while_one_was_made_that_is_no_better_is_learned_all_the_same(
    text_function: Function,
) -> None:
    bring_labelled(text_function, noise_texts(60))
    finish_work(function_id=text_function.pk)
    FunctionWork.objects.filter(kind=WorkKind.ADAPT).update(done_revision=0)
    adapt_function(function_id=text_function.pk)
    relabel(text_function, Sample.objects.filter(function=text_function).earliest("pk"), "Shipping")
    finish_work(function_id=text_function.pk)
    assert Adaptation.objects.get().state == AdaptationState.REJECTED
    assert TrainedModel.objects.count() == 2


def test_one_that_is_no_better_any_more_does_not_hide_what_was_labelled(
    text_function: Function, adapted: Adaptation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TrainedModel.objects.latest("number")
    monkeypatch.setattr("apps.engine.adapt.is_read", lambda blend: False)
    relabel(text_function, Sample.objects.filter(function=text_function).earliest("pk"), "Shipping")
    assert train_function(function_id=text_function.pk) is RoundOutcome.PUBLISHED
    model = TrainedModel.objects.latest("number")
    assert (model.number, model.adaptation) == (before.number + 1, None)
    adapted.refresh_from_db()
    assert adapted.state == AdaptationState.REJECTED
    assert towers.folder_of(adapted).is_dir(), "one may go back to the model that reads it"


def test_tags_are_learned_from_as_labels_are(text_function: Function) -> None:
    Function.objects.update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    refund, shipping = text_function.labels.order_by("position")
    pairs = hard_texts(60)
    for sample, (_text, name) in zip(bring(text_function, [text for text, _name in pairs]), pairs, strict=True):
        tags = {refund: name == refund.name, shipping: name == shipping.name}
        tag_sample(sample=sample, tags=tags, person=None, picked_by=PickedBy.PERSON)
    finish_work(function_id=text_function.pk)
    adaptation = adapt_now(text_function)
    assert adaptation.state == AdaptationState.USED
    model = TrainedModel.objects.get(is_live=True)
    assert model.adaptation == adaptation
    assert model.changes["better"]["of"] == 60


def test_pictures_are_learned_from_as_texts_are(workspace: Workspace) -> None:
    function = workspace.functions.create(name="What is it?", input_kind=InputKind.IMAGE)
    for position, name in enumerate(["Refund", "Shipping"]):
        function.labels.create(name=name, position=position, colour=position)
    draw = np.random.default_rng(0)
    names = ["Refund", "Shipping"] * 20
    pixels = [draw.integers(0, 200, (4, 4, 3)) + (40 if name == "Refund" else 0) for name in names]
    items = [NewImage(content=png(array.astype(np.uint8)), original_name="a.png") for array in pixels]
    samples = add_images(function=function, items=items, person=None, origin=Origin.BROWSER).samples
    label_all(function, samples, names)
    finish_work(function_id=function.pk)
    adaptation = adapt_now(function)
    assert adaptation.base == "tiny-image"
    assert adaptation.state in {AdaptationState.USED, AdaptationState.REJECTED}


def png(pixels: np.ndarray) -> bytes:
    content = BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()
