"""Whether another backbone, or one that learned anew, does worse than what is in use, on the same samples held out.

Each is given a whole round, so that the best of the one is compared with the best of the other. The rule is that of
`selection.decide` with the parts turned round: the new one takes over, unless what is there has more right, and
loses less by more than one standard error of the difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from apps.engine import automl, metrics, selection
from apps.engine.automl import FEWEST_COUNTED
from apps.engine.errors import DeadlineExpired, NotTrainable
from apps.engine.runtime import Deadline
from apps.engine.selection import TIE
from apps.engine.types import Blend, FoldRows, IntArray, RoundResult, TrainingData

MOST_COMPARED = 5_000
"""Of more samples so many are looked at, spread evenly: the error of the difference is less than a percent by then."""


@dataclass(frozen=True)
class Comparison:
    """How many of `n_samples` each reading has right, held out; `gain` is by how many nats the new one loses less."""

    n_samples: int
    n_right_before: int
    n_right_after: int
    gain: float
    gain_error: float

    @property
    def is_worse(self) -> bool:
        """Whether the new reading does worse, beyond the uncertainty of the comparison.

        To be as often right and less sure of it is not worse: somebody asked for the new one, or it knows more labels.
        """
        return self.n_right_after < self.n_right_before and -self.gain > max(self.gain_error, TIE)


def compare(
    before: TrainingData,
    after: TrainingData,
    *,
    serving: Blend | None = None,
    seed: int = 0,
    deadline: Deadline | None = None,
    device: str = "cpu",
) -> Comparison | None:
    """Compare two readings of the same samples; None where there is too little, or too little time, to tell.

    `serving` are the recipes in service, which read as `before`. What was adapted to the samples may be in one of them,
    or in both if no sample that the layers of `before` learned from is held out elsewhere by those of `after`.
    """
    if len(before.labels) > MOST_COMPARED:
        rows = np.linspace(0, len(before.labels) - 1, MOST_COMPARED).astype(np.int64)
        before, after = before.take(rows), after.take(rows)
    if before.is_counted.sum() < FEWEST_COUNTED:
        return None
    folds = automl.folds_of(before if after.folds is None else after, seed)
    try:
        of_before, of_after = (
            automl.train(_held_out_by(folds, data), seed=seed, deadline=deadline, serving=blend, device=device)
            for data, blend in ((before, serving), (after, None))
        )
    except (NotTrainable, DeadlineExpired):
        return None
    truth = automl.truth_of(before, folds)
    gain, error = selection.gain_of(truth.losses(of_after.pred_probs), over=truth.losses(of_before.pred_probs))
    n_counted = int(before.is_counted.sum())
    return Comparison(n_counted, _n_right(before, of_before), _n_right(before, of_after), gain, error)


def _held_out_by(folds: IntArray, data: TrainingData) -> TrainingData:
    """Samples that layers never saw may be in any fold of theirs."""
    adapted = {name: FoldRows(folds, own.rows) for name, own in data.adapted.items()}
    return replace(data, adapted=adapted, held_out=folds)


def _n_right(data: TrainingData, result: RoundResult) -> int:
    is_right = metrics.is_right(result.pred_probs, data.labels, result.predictor.thresholds)
    return int((is_right & data.is_counted).sum())
