"""From rows to arrays: what a round learns from, read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.engine.backbones import BackboneSpec
from apps.engine.errors import ArtifactCorrupt
from apps.engine.types import FloatArray, IntArray, Rule, TrainingData
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.selectors import rules_of
from apps.samples.models import PickedBy, Sample, SampleTag
from apps.training.models import Adaptation
from apps.training.services import towers
from apps.training.services.adapting_views import MOST_READ, View, readable
from apps.training.services.inputs import Layout, Row, build_inputs, layout_of, read_contents
from apps.training.services.label_vectors import label_vectors
from apps.training.services.vectors import groups_of, matrices

FAIR = {PickedBy.RANDOM, PickedBy.IMPORT}
"""Ways of coming to be annotated that favour no sort of sample."""


@dataclass(frozen=True)
class RoundInput:
    """The annotated samples of a function at one moment; `sample_ids` and `public_ids` are the rows of `data`.

    `revision` is at most as new as what was read, so a change in between causes another round and is never missed.
    `n_waiting` annotated samples have no embedding yet; `lost` are those whose stored one is not there (any more).
    `adaptation` is the one that what is adapted in `data` was made with, `rejected` one that was found no better.
    """

    revision: int
    layout: Layout
    labels: tuple[Label, ...]
    sample_ids: list[int]
    public_ids: list[str]
    annotation_ids: list[int]
    data: TrainingData
    n_waiting: int
    lost: list[int]
    adaptation: Adaptation | None = None
    rejected: Adaptation | None = None

    @property
    def specs(self) -> list[BackboneSpec]:
        """The embeddings that models may read."""
        adapted = [towers.adapted_spec(self.adaptation)] if self.adaptation else []
        return [*self.layout.specs, *adapted]

    @property
    def last_annotation_id(self) -> int:
        return max(self.annotation_ids, default=0)


@dataclass(frozen=True)
class _Row:
    pk: int
    public_id: str
    label_id: int | None
    annotation_id: int
    content_hash: str
    is_embedded: bool
    picked_by: str


def read_round(
    function: Function, *, with_adapted: bool = True, view: View | None = None, layout: Layout | None = None
) -> RoundInput:
    """Read a function's annotations and what models read of the samples. The revision first: see `RoundInput`.

    What is read of an adaptation is made first where it is missing, as far as that takes a moment: of `view`, or else
    of the one in use. With a `layout`, as samples are read by that one.
    """
    revision = Function.objects.values_list("data_revision", flat=True).get(pk=function.pk)
    layout = layout_of(function) if layout is None else layout
    labels = tuple(function.labels.in_use())
    rows = _annotated(function, labels)
    ready = [row for row in rows if row.is_embedded]
    view = _complete(view or readable(function, layout), ready) if with_adapted else None
    specs = [*layout.specs, *(view.specs if view else [])]
    embeddings, missing = embeddings_of(function, specs, [row.content_hash for row in ready])
    contents = read_contents(layout, Sample.objects.filter(function=function, annotation__isnull=False))
    places = [i for i, row in enumerate(ready) if row.content_hash not in missing and row.pk in contents]
    if len(places) < len(ready):
        embeddings = {name: matrix[places] for name, matrix in embeddings.items()}
    used = [ready[i] for i in places]
    return RoundInput(
        revision=revision,
        layout=layout,
        labels=labels,
        sample_ids=[row.pk for row in used],
        public_ids=[row.public_id for row in used],
        annotation_ids=[row.annotation_id for row in used],
        data=_data(function, layout, labels, used, [contents[row.pk] for row in used], embeddings, view),
        n_waiting=len(rows) - len(used),
        lost=[row.pk for row in ready if row.content_hash in missing],
        adaptation=view.adaptation if view else None,
    )


def _complete(view: View | None, rows: Sequence[_Row]) -> View | None:
    """Return the adaptation that is read, once the samples have its vectors or the time for that is over."""
    if view is None or len(rows) > MOST_READ:
        return None
    try:
        view.complete({row.pk: row.content_hash for row in rows})
    except ArtifactCorrupt as error:
        towers.forget_damaged(view.adaptation, error)
        return None
    return view


def _data(
    function: Function,
    layout: Layout,
    labels: Sequence[Label],
    rows: Sequence[_Row],
    contents: Sequence[str | Row],
    embeddings: Mapping[str, FloatArray],
    view: View | None,
) -> TrainingData:
    frozen = {spec.name: embeddings[spec.name] for spec in layout.specs}
    groups = groups_of(frozen.values()) if frozen else np.arange(len(rows))
    columns = _labels(function, labels, rows)
    adapted = view.fold_rows(embeddings, [row.public_id for row in rows], columns, groups) if view else None
    return TrainingData(
        inputs=build_inputs(layout, contents, frozen | ({view.name: embeddings[view.name]} if view else {})),
        labels=columns,
        n_classes=len(labels),
        groups=groups,
        label_names=[label.name for label in labels],
        label_embeddings=_label_embeddings(function, layout, labels),
        rules=_rules(function, labels),
        is_random=np.array([row.picked_by in FAIR for row in rows], dtype=bool),
        counts=np.array([row.picked_by != PickedBy.GRID for row in rows], dtype=bool),
        adapted={view.name: adapted} if view and adapted else {},
    )


def _annotated(function: Function, labels: Sequence[Label]) -> list[_Row]:
    """In the order of annotation: the engine's folds then stay what they were when annotations are added."""
    rows = Sample.objects.filter(function=function, annotation__isnull=False).order_by("annotation_id")
    if function.output_kind == OutputKind.LABEL:
        rows = rows.filter(label__in=labels)
    columns = ("pk", "public_id", "label_id", "annotation_id", "content_hash", "is_embedded", "annotation__picked_by")
    return [_Row(*values) for values in rows.values_list(*columns)]


def embeddings_of(
    function: Function, specs: Sequence[BackboneSpec], hashes: Sequence[str]
) -> tuple[Mapping[str, FloatArray], set[str]]:
    """Return the matrices of all backbones, and the contents that lack a vector of one of them."""
    embeddings, missing = {}, set[str]()
    for spec in specs:
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
    """Only texts can be likened to what labels are called, and pictures where a backbone reads texts too."""
    if layout.input_kind == InputKind.TABLE or not labels:
        return {}
    return {
        spec.name: label_vectors(workspace_id=function.workspace_id, backbone_name=spec.name, labels=labels)
        for spec in layout.specs
        if spec.reads_names
    }


def _rules(function: Function, labels: Sequence[Label]) -> list[Rule]:
    column_of = {label.pk: i for i, label in enumerate(labels)}
    return [Rule(rule.words, column_of[rule.label_id]) for rule in rules_of(function) if rule.label_id in column_of]
