"""Samples as pages show them: what people said of each, what a model said, what was left beside it.

A sample that was answered is shown with what a model that never saw it said, any other with what the published model
says now: the two kinds of prediction are never mixed up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from django.db.models.functions import Left

from apps.functions.models import Function, Label, OutputKind
from apps.review.filters import UNSURE_MARGIN, Verdict
from apps.review.selectors.side_notes import SideNotes, side_notes_of
from apps.review.selectors.tag_table import UNSURE_MARGIN as UNSURE_TAG_MARGIN
from apps.review.selectors.tag_table import columns_by_public_id
from apps.samples.models import PickedBy, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.selectors import judging_model, tag_thresholds, tags_said
from apps.training.words import confidence_word

EXCERPT_CHARS = 600


@dataclass(frozen=True)
class Shown:
    """A sample as a row shows it, and how sure a model was of what it said."""

    sample: Sample
    excerpt: str
    is_cut: bool
    confidence: float
    is_unsure: bool
    is_from_grid: bool
    notes: SideNotes

    @property
    def word(self) -> str:
        return confidence_word(self.confidence)


@dataclass(frozen=True)
class Row(Shown):
    """A sample, its label, and what a model said of it: the likeliest label and the next."""

    label: Label | None
    predicted: Label | None
    runner_up: Label | None

    @property
    def verdict(self) -> Verdict | None:
        """Right, wrong, waiting or never judged; None for a sample without a label."""
        if self.label is None:
            return None
        if self.predicted is None:
            return Verdict.WAITING
        if self.is_from_grid:
            return Verdict.GRID
        return Verdict.RIGHT if self.predicted == self.label else Verdict.WRONG


@dataclass(frozen=True)
class TagRow(Shown):
    """A sample, the tags on it (`tags`, None where nobody said), and those a model said (`said`, None likewise).

    `missed` are on it and were not said, `false_alarms` the other way round; tags nobody was asked about are neither.
    `known` are the labels the model told of, by public id: taking its word over says no more than that.
    """

    tags: tuple[Label, ...] | None
    said: tuple[Label, ...] | None
    missed: tuple[Label, ...]
    false_alarms: tuple[Label, ...]
    known: tuple[str, ...]

    @property
    def verdict(self) -> Verdict | None:
        """Right, wrong, waiting or never judged; None for a sample nobody has tagged."""
        if self.tags is None:
            return None
        if self.said is None:
            return Verdict.WAITING
        if self.is_from_grid:
            return Verdict.GRID
        return Verdict.WRONG if self.missed or self.false_alarms else Verdict.RIGHT

    @property
    def may_be_as_said(self) -> bool:
        """Whether taking the model's word over would change anything."""
        return self.said is not None and self.verdict is not Verdict.RIGHT


def rows_of(
    function: Function, labels: Sequence[Label], keys: Sequence[int], *, n_chars: int = EXCERPT_CHARS
) -> list[Row | TagRow]:
    """Return the rows of these samples, in this order; those that are gone are left out. `labels` are those in use."""
    samples = Sample.objects.filter(pk__in=keys).defer("text").select_related("annotation")
    by_key = {sample.pk: sample for sample in samples.annotate(excerpt=Left("text", n_chars + 1))}
    every = {(said.sample_id, said.kind): said for said in Prediction.objects.filter(sample__in=keys)}
    said_of = {pk: every.get((pk, _kind_of(sample))) for pk, sample in by_key.items()}
    notes = side_notes_of(keys)
    shown = [_Given(by_key[key], said_of[key], notes.get(key, SideNotes()), n_chars) for key in keys if key in by_key]
    if function.output_kind == OutputKind.TAGS:
        return _tag_rows(function, labels, shown)
    in_use = {label.pk: label for label in labels}
    return [_label_row(given, in_use) for given in shown]


def _kind_of(sample: Sample) -> PredictionKind:
    return PredictionKind.OUT_OF_FOLD if sample.annotation_id else PredictionKind.LIVE


@dataclass(frozen=True)
class _Given:
    """What a row is made of."""

    sample: Sample
    said: Prediction | None
    notes: SideNotes
    n_chars: int

    @property
    def _text(self) -> str:
        return str(getattr(self.sample, "excerpt", ""))

    @property
    def excerpt(self) -> str:
        return self._text[: self.n_chars]

    @property
    def is_cut(self) -> bool:
        return len(self._text) > self.n_chars

    @property
    def confidence(self) -> float:
        return self.said.confidence if self.said else 0.0

    @property
    def is_from_grid(self) -> bool:
        return self.sample.annotation is not None and self.sample.annotation.picked_by == PickedBy.GRID

    def is_nearer_than(self, margin: float) -> bool:
        return self.said is not None and self.said.margin < margin


def _label_row(given: _Given, labels: Mapping[int, Label]) -> Row:
    sample, said = given.sample, given.said
    predicted = labels.get(said.label_id) if said and said.label_id else None
    return Row(
        sample=sample,
        excerpt=given.excerpt,
        is_cut=given.is_cut,
        confidence=given.confidence,
        is_unsure=predicted is not None and given.is_nearer_than(UNSURE_MARGIN),
        is_from_grid=given.is_from_grid,
        notes=given.notes,
        label=labels.get(sample.label_id) if sample.label_id else None,
        predicted=predicted,
        runner_up=labels.get(said.runner_up_id) if said and said.runner_up_id else None,
    )


def _tag_rows(function: Function, labels: Sequence[Label], shown: Sequence[_Given]) -> list[Row | TagRow]:
    kinds = {_kind_of(given.sample) for given in shown}
    thresholds = {kind: _thresholds(function, kind) for kind in kinds}
    by_public_id = {key: labels[column] for key, column in columns_by_public_id(function, labels).items()}
    return [_tag_row(given, by_public_id, thresholds[_kind_of(given.sample)]) for given in shown]


def _thresholds(function: Function, kind: PredictionKind) -> dict[str, float]:
    if kind is PredictionKind.OUT_OF_FOLD:
        return tag_thresholds(judging_model(function))
    return live_thresholds(function)


def live_thresholds(function: Function) -> dict[str, float]:
    """Return from which probability on the published model says that a tag is there."""
    return tag_thresholds(TrainedModel.objects.filter(function=function, is_live=True).first())


def _tag_row(given: _Given, labels: Mapping[str, Label], thresholds: Mapping[str, float]) -> TagRow:
    """`labels` are read by their public ids, and by those of the labels that were merged into them."""
    truth = given.sample.annotation.tags if given.sample.annotation else None
    probs = given.said.tags if given.said else None
    there = {labels[key] for key in tags_said(probs, thresholds) if key in labels}
    on_it = {labels[key] for key, is_present in (truth or {}).items() if is_present and key in labels}
    off_it = {labels[key] for key in truth or {} if key in labels} - on_it
    return TagRow(
        sample=given.sample,
        excerpt=given.excerpt,
        is_cut=given.is_cut,
        confidence=given.confidence,
        is_unsure=given.is_nearer_than(UNSURE_TAG_MARGIN),
        is_from_grid=given.is_from_grid,
        notes=given.notes,
        tags=None if truth is None else _in_order(on_it),
        said=None if probs is None else _in_order(there),
        missed=_in_order(on_it - there),
        false_alarms=_in_order(there & off_it),
        known=tuple(label.public_id for label in _in_order({labels[key] for key in probs or {} if key in labels})),
    )


def _in_order(labels: Collection[Label]) -> tuple[Label, ...]:
    return tuple(sorted(labels, key=lambda label: (label.position, label.pk)))
