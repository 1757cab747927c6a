"""Hits of the owner's keyword rules as rows of numbers: one number per rule, 1 where its words are found."""

from __future__ import annotations

import numpy as np

from apps.engine.readers.state import State
from apps.engine.rules import Matcher
from apps.engine.types import FloatArray, Inputs, TrainingData


class RulesReader:
    """Which rules hit. What a hit is worth, and for which label, the head learns like everything else.

    Attributes
    ----------
    words_
        The words of each rule, without repetition.
    """

    def fit(self, data: TrainingData) -> RulesReader:
        """Take over the rules."""
        return self._with(list(dict.fromkeys(rule.words for rule in data.rules)))

    def _with(self, words: list[str]) -> RulesReader:
        self.words_ = words
        self._matcher = Matcher(words)
        return self

    def read(self, inputs: Inputs) -> FloatArray:
        """Return `(n_samples, n_rules)`."""
        return self._matcher.hits(inputs.texts).astype(np.float32)

    def to_state(self) -> State:
        """Return what was learned."""
        return State(facts={"words": list(self.words_)})

    def load_state(self, state: State) -> RulesReader:
        """Take over what `to_state` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        words = state.facts["words"]
        if not isinstance(words, list):
            raise ValueError("rules are a list of words")
        return self._with([str(one) for one in words])
