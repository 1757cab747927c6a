"""Likeness to the labels' own names and descriptions, as scores: what a text is about before anybody labelled it."""

from __future__ import annotations

import numpy as np

from apps.engine import similarity
from apps.engine.readers.state import State
from apps.engine.types import FloatArray, Inputs, TrainingData


class NamesReader:
    """Scores by likeness, one per label.

    Parameters
    ----------
    backbone
        What reads both texts and names.

    Attributes
    ----------
    names_
        `(n_classes, dim)`, the names as the backbone reads them.
    """

    def __init__(self, backbone: str) -> None:
        self.backbone = backbone

    def fit(self, data: TrainingData) -> NamesReader:
        """Take over the labels' names. Raises `ValueError` where there are none."""
        if self.backbone not in data.label_embeddings:
            raise ValueError(f"The labels' names have no embeddings of {self.backbone}.")
        self.names_ = data.label_embeddings[self.backbone].astype(np.float32)
        return self

    def read(self, inputs: Inputs) -> FloatArray:
        """Return `(n_samples, n_classes)`."""
        if self.backbone not in inputs.embeddings:
            raise ValueError(f"The samples have no embeddings of {self.backbone}.")
        cosines = similarity.likeness(inputs.embeddings[self.backbone], self.names_, backbone=self.backbone)
        scores: FloatArray = (cosines / similarity.TEMPERATURE).astype(np.float32)
        return scores

    def to_state(self) -> State:
        """Return what was learned."""
        return State({"names": self.names_})

    def load_state(self, state: State) -> NamesReader:
        """Take over what `to_state` returned. Raises `KeyError` or `ValueError` if it does not fit."""
        names = state.arrays["names"]
        if names.ndim != 2:
            raise ValueError("the names are not rows of numbers")
        self.names_ = names.astype(np.float32)
        return self
