"""Forty texts to label, and a model's word on them written by hand: the queue reads rows, not models."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling import proofs
from apps.samples.models import PickedBy, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from tests.labeling.rows import make_samples

N_SAMPLES = 40


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    return make_samples(text_function, N_SAMPLES)


@pytest.fixture
def model(text_function: Function) -> TrainedModel:
    return TrainedModel.objects.create(
        function=text_function,
        number=1,
        data_revision=1,
        recipe={},
        backbone_versions={"tiny-text": "1"},
        label_ids=[],
        sha256="",
        last_annotation_id=0,
        n_annotations=40,
        n_right=34,
        log_loss=0.4,
        is_live=True,
        published_at=timezone.now(),
    )


@pytest.fixture
def predictions(model: TrainedModel, samples: list[Sample]) -> list[Prediction]:
    """The later a sample was brought, the less sure the model is of it; it calls every one a *Refund*."""
    label = model.function.labels.get(name="Refund")
    return Prediction.objects.bulk_create(
        Prediction(
            sample=sample,
            function=model.function,
            kind=PredictionKind.LIVE,
            model=model,
            label=label,
            confidence=0.95 - place / 100,
            margin=0.9 - place / 50,
        )
        for place, sample in enumerate(samples)
    )


@pytest.fixture
def answer_row() -> Callable[..., dict[str, object]]:
    """Make an answer as the page sends it."""

    def make(sample: Sample, label_id: str | None, person: User, **changes: object) -> dict[str, object]:
        proof = proofs.sign(sample_id=sample.public_id, picked_by=PickedBy.RANDOM, person=person)
        row = {"token": str(uuid4()), "sampleId": sample.public_id, "labelId": label_id, "proof": proof}
        return {**row, **changes}

    return make
