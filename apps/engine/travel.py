"""Candidates as bytes: what one process tried of a round, for the one that puts the round together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import safetensors
import safetensors.numpy

from apps.engine.errors import ArtifactCorrupt
from apps.engine.selection import Candidate
from apps.engine.types import Recipe, Trial

TRIED = "tried"


def pack(candidates: Sequence[Candidate]) -> bytes:
    """Return what `unpack` reads, to the bit: probabilities as float32, all else as text."""
    tried = [{**trial_to_json(one.trial), "temperature": one.temperature} for one in candidates]
    arrays = {str(i): one.pred_probs.astype(np.float32) for i, one in enumerate(candidates)}
    return safetensors.numpy.save(arrays, metadata={TRIED: json.dumps(tried)})


def unpack(packed: bytes, *, shape: tuple[int, int]) -> list[Candidate]:
    """Return the candidates, in their order; `shape` is that of the probabilities. Raises `ArtifactCorrupt`."""
    try:
        n_header = int.from_bytes(packed[:8], "little")
        tried = json.loads(json.loads(packed[8 : 8 + n_header])["__metadata__"][TRIED])
        arrays = safetensors.numpy.load(packed)
        candidates = [
            Candidate(_trial_from_json(one), float(one["temperature"]), arrays[str(i)]) for i, one in enumerate(tried)
        ]
    except (KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise ArtifactCorrupt(f"A part of a round cannot be read: {error}") from error
    if any(one.pred_probs.shape != shape for one in candidates):
        raise ArtifactCorrupt("A part of a round is of other samples.")
    return candidates


def trial_to_json(trial: Trial) -> dict[str, object]:
    """Return plain data that `json` can write."""
    return {
        "recipe": trial.recipe.to_json(),
        "log_loss": trial.log_loss,
        "accuracy": trial.accuracy,
        "seconds": trial.seconds,
    }


def _trial_from_json(data: Mapping[str, object]) -> Trial:
    recipe, figures = data["recipe"], [data[name] for name in ("log_loss", "accuracy", "seconds")]
    if not isinstance(recipe, Mapping):
        raise ValueError("its recipe is missing")
    log_loss, accuracy, seconds = (float(str(figure)) for figure in figures)
    return Trial(Recipe.from_json(recipe), log_loss, accuracy, seconds)
