"""What a round reads of an adaptation: its samples fold by fold, through layers that never saw that fold.

Only one adaptation is ever read, the newest in use. A sample labelled after it was made has no
vectors of it yet, and no layers saw it: it goes into the fold of a duplicate, or else into the one that has fewest of
its label, and its vectors are made then and there. Where many are missing (a file of labels was brought, a grid was
accepted), a round makes as many as a moment allows and leaves the others to the job that embeds samples; another round
follows when that is done, as it does for samples that were just brought.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import transaction

from apps.engine import crossval
from apps.engine.backbones import BackboneSpec
from apps.engine.errors import ArtifactCorrupt
from apps.engine.types import FloatArray, FoldRows, IntArray
from apps.functions.models import Function
from apps.samples.models import Sample
from apps.training.models import Adaptation, TrainedModel
from apps.training.services import towers
from apps.training.services.encoding import Due, new_vectors
from apps.training.services.inputs import Layout
from apps.training.services.vectors import matrices, which_exist, write_vectors

MOST_READ = 5_000
"""Labelled samples with which rounds read an adaptation at all. With more, plain heads have caught up, and its vectors,
one of every sample for each fold, would take more memory and time than they are worth."""
MAKING_SECONDS = 1.0
AT_ONCE = 32


@dataclass(frozen=True)
class View:
    """An adaptation of a function, as rounds read it."""

    function: Function
    adaptation: Adaptation
    folds: towers.Folds

    @property
    def name(self) -> str:
        """Of the vectors that serve: those of the tower fitted on all samples."""
        return towers.adapted_name(self.adaptation)

    @property
    def specs(self) -> list[BackboneSpec]:
        """By fold, then of the tower fitted on all samples."""
        return [towers.adapted_spec(self.adaptation, fold) for fold in self._places]

    def due(self, samples: Sequence[Sample]) -> list[Due]:
        """Return what there is to make of labelled samples. Raises `ArtifactCorrupt`."""
        places = zip(self.specs, self._places, strict=True)
        return [Due(spec, samples, towers.tower_of(self.adaptation, fold)) for spec, fold in places]

    def complete(self, hash_of: Mapping[int, str], *, seconds: float = MAKING_SECONDS) -> None:
        """Make vectors of samples, by key, that have none, for as long as that; at least of the first few."""
        ends_at = time.monotonic() + seconds
        keys = self._incomplete(hash_of)
        for start in range(0, len(keys), AT_ONCE):
            samples = list(Sample.objects.filter(pk__in=keys[start : start + AT_ONCE]))
            keep_vectors(self.function, self.due(samples))
            if time.monotonic() >= ends_at:
                return

    def fold_rows(
        self, embeddings: Mapping[str, FloatArray], sample_ids: Sequence[str], labels: IntArray, groups: IntArray
    ) -> FoldRows:
        """Put together what a round reads of samples, by public id; `embeddings` are all of `specs`, by name."""
        known = np.array([self.folds.fold_of.get(public_id, -1) for public_id in sample_ids], dtype=np.int64)
        folds = crossval.assign_folds(labels, groups, n_folds=self.folds.n_folds, known=known)
        return FoldRows(folds, np.stack([embeddings[spec.name] for spec in self.specs[:-1]]))

    @property
    def _places(self) -> list[int | None]:
        return [*range(self.folds.n_folds), None]

    def _incomplete(self, hash_of: Mapping[int, str]) -> list[int]:
        """Return those that lack a vector. What was read before had them all: the database is asked about the rest."""
        function, hashes, lacking = self.function, list(hash_of.values()), set[str]()
        for spec in self.specs:
            unknown = matrices.unknown(
                workspace_id=function.workspace_id, function_id=function.pk, spec=spec, hashes=hashes
            )
            lacking |= set(unknown) - which_exist(workspace_id=function.workspace_id, spec=spec, hashes=unknown)
        return [pk for pk, content_hash in hash_of.items() if content_hash in lacking]


def readable(function: Function, layout: Layout) -> View | None:
    """Return the adaptation that rounds read now, if there is one. One small query."""
    adaptation = Adaptation.objects.in_use().filter(function=function).order_by("-pk").first()
    if adaptation is None or not adaptation.sha256:
        return None
    if adaptation.base not in {spec.name for spec in layout.specs} or not towers.is_current(adaptation):
        return None
    adaptation.function = function
    try:
        return View(function, adaptation, towers.folds_of(adaptation))
    except ArtifactCorrupt as error:
        towers.forget_damaged(adaptation, error)
        return None


def due_of(function: Function, layout: Layout, samples: Sequence[Sample]) -> list[Due]:
    """Return what there is to make of samples that are being embedded, beside what every function has of them.

    Of all the vectors that the models read which answer or are shown; of labelled ones those that rounds read.
    """
    view = readable(function, layout)
    labelled = [sample for sample in samples if sample.annotation_id is not None]
    try:
        due = view.due(labelled) if view and labelled else []
        due += [
            Due(towers.adapted_spec(adaptation), samples, towers.tower_of(adaptation))
            for adaptation in _served(function)
        ]
    except ArtifactCorrupt:
        return []  # whoever loads the model, or a round, finds the same and sees to it
    return list({one.spec: one for one in due}.values())


def keep_vectors(function: Function, due: Sequence[Due]) -> None:
    """Make what is missing and store it."""
    made = new_vectors(function, due)
    with transaction.atomic():
        for spec, vectors in made.items():
            write_vectors(workspace_id=function.workspace_id, spec=spec, vectors=vectors)


def _served(function: Function) -> list[Adaptation]:
    """Return what the live model and the newest one read; that is one, but while a person has another pinned."""
    published = TrainedModel.objects.filter(function=function).exclude(published_at=None).order_by()
    newest = published.order_by("-number").values("pk")[:1]
    rows = published.filter(is_live=True) | published.filter(pk__in=newest)
    found = Adaptation.objects.filter(pk__in=rows.values("adaptation")).exclude(sha256="")
    for adaptation in found:
        adaptation.function = function
    return [adaptation for adaptation in found if towers.is_current(adaptation)]
