"""Which calls are worth keeping, decided in microseconds; only those that are touch the database.

Chance is asked first and by itself, whatever else may be said for keeping a call: by those it chose, and by no others,
one can tell how right a function is in production.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Count

from apps.accounts.models import User
from apps.core.errors import HundredfoldError, QuotaReached
from apps.events.kinds import Live
from apps.events.live import LiveEvent
from apps.functions.models import Function, OutputKind
from apps.invoke.database import as_request, has_failed, in_database_thread
from apps.invoke.services import Answer, Data, Decision
from apps.samples.models import CaptureMode, CapturePolicy, CaptureReason, Missed, Sample, SampleTag
from apps.samples.redaction import RedactionFailed
from apps.samples.services.capture_policies import CaptureRules, note_missed, policy_of, set_capture
from apps.samples.services.capturing import Heard, capture_inputs

logger = structlog.get_logger(__name__)

FRESH_SECONDS = 1.0
TOLD_SECONDS = 5.0
"""What a function keeps is remembered so long where every change is heard of: many functions called in turn would else
be asked about at each call."""
VOUCHED_SECONDS = 60.0
"""And so long while nothing at all has happened in its workspace, which the caller's key has just been asked about."""
RARE_SECONDS = 300.0
"""Counting samples by label reads an index of all of them: not each second."""
FULL_SECONDS = 10.0
"""Once the limit is reached, so long is nothing tried; what would have been kept is counted."""
WRITING_SECONDS = 5.0
"""A call waits so long for its input to be kept, and is then answered without saying where."""
MAX_ENTRIES = 4096
NEW_KIND = 0.99
"""Kept as of a new kind is what is less like the samples than all but one in a hundred of them."""
RARE_SHARE = 0.5
"""A label is rare with fewer samples than half of an even share of them."""
ENOUGH = 200
"""With this many annotated samples a label is learned as well as it will be, however many others have."""


@dataclass(frozen=True)
class Call:
    """Who called, under which id of their own, and whether the input may be kept at all."""

    key_id: int | None = None
    external_id: str = ""
    wants_capture: bool = True
    n_events: int | None = None
    """How much had happened in the workspace when the caller was let in: see `ApiKey.n_events_then`."""


@dataclass(frozen=True)
class _Entry:
    """What a function keeps: when that was asked, and after how many events."""

    asked_at: float
    n_events: int | None
    found: Future[Policy]


@dataclass(frozen=True)
class Policy:
    """What a function keeps of its calls, and of which labels it has few samples."""

    rules: CaptureRules
    rare: frozenset[int] = frozenset()

    @property
    def is_off(self) -> bool:
        return self.rules.mode == CaptureMode.OFF


OFF = Policy(CaptureRules())


def reason_for(policy: Policy, answer: Answer, *, is_drawn: bool) -> CaptureReason | None:
    """Return the most telling reason why a call is kept; None where there is none."""
    if policy.is_off:
        return None
    if answer.decision is Decision.REVIEW:
        return CaptureReason.LOW_CONFIDENCE
    if answer.label is not None and answer.label.pk in policy.rare:
        return CaptureReason.RARE_CLASS
    if answer.novelty is not None and answer.novelty >= NEW_KIND:
        return CaptureReason.NEW_KIND
    if is_drawn:
        return CaptureReason.RANDOM
    return CaptureReason.ALL if policy.rules.mode == CaptureMode.ALL else None


