"""From rows to arrays: what a round learns from, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.engine.types import FloatArray, IntArray, Rule, TrainingData
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.selectors import rules_of
from apps.samples.models import PickedBy, Sample, SampleTag
from apps.training.services.inputs import Layout, build_inputs, layout_of, read_contents
from apps.training.services.label_vectors import label_vectors
from apps.training.services.vectors import groups_of, matrices

FAIR = {PickedBy.RANDOM, PickedBy.IMPORT}
"""Ways of coming to be annotated that favour no sort of sample."""


@dataclass(frozen=True)
class RoundInput:
    """The annotated samples of a function at one moment; `sample_ids` are the rows of `data`.

    `revision` is at most as new as what was read, so a change in between causes another round and is never missed.
    `n_waiting` annotated samples have no embedding yet; `lost` are those whose stored one is not there any more.
    """

    revision: int
    layout: Layout
    labels: tuple[Label, ...]
    sample_ids: list[int]
    annotation_ids: list[int]
    data: TrainingData
    n_waiting: int
    lost: list[int]

    @property
    def last_annotation_id(self) -> int:
        return max(self.annotation_ids, default=0)


@dataclass(frozen=True)
class _Row:
    pk: int
    label_id: int | None
    annotation_id: int
    content_hash: str
    is_embedded: bool
    picked_by: str


def read_round(function: Function) -> RoundInput:
    """Read a function's annotations and what models read of the samples. The revision first: see `RoundInput`."""
    revision = Function.objects.values_list("data_revision", flat=True).get(pk=function.pk)
    layout = layout_of(function)
    labels = tuple(function.labels.in_use())
    rows = _annotated(function, labels)
    ready = [row for row in rows if row.is_embedded]
    embeddings, missing = _embeddings(function, layout, [row.content_hash for row in ready])
    contents = read_contents(layout, Sample.objects.filter(function=function, annotation__isnull=False))
    places = [i for i, row in enumerate(ready) if row.content_hash not in missing and row.pk in contents]
    if len(places) < len(ready):
        embeddings = {name: matrix[places] for name, matrix in embeddings.items()}
    used = [ready[i] for i in places]
    data = TrainingData(
        inputs=build_inputs(layout, [contents[row.pk] for row in used], embeddings),
        labels=_labels(function, labels, used),
        n_classes=len(labels),
        groups=groups_of(embeddings.values()) if embeddings else np.arange(len(used)),
        label_names=[label.name for label in labels],
        label_embeddings=_label_embeddings(function, layout, labels),
        rules=_rules(function, labels),
        is_random=np.array([row.picked_by in FAIR for row in used], dtype=bool),
        counts=np.array([row.picked_by != PickedBy.GRID for row in used], dtype=bool),
    )
    return RoundInput(
        revision=revision,
        layout=layout,
        labels=labels,
        sample_ids=[row.pk for row in used],
        annotation_ids=[row.annotation_id for row in used],
        data=data,
        n_waiting=len(rows) - len(used),
        lost=[row.pk for row in ready if row.content_hash in missing],
    )


def _annotated(function: Function, labels: Sequence[Label]) -> list[_Row]:
    """In the order of annotation: the engine's folds then stay what they were when annotations are added."""
    rows = Sample.objects.filter(function=function, annotation__isnull=False).order_by("annotation_id")
    if function.output_kind == OutputKind.LABEL:
        rows = rows.filter(label__in=labels)
    columns = ("pk", "label_id", "annotation_id", "content_hash", "is_embedded", "annotation__picked_by")
    return [_Row(*values) for values in rows.values_list(*columns)]


def _embeddings(function: Function, layout: Layout, hashes: Sequence[str]) -> tuple[Mapping[str, FloatArray], set[str]]:
    """Return the matrices of all backbones, and the contents that lack a vector of one of them."""
    embeddings, missing = {}, set[str]()
    for spec in layout.specs:
        embeddings[spec.name], gone = matrices.matrix(
            workspace_id=function.workspace_id, function_id=function.pk, spec=spec, hashes=hashes
        )
        missing.update(gone)
    return embeddings, missing


def _labels(function: Function, labels: Sequence[Label], rows: Sequence[_Row]) -> IntArray:
    """Return the column of each sample's label; of tags a matrix, -1 where nobody was asked."""
    column_of = {label.pk: i for i, label in enumerate(labels)}
    if function.output_kind == OutputKind.LABEL:
        return np.array([column_of[row.label_id] for row in rows if row.label_id is not None], dtype=np.int64)
    tags: npt.NDArray[np.int64] = np.full((len(rows), len(labels)), -1, dtype=np.int64)
    place_of = {row.pk: i for i, row in enumerate(rows)}
    said = SampleTag.objects.filter(sample__function=function).values_list("sample_id", "label_id", "is_present")
    for sample_id, label_id, is_present in said:
        if sample_id in place_of and label_id in column_of:
            tags[place_of[sample_id], column_of[label_id]] = is_present
    return tags


def _label_embeddings(function: Function, layout: Layout, labels: Sequence[Label]) -> Mapping[str, FloatArray]:
    """Only texts can be likened to what labels are called."""
    if layout.input_kind != InputKind.TEXT or not labels:
        return {}
    return {
        spec.name: label_vectors(workspace_id=function.workspace_id, backbone_name=spec.name, labels=labels)
        for spec in layout.specs
    }


def _rules(function: Function, labels: Sequence[Label]) -> list[Rule]:
    column_of = {label.pk: i for i, label in enumerate(labels)}
    return [Rule(rule.words, column_of[rule.label_id]) for rule in rules_of(function) if rule.label_id in column_of]
