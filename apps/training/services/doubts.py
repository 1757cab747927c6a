"""Labels in force that are likely wrong, and why: from what the newest round held out, and who lies near whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from apps.engine import crossval, label_issues
from apps.engine.label_issues import Doubts
from apps.engine.survey import Vectors
from apps.engine.types import IntArray
from apps.functions.models import Function, Label
from apps.samples.models import Sample
from apps.training.models import Finding, FindingKind, TrainedModel
from apps.training.services.held_out import Kept
from apps.training.services.survey_file import SurveyView

N_REASONS = 3
ROWS_AT_ONCE = 500
THE_SAME = 0.9999
"""From this cosine on two samples are one to the backbone, such as texts that differ in capitals only."""


@dataclass(frozen=True)
class _Placed:
    """The samples of a round: where each lies (zeros where that is unknown), and which of them are the same."""

    vectors: Vectors
    groups: IntArray


def wrong_labels(
    function: Function, model: TrainedModel, kept: Kept, view: SurveyView | None, *, most: int
) -> tuple[Mapping[int, float], list[Finding]]:
    """Return how doubtful each sample's label is, by its key, and what is to be found of it: unsaved, worst first."""
    labels = {label.public_id: label for label in Label.objects.in_use().filter(function=function)}
    columns = [labels.get(public_id) for public_id in model.label_ids]
    placed = _placed(kept, view)
    judge = label_issues.label_doubts if kept.labels.ndim == 1 else label_issues.tag_doubts
    doubts = judge(kept.pred_probs, kept.labels, placed.vectors, placed.groups)
    scores = doubts.scores if doubts.scores.ndim == 1 else doubts.scores.max(axis=1, initial=0.0)
    is_doubted = doubts.is_doubted if doubts.is_doubted.ndim == 1 else _of_worst(doubts)
    order = np.argsort(-scores, kind="stable")
    order = order[is_doubted[order] & np.array([columns[i] is not None for i in doubts.instead[order]], dtype=bool)]
    found: list[Finding] = []
    for rows in _chunks(order):
        found += _findings(function, model, kept, doubts, columns, rows)
        if len(found) >= most:
            break
    found = found[:most]
    _explain(found, kept, placed)
    return dict(zip(kept.sample_ids.tolist(), scores.tolist(), strict=True)), found


def _of_worst(doubts: Doubts) -> npt.NDArray[np.bool_]:
    """Of tags a sample is asked about one, the worst; the others follow once that is settled."""
    worst: npt.NDArray[np.bool_] = np.take_along_axis(doubts.is_doubted, doubts.instead[:, None], axis=1)[:, 0]
    return worst


def _chunks(order: IntArray) -> Iterator[IntArray]:
    for start in range(0, len(order), ROWS_AT_ONCE):
        yield order[start : start + ROWS_AT_ONCE]


def _findings(
    function: Function,
    model: TrainedModel,
    kept: Kept,
    doubts: Doubts,
    columns: Sequence[Label | None],
    rows: IntArray,
) -> list[Finding]:
    """Those whose annotation the round learned from is still in force, and nobody has looked at it again."""
    in_force = Sample.objects.filter(pk__in=kept.sample_ids[rows].tolist(), annotation__confirmation=None)
    in_force = in_force.filter(annotation__isnull=False, annotation__lte=model.last_annotation_id)
    annotation_of = dict(in_force.values_list("pk", "annotation_id"))
    found = []
    for row in rows.tolist():
        pk, instead, label = int(kept.sample_ids[row]), int(doubts.instead[row]), columns[int(doubts.instead[row])]
        if pk not in annotation_of:
            continue
        score = doubts.scores[row] if doubts.scores.ndim == 1 else doubts.scores[row, instead]
        facts = {} if kept.labels.ndim == 1 else {"is_there": bool(kept.labels[row, instead] == 1)}
        found.append(
            Finding(
                function=function,
                kind=FindingKind.WRONG_LABEL,
                sample_id=pk,
                annotation_id=annotation_of[pk],
                label=label,
                score=float(score),
                facts=facts,
            )
        )
    return found


def _explain(found: Sequence[Finding], kept: Kept, placed: _Placed) -> None:
    """Say of each which labelled samples are nearest, copies of it with another label among them."""
    row_of = {pk: row for row, pk in enumerate(kept.sample_ids.tolist())}
    rows = np.array([row_of[finding.sample_id] for finding in found], dtype=np.int64)
    among = crossval.learned_from(np.arange(len(kept.sample_ids)), kept.labels)
    itself = np.arange(len(kept.sample_ids))
    nearest, cosines = label_issues.nearest_others(placed.vectors, rows, among, itself, n=N_REASONS)
    for finding, near, alike in zip(found, nearest, cosines, strict=True):
        finding.facts["neighbours"] = kept.sample_ids[near[np.isfinite(alike)]].tolist()


def _placed(kept: Kept, view: SurveyView | None) -> _Placed:
    n = len(kept.sample_ids)
    groups = np.arange(n)
    if view is None or not len(view.keys):
        return _Placed(np.zeros((n, 1), dtype=np.float32), groups)
    rows, is_known = view.find(kept.sample_ids)
    vectors = np.zeros((n, view.vectors.shape[1]), dtype=np.float32)
    vectors[is_known] = view.vectors[rows]
    groups = groups + len(view.keys)  # numbers that no sample of the survey has
    groups[is_known] = _same_as(view)[rows]
    return _Placed(vectors, groups)


def _same_as(view: SurveyView) -> IntArray:
    """Number the samples of a survey so that those that are the same share a number."""
    pairs = view.pairs[view.likeness >= THE_SAME]
    n = len(view.keys)
    edges = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    numbers: IntArray = connected_components(edges, directed=False)[1]
    return numbers
