"""From which probability on a tag counts as there: chosen per tag on held-out predictions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from apps.engine.types import FloatArray, IntArray

USUAL = 0.5
NEVER_SEEN = 0.55
"""Of a tag that no sample is known to have: heads say one half of what they know nothing about, and that is no yes."""
PRIOR = 10.0
"""How many samples with a tag its own threshold weighs as much as the usual one with.

Measured on three sets with 4, 7 and 20 tags, three draws each; mean over tags of twice the caught over those said and
those there, and share of samples with every tag right:

    labels            50             100            300
    always 0.5        0.528  0.450   0.707  0.568   0.827  0.707
    the best alone    0.623  0.287   0.752  0.441   0.854  0.708
    ... with 5        0.604  0.458   0.748  0.572   0.853  0.710
    ... with 10       0.585  0.457   0.746  0.577   0.852  0.712   <- used
    ... with 30       0.560  0.457   0.734  0.576   0.848  0.714
    half of the most that could be caught, by the probabilities alone
                      0.640  0.324   0.766  0.496   0.847  0.711
"""


def choose(pred_probs: FloatArray, tags: IntArray) -> npt.NDArray[np.float64]:
    """Return the threshold of each tag, `(n_tags,)`, in (0, 1).

    The one under which most of the samples with the tag are caught with fewest false alarms (F1), drawn towards 0.5
    where few samples have the tag; `NEVER_SEEN` where none has.

    Parameters
    ----------
    pred_probs
        `(n_samples, n_tags)`, held out and calibrated.
    tags
        `(n_samples, n_tags)` in {-1, 0, 1}; -1 is not counted.
    """
    chosen = np.full(tags.shape[1], USUAL)
    for tag in range(tags.shape[1]):
        is_known = tags[:, tag] >= 0
        n_with = int((tags[:, tag] == 1).sum())
        if n_with:
            best = _best(pred_probs[is_known, tag].astype(np.float64), tags[is_known, tag] == 1)
            chosen[tag] += (best - USUAL) * n_with / (n_with + PRIOR)
        else:
            chosen[tag] = NEVER_SEEN
    return chosen


def _best(probs: npt.NDArray[np.float64], is_there: npt.NDArray[np.bool_]) -> float:
    """Return the threshold with the highest F1, and of several the one nearest to the usual."""
    order = np.argsort(-probs, kind="stable")
    caught, said = np.cumsum(is_there[order]), np.arange(1, len(probs) + 1)
    scores = 2 * caught / (said + is_there.sum())
    is_step = np.append(np.diff(probs[order]) < 0, True)  # all samples with one probability are said together
    thresholds, scores = np.append(probs[order][is_step], USUAL), scores[is_step]
    n_usual = int(np.sum(probs >= USUAL))
    scores = np.append(scores, 2 * caught[n_usual - 1] / (n_usual + is_there.sum()) if n_usual else 0.0)
    highest = thresholds[scores >= scores.max() - 1e-12]
    return float(np.clip(highest[np.abs(highest - USUAL).argmin()], 0.01, 0.99))
