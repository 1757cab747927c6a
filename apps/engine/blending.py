"""The blend: several heads asked at once, each weighed by what it got right held out.

Heads that err differently, on the same embedding as on different readings of a sample, are right more often together.
Measured at 100 labels on ten text and six picture sets, three draws each; mean test accuracy, mean loss in nats:

                                              text             pictures         members
    logistic on the first backbone            0.6491  1.005    0.7980  0.584    1
    the better of two logistics               0.6582  0.991    0.8192  0.525    1
    greedy averaging, two logistics           0.6628  0.983    0.8198  0.521    1.4
    greedy averaging, all candidates          0.6765  0.980    0.8468  0.445    2.3
    ... from the mean of the five best        0.6791  0.965    0.8472  0.447    5.5
    greedily adding, weights as below         0.6789  0.982    0.8496  0.441    2.2
    greedily dropping, weights as below       0.6823  0.962    0.8485  0.442    6.8   <- used
    all candidates, weights as below          0.6831  0.950    0.8495  0.444    12

At 30 labels greedily adding is as often right and wrong with more confidence (loss 1.42 against 1.24 on text); at 300
all four are within 0.002.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from apps.engine import heads, selection
from apps.engine.readers import PLUS
from apps.engine.selection import TIE, Candidate, Mixture, Truth
from apps.engine.types import Blend

PRIOR = 10.0
"""How many samples' worth of belief that all members are equally good: what keeps 50 labels from picking a fluke.
3 and 30 instead: text 0.6773, 0.6801; pictures 0.835 with all three."""
LEAST_WEIGHT = 0.08
"""A member that weighs less is dropped and the others weighed again. With 0.12 one member less and 0.002 less right."""
STEPS, SETTLED = 60, 1e-4


def choose(candidates: Sequence[Candidate], truth: Truth) -> Mixture:
    """Return the blend that loses least, held out, with few members.

    Of each backbone and head the best setting takes part, and of the kinds of trees the best kind: they err alike, and
    would have more than their say together (on 20 tables 0.742 with three kinds, 0.744 with the best of them). The one
    that weighs least is dropped, and the others weighed again, until each has a weight that counts. Then whatever needs
    a reading of its own and gains nothing by it goes. One head alone saves nothing where the others read the same: it
    is not preferred for being as good by a thousandth (tables 0.741 instead of 0.744).

    Raises `ValueError` without candidates.
    """
    members = _best_settings(candidates)
    given = np.stack([truth.given(candidate.pred_probs) for candidate in members], axis=1)
    kept = list(range(len(members)))
    while (weights := weigh(given[:, kept])).min() < LEAST_WEIGHT and len(kept) > 1:
        del kept[int(weights.argmin())]
    best = _mixed(members, kept, weights, truth)
    for part in _parts(members[i] for i in kept):
        without = [i for i in kept if part not in _parts([members[i]])]
        if without:
            cheaper = _mixed(members, without, weigh(given[:, without]), truth)
            if cheaper.log_loss <= best.log_loss + TIE:
                best, kept = cheaper, without
    needed = set(_parts(members[i] for i in kept))
    alone = [selection.mixture([(each, 1.0)], truth) for each in members if set(_parts([each])) < needed]
    return next((single for single in alone if single.log_loss <= best.log_loss + TIE), best)


def again(blend: Blend, candidates: Sequence[Candidate], truth: Truth) -> Mixture | None:
    """Return how a blend does on today's labels; None where one of its recipes was not tried."""
    tried = {candidate.recipe: candidate for candidate in candidates}
    members = [(tried[recipe], weight) for recipe, weight in blend.members if recipe in tried]
    return selection.mixture(members, truth) if len(members) == len(blend.members) else None


def weigh(given: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the weights under which the average probability of what was true is likely highest.

    Expectation maximisation for a mixture whose parts are fixed, with a prior that all weigh the same.

    Parameters
    ----------
    given
        `(n_entries, n_members)`: the probability each member gave to what turned out true.

    Returns
    -------
    `(n_members,)`, above 0, sum 1.

    Source: A. Dempster, N. Laird, D. Rubin, Maximum likelihood from incomplete data via the EM algorithm, 1977.
    """
    n_members = given.shape[1]
    weights = np.full(n_members, 1 / n_members)
    floored = given.astype(np.float64) + 1e-9
    for _step in range(STEPS):
        shares = floored * weights
        shares /= shares.sum(axis=1, keepdims=True)
        before, weights = weights, shares.sum(axis=0) + PRIOR / n_members
        weights /= weights.sum()
        if float(np.abs(weights - before).max()) < SETTLED:
            break
    return weights


def _best_settings(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Return the best candidate of each backbone and kind of head; of those within `TIE`, the first in the list."""
    best: dict[tuple[str, str], Candidate] = {}
    for candidate in candidates:
        recipe = candidate.recipe
        line = recipe.backbone, "trees" if recipe.head in heads.TREES else recipe.head
        if line not in best or candidate.trial.log_loss < best[line].trial.log_loss - TIE:
            best[line] = candidate
    if not best:
        raise ValueError("A blend is chosen from at least one candidate.")
    return list(best.values())


def _parts(candidates: Iterable[Candidate]) -> list[str]:
    """Return what has to be read for these candidates, without repetition."""
    return list(dict.fromkeys(part for each in candidates for part in each.recipe.backbone.split(PLUS)))


def _mixed(members: Sequence[Candidate], kept: list[int], weights: npt.NDArray[np.float64], truth: Truth) -> Mixture:
    rounded = np.round(weights, 3)
    rounded[rounded.argmax()] += 1 - rounded.sum()
    return selection.mixture([(members[i], float(w)) for i, w in zip(kept, rounded, strict=True)], truth)
