"""From samples to vectors that are to be stored: what is missing is made, and what several share is computed once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.core.metrics import EMBEDDING_SECONDS, EMBEDDINGS
from apps.engine.adapt import Tower
from apps.engine.backbones import BackboneSpec, Input
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample
from apps.training.services.inputs import Row, stored_pictures
from apps.training.services.towers import Wanted, embed_wanted
from apps.training.services.vectors import Matrix, which_exist


@dataclass(frozen=True)
class Due:
    """Samples that are to have a vector, and the tower that makes it where one does."""

    spec: BackboneSpec
    samples: Sequence[Sample]
    tower: Tower | None = None


def new_vectors(function: Function, due: Sequence[Due]) -> dict[BackboneSpec, dict[str, Matrix]]:
    """Return by content hash the vectors that the workspace does not have yet; each sample is read once for all."""
    missing = [_missing(function, one) for one in due]
    samples = {sample.pk: sample for of_one in missing for sample in of_one}
    place_of = {pk: place for place, pk in enumerate(samples)}
    wanted = [
        Wanted(one.spec, np.array([place_of[sample.pk] for sample in of_one], dtype=np.int64), one.tower)
        for one, of_one in zip(due, missing, strict=True)
    ]
    started = time.monotonic()
    made = embed_wanted(wanted, _contents(list(samples.values()), function.input_kind))
    EMBEDDINGS.inc(sum(len(rows) for rows in made))
    EMBEDDING_SECONDS.inc(time.monotonic() - started)
    return {
        one.spec: {sample.content_hash: row for sample, row in zip(of_one, rows, strict=True)}
        for one, of_one, rows in zip(due, missing, made, strict=True)
    }


def _missing(function: Function, due: Due) -> list[Sample]:
    hashes = [sample.content_hash for sample in due.samples]
    known = which_exist(workspace_id=function.workspace_id, spec=due.spec, hashes=hashes)
    return [sample for sample in due.samples if sample.content_hash not in known]


def _contents(samples: Sequence[Sample], input_kind: str) -> Sequence[Input | Row]:
    if input_kind == InputKind.TEXT:
        return [sample.text for sample in samples]
    if input_kind == InputKind.IMAGE:
        return stored_pictures([sample.file_key for sample in samples])
    return [sample.row or {} for sample in samples]
