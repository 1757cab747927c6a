"""Whether a function changes over to another backbone, once all its samples were read with it.

A round asks, before anything is learned from the new vectors: the best of the recipes on the vectors of before, those
in service among them, against the best on the new ones, on the same labelled samples, held out alike. Where the new
ones lose beyond the uncertainty of that, the function goes on as before, in everything; `manage.py backbones list` says
so, with figures, and `use NAME --anyway` has it change over all the same. Where there are too few labels to tell, what
the operator chose counts. `adapting_verdict` compares layers that learned anew with those in use in the same way.
"""

from __future__ import annotations

import numpy as np
import structlog
from django.db import transaction

from apps.engine import changeover
from apps.engine.changeover import Comparison
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray
from apps.functions.models import Function
from apps.samples.services.annotations import lock_function
from apps.training.models import FunctionWork, Rereading, RereadingState
from apps.training.services import choosing, chosen, encoders
from apps.training.services.arrays import RoundInput, read_round
from apps.training.services.inputs import layout_with
from apps.training.services.work import require_mine

logger = structlog.get_logger(__name__)

COMPARE_SECONDS = 40.0  # with those of a round, under the actor's time limit
SEED = 0


def settle(function: Function, work: FunctionWork) -> None:
    """Compare what a function reads with what it read before, if that was not done yet. Raises `LeaseLost`."""
    chosen.forget()  # another process may have read its last sample a moment ago: what is learned now lasts
    if function.pk not in chosen.chosen().compared:
        return
    rows = Rereading.objects.filter(function=function, state=RereadingState.READ)
    names = dict(rows.values_list("kind", "name"))
    found = _compare(function, names) if names else None
    with transaction.atomic():
        lock_function(function.pk)
        require_mine(work)
        for kind, name in names.items():
            row = rows.filter(kind=kind, name=name)  # unless another was chosen meanwhile
            if found is None:
                row.delete()
                continue
            row.update(
                state=RereadingState.KEPT if found.is_worse else RereadingState.TAKEN,
                n_compared=found.n_samples,
                n_right_before=found.n_right_before,
                n_right_after=found.n_right_after,
            )
    chosen.forget()
    _tell(function, found)


def _compare(function: Function, names: dict[str, str]) -> Comparison | None:
    """`names` are the backbones of before, by kind."""
    return compare_rounds(function, read_round(function, layout=layout_with(function, names)), read_round(function))


def compare_rounds(function: Function, before: RoundInput, after: RoundInput) -> Comparison | None:
    """Compare two readings of what both have of a function's samples; None where there is too little to tell."""
    newest = choosing.newest_whole(function)
    rows, rows_of_after = _in_both(before, after)
    if newest is None or not len(rows):
        return None
    return changeover.compare(
        before.data.take(rows),
        after.data.take(rows_of_after),
        serving=choosing.blend_of(newest),
        seed=SEED,
        deadline=Deadline.after(COMPARE_SECONDS),
        device=encoders.device(),
    )


def _in_both(before: RoundInput, after: RoundInput) -> tuple[IntArray, IntArray]:
    """Return the rows, on either side, of samples that both read, with the same label; in the order of annotation."""
    place_of = {sample_id: place for place, sample_id in enumerate(after.sample_ids)}
    pairs = [(row, place_of[pk]) for row, pk in enumerate(before.sample_ids) if pk in place_of]
    rows, others = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    if before.labels != after.labels:
        return rows[:0], others[:0]
    is_same = before.data.labels[rows] == after.data.labels[others]
    is_same = is_same.all(axis=1) if is_same.ndim == 2 else is_same
    return rows[is_same], others[is_same]


def _tell(function: Function, found: Comparison | None) -> None:
    if found is None:
        logger.info("backbone_not_compared", function=function.public_id)
        return
    tell = logger.warning if found.is_worse else logger.info
    tell(
        "backbone_worse_and_kept_out" if found.is_worse else "backbone_taken",
        function=function.public_id,
        n_compared=found.n_samples,
        n_right_before=found.n_right_before,
        n_right_after=found.n_right_after,
    )
