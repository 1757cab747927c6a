"""What becomes of an adaptation after a round that read it, and what it changed, for people to see."""

from __future__ import annotations

import numpy as np

from apps.functions.models import Function
from apps.training.better import BETTER
from apps.training.models import Adaptation, AdaptationState, TrainedModel
from apps.training.services import choosing, files, held_out, towers
from apps.training.services.adapting_views import View
from apps.training.services.arrays import RoundInput, read_round
from apps.training.services.changeover import compare_rounds
from apps.training.services.held_out import Kept


def reject(adaptation: Adaptation) -> None:
    """Let no round read it again; its file goes, unless a model reads it that somebody may go back to."""
    mine = Adaptation.objects.filter(pk=adaptation.pk)
    mine.update(state=AdaptationState.REJECTED)
    # The row first, as with models: a folder without a row is removed by the sweeper.
    if mine.filter(trained_models=None).update(sha256=""):
        files.drop(towers.folder_of(adaptation))


def is_worse(function: Function, renewed: View) -> bool:
    """Whether layers that learned anew do worse than those in use, on the same samples held out alike.

    Between the two lie a few more labels and the chance of the steps, and answers that were right are not to go wrong
    by that chance.
    """
    before, after = read_round(function), read_round(function, view=renewed)
    found = compare_rounds(function, before, after) if before.adaptation and after.adaptation else None
    return found is not None and found.is_worse


def is_news(function: Function, given: RoundInput) -> bool:
    """Whether a round knows anything that the newest model does not; one that was only there to judge does not.

    To hand an adaptation over moves a function's data by one revision. What else moved it in between is news, and
    whatever moved it after a round that read it.
    """
    if given.rejected is None or given.rejected.state != AdaptationState.TRYING:
        return True
    newest = choosing.newest_whole(function)
    return newest is None or newest.data_revision + 1 != given.revision


def gain(before: TrainedModel | None, kept: Kept, model: TrainedModel) -> dict[str, dict[str, int]]:
    """Return, for `TrainedModel.changes`, how many the model before got right and how many this one does.

    Of samples that both held out with the same label; empty unless it reads an adaptation which that one did not.
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
    return {BETTER: {"before": n_before, "after": n_after, "of": len(rows)}} if len(rows) else {}
