"""From rows to arrays: what a round learns from, read once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from apps.engine.backbones import BackboneSpec
from apps.engine.types import TrainingData
from apps.functions.models import Function, Label
from apps.samples.models import Sample
from apps.training.services.serving import backbone_specs
from apps.training.services.vectors import groups_of, matrices


@dataclass(frozen=True)
class RoundInput:
    """The annotated samples of a function at one moment; `sample_ids` are the rows of `data`.

    `revision` is at most as new as what was read, so a change in between causes another round and is never missed.
    `n_waiting` annotated samples have no embedding yet; `lost` are those whose stored one is not there any more.
    """

    revision: int
    specs: tuple[BackboneSpec, ...]
    labels: tuple[Label, ...]
    sample_ids: list[int]
    last_annotation_id: int
    data: TrainingData
    n_waiting: int
    lost: list[int]


def read_round(function: Function) -> RoundInput:
    """Read a function's annotations and embeddings. The revision first: see `RoundInput`."""
    revision = Function.objects.values_list("data_revision", flat=True).get(pk=function.pk)
    labels = tuple(function.labels.in_use())
    column_of = {label.pk: i for i, label in enumerate(labels)}
    # In the order of annotation: the engine's folds then stay what they were when annotations are added.
    rows = [
        row
        for row in Sample.objects.filter(function=function, label__isnull=False)
        .order_by("annotation_id")
        .values_list("pk", "label_id", "annotation_id", "content_hash", "is_embedded")
        if row[1] in column_of
    ]
    ready = [row for row in rows if row[4]]
    specs = backbone_specs(function.input_kind)
    hashes = [row[3] for row in ready]
    embeddings, missing = {}, set[str]()
    for spec in specs:
        embeddings[spec.name], gone = matrices.matrix(
            workspace_id=function.workspace_id, function_id=function.pk, spec=spec, hashes=hashes
        )
        missing.update(gone)
    is_there = np.array([content_hash not in missing for content_hash in hashes], dtype=bool)
    if missing:
        embeddings = {name: matrix[is_there] for name, matrix in embeddings.items()}
    used = [row for row, there in zip(ready, is_there, strict=True) if there]
    data = TrainingData(
        embeddings=embeddings,
        labels=np.array([column_of[row[1]] for row in used], dtype=np.int64),
        n_classes=len(labels),
        groups=groups_of(embeddings.values()),
        label_names=[label.name for label in labels],
    )
    return RoundInput(
        revision=revision,
        specs=specs,
        labels=labels,
        sample_ids=[row[0] for row in used],
        last_annotation_id=max((row[2] or 0 for row in rows), default=0),
        data=data,
        n_waiting=len(rows) - len(used),
        lost=[row[0] for row, there in zip(ready, is_there, strict=True) if not there],
    )
