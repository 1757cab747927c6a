"""Letting the top of a backbone learn from a function's samples: a better model that nobody waits for.

The first model stands within a second, from embeddings that are the same for everybody. This makes another reading of
the same samples in the background, in a process of its own, while people go on labelling; the next round judges it with
all labels there are by then, and its model takes over only if it is better. What set out from layers in use is held
against these first (`adapting_verdict`). Nothing asks for it but the database (`adapting_due`), so that nothing is lost
when a worker dies: a file without a row, and vectors of no adaptation, are cleared away by the sweeper.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.core import leases
from apps.core.jobs import Queue
from apps.engine import adapt, backbones
from apps.engine.adapt import Adaptable, process
from apps.engine.adapt.process import Cancelled
from apps.engine.backbones import Input
from apps.engine.errors import ArtifactCorrupt
from apps.engine.readers import State
from apps.engine.runtime import Deadline
from apps.engine.types import IntArray
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function, InputKind, Label
from apps.functions.services import note_data_change
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.training.models import Adaptation, AdaptationState, FunctionWork, WorkKind
from apps.training.services import fan_out_towers, files, towers
from apps.training.services.adapting_due import LOOK_AGAIN_SECONDS, adaptable_base, seconds_until_due
from apps.training.services.adapting_verdict import is_worse
from apps.training.services.adapting_views import View, keep_vectors
from apps.training.services.arrays import RoundInput, read_round
from apps.training.services.encoders import backbone, device, timings_file
from apps.training.services.encoding import Due
from apps.training.services.fan_out import n_takers
from apps.training.services.inputs import stored_picture
from apps.training.services.learned import as_ranges
from apps.training.services.work import LeaseLost, Progress, claim_work, require_mine

SEED = 0
MOST_SECONDS = 900.0
WATCH_SECONDS = 0.5
AT_ONCE = 64
HERE = {backbones.TINY_TEXT.name, backbones.TINY_IMAGE.name}
"""Backbones without weights learn at once: a process would take a hundred times as long to start."""

_must_end = threading.Event()


def adapt_function(*, function_id: int) -> Progress:
    """Let a backbone learn from a function's samples if it is time to; else note when to look again."""
    function = Function.objects.select_related("workspace").filter(pk=function_id).first()
    if function is None or settings.ADAPT == "off" or _must_end.is_set():
        return Progress.DONE
    with claim_work(function_id=function_id, kind=WorkKind.ADAPT) as work:
        if work is None:
            return Progress.BUSY
        if function.data_revision <= work.done_revision or not _is_due(function, work):
            return Progress.DONE
        try:
            _adapt(function, work)
        except (Cancelled, LeaseLost):
            return Progress.BUSY
        finally:
            # Pages say that it is on its way, and now that it is not; it is no longer said while this is.
            FunctionWork.objects.filter(pk=work.pk).update(wanted_revision=0)
            _tell_pages(function)
    return Progress.DONE


def _is_due(function: Function, work: FunctionWork) -> bool:
    """Whether it is time; else note when to look again, if data does not move before."""
    seconds = seconds_until_due(function)
    if seconds is None:
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=function.data_revision)
    elif seconds > 0:
        retry_at = timezone.now() + timedelta(seconds=min(seconds, LOOK_AGAIN_SECONDS))
        FunctionWork.objects.filter(pk=work.pk).update(retry_at=retry_at)
    return seconds == 0


def _tell_pages(function: Function) -> None:
    announce(workspace=function.workspace.public_id, kind=Live.TRAINING_STARTED, subject=function.public_id)


def stop_adapting() -> None:
    """Give up what is being learned, and begin nothing more: this process ends."""
    _must_end.set()


