"""From which confidence on answers need no person: a threshold for each share right one may want to promise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from apps.engine.estimates import HeldOut, Rightness

TARGETS = (0.80, 0.85, 0.90, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995)
DEVIATIONS = 1.28
"""By how many standard errors a promise stays below what is expected. Measured on four text and two picture sets, 60
draws each, at 100 random labels and a promise of 95 %: with 0 it was broken on the test half in 45 % of the draws (59 %
of answers automated), with 1 in 21 % (52 %), with 1.28 in 13 % (49 %); labels picked by the queue: 18, 4 and 1 %."""
MIN_ABOVE = 10
"""A promise rests on at least this many labelled samples above its threshold."""


@dataclass(frozen=True)
class Option:
    """What a promise costs: answers of at least `threshold` confidence are the share `share` of all, and `right` of
    them are expected to be right. Without a threshold, `target` cannot be promised yet."""

    target: float
    threshold: float | None
    share: float
    right: float | None


def options(held_out: HeldOut, *, targets: tuple[float, ...] = TARGETS) -> tuple[Option, ...]:
    """Return what each target takes, in the order of `targets` (ascending).

    How often a confidence is right is fitted on every labelled sample, those picked by the queue included: given their
    confidence they are, if anything, wrong more often than new ones. Which confidences occur is counted over all
    samples there are. A threshold is the lowest from which on the expectation, less `DEVIATIONS` standard errors, and
    less one sample for what nobody has met, still reaches the target.

    Higher targets have a threshold no lower and a share no larger; the share right expected is never below the target.
    """
    confidence, weights = _world(held_out)
    if len(confidence) == 0:
        return tuple(Option(target, None, 0.0, None) for target in targets)
    rightness = Rightness.fit(held_out.confidence, held_out.is_right)
    automated = np.cumsum(weights)
    expected = np.cumsum(weights * rightness.of(confidence)) / automated
    surely = np.cumsum(weights * rightness.at_least(confidence, deviations=DEVIATIONS)) / automated
    ascending = np.sort(held_out.confidence)
    n_above = len(ascending) - np.searchsorted(ascending, confidence, side="left")
    surely = np.minimum(surely, 1 - 1 / (n_above + 1))
    may_end = (n_above >= MIN_ABOVE) & np.append(confidence[1:] < confidence[:-1], True)
    found = []
    for target in targets:
        ends = np.flatnonzero(may_end & (surely >= target))
        if len(ends) == 0:
            found.append(Option(target, None, 0.0, None))
            continue
        end = ends[-1]
        right = max(target, float(expected[end]))
        found.append(Option(target, float(confidence[end]), float(automated[end] / automated[-1]), right))
    return tuple(found)


def _world(held_out: HeldOut) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the confidences of all samples there are, highest first, and how many samples each stands for."""
    confidence, pool = held_out.confidence.astype(np.float64), held_out.pool.astype(np.float64)
    if held_out.n_pool and not len(pool) and held_out.n_random:
        confidence = confidence[held_out.is_random]
    weights = np.ones(len(confidence) + len(pool))
    weights[len(confidence) :] = held_out.n_pool / max(1, len(pool))
    confidence = np.concatenate([confidence, pool])
    order = np.argsort(-confidence, kind="stable")
    return confidence[order], weights[order]
