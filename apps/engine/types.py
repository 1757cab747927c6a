"""The nouns of the engine: what goes into a round of training and what comes out of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from apps.engine.predictor import Predictor

FloatArray: TypeAlias = npt.NDArray[np.floating]
IntArray: TypeAlias = npt.NDArray[np.integer]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Setting: TypeAlias = float | int | str


class Modality(StrEnum):
    """What a function takes in."""

    TEXT = "text"
    IMAGE = "image"
    TABLE = "table"


class Task(StrEnum):
    """What a function gives out."""

    LABEL = "label"  # one label a sample
    TAGS = "tags"  # each label there or not, whatever the others


class ColumnType(StrEnum):
    """What the values of a table's column are."""

    NUMBER = "number"
    CATEGORY = "category"
    DATE = "date"
    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True)
class Column:
    """One typed column of a table.

    Parameters
    ----------
    key
        Stable name; a fitted model finds its columns by it.
    type
        `IMAGE` columns have no values here, only embeddings (`Inputs.embeddings`, under `cell_key`).
    values
        `(n_samples,)`. Numbers are float64, missing ones NaN. Dates are float64 seconds since 1970 in UTC, missing ones
        NaN. Categories and texts are objects, `str`, missing ones "".
    """

    key: str
    type: ColumnType
    values: npt.NDArray[np.float64] | npt.NDArray[np.object_]


ADAPTED = "adapted-"
"""What the name of a backbone begins with whose top layers learned from a function's own samples."""


def cell_key(backbone: str, column: str) -> str:
    """Return the name under which embeddings of one column's cells are kept."""
    return f"{backbone}:{column}"


@dataclass(frozen=True)
class Inputs:
    """Samples as models read them; row `i` of everything is the same sample.

    Parameters
    ----------
    n_samples
        How many rows.
    embeddings
        Backbone name (or `cell_key`) to array `(n_samples, dim)`, float32. Numbers that are not finite count as zero.
    texts
        `(n_samples,)`, of a text function; empty for others.
    columns
        Of a table function, in their order; empty for others.
    """

    n_samples: int
    embeddings: Mapping[str, FloatArray] = field(default_factory=dict)
    texts: Sequence[str] = ()
    columns: Sequence[Column] = ()

    def __post_init__(self) -> None:
        if any(len(rows) != self.n_samples for rows in self.embeddings.values()):
            raise ValueError("Embeddings must have one row per sample.")
        if self.texts and len(self.texts) != self.n_samples:
            raise ValueError("There must be one text per sample.")
        if any(column.type is not ColumnType.IMAGE and len(column.values) != self.n_samples for column in self.columns):
            raise ValueError("Columns must have one value per sample.")

    def take(self, rows: IntArray) -> Inputs:
        """Return these rows, in this order."""
        return Inputs(
            len(rows),
            {name: matrix[rows] for name, matrix in self.embeddings.items()},
            [self.texts[row] for row in rows] if self.texts else (),
            [
                column if column.type is ColumnType.IMAGE else Column(column.key, column.type, column.values[rows])
                for column in self.columns
            ],
        )


@dataclass(frozen=True)
class FoldRows:
    """Samples as an adapted backbone reads them, honestly: fold by fold, by layers that never saw that fold.

    Parameters
    ----------
    folds
        `(n_samples,)` in `[0, n_folds)`: where each sample is held out. One that no layers saw may be in any.
    rows
        `(n_folds, n_samples, dim)`, float32: all samples as the layers read them that learned from the other folds.
    """

    folds: IntArray
    rows: FloatArray

    def __post_init__(self) -> None:
        if self.rows.ndim != 3 or self.rows.shape[1] != len(self.folds):
            raise ValueError("There must be a row per fold and sample.")
        if len(self.folds) and not (int(self.folds.min()) >= 0 and int(self.folds.max()) < len(self.rows)):
            raise ValueError("Folds must lie in [0, n_folds).")


@dataclass(frozen=True)
class Rule:
    """The owner's word that a text which contains these words has this label, `label` in `[0, n_classes)`."""

    words: str
    label: int


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
class Blend:
    """What serves: recipes whose probabilities are averaged with weights above 0 that sum to 1."""

    members: tuple[tuple[Recipe, float], ...]

    @classmethod
    def of(cls, recipe: Recipe) -> Blend:
        """Return a blend of one."""
        return cls(((recipe, 1.0),))

    @property
    def backbones(self) -> tuple[str, ...]:
        """Backbones its members read, without repetition."""
        return tuple(dict.fromkeys(recipe.backbone for recipe, _weight in self.members))

    def to_json(self) -> dict[str, object]:
        """Return plain data that `json` can write; `from_json` reads it back."""
        return {"members": [{"recipe": recipe.to_json(), "weight": weight} for recipe, weight in self.members]}

    @classmethod
    def from_json(cls, data: Mapping[str, object]) -> Blend:
        """Read what `to_json` wrote. Raises `ValueError` for anything else."""
        members = data.get("members")
        if not isinstance(members, list) or not members:
            raise ValueError("A blend has members.")
        read: list[tuple[Recipe, float]] = []
        for member in members:
            recipe, weight = member.get("recipe"), member.get("weight")
            if not isinstance(recipe, Mapping) or not isinstance(weight, float) or not 0 < weight <= 1:
                raise ValueError("A member of a blend has a recipe and a weight.")
            read.append((Recipe.from_json(recipe), weight))
        return cls(tuple(read))


