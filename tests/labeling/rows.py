"""Rows in bulk, past the services that would embed and train."""

from typing import Any
from uuid import uuid4

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling import proofs
from apps.labeling.items import Answer
from apps.samples.models import Origin, PickedBy, Sample


def make_samples(function: Function, n: int, prefix: str = "message") -> list[Sample]:
    return Sample.objects.bulk_create(
        [
            Sample(function=function, text=f"{prefix} {i}", content_hash=f"{prefix}-{i}", origin=Origin.IMPORT)
            for i in range(n)
        ]
    )


def answer_of(
    sample: Sample, person: User, label: str | None, *, picked_by: PickedBy = PickedBy.RANDOM, **more: Any
) -> Answer:
    """What a person says of a sample, with the proof that the queue gave it to them; without a label they pass it."""
    label_id = sample.function.labels.get(name=label).public_id if label else None
    proof = proofs.sign(sample_id=sample.public_id, picked_by=picked_by, person=person)
    return Answer(token=uuid4(), sample_id=sample.public_id, label_id=label_id, proof=proof, **more)