@dataclass
class _Watch:
    """Says whether what is being learned is of no use any more; asks the database twice a second at most.

    That is when the labels are others, the function is gone, somebody else is at it, or this process ends.
    """

    work: FunctionWork
    label_ids: Sequence[str]
    looked_at: float = field(default=0.0)

    def __call__(self) -> bool:
        if _must_end.is_set():
            return True
        if time.monotonic() - self.looked_at < WATCH_SECONDS:
            return False
        self.looked_at = time.monotonic()
        return not self.is_still_wanted()

    def is_still_wanted(self) -> bool:
        """A function that was deleted has no work left either."""
        held = FunctionWork.objects.filter(pk=self.work.pk, lease_holder=leases.holder_id())
        return held.exists() and label_ids(self.work.function_id) == self.label_ids

    def check(self) -> None:
        """Raise `Cancelled` if it is of no use."""
        if self():
            raise Cancelled("What is being learned is of no use any more.")


def label_ids(function_id: int) -> list[str]:
    """Return the labels in use, by public id: towers are made to tell just these apart."""
    return sorted(Label.objects.in_use().filter(function=function_id).values_list("public_id", flat=True))


def _adapt(function: Function, work: FunctionWork) -> None:
    started = time.monotonic()
    given = read_round(function, with_adapted=False)
    base, encoder = adaptable_base(function), None
    if base is not None and adapt.is_worth_trying(given.data.labels):
        encoder = backbone(base)
    if encoder is None or not adapt.is_adaptable(encoder):
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=given.revision)
        return
    FunctionWork.objects.filter(pk=work.pk).update(wanted_revision=given.revision)
    _tell_pages(function)
    watch = _Watch(work, sorted(label.public_id for label in given.labels))
    dealt = _deal(function, encoder, given)
    learned = _fit(function, encoder, given, dealt, watch)
    made = Adaptation(
        function=function,
        base=learned.base,
        base_version=learned.base_version,
        version=learned.version,
        data_revision=given.revision,
        label_ids=watch.label_ids,
        learned_from=as_ranges(given.annotation_ids).split(","),
        n_annotations=len(given.annotation_ids),
    )
    try:
        _make_vectors(made, encoder, learned, given, watch)
        towers.keep_file(made, replace(learned, folds=np.array(list(dealt.fold_of.values()))), list(dealt.fold_of))
        watch.check()
        if dealt.warm and is_worse(function, View(function, made, towers.Folds(learned.n_folds, dealt.fold_of))):
            made.state, made.sha256 = AdaptationState.REJECTED, ""
            files.drop(towers.folder_of(made))
        made.seconds = time.monotonic() - started
        _hand_over(made, work, watch)
    except BaseException:
        files.drop(towers.folder_of(made))
        raise


@dataclass(frozen=True)
class _Dealt:
    """Who is held out where.

    `fold_of` has every sample that the layers, or those they set out from, may have learned from, by public id: none of
    them ever goes into another fold. `drawn` are the rows to learn from, `folds` those of all rows.
    """

    fold_of: Mapping[str, int]
    folds: IntArray
    drawn: IntArray
    warm: adapt.Adaptation | None


def _deal(function: Function, encoder: Adaptable, given: RoundInput) -> _Dealt:
    warm, fold_of = _before(function, encoder)
    known = np.array([fold_of.get(public_id, -1) for public_id in given.public_ids], dtype=np.int64)
    planned = adapt.plan(given.data.labels, given.data.groups, seed=SEED, known=known)
    drawn = np.setdiff1d(np.arange(len(known)), planned.held_out[-1])
    now = dict(zip(given.public_ids, planned.folds.tolist(), strict=True))
    return _Dealt({**fold_of, **now}, planned.folds, drawn, warm)


def _before(function: Function, encoder: Adaptable) -> tuple[adapt.Adaptation | None, Mapping[str, int]]:
    """Return what to set out from: the adaptation in use, unless it cannot be read any more."""
    newest = Adaptation.objects.in_use().filter(function=function).order_by("-pk").first()
    if newest is None or not newest.sha256:
        return None, {}
    newest.function = function
    try:
        learned, ids = towers.read_file(newest)
    except ArtifactCorrupt as error:
        towers.forget_damaged(newest, error)
        return None, {}
    if not learned.fits(encoder) or learned.n_folds != adapt.N_FOLDS:
        return None, {}
    return learned, dict(zip(ids, learned.folds.tolist(), strict=True))


