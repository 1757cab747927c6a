"""A large round in parts: each line of recipes is tried by whichever worker has time, and one puts them together.

`begin` writes down what is learned from (`round_data`) and a row for each line, and sends a message for each; the round
then lets go of the function. A message only wakes a worker: the rows say what is done, what is at work, and what was
lost with a worker and is tried again. Whoever next looks at the function and finds everything done goes on with the
round (`training.services.rounds`): sent by the last message of the group, or by the sweeper.

Each line has the time that a whole round has for all of them, so that more may be tried than by one process; a line
that would take longer is left out, as it is there. A part that fails again and again is left out too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import redis
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.core import heartbeat, leases
from apps.core.jobs import JobName, Queue, enqueue, enqueue_all
from apps.engine import automl, search, travel
from apps.engine.artifacts import sha256_of
from apps.engine.runtime import Deadline
from apps.engine.search import Line
from apps.engine.selection import Candidate
from apps.engine.types import Blend, Recipe
from apps.functions.models import Function
from apps.training.models import FunctionWork, PartKind, PartState, RoundPart, RunState, TrainingRun
from apps.training.services import encoders, files, round_data
from apps.training.services.arrays import RoundInput
from apps.training.services.round_data import DataMoved
from apps.training.services.serving import artifact_folder
from apps.training.services.work import require_mine, sentence_of

logger = structlog.get_logger(__name__)

FROM_SAMPLES = 3_000
WORTH_SECONDS = 4.0
"""Of trials in a round. Another process reads the samples anew, a second or two for 10,000: before there is that much
to try, nothing is gained. Closed forms try 10,000 samples in a second; regressions and trees take longer."""
TRIALS_OF_LINE, SECONDS_PER_SAMPLE = 3, 1.8e-5
"""Trials of a line of several settings, and what one takes beside its regression (MiniLM, 10,000 samples)."""
MOST_NUMBERS = 2_000_000
"""Probabilities of one candidate: with more, its way through the database takes longer than what it saves."""
MOST_ATTEMPTS = 3
STALL_SECONDS = 15.0
"""Parts that nobody is at for so long after they were sent are done by whoever looks."""
PART_SECONDS = 300.0
DATA = "data.safetensors"


@dataclass(frozen=True)
class Batch:
    """The parts of a round that is under way, by number; without their results."""

    run: TrainingRun
    parts: Sequence[RoundPart]

    @property
    def name(self) -> str:
        """What its parts are known by."""
        return name_of(self.run)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to wait for."""
        return all(part.state != PartState.WAITING for part in self.parts)

    @property
    def is_stalled(self) -> bool:
        """Whether nobody is at any part, though they were sent long ago."""
        is_old = timezone.now() - self.parts[0].created_at > timedelta(seconds=STALL_SECONDS)
        return is_old and not any(part.is_held for part in self.parts) and not self.is_done

    @property
    def lost(self) -> list[int]:
        """Parts that somebody began who is not there any more."""
        begun = [part for part in self.parts if part.state == PartState.WAITING and part.n_attempts]
        return [part.pk for part in begun if not part.is_held]