class Capturing:
    """What each function keeps, remembered for a second; and the one thread that writes, so that a slow disk never
    holds up those who ask whether a caller may come in."""

    def __init__(
        self,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._draw = draw
        self.is_told: Callable[[], bool] = lambda: False
        self._policies: OrderedDict[int, _Entry] = OrderedDict()
        self._rare: OrderedDict[int, tuple[float, frozenset[int]]] = OrderedDict()
        self._full_until: dict[tuple[int, bool], float] = {}
        self._missed: Counter[int] = Counter()
        self._lock = threading.Lock()
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="invoke-capture")

    def prepare(self, function: Function, n_events: int | None = None) -> Future[Policy]:
        """Begin to find out what the function keeps, beside other work; whoever calls waits for nothing."""
        now = self._clock()
        with self._lock:
            entry = self._policies.get(function.pk)
            if entry is not None and self._holds(function.pk, entry, n_events, now):
                return entry.found
            found = in_database_thread(lambda: self._read(function))
            self._policies[function.pk] = _Entry(now, n_events, found)
            self._policies.move_to_end(function.pk)
            while len(self._policies) > MAX_ENTRIES:
                self._policies.popitem(last=False)
        return found

    def forget(self, function: Function) -> None:
        """Read anew what the function keeps: somebody has just changed it in this process."""
        with self._lock:
            self._policies.pop(function.pk, None)
            for is_random in (True, False):
                self._full_until.pop((function.pk, is_random), None)

    def heard(self, _workspace: str, event: LiveEvent) -> None:
        """Read anew what functions keep where an event may be of a change to it."""
        if event.kind == Live.RECORDED.value:
            self.missed()

    def missed(self) -> None:
        """Read all anew: nobody knows what happened."""
        with self._lock:
            self._policies.clear()

    def _holds(self, function_id: int, entry: _Entry, n_events: int | None, now: float) -> bool:
        if has_failed(entry.found):
            return False
        age = now - entry.asked_at
        if age < self._fresh_seconds or not self.is_told():
            return age < self._fresh_seconds
        if (
            n_events is None or n_events != entry.n_events or self._missed[function_id]
        ):  # these are written when it asks
            return age < TOLD_SECONDS
        return age < VOUCHED_SECONDS

    async def consider(self, answers: Sequence[Answer], contents: Sequence[Data], calls: Sequence[Call]) -> list[str]:
        """Return the public id of the sample that each of one function's calls was kept as, "" where it was not.

        `contents` are the inputs as they were sent. Nothing that goes wrong here costs a caller the answer.
        """
        ids = [""] * len(answers)
        function = answers[0].function
        found = self.prepare(function, calls[0].n_events)
        try:
            policy = found.result() if found.done() else await asyncio.shield(asyncio.wrap_future(found))
        except (DatabaseError, HundredfoldError) as error:
            logger.warning("capture_policy_unknown", function=function.public_id, error=type(error).__name__)
            return ids
        chosen = {
            place: heard
            for place, each in enumerate(zip(answers, contents, calls, strict=True))
            if (heard := self._chosen(policy, *each)) is not None
        }
        if not chosen:
            return ids
        keeping = self._writing.submit(as_request, lambda: self._keep(function, list(chosen.values()), policy.rules))
        try:
            async with asyncio.timeout(WRITING_SECONDS):
                kept = await asyncio.shield(asyncio.wrap_future(keeping))
        except TimeoutError:
            return ids
        for place, sample_id in zip(chosen, kept, strict=True):
            ids[place] = sample_id
        return ids

    def _chosen(self, policy: Policy, answer: Answer, content: Data, call: Call) -> Heard | None:
        if policy.is_off or not call.wants_capture:
            return None
        is_drawn = self._draw() < policy.rules.random_share
        reason = reason_for(policy, answer, is_drawn=is_drawn)
        if reason is None:
            return None
        if self._full_until.get((answer.function.pk, is_drawn), 0.0) > self._clock():
            with self._lock:
                self._missed[answer.function.pk] += 1
            return None
        return Heard(
            data=content,
            reason=reason,
            is_random=is_drawn,
            model=answer.model.public_id if answer.model else "",
            label_id=answer.label.pk if answer.label else None,
            tags=None if answer.tags is None else tuple(tag.label.public_id for tag in answer.tags),
            confidence=answer.confidence,
            key_id=call.key_id,
            external_id=call.external_id,
        )

    def _keep(self, function: Function, heard: Sequence[Heard], rules: CaptureRules) -> Sequence[str]:
        """Write, in the writing thread. What cannot be kept is counted and said on the function's page."""
        nothing = [""] * len(heard)
        try:
            kept = capture_inputs(function=function, heard=heard, rules=rules)
        except RedactionFailed:
            return self._missed_all(function, nothing, Missed.REDACTION)
        except QuotaReached:
            self._is_full(function, heard)
            return self._missed_all(function, nothing, Missed.QUOTA)
        except HundredfoldError as error:  # the function has been deleted meanwhile, say
            logger.info("call_not_kept", function=function.public_id, code=error.code)
            return nothing
        except (DatabaseError, OSError) as error:
            # Never the error itself: it may hold what was sent.
            logger.warning("call_not_kept", function=function.public_id, error=type(error).__name__)
            return nothing
        if kept.n_over:
            self._is_full(function, [each for each, id_ in zip(heard, kept.sample_ids, strict=True) if not id_])
            with self._lock:
                self._missed[function.pk] += kept.n_over
        return kept.sample_ids

    def _is_full(self, function: Function, heard: Sequence[Heard]) -> None:
        until = self._clock() + FULL_SECONDS
        with self._lock:
            if len(self._full_until) > MAX_ENTRIES:
                self._full_until.clear()
            for is_random in {each.is_random for each in heard}:
                self._full_until[function.pk, is_random] = until

    def _missed_all(self, function: Function, nothing: list[str], because: Missed) -> list[str]:
        try:
            note_missed(function_id=function.pk, n_calls=len(nothing), because=because)
        except DatabaseError as error:
            logger.warning("missed_calls_not_counted", function=function.public_id, error=type(error).__name__)
        return nothing

    def _read(self, function: Function) -> Policy:
        with self._lock:
            n_missed = self._missed.pop(function.pk, 0)
        if n_missed:
            note_missed(function_id=function.pk, n_calls=n_missed, because=Missed.LIMIT)
        policy = policy_of(function.pk)
        if policy is None or policy.mode == CaptureMode.OFF:
            return OFF
        return Policy(CaptureRules.of(policy), self._rare_labels(function))

    def _rare_labels(self, function: Function) -> frozenset[int]:
        with self._lock:
            entry = self._rare.get(function.pk)
        if entry is not None and self._clock() - entry[0] < RARE_SECONDS:
            return entry[1]
        rare = rare_labels(function)
        with self._lock:
            self._rare[function.pk] = (self._clock(), rare)
            self._rare.move_to_end(function.pk)
            while len(self._rare) > MAX_ENTRIES:
                self._rare.popitem(last=False)
        return rare