def _fit(function: Function, encoder: Adaptable, given: RoundInput, dealt: _Dealt, watch: _Watch) -> adapt.Adaptation:
    """Let the towers learn. Raises `Cancelled`, and what `fit_apart` raises."""
    rows = dealt.drawn
    inputs, labels = _inputs(function, given, rows.tolist()), given.data.labels[rows]
    held_out = adapt.plan(labels, given.data.groups[rows], seed=SEED, known=dealt.folds[rows]).held_out
    warm = adapt.warm_states(dealt.warm, encoder, adapt.N_FOLDS)
    if encoder.spec.name in HERE:
        states = encoder.fit_towers(inputs, labels, held_out, seed=SEED, warm=warm)
    else:
        states = _fit_apart(function, encoder.spec.name, inputs, labels, held_out, warm, watch)
    return adapt.assemble(encoder, dealt.folds, states)


def _fit_apart(
    function: Function,
    base: str,
    inputs: Sequence[Input],
    labels: IntArray,
    held_out: Sequence[IntArray],
    warm: Sequence[State | None],
    watch: _Watch,
) -> list[State]:
    """In a process of this machine, or of several where other workers take such work."""
    n_machines = n_takers(Queue.ADAPT)
    if n_machines > 1:
        packed = process.pack(base, inputs, labels, held_out, seed=SEED, warm=warm)
        return fan_out_towers.fit(
            function=function, packed=packed, n_towers=len(held_out), n_parts=n_machines, cancelled=watch
        )
    return process.fit_apart(
        base,
        inputs,
        labels,
        held_out,
        seed=SEED,
        warm=warm,
        deadline=Deadline.after(MOST_SECONDS),
        cancelled=watch,
        device=device(),
        cache=timings_file(),
    )


def _inputs(function: Function, given: RoundInput, rows: Sequence[int]) -> list[Input]:
    if function.input_kind == InputKind.TEXT:
        return [given.data.inputs.texts[row] for row in rows]
    keys = [given.sample_ids[row] for row in rows]
    file_of = dict(Sample.objects.filter(pk__in=keys).values_list("pk", "file_key"))
    return [stored_picture(file_of.get(key, "")) for key in keys]


def _make_vectors(
    made: Adaptation, encoder: Adaptable, learned: adapt.Adaptation, given: RoundInput, watch: _Watch
) -> None:
    """Store what every tower makes of the samples, so that the round that judges them has nothing to wait for."""
    places = [*range(learned.n_folds), None]
    loaded = [
        (towers.adapted_spec(made, fold), encoder.tower(learned.towers[-1 if fold is None else fold]))
        for fold in places
    ]
    for start in range(0, len(given.sample_ids), AT_ONCE):
        watch.check()
        samples = list(Sample.objects.filter(pk__in=given.sample_ids[start : start + AT_ONCE]))
        keep_vectors(made.function, [Due(spec, samples, tower) for spec, tower in loaded])


def _hand_over(made: Adaptation, work: FunctionWork, watch: _Watch) -> None:
    """Let the next round judge it, unless the one before stays. What was labelled meanwhile is looked at again."""
    with transaction.atomic():
        lock_function(work.function_id)
        require_mine(work)
        if not watch.is_still_wanted():
            raise Cancelled("What is being learned is of no use any more.")
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=made.data_revision, retry_at=None)
        if made.state == AdaptationState.TRYING:
            before = Adaptation.objects.in_use().filter(function=work.function_id)
            before.update(state=AdaptationState.OVERTAKEN)
            note_data_change(work.function_id)
        made.save(force_insert=True)
