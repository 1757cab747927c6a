"""The nouns of the engine: what goes into a round of training and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from apps.engine.heads import Head
    from apps.engine.predictor import Predictor

FloatArray: TypeAlias = npt.NDArray[np.floating]
IntArray: TypeAlias = npt.NDArray[np.integer]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Setting: TypeAlias = float | int | str


class Modality(StrEnum):
    """What a function takes in."""

    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True)
class Recipe:
    """Backbone, head and settings: everything about a model except the data it was fitted on.

    Recipes are compared with each other and outlive the models made from them.
    """

    backbone: str
    head: str
    settings: Mapping[str, Setting] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return plain data that `json` can write; `from_json` reads it back."""
        return {"backbone": self.backbone, "head": self.head, "settings": dict(sorted(self.settings.items()))}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Recipe:
        """Read what `to_json` wrote. Raises `ValueError` for anything else."""
        backbone, head, settings = data.get("backbone"), data.get("head"), data.get("settings")
        if not isinstance(backbone, str) or not isinstance(head, str) or not isinstance(settings, Mapping):
            raise ValueError("A recipe has a backbone, a head and settings.")
        checked: dict[str, Setting] = {}
        for name, value in settings.items():
            if not isinstance(value, float | int | str):
                raise ValueError(f"The setting {name} of a recipe is a number or a text.")
            checked[str(name)] = value
        return cls(backbone, head, checked)

    def key(self) -> str:
        """Return a text that is equal for equal recipes, in every process."""
        return json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))

    def __hash__(self) -> int:
        return hash(self.key())


@dataclass(frozen=True)
class TrainingData:
    """Annotated samples as arrays; row `i` of everything is the same sample.

    Parameters
    ----------
    embeddings
        Backbone name to array `(n_samples, dim)`, float32. Numbers that are not finite count as zero.
    labels
        `(n_samples,)`, each in `[0, n_classes)`.
    n_classes
        How many labels the function has, those without a sample included.
    groups
        `(n_samples,)`; exact duplicates share a number and are never held out apart.
    label_names
        One per class, for sentences to the user; may be left out.
    """

    embeddings: Mapping[str, FloatArray]
    labels: IntArray
    n_classes: int
    groups: IntArray
    label_names: Sequence[str] = ()

    def __post_init__(self) -> None:
        n_samples = len(self.labels)
        if len(self.groups) != n_samples:
            raise ValueError("Labels and groups must have one entry per sample.")
        if any(len(rows) != n_samples for rows in self.embeddings.values()):
            raise ValueError("Embeddings must have one row per sample.")
        if n_samples and not (int(self.labels.min()) >= 0 and int(self.labels.max()) < self.n_classes):
            raise ValueError("Labels must lie in [0, n_classes).")


@dataclass(frozen=True)
class Trial:
    """How one recipe did out-of-fold: nats per sample, share right, seconds spent."""

    recipe: Recipe
    log_loss: float
    accuracy: float
    seconds: float


class Verdict(StrEnum):
    """What became of the recipe in service."""

    FIRST = "first"  # none was in service, or the one in service can no longer be tried
    SAME = "same"  # it did best again
    KEPT = "kept"  # another did better, within its uncertainty
    REPLACED = "replaced"  # another did better, beyond its uncertainty


@dataclass(frozen=True)
class Decision:
    """The comparison of the best recipe with the one in service, on the same held-out samples.

    `gain` is by how many nats per sample the best recipe beats the one in service, `gain_error` its standard error.
    """

    verdict: Verdict
    gain: float = 0.0
    gain_error: float = 0.0


@dataclass(frozen=True)
class RoundResult:
    """What a round of training hands back.

    Parameters
    ----------
    recipe
        The recipe chosen to serve.
    head
        That recipe's head, fitted on every sample.
    temperature
        What the head's scores are divided by before they become probabilities.
    pred_probs
        `(n_samples, n_classes)`, float32, rows sum to 1: calibrated probabilities of each sample from heads that saw
        neither it nor a duplicate of it. A label whose samples were all held out together has probability 0 there.
    trials
        Every recipe tried, in the order tried.
    decision
        Why this recipe and not the one in service.
    seconds
        Duration of the round.
    is_complete
        False when the deadline came before every recipe was tried.
    """

    recipe: Recipe
    head: Head
    temperature: float
    n_classes: int
    pred_probs: FloatArray
    trials: tuple[Trial, ...]
    decision: Decision
    seconds: float
    is_complete: bool = True

    @property
    def predictor(self) -> Predictor:
        """The fitted model, ready to predict or to be saved."""
        from apps.engine.predictor import Predictor  # here, because predictor builds on these types

        return Predictor(head=self.head, temperature=self.temperature, n_classes=self.n_classes)
