"""What becomes of an adaptation after a round that read it, and what it changed, for people to see."""

from __future__ import annotations

import numpy as np
from django.db import transaction

from apps.training.models import Adaptation, AdaptationState, TrainedModel
from apps.training.services import files, held_out, towers
from apps.training.services.arrays import RoundInput
from apps.training.services.held_out import Kept

BETTER = "better"
"""Under this name `TrainedModel.changes` has how many of the same samples were right before and after a better model
took over: `{"before": 84, "after": 91, "of": 100}`."""


def settle(given: RoundInput, model: TrainedModel) -> None:
    """Note whether the model of a finished round reads the adaptation it judged, in the caller's transaction."""
    adaptation = given.adaptation
    if adaptation is None:
        return
    is_read = model.adaptation_id == adaptation.pk
    mine = Adaptation.objects.filter(pk=adaptation.pk)
    mine.update(state=AdaptationState.USED if is_read else AdaptationState.REJECTED)
    if not is_read and not TrainedModel.objects.filter(adaptation=adaptation).exists():
        # The row first, as with models: a folder without a row is removed by the sweeper.
        mine.update(sha256="")
        folder = towers.folder_of(adaptation)
        transaction.on_commit(lambda: files.drop(folder), robust=True)


def gain(before: TrainedModel | None, kept: Kept, model: TrainedModel) -> dict[str, int]:
    """Return how many the model before got right and how many this one does, where it reads a new adaptation.

    Of samples that both held out with the same label; empty where nothing is to be said.
    """
    if before is None or model.adaptation is None or before.adaptation_id == model.adaptation.pk:
        return {}
    of_before = held_out.read(before)
    if of_before is None or before.label_ids != model.label_ids:
        return {}
    _keys, rows, rows_before = np.intersect1d(kept.sample_ids, of_before.sample_ids, return_indices=True)
    is_same = kept.labels[rows] == of_before.labels[rows_before]
    is_same = is_same.all(axis=1) if is_same.ndim == 2 else is_same
    rows, rows_before = rows[is_same & kept.counts[rows]], rows_before[is_same & kept.counts[rows]]
    n_before, n_after = int(of_before.is_right[rows_before].sum()), int(kept.is_right[rows].sum())
    return {"before": n_before, "after": n_after, "of": len(rows)} if len(rows) else {}
