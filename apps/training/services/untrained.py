"""What a function says before there is a model: by its owner's rules, and by likeness to the labels' names.

For texts both; for table rows the rules; for pictures likeness, where the backbone chosen for them reads texts too, and
else nothing. What is said is a guess: neither trained nor calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from apps.engine import languages, similarity
from apps.engine.backbones import BackboneSpec
from apps.engine.rules import Matcher
from apps.engine.types import FloatArray, IntArray
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.selectors import rules_of
from apps.training.services.inputs import Layout, layout_of
from apps.training.services.label_vectors import label_vectors

LEAST_LABELS = {OutputKind.LABEL.value: 2, OutputKind.TAGS.value: 1}


@dataclass(frozen=True)
class Untrained:
    """A function that answers without a model. `backbone_name` is empty where likeness says nothing of its inputs."""

    function: Function
    layout: Layout
    labels: tuple[Label, ...]
    rules: Matcher
    rule_labels: IntArray
    backbone_name: str

    @property
    def names(self) -> tuple[str, ...]:
        """What it calls its labels: as they are called now."""
        return tuple(label.name for label in self.labels)

    @property
    def specs(self) -> tuple[BackboneSpec, ...]:
        """The embeddings it reads."""
        return tuple(spec for spec in self.layout.specs if spec.name == self.backbone_name)

    def pred_probs(self, texts: Sequence[str], embeddings: FloatArray | None) -> FloatArray:
        """Return `(n_texts, n_labels)`; NaN in the rows of samples of which there is nothing to say.

        `texts` are the words of the samples; of pictures, whatever is given does not count. `embeddings` are those of
        `backbone_name`, None where that is empty. May load the backbone.
        """
        words = [""] * len(texts) if self.function.input_kind == InputKind.IMAGE else texts
        cosines: FloatArray = np.full((len(texts), len(self.labels)), np.nan)
        if self.backbone_name and embeddings is not None:
            cosines = self._likeness(words, embeddings)
        guess = similarity.guess_tags if self.function.output_kind == OutputKind.TAGS else similarity.guess
        temperature = next((spec.temperature for spec in self.specs), None) or similarity.TEMPERATURE
        return guess(cosines, self.rules.hits(words), self.rule_labels, temperature=temperature)

    def _likeness(self, texts: Sequence[str], embeddings: FloatArray) -> FloatArray:
        vectors = label_vectors(
            workspace_id=self.function.workspace_id, backbone_name=self.backbone_name, labels=self.labels
        )
        cosines = similarity.likeness(embeddings, vectors, backbone=self.backbone_name)
        cosines[~languages.can_read(self.backbone_name, texts)] = np.nan
        return cosines


def load_untrained(function: Function) -> Untrained | None:
    """Return what answers for a function without a model; None where there would never be anything to say."""
    labels = tuple(function.labels.in_use())
    rules = [] if function.input_kind == InputKind.IMAGE else rules_of(function)
    layout = layout_of(function)
    reading = [spec.name for spec in layout.specs if spec.reads_names and ":" not in spec.name]
    if not (reading or rules):
        return None
    if function.searches or len(labels) < LEAST_LABELS[function.output_kind]:
        return None
    column_of = {label.pk: column for column, label in enumerate(labels)}
    return Untrained(
        function,
        layout,
        labels,
        Matcher([rule.words for rule in rules]),
        np.array([column_of[rule.label_id] for rule in rules], dtype=np.int64),
        reading[0] if reading else "",
    )
