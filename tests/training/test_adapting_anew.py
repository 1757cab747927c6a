"""Layers that learn anew with more labels: they take over from those in use unless they do worse."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from django.apps import apps

from apps.engine import adapt
from apps.functions.models import Function
from apps.training.models import Adaptation, AdaptationState, Embedding, TrainedModel
from apps.training.services import adapting, adapting_due, finish_work, towers
from apps.training.services.adapting_views import readable
from apps.training.services.arrays import RoundInput
from apps.training.services.inputs import layout_of
from apps.training.services.sweeper import drop_orphan_embeddings, drop_unpublished_artifacts
from tests.training.hard_texts import adapt_now, bring_labelled, hard_texts

pytestmark = pytest.mark.django_db
Fit = Callable[..., adapt.Adaptation]


@pytest.fixture
def adapted(text_function: Function) -> Adaptation:
    """Sixty labelled texts, and a model that reads an adaptation to them."""
    bring_labelled(text_function, hard_texts(60))
    finish_work(function_id=text_function.pk)
    return adapt_now(text_function)


@pytest.fixture
def learns_nonsense(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers are taught half of the labels the wrong way round."""
    fit: Fit = adapting._fit

    def fit_nonsense(function: Function, encoder: adapt.Adaptable, given: RoundInput, *rest: object) -> object:
        labels = np.where(np.arange(len(given.data.labels)) % 4 < 2, given.data.labels, 1 - given.data.labels)
        wrong = replace(given, data=replace(given.data, labels=labels))
        return fit(function, encoder, wrong, *rest)

    monkeypatch.setattr(adapting, "_fit", fit_nonsense)


def test_what_does_not_do_worse_takes_over(text_function: Function, adapted: Adaptation) -> None:
    bring_labelled(text_function, hard_texts(40, seed=5))
    finish_work(function_id=text_function.pk)
    anew = adapt_now(text_function)
    adapted.refresh_from_db()
    assert (anew.state, adapted.state) == (AdaptationState.USED, AdaptationState.OVERTAKEN)
    assert TrainedModel.objects.get(is_live=True).adaptation == anew
    assert anew.n_annotations == 100


class TestWhatDoesWorse:
    @pytest.fixture
    def anew(self, text_function: Function, adapted: Adaptation, learns_nonsense: None) -> Adaptation:
        bring_labelled(text_function, hard_texts(20, seed=5))
        finish_work(function_id=text_function.pk)
        return adapt_now(text_function)

    def test_stays_out_and_leaves_the_one_before_in_use(
        self, text_function: Function, adapted: Adaptation, anew: Adaptation
    ) -> None:
        adapted.refresh_from_db()
        assert (anew.state, adapted.state) == (AdaptationState.REJECTED, AdaptationState.USED)
        live = TrainedModel.objects.get(is_live=True)
        assert (live.adaptation, live.n_annotations) == (adapted, 80)
        view = readable(text_function, layout_of(text_function))
        assert view is not None
        assert view.adaptation == adapted

    def test_leaves_no_file_and_no_vector(self, text_function: Function, adapted: Adaptation, anew: Adaptation) -> None:
        anew.function = adapted.function = text_function
        drop_unpublished_artifacts()
        assert not towers.folder_of(anew).exists()
        assert towers.folder_of(adapted).exists()
        drop_orphan_embeddings()
        versions = set(Embedding.objects.filter(backbone__contains="adapted").values_list("version", flat=True))
        assert versions == {adapted.public_id}

    def test_is_tried_again_with_half_as_many_labels_more(self, text_function: Function, anew: Adaptation) -> None:
        assert anew.state == AdaptationState.REJECTED
        assert adapting_due.seconds_until_due(text_function) is None
        bring_labelled(text_function, hard_texts(39, seed=6))
        finish_work(function_id=text_function.pk)
        assert adapting_due.seconds_until_due(text_function) is None
        bring_labelled(text_function, hard_texts(1, seed=7))
        finish_work(function_id=text_function.pk)
        assert adapting_due.seconds_until_due(text_function) is not None

    def test_labels_that_come_later_are_learned_on_the_one_before(
        self, text_function: Function, adapted: Adaptation, anew: Adaptation
    ) -> None:
        assert anew.state == AdaptationState.REJECTED
        bring_labelled(text_function, hard_texts(4, seed=8))
        finish_work(function_id=text_function.pk)
        live = TrainedModel.objects.get(is_live=True)
        assert (live.adaptation, live.n_annotations) == (adapted, 84)


def test_of_several_from_before_only_the_newest_stays_in_use(text_function: Function) -> None:
    common = {"function": text_function, "data_revision": 1, "label_ids": [], "n_annotations": 60, "seconds": 1.0}
    states = (AdaptationState.USED, AdaptationState.REJECTED, AdaptationState.USED, AdaptationState.TRYING)
    rows = [Adaptation.objects.create(**common, state=state, sha256="x") for state in states]
    import_module("apps.training.migrations.0007_overtaken_adaptations").mark_overtaken(apps, None)
    for row in rows:
        row.refresh_from_db()
    assert [row.state for row in rows] == ["overtaken", "rejected", "overtaken", "trying"]
