"""The recipe of a round: split, cross-validate, select, calibrate, refit, result.

`train` is the one entry point. Every candidate recipe is scored out-of-fold on the same folds and calibrated on those
scores; the one whose probabilities lose least is fitted on everything.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from apps.engine import crossval, heads, readiness, search, selection
from apps.engine.errors import DeadlineExpired
from apps.engine.heads import Head
from apps.engine.heads.span import span
from apps.engine.predictor import finite
from apps.engine.runtime import Deadline, one_thread
from apps.engine.selection import Candidate
from apps.engine.types import Decision, FloatArray, Recipe, RoundResult, TrainingData, Verdict


def train(
    data: TrainingData,
    *,
    seed: int = 0,
    deadline: Deadline | None = None,
    on_first: Callable[[RoundResult], None] | None = None,
    serving: Recipe | None = None,
) -> RoundResult:
    """Find the recipe that predicts held-out samples best, and fit it on all of them.

    Parameters
    ----------
    data
        The annotated samples.
    seed
        The same data, seed and serving recipe give the same result.
    deadline
        Checked between fits. When it comes, the best recipe so far is fitted and returned.
    on_first
        Called with the result of the first recipe tried, before the others are.
    serving
        The recipe in service. Another one is returned only if it is better on the same folds beyond its uncertainty.

    Returns
    -------
    The fitted model, out-of-fold probabilities of every sample, every trial, and why this recipe.

    Raises
    ------
    NotTrainable
        Unless two labels have two samples each; the text says what to label.
    DeadlineExpired
        If the deadline came before the first recipe was tried.
    """
    readiness.check_trainable(data)
    with one_thread():
        a_round = _Round(data, seed=seed, deadline=deadline)
        candidates: list[Candidate] = []
        is_complete = True
        try:
            for candidate in search.explore(data.embeddings, a_round.cross_validate, serving=serving):
                if on_first is not None and not candidates:
                    on_first(a_round.finish(candidate, Decision(Verdict.FIRST), [candidate], is_complete=False))
                candidates.append(candidate)
        except DeadlineExpired:
            if not candidates:
                raise
            is_complete = False
        in_service = next((candidate for candidate in candidates if candidate.recipe == serving), None)
        best = selection.best(sorted(candidates, key=search.by_simplicity))
        chosen, decision = selection.decide(best, in_service)
        return a_round.finish(chosen, decision, candidates, is_complete=is_complete)


class _Round:
    """What all recipes of one round share: the folds, and the samples in the fewest dimensions that hold them."""

    def __init__(self, data: TrainingData, *, seed: int, deadline: Deadline | None) -> None:
        self.started = time.monotonic()
        self.deadline = deadline
        self.data = data
        n_folds = crossval.n_folds_for(len(data.labels), data.n_classes)
        self.folds = crossval.assign_folds(data.labels, data.groups, n_folds=n_folds, seed=seed)
        self.counts = crossval.could_be_known(data.labels, self.folds)
        self.embeddings = {name: finite(rows) for name, rows in data.embeddings.items()}
        self.coordinates = {name: coordinates(rows) for name, rows in self.embeddings.items()}
        self.fitted: defaultdict[tuple[str, str], dict[int, Head]] = defaultdict(dict)

    def cross_validate(self, recipe: Recipe) -> Candidate:
        """Score every sample out-of-fold under one recipe, and calibrate the scores."""
        started = time.monotonic()
        scores = crossval.out_of_fold_scores(
            partial(heads.create, recipe.head, recipe.settings, is_trial=True),
            self.coordinates[recipe.backbone],
            self.data.labels,
            self.folds,
            n_classes=self.data.n_classes,
            deadline=self.deadline,
            fitted=self.fitted[recipe.backbone, recipe.head],
        )
        seconds = time.monotonic() - started
        return selection.judge(recipe, scores, self.data.labels, counts=self.counts, seconds=seconds)

    def finish(
        self, chosen: Candidate, decision: Decision, candidates: Sequence[Candidate], *, is_complete: bool
    ) -> RoundResult:
        """Fit the chosen recipe on every sample."""
        head = heads.create(chosen.recipe.head, chosen.recipe.settings)
        near = self.fitted[chosen.recipe.backbone, chosen.recipe.head].get(0)
        return RoundResult(
            recipe=chosen.recipe,
            head=head.fit(self.embeddings[chosen.recipe.backbone], self.data.labels, start=near),
            temperature=chosen.temperature,
            n_classes=self.data.n_classes,
            pred_probs=chosen.pred_probs,
            trials=tuple(candidate.trial for candidate in candidates),
            decision=decision,
            seconds=time.monotonic() - self.started,
            is_complete=is_complete,
        )


def coordinates(X: FloatArray) -> FloatArray:
    """Return the samples in as few dimensions as hold them exactly; fits on them are fits on the embeddings."""
    return span(X).coordinates if len(X) < X.shape[1] else X