def rare_labels(function: Function) -> frozenset[int]:
    """Return the labels in use, by key, of which there are few annotated samples compared with the others."""
    counts: Mapping[int, int]
    if function.output_kind == OutputKind.TAGS:
        rows = SampleTag.objects.filter(label__function=function, is_present=True).order_by()
        counts = dict(rows.values_list("label").annotate(n=Count("pk")))
    else:
        labelled = Sample.objects.filter(function=function, label__isnull=False).order_by()
        counts = dict(labelled.values_list("label").annotate(n=Count("pk")))
    labels = list(function.labels.in_use().values_list("pk", flat=True))
    even = sum(counts.get(pk, 0) for pk in labels) / max(1, len(labels))
    few = min(RARE_SHARE * even, ENOUGH)
    return frozenset(pk for pk in labels if counts.get(pk, 0) < few)


capturing = Capturing()


async def consider(answer: Answer, content: Data, call: Call) -> str:
    """Return the public id of the sample that a call was kept as, "" where it was not."""
    return (await capturing.consider([answer], [content], [call]))[0]


async def consider_many(answers: Sequence[Answer], contents: Sequence[Data], calls: Sequence[Call]) -> list[str]:
    """Return the same for several calls of one function, which are kept in few transactions."""
    return await capturing.consider(answers, contents, calls) if answers else []


def change_capture(*, function: Function, rules: CaptureRules, actor: User | None) -> CapturePolicy:
    """Change what is kept of calls: in this process at once, in others once they hear of it, at most seconds later."""
    policy = set_capture(function=function, rules=rules, actor=actor)
    transaction.on_commit(lambda: capturing.forget(function))
    return policy


def prepare(function: Function, n_events: int | None) -> None:
    """Begin to find out what the function keeps, beside the work of answering."""
    capturing.prepare(function, n_events)
