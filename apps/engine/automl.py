"""The recipe of a round: split, cross-validate, blend, calibrate, refit, result.

`train` is the one entry point. Every candidate recipe is scored out-of-fold on the same folds and calibrated on those
scores; the blend whose probabilities lose least is fitted on everything.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial

import numpy as np

from apps.engine import blending, crossval, heads, readers, readiness, search, selection, thresholds
from apps.engine.errors import DeadlineExpired
from apps.engine.heads import Head
from apps.engine.heads.linear import LinearHead, is_worth_spanning
from apps.engine.heads.span import Span, span
from apps.engine.matrices import Matrix
from apps.engine.predictor import Member, Predictor
from apps.engine.readers import PLUS, Reader
from apps.engine.runtime import Deadline, one_thread
from apps.engine.search import Line
from apps.engine.selection import Candidate, Mixture, Truth
from apps.engine.types import (
    Blend,
    Decision,
    FloatArray,
    IntArray,
    Recipe,
    RoundResult,
    Task,
    TrainingData,
    Verdict,
)

FEWEST_COUNTED = 20
"""With fewer samples that count, recipes are compared on all: what was accepted in the grid beats chance."""


def train(
    data: TrainingData,
    *,
    seed: int = 0,
    deadline: Deadline | None = None,
    on_first: Callable[[RoundResult], None] | None = None,
    serving: Blend | None = None,
    device: str = "cpu",
) -> RoundResult:
    """Find the blend of recipes that predicts held-out samples best, and fit it on all of them.

    Parameters
    ----------
    data
        The annotated samples.
    seed
        The same data, seed and serving blend give the same result, if the machine gets through as many candidates.
    deadline
        Checked between fits. When it comes, the best blend so far is fitted and returned.
    on_first
        Called with the result of the first recipe tried, before the others are.
    serving
        The blend in service. Another one is returned only if it is better on the same folds beyond its uncertainty.
    device
        Where heads of many samples are fitted, as `runtime.choose_device` names it.

    Returns
    -------
    The fitted model, out-of-fold probabilities of every sample, every trial, and why this blend.

    Raises
    ------
    NotTrainable
        Unless two labels have two samples each; the text says what to label.
    DeadlineExpired
        If the deadline came before the first recipe was tried.
    """
    readiness.check_trainable(data)
    with one_thread():
        a_round = _Round(data, seed=seed, deadline=deadline, device=device)
        candidates: list[Candidate] = []
        is_complete = True
        try:
            for candidate in a_round.explore(search.lines(data), served=served_recipes(data, serving)):
                candidates.append(candidate)
                if on_first is not None and len(candidates) == 1:
                    alone = selection.mixture([(candidate, 1.0)], a_round.truth)
                    on_first(a_round.finish(alone, Decision(Verdict.FIRST), candidates, is_complete=False))
        except DeadlineExpired:
            if not candidates:
                raise
            is_complete = False
        return a_round.conclude(candidates, serving, is_complete=is_complete)


def plan(data: TrainingData, *, serving: Blend | None = None) -> list[Line]:
    """Return what a round of these samples is to try, as lines that can be tried apart from each other.

    Raises `NotTrainable`, as `train` does.
    """
    readiness.check_trainable(data)
    planned = search.lines(data)
    known = {recipe for line in planned for recipe in line.recipes}
    return planned + [Line([recipe]) for recipe in served_recipes(data, serving) if recipe not in known]


def try_line(
    data: TrainingData,
    line: Line,
    *,
    seed: int = 0,
    deadline: Deadline | None = None,
    serving: Blend | None = None,
    device: str = "cpu",
) -> list[Candidate]:
    """Try the recipes of one line, with the arguments of `train`: a part of a round, wherever it is run.

    Raises `DeadlineExpired` if it comes before the first recipe was tried.
    """
    with one_thread():
        a_round = _Round(data, seed=seed, deadline=deadline, device=device)
        candidates: list[Candidate] = []
        try:
            of_line = [recipe for recipe in served_recipes(data, serving) if recipe in line.recipes]
            for candidate in a_round.explore([line], served=of_line):
                candidates.append(candidate)
        except DeadlineExpired:
            if not candidates:
                raise
        return candidates


def conclude(
    data: TrainingData,
    candidates: Sequence[Candidate],
    *,
    seed: int = 0,
    serving: Blend | None = None,
    is_complete: bool = True,
    device: str = "cpu",
) -> RoundResult:
    """Choose among candidates tried on the same samples with the same seed, at least one, and fit what is chosen."""
    with one_thread():
        a_round = _Round(data, seed=seed, deadline=None, device=device)
        return a_round.conclude(candidates, serving, is_complete=is_complete)


def served_recipes(data: TrainingData, serving: Blend | None) -> list[Recipe]:
    """Return the recipes in service that can still be tried on such samples."""
    return [recipe for recipe, _ in serving.members if search.can_be_tried(recipe, data)] if serving else []


class _Round:
    """What all recipes of one round share: the folds, and the samples as each reader reads them."""

    def __init__(self, data: TrainingData, *, seed: int, deadline: Deadline | None, device: str) -> None:
        self.started = time.monotonic()
        self.deadline, self.device = deadline, device
        self.data = data
        self.folds = folds_of(data, seed)
        self.truth = truth_of(data, self.folds)
        self.fitted: defaultdict[tuple[str, str], dict[int, Head]] = defaultdict(dict)
        self._views: dict[tuple[str, int | None], _View] = {}

    def view(self, backbone: str, fold: int | None = None) -> _View:
        """Return the samples as a reader reads them; read once.

        What was adapted to samples reads them for each fold in another way: as if it had never seen that fold.
        """
        is_same_for_all = fold is None or not self.is_adapted(backbone)
        key = backbone, None if is_same_for_all else fold
        if key not in self._views:
            data = self.data if fold is None or is_same_for_all else self.data.without_fold(fold)
            self._views[key] = _View(readers.create(backbone).fit(data), data)
        return self._views[key]

    def is_adapted(self, backbone: str) -> bool:
        """Whether some of what a reader reads was adapted to the samples."""
        return any(part in self.data.adapted for part in backbone.split(PLUS))

    def explore(self, lines: Sequence[Line], *, served: Sequence[Recipe]) -> Iterator[Candidate]:
        """Try what there is time for, as `search.explore`."""
        until = search.budget(len(self.data.labels))
        cost = partial(search.expected_seconds, data=self.data, device=self.device)
        return search.explore(lines, self.cross_validate, served=served, until=until, cost=cost)

    def conclude(self, candidates: Sequence[Candidate], serving: Blend | None, *, is_complete: bool) -> RoundResult:
        """Choose the blend that is to serve, and fit it."""
        in_service = blending.again(serving, candidates, self.truth) if serving else None
        chosen, decision = selection.decide(blending.choose(candidates, self.truth), in_service)
        return self.finish(chosen, decision, candidates, is_complete=is_complete)

    def cross_validate(self, recipe: Recipe) -> Candidate:
        """Score every sample out-of-fold under one recipe, and calibrate the scores."""
        started = time.monotonic()
        make_head = partial(
            heads.create, recipe.head, recipe.settings, task=self.data.task, is_trial=True, device=self.device
        )
        scores = crossval.out_of_fold_scores(
            make_head,
            lambda fold: self.view(recipe.backbone, fold).seen_by(make_head()),
            self.data.labels,
            self.folds,
            n_classes=self.data.n_classes,
            deadline=self.deadline,
            fitted=self.fitted[recipe.backbone, recipe.head],
        )
        return selection.judge(recipe, scores, self.truth, seconds=time.monotonic() - started)

    def finish(
        self, chosen: Mixture, decision: Decision, candidates: Sequence[Candidate], *, is_complete: bool
    ) -> RoundResult:
        """Fit the chosen recipes on every sample."""
        chosen = selection.as_shown(chosen, self.truth)
        is_tags = self.data.task is Task.TAGS
        predictor = Predictor(
            tuple(self._member(candidate, weight) for candidate, weight in chosen.members),
            self.data.n_classes,
            task=self.data.task,
            temperature=chosen.temperature,
            thresholds=self._thresholds(chosen) if is_tags else None,
        )
        return RoundResult(
            blend=chosen.blend,
            predictor=predictor,
            pred_probs=chosen.pred_probs,
            trials=tuple(candidate.trial for candidate in candidates),
            log_loss=chosen.log_loss,
            decision=decision,
            seconds=time.monotonic() - self.started,
            is_complete=is_complete,
        )

    def _thresholds(self, chosen: Mixture) -> FloatArray:
        counts = self.data.is_counted
        return thresholds.choose(chosen.pred_probs[counts], self.data.labels[counts])

    def _member(self, candidate: Candidate, weight: float) -> Member:
        recipe, view = candidate.recipe, self.view(candidate.recipe.backbone)
        # What was adapted reads every fold in a space of its own: a head fitted in one is no start for another.
        near = None if self.is_adapted(recipe.backbone) else self.fitted[recipe.backbone, recipe.head].get(0)
        head = heads.create(recipe.head, recipe.settings, task=self.data.task, device=self.device)
        return Member(recipe, weight, candidate.temperature, view.reader, view.fitted(head, self.data, near))


def folds_of(data: TrainingData, seed: int) -> IntArray:
    """Return the folds that are given, or that something was adapted by: all recipes are compared on the same."""
    if data.folds is not None:
        return data.folds
    n_folds = crossval.n_folds_for(len(data.labels), data.n_classes)
    return crossval.assign_folds(data.labels, data.groups, n_folds=n_folds, seed=seed)


def truth_of(data: TrainingData, folds: IntArray) -> Truth:
    """Return what recipes are compared by: samples that count, or all where those are too few to tell anything."""
    could_be_known = crossval.could_be_known(data.labels, folds)
    counts = could_be_known & (data.is_counted if data.task is Task.LABEL else data.is_counted[:, None])
    n_counted = int((counts if counts.ndim == 1 else counts.any(axis=1)).sum())
    return Truth(data.labels, counts if n_counted >= FEWEST_COUNTED else could_be_known)


class _View:
    """The samples as one reader reads them, and the same points in the fewest dimensions that hold them."""

    def __init__(self, reader: Reader, data: TrainingData) -> None:
        self.reader = reader
        self.rows: Matrix = reader.read(data.inputs)

    @cached_property
    def span(self) -> Span | None:
        """The span of the samples, where it is worth looking for."""
        return span(self.rows) if is_worth_spanning(self.rows) else None

    def seen_by(self, head: Head) -> Matrix:
        """Return what to fit such a head on, to compare it by: the coordinates where it is faster on them."""
        gains = isinstance(head, LinearHead) and head.gains_by_span
        return self.span.coordinates if gains and self.span is not None else self.rows

    def fitted(self, head: Head, data: TrainingData, near: Head | None) -> Head:
        """Return the head fitted on every sample, for rows as the reader reads them."""
        if isinstance(head, LinearHead) and head.gains_by_span and self.span is not None:
            return head.fit(self.span.coordinates, data.labels, start=near).lifted(self.rows, self.span)
        learned = crossval.learned_from(np.arange(len(data.labels)), data.labels)
        return head.fit(self.rows[learned], data.labels[learned], start=near)