class _Given:
    """What the batch worked on last was begun with: read once by a process, however many parts it does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batch = ""
        self._given: RoundInput | None = None

    def get(self, batch: str, read: Callable[[], RoundInput]) -> RoundInput:
        with self._lock:
            if self._batch != batch or self._given is None:
                self._given = read()
                self._batch = batch
            return self._given

    def forget_finished(self) -> None:
        """Free its memory once nobody is to go on with it."""
        if self._batch and not RoundPart.objects.filter(batch=self._batch).exists():
            with self._lock:
                self._batch, self._given = "", None


_given = _Given()


def lines_of(given: RoundInput, serving: Blend | None) -> list[Line]:
    """Return what a round of these samples tries where each line has the time of a round.

    Raises `NotTrainable`.
    """
    planned, device = automl.plan(given.data, serving=serving), encoders.device()
    seconds = search.budget(len(given.sample_ids)).remaining()
    served = set(automl.served_recipes(given.data, serving))
    return [
        line
        for i, line in enumerate(planned)
        if i == 0
        or served & set(line.recipes)
        or 2 * search.expected_seconds(line.recipes[line.usual], given.data, device=device) <= seconds
    ]


def can_be_shared(given: RoundInput) -> bool:
    """Whether a round is large enough to be looked at, and small enough to travel; adapted rows do not travel."""
    n_samples = len(given.sample_ids)
    return FROM_SAMPLES <= n_samples <= MOST_NUMBERS / max(1, len(given.labels)) and not given.data.adapted


def pays(function: Function, given: RoundInput, lines: Sequence[Line]) -> bool:
    """Whether a round will take long, as the last one did or by what is to be tried, and others are there to help."""
    if len(lines) < 2 or max(_last_seconds(function), _expected_seconds(given, lines)) < WORTH_SECONDS:
        return False
    return n_takers(Queue.PARTS) > 1


def _last_seconds(function: Function) -> float:
    trials = TrainingRun.objects.filter(function=function, state=RunState.DONE).values_list("trials", flat=True).first()
    return sum(float(trial["seconds"]) for trial in trials or [])


def _expected_seconds(given: RoundInput, lines: Sequence[Line]) -> float:
    each, device = SECONDS_PER_SAMPLE * len(given.sample_ids), encoders.device()
    return sum(
        min(len(line.recipes), TRIALS_OF_LINE)
        * (each + search.expected_seconds(line.recipes[line.usual], given.data, device=device))
        for line in lines
    )


def begin(
    *,
    function: Function,
    work: FunctionWork,
    run: TrainingRun,
    given: RoundInput,
    lines: Sequence[Line],
    serving: Blend | None,
    seed: int,
) -> None:
    """Send a round out in parts. Raises `LeaseLost`."""
    batch, packed = name_of(run), round_data.pack(given)
    _given.get(batch, lambda: given)
    path = _data_path(function, batch)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    files.keep(path)
    task = {
        "seed": seed,
        "serving": serving.to_json() if serving else None,
        "data_revision": given.revision,
        "fingerprint": sha256_of(packed),
    }
    rows = [
        RoundPart(
            function=function,
            batch=batch,
            number=number,
            kind=PartKind.LINE,
            task={**task, "recipes": [recipe.to_json() for recipe in line.recipes], "usual": line.usual},
        )
        for number, line in enumerate(lines)
    ]
    with transaction.atomic():
        require_mine(work)
        RoundPart.objects.bulk_create(rows)
    logger.info("round_fanned_out", function=function.public_id, run=run.pk, n_parts=len(rows))
    enqueue_all(JobName.RUN_PART, [row.pk for row in rows], then=(JobName.TRAIN_FUNCTION, function.pk))


def batch_of(function_id: int) -> Batch | None:
    """Return the round of a function that is under way in parts. One query of a table that is empty but for such."""
    rows = RoundPart.objects.filter(function_id=function_id, kind=PartKind.LINE).order_by("-pk")
    newest = rows.values_list("batch", flat=True).first()
    run = TrainingRun.objects.filter(pk=_run_pk(newest), state=RunState.RUNNING).first() if newest else None
    if run is None:
        return None
    parts = list(RoundPart.objects.filter(batch=name_of(run)).defer("result").order_by("number"))
    return Batch(run, parts) if parts else None


def run_part(*, part_id: int) -> None:
    """Do a part of a round, unless it is done or somebody is at it. Running it again does no harm."""
    part = RoundPart.objects.filter(pk=part_id, state=PartState.WAITING).defer("result").first()
    if part is None or not leases.claim(RoundPart, part_id):
        return
    try:
        _do_part(part)
    finally:
        leases.let_go(RoundPart, part_id)


def _do_part(part: RoundPart) -> None:
    mine = RoundPart.objects.filter(pk=part.pk, state=PartState.WAITING, lease_holder=leases.holder_id())
    if part.n_attempts >= MOST_ATTEMPTS:
        mine.update(state=PartState.FAILED, lease_holder="", lease_expires_at=None)
        _ask_to_go_on(part)
        return
    mine.update(n_attempts=F("n_attempts") + 1)
    if part.n_attempts:
        logger.info("part_begun_again", batch=part.batch, number=part.number, attempt=part.n_attempts + 1)
    try:
        candidates = _try(part)
    except DataMoved:
        abandon(part.function_id, part.batch)
        return
    except BaseException as error:
        leases.reconnect_if_lost()
        mine.update(message=sentence_of(error), lease_holder="", lease_expires_at=None)
        raise
    _hand_in(part, candidates)


def read_given(function: Function, batch: str, fingerprint: str) -> RoundInput:
    """Return what a round was begun with. Raises `DataMoved`."""

    def read() -> RoundInput:
        try:
            packed = files.fetch(_data_path(function, batch)).read_bytes()
        except FileNotFoundError as error:
            raise DataMoved from error
        if sha256_of(packed) != fingerprint:
            raise DataMoved
        return round_data.unpack(function, packed)

    return _given.get(batch, read)


def candidates_of(batch: Batch, given: RoundInput) -> list[Candidate]:
    """Return all that was tried, in the order of a round in one process."""
    shape = (len(given.sample_ids), len(given.labels))
    done = RoundPart.objects.filter(batch=batch.name, state=PartState.DONE).order_by("number")
    return [
        candidate
        for result in done.values_list("result", flat=True).iterator(chunk_size=1)
        for candidate in travel.unpack(bytes(result or b""), shape=shape)
    ]


def drop(function: Function, batch: str) -> None:
    """Remove what a round in parts left behind."""
    RoundPart.objects.filter(batch=batch).delete()
    files.drop(_data_path(function, batch).parent)
    _given.forget_finished()


def abandon(function_id: int, batch: str) -> None:
    """Give a round up that cannot be gone on with: its data is gone, so that another one is due."""
    function = Function.objects.filter(pk=function_id).first()
    if function is not None:
        drop(function, batch)
        enqueue(JobName.TRAIN_FUNCTION, function_id)


def drop_finished() -> None:
    """Remove parts of rounds that ended without them."""
    for function_id, batch in RoundPart.objects.filter(kind=PartKind.LINE).values_list("function", "batch").distinct():
        if TrainingRun.objects.filter(pk=_run_pk(batch), state=RunState.RUNNING).exists():
            continue
        if function := Function.objects.filter(pk=function_id).first():  # else its parts went with it
            drop(function, batch)


def forget_finished() -> None:
    """Free the memory of what this process read for a round that has ended."""
    _given.forget_finished()


def name_of(run: TrainingRun) -> str:
    """Return what the parts of a round are known by."""
    return f"round_{run.pk}"


def _run_pk(batch: str) -> int:
    return int(batch.removeprefix("round_"))


def _data_path(function: Function, batch: str) -> Path:
    return artifact_folder(function, batch) / DATA


def n_takers(queue: Queue) -> int:
    """Count the workers that take a queue; none where that cannot be told."""
    if settings.IS_ALONE:
        return 0
    client = heartbeat.connect()
    try:
        return sum(queue in taken for taken in heartbeat.workers_alive(client))
    except redis.RedisError:
        return 0
    finally:
        client.close()


def _try(part: RoundPart) -> list[Candidate]:
    task, function = part.task, Function.objects.select_related("workspace").filter(pk=part.function_id).first()
    if function is None:
        raise DataMoved
    given = read_given(function, part.batch, task["fingerprint"])
    return automl.try_line(
        given.data,
        Line([Recipe.from_json(recipe) for recipe in task["recipes"]], task["usual"]),
        seed=task["seed"],
        deadline=Deadline.after(PART_SECONDS),
        serving=Blend.from_json(task["serving"]) if task["serving"] else None,
        device=encoders.device(),
    )


def _hand_in(part: RoundPart, candidates: Sequence[Candidate]) -> None:
    """Store what came of a part, unless somebody else took it over, and let everybody see what was tried so far."""
    trials, packed = [travel.trial_to_json(candidate.trial) for candidate in candidates], travel.pack(candidates)
    mine = RoundPart.objects.filter(pk=part.pk, state=PartState.WAITING, lease_holder=leases.holder_id())
    with transaction.atomic():
        run = TrainingRun.objects.select_for_update().filter(pk=_run_pk(part.batch), state=RunState.RUNNING).first()
        is_mine = mine.update(
            state=PartState.DONE,
            result=packed,
            task={**part.task, "trials": trials},
            lease_holder="",
            lease_expires_at=None,
            message="",
        )
        if run is None or not is_mine:
            return
        done = RoundPart.objects.filter(batch=part.batch, state=PartState.DONE).order_by("number")
        run.trials = [trial for task in done.values_list("task", flat=True) for trial in task["trials"]]
        run.save(update_fields=["trials"])
    if part.n_attempts:  # a message of its own: no group counts it
        _ask_to_go_on(part)


def _ask_to_go_on(part: RoundPart) -> None:
    if not RoundPart.objects.filter(batch=part.batch, state=PartState.WAITING).exists():
        enqueue(JobName.TRAIN_FUNCTION, part.function_id)