@dataclass(frozen=True)
class TrainingData:
    """Annotated samples as arrays; row `i` of everything is the same sample.

    Parameters
    ----------
    inputs
        The samples.
    labels
        One label a sample: `(n_samples,)`, each in `[0, n_classes)`. Tags: `(n_samples, n_classes)`, 1 where the tag is
        there, 0 where it is not, -1 where nobody was asked.
    n_classes
        How many labels the function has, those without a sample included.
    groups
        `(n_samples,)`; exact duplicates share a number and are never held out apart.
    label_names
        One per class, for sentences to the user and for likeness to them; may be left out.
    label_embeddings
        Backbone name to `(n_classes, dim)`: the names and descriptions of the labels, as that backbone reads them.
    rules
        What the owner knows beforehand.
    is_random
        `(n_samples,)`: drawn at random, so that figures on them hold for the world. None: all of them.
    counts
        `(n_samples,)`: whether being right about it tells anything. Labels that a person accepted by the dozen because
        a model said so are learned from; to count them would be to ask the model about itself. None: all count.
    adapted
        Adapted backbone (`ADAPTED`) to the samples as its layers for each fold read them; `inputs.embeddings` has the
        same name with the rows of the layers that learned from every sample. All have the same folds.
    held_out
        `(n_samples,)`: the folds to hold out, where something else is compared with that held out the same. None: those
        of what was adapted, or such as the round draws.
    """

    inputs: Inputs
    labels: IntArray
    n_classes: int
    groups: IntArray
    label_names: Sequence[str] = ()
    label_embeddings: Mapping[str, FloatArray] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    is_random: BoolArray | None = None
    counts: BoolArray | None = None
    adapted: Mapping[str, FoldRows] = field(default_factory=dict)
    held_out: IntArray | None = None

    def __post_init__(self) -> None:
        n_samples = self.inputs.n_samples
        if self.held_out is not None and len(self.held_out) != n_samples:
            raise ValueError("There must be one fold per sample.")
        if {name for name in self.inputs.embeddings if name.startswith(ADAPTED)} != set(self.adapted):
            raise ValueError("What was adapted to the samples must be there for each fold, and for all of them.")
        if any(len(own.folds) != n_samples or (own.folds != self.folds).any() for own in self.adapted.values()):
            raise ValueError("All that was adapted must have the same folds, with one entry per sample.")
        if self.adapted and self.held_out is not None and (self.held_out != self.folds).any():
            raise ValueError("What was adapted cannot be held out by other folds than it was adapted by.")
        if len(self.labels) != n_samples or len(self.groups) != n_samples:
            raise ValueError("Labels and groups must have one entry per sample.")
        if self.is_random is not None and len(self.is_random) != n_samples:
            raise ValueError("There must be one entry per sample on whether it was drawn at random.")
        if self.counts is not None and len(self.counts) != n_samples:
            raise ValueError("There must be one entry per sample on whether it counts.")
        if self.task is Task.TAGS:
            if self.labels.shape[1] != self.n_classes or not np.isin(self.labels, (-1, 0, 1)).all():
                raise ValueError("Tags must be 1, 0 or -1, one column each.")
        elif n_samples and not (int(self.labels.min()) >= 0 and int(self.labels.max()) < self.n_classes):
            raise ValueError("Labels must lie in [0, n_classes).")

    @property
    def task(self) -> Task:
        """One label a sample, or tags: as the labels are shaped."""
        return Task.TAGS if self.labels.ndim == 2 else Task.LABEL

    @property
    def is_counted(self) -> BoolArray:
        """`(n_samples,)`: which samples count."""
        return np.ones(self.inputs.n_samples, dtype=np.bool_) if self.counts is None else self.counts

    @property
    def folds(self) -> IntArray | None:
        """`(n_samples,)`: the folds something was adapted by, or that are given; None where the round draws them."""
        return next((own.folds for own in self.adapted.values()), self.held_out)

    def take(self, rows: IntArray) -> TrainingData:
        """Return these samples, in this order."""
        adapted = {name: FoldRows(own.folds[rows], own.rows[:, rows]) for name, own in self.adapted.items()}
        return replace(
            self,
            inputs=self.inputs.take(rows),
            labels=self.labels[rows],
            groups=self.groups[rows],
            is_random=None if self.is_random is None else self.is_random[rows],
            counts=None if self.counts is None else self.counts[rows],
            adapted=adapted,
            held_out=None if self.held_out is None else self.held_out[rows],
        )

    def without_fold(self, fold: int) -> TrainingData:
        """Return the same samples, all of them as read by the layers that never saw this fold."""
        own = {name: of_folds.rows[fold] for name, of_folds in self.adapted.items()}
        return replace(self, inputs=replace(self.inputs, embeddings={**self.inputs.embeddings, **own}))


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
    SAME = "same"  # its recipes did best again
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
    blend
        The recipes chosen to serve, with their weights.
    predictor
        Those recipes, fitted on every sample: ready to predict or to be saved.
    pred_probs
        `(n_samples, n_classes)`, float32: calibrated probabilities of each sample from models that saw neither it nor a
        duplicate of it. One label a sample: rows sum to 1, and a label whose samples were all held out together has
        probability 0. Tags: each entry is the probability that the tag is there.
    trials
        Every recipe tried, in the order tried.
    log_loss
        Nats per sample the blend loses out-of-fold (per sample and tag, where there are tags).
    decision
        Why this blend and not the one in service.
    seconds
        Duration of the round.
    is_complete
        False when the time ran out before every recipe was tried.
    """

    blend: Blend
    predictor: Predictor
    pred_probs: FloatArray
    trials: tuple[Trial, ...]
    log_loss: float
    decision: Decision
    seconds: float
    is_complete: bool = True
