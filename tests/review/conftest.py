"""Figures by hand: labelled samples with what a model said of each, written straight into the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest
from django.utils import timezone

from apps.functions.models import Function, Label
from apps.samples.media import content_hash
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel


class Add(Protocol):
    """Adds one sample and what was said of it."""

    def __call__(
        self,
        label: str | None,
        said: str | None = None,
        *,
        margin: float = 0.8,
        picked_by: PickedBy = PickedBy.QUEUE,
        kind: PredictionKind | None = None,
        text: str = "",
    ) -> Sample: ...


@pytest.fixture
def model(text_function: Function) -> TrainedModel:
    return publish(text_function)


def publish(function: Function) -> TrainedModel:
    """Make a model without an artifact the live one."""
    TrainedModel.objects.filter(function=function).update(is_live=False)
    number = TrainedModel.objects.filter(function=function).count() + 1
    return TrainedModel.objects.create(
        function=function,
        number=number,
        data_revision=number,
        recipe={"backbone": "tiny-text", "head": "logistic", "settings": {"C": 1.0}},
        backbone_versions={"tiny-text": "1"},
        label_ids=[],
        sha256="0" * 64,
        last_annotation_id=0,
        n_annotations=0,
        n_right=0,
        log_loss=0.0,
        is_live=True,
        published_at=timezone.now(),
    )


@pytest.fixture
def add(text_function: Function, model: TrainedModel) -> Add:
    labels = {label.name: label for label in text_function.labels.all()}
    n_added = 0

    def adder(
        label: str | None,
        said: str | None = None,
        *,
        margin: float = 0.8,
        picked_by: PickedBy = PickedBy.QUEUE,
        kind: PredictionKind | None = None,
        text: str = "",
    ) -> Sample:
        nonlocal n_added
        n_added += 1
        words = text or f"sample {n_added}"
        sample = Sample.objects.create(
            function=text_function, text=words, content_hash=content_hash(words), origin=Origin.BROWSER
        )
        if label:
            annotate(sample, labels[label], picked_by)
        if said:
            say(sample, labels[said], model, margin, kind or default_kind(sample))
        return sample

    return adder


def default_kind(sample: Sample) -> PredictionKind:
    return PredictionKind.OUT_OF_FOLD if sample.label_id else PredictionKind.LIVE


def annotate(sample: Sample, label: Label, picked_by: PickedBy) -> None:
    sample.annotation = Annotation.objects.create(sample=sample, label=label, picked_by=picked_by)
    sample.label, sample.labelled_at = label, sample.annotation.created_at
    sample.save()


def say(sample: Sample, label: Label, model: TrainedModel, margin: float, kind: PredictionKind) -> None:
    Prediction.objects.create(
        sample=sample,
        function=sample.function,
        kind=kind,
        model=model,
        label=label,
        confidence=(1 + margin) / 2,
        margin=margin,
    )


@pytest.fixture
def forget() -> Callable[[Function], None]:
    """Note a change of the data, as the services do: figures are counted anew."""

    def bump(function: Function) -> None:
        function.data_revision += 1
        function.save(update_fields=["data_revision"])

    return bump
