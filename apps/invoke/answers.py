"""What is said of one input."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import prod

from apps.functions.models import Function, Label
from apps.training.models import TrainedModel
from apps.training.services import figures


@dataclass(frozen=True)
class Guess:
    """A label, its calibrated probability, and what the model that answers calls it."""

    label: Label
    confidence: float
    name: str


class Decision(StrEnum):
    """Who has the last word on an answer."""

    AUTO = "auto"  # nobody need look
    REVIEW = "review"


@dataclass(frozen=True)
class Answer:
    """What is said of one input: every label known, the one said first, then the likeliest.

    Where the function gives tags, `tags` are those said to be there, likeliest first; None where it gives one label.
    Without a `model` it is a guess, by the labels' names and keyword rules; there are no guesses at all of an input of
    which there is nothing to say. `novelty` is how unlike the samples it is, where that is known: the share of them
    that are less so.
    """

    function: Function
    model: TrainedModel | None
    guesses: tuple[Guess, ...]
    tags: tuple[Guess, ...] | None = None
    novelty: float | None = None

    @property
    def best(self) -> Guess:
        return self.guesses[0]

    @property
    def label(self) -> Label | None:
        """The label said; where there are tags, the likeliest that is there, if any is."""
        said = self.guesses if self.tags is None else self.tags
        return said[0].label if said else None

    @property
    def confidence(self) -> float:
        """How probable it is that all of the answer is right; of tags, as if they did not depend on each other."""
        if self.tags is None:
            return self.best.confidence
        there = {tag.label.pk for tag in self.tags}
        return prod(guess.confidence if guess.label.pk in there else 1 - guess.confidence for guess in self.guesses)

    @property
    def decision(self) -> Decision:
        """Whether the answer may pass without a person, by how right the function's owner wants such answers to be."""
        if self.model is None:
            return Decision.REVIEW
        threshold = figures.threshold_for(self.model, self.function.automation_target)
        return Decision.AUTO if threshold is not None and self.confidence >= threshold else Decision.REVIEW
