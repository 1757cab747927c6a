"""What pages show of training: is it at work, what is missing, what stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Count

from apps.engine import readiness
from apps.engine.types import IntArray
from apps.functions.models import Function, OutputKind
from apps.samples.models import Sample, SampleTag
from apps.training.effects import FixEffect, fix_effect
from apps.training.findings import findings, n_findings
from apps.training.models import UNSETTLED, FunctionWork, Rereading, TrainedModel, WorkKind

__all__ = [
    "FixEffect",
    "TrainingStatus",
    "findings",
    "fix_effect",
    "is_finished",
    "judging_model",
    "missing_sentence",
    "n_findings",
    "tag_thresholds",
    "tags_said",
    "training_state",
]

UNSAID = {WorkKind.ADAPT}
"""Work that nobody is told of when it fails: all is as it was."""
EVEN = 0.5
"""The threshold of a tag whose own has not been chosen."""


@dataclass(frozen=True)
class TrainingStatus:
    """One function's training as its pages show it.

    `is_training`: a round is at work or due. `message`: what went wrong last, empty when nothing did. `missing`: what
    a person should do before a model can be trained. `n_to_read`: samples that have yet to be embedded. `adapting`: how
    far the search for a better model is, None where it never began.
    """

    is_training: bool
    message: str
    missing: list[str]
    n_to_read: int
    live_model: TrainedModel | None
    adapting: FunctionWork | None


def training_state(function: Function) -> TrainingStatus:
    """Five small queries; one of them counts labelled samples by label."""
    works = {work.kind: work for work in FunctionWork.objects.filter(function=function)}
    missing = missing_sentence(function)
    return TrainingStatus(
        is_training=not missing and _is_training(function, works.get(WorkKind.TRAIN)),
        message=next((work.message for kind, work in works.items() if work.n_failures and kind not in UNSAID), ""),
        missing=[missing] if missing else [],
        n_to_read=Sample.objects.filter(function=function, is_embedded=False).count(),
        live_model=TrainedModel.objects.filter(function=function, is_live=True).first(),
        adapting=works.get(WorkKind.ADAPT),
    )


def judging_model(function: Function) -> TrainedModel | None:
    """Return the model that out-of-fold predictions, and the figures made of them, are of: the newest published one.

    The live one is another while a person has it pinned, or after the newest was found damaged.
    """
    published = TrainedModel.objects.filter(function=function).exclude(published_at=None)
    return published.order_by("-number").first()


def tag_thresholds(model: TrainedModel | None) -> dict[str, float]:
    """Return from which probability on the model says that a tag is there, by public id."""
    return dict(model.figures.get("thresholds", {})) if model else {}


def tags_said(tags: Mapping[str, float] | None, thresholds: Mapping[str, float]) -> list[str]:
    """Return the tags that a prediction with these probabilities says are there, the likeliest first."""
    there = [public_id for public_id, prob in (tags or {}).items() if prob >= thresholds.get(public_id, EVEN)]
    return sorted(there, key=lambda public_id: -(tags or {})[public_id])


def is_finished(function_id: int) -> bool:
    """Whether everything brought and labelled so far has been embedded, learned from and predicted."""
    works = {work.kind: work for work in FunctionWork.objects.filter(function=function_id)}
    train, predict = works.get(WorkKind.TRAIN), works.get(WorkKind.PREDICT)
    revision = Function.objects.filter(pk=function_id).values_list("data_revision", flat=True).first() or 0
    return (
        not Sample.objects.filter(function=function_id, is_embedded=False).exists()
        and not Rereading.objects.filter(function=function_id, state__in=UNSETTLED).exists()
        and (train.done_revision if train else 0) >= revision
        and (predict is None or predict.done_revision >= predict.wanted_revision)
    )


def missing_sentence(function: Function) -> str:
    """Say what to label before a model can be trained; empty when there is enough."""
    labels = list(function.labels.in_use())
    names = [label.name for label in labels]
    if function.output_kind == OutputKind.TAGS:
        n_with, n_without = _tag_counts(function, [label.pk for label in labels])
        return readiness.missing_tags_sentence(n_with, n_without, label_names=names)
    counts = dict(
        Sample.objects.filter(function=function, label__isnull=False)
        .order_by()
        .values_list("label")
        .annotate(n=Count("pk"))
    )
    per_label = [counts.get(label.pk, 0) for label in labels]
    columns = np.repeat(np.arange(len(labels)), per_label)
    return readiness.missing_sentence(columns, len(labels), label_names=names)


def _tag_counts(function: Function, labels: Sequence[int]) -> tuple[IntArray, IntArray]:
    """Return of how many samples it was said that they have each tag, and that they do not."""
    said = SampleTag.objects.filter(sample__function=function, sample__annotation__isnull=False).order_by()
    n_of = {
        (label, is_there): n for label, is_there, n in said.values_list("label", "is_present").annotate(Count("pk"))
    }
    n_with, n_without = (np.array([n_of.get((label, is_there), 0) for label in labels]) for is_there in (True, False))
    return n_with, n_without


def _is_training(function: Function, work: FunctionWork | None) -> bool:
    revision = Function.objects.values_list("data_revision", flat=True).get(pk=function.pk)
    if work is None:
        return revision > 0
    return work.is_held or revision > work.done_revision
