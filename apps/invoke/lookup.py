"""Who calls, what they may call, and with which model: a few queries for each key and function, answered from memory.

What was found holds only while nothing changes: this process hears of every change to keys, members, functions and
models, in whichever process it is made, and forgets at once what it found of that workspace. Should it miss one, it
finds out after some seconds: then the key is asked about again, once for all functions it calls, and as long as the
audit log of its workspace has grown by nothing, what was found of them holds on. While it may not hear (Redis is away)
all is asked again after a second. What was found is kept by a hash of the key's text and the function's id, so nothing
of one workspace is ever found for another.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from apps.core.errors import InvalidInput, NotFound
from apps.core.ids import with_prefix
from apps.events.kinds import Live
from apps.events.live import LiveEvent
from apps.functions.models import Function
from apps.invoke.database import has_failed, in_database_thread
from apps.invoke.services import Answerer, load_answerer, load_stored
from apps.training.models import TrainedModel
from apps.training.selectors import training_state
from apps.training.services.serving import Served
from apps.workspaces.access import Access
from apps.workspaces.models import ApiKey
from apps.workspaces.roles import Action
from apps.workspaces.services import authenticate, end_of_token

FRESH_SECONDS = 1.0
TOLD_SECONDS = 5.0
VOUCHED_SECONDS = 60.0
"""After so long all is asked again, whatever the key's workspace says of itself."""
MAX_ENTRIES = 4096
_MATTERS = {
    Live.ACCESS_CHANGED.value,
    Live.KEYS_CHANGED.value,
    Live.RECORDED.value,
    Live.ANNOTATIONS_CHANGED.value,
    Live.PREDICTIONS_CHANGED.value,
}


@dataclass(frozen=True)
class Admitted:
    """A caller who may call this function. Until it is trained, `missing` says what it lacks, and `answerer` guesses;
    None where nothing has anything to say."""

    key: ApiKey
    function: Function
    answerer: Answerer | None
    missing: tuple[str, ...] = ()
    ends_at: float = math.inf
    """When the key or token stops working by itself, in seconds of `time.time`."""


@dataclass(frozen=True)
class _Entry:
    """What was found: when it was last known to hold, and when all of it was asked."""

    asked_at: float
    found: Future[Admitted]
    whole_at: float

    @property
    def has_failed(self) -> bool:
        return has_failed(self.found)

    @property
    def ends_at(self) -> float:
        return self.found.result().ends_at if self.found.done() and not self.has_failed else math.inf

    def is_of(self, workspace: str, function: str) -> bool:
        """Whether it may be about this function, or any of the workspace where none is named; else nobody knows yet."""
        if not self.found.done() or self.has_failed:
            return True
        admitted = self.found.result()
        is_there = admitted.function.workspace.public_id == workspace
        return is_there and function in {"", admitted.function.public_id}


class Lookup:
    """Answers from memory; one question at a time per key and function, however many callers wait for it.

    `is_told` says whether every change is heard of at this moment.
    """

    def __init__(
        self,
        *,
        fresh_seconds: float = FRESH_SECONDS,
        told_seconds: float = TOLD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        is_told: Callable[[], bool] = lambda: False,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._told_seconds = told_seconds
        self._clock = clock
        self.is_told = is_told
        self._entries: OrderedDict[tuple[bytes, str, str], _Entry] = OrderedDict()
        self._vouchers: OrderedDict[bytes, tuple[float, Future[ApiKey]]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, bearer: str, function_id: str, model_id: str = "") -> Future[Admitted]:
        """Return who calls what. The future raises NotSignedIn, NotFound or NotAllowed; a refusal is not kept."""
        slot = (hashlib.sha256(bearer.encode("utf-8", "replace")).digest(), function_id, model_id)
        now = self._clock()
        with self._lock:
            entry = self._entries.get(slot)
            if entry is not None and self._holds(entry, now):
                return entry.found
            if entry is not None and self._may_be_vouched_for(entry, now):
                vouched_at, key = self._voucher(slot[0], bearer, now)
                found = _found_again(entry.found, key, lambda: admit(bearer, function_id, model_id))
                entry = _Entry(vouched_at, found, entry.whole_at)
            else:
                # Counted from before the query: what it read cannot be older.
                entry = _Entry(now, in_database_thread(lambda: admit(bearer, function_id, model_id)), now)
            self._entries[slot] = entry
            self._entries.move_to_end(slot)
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
        return entry.found

    def heard(self, workspace: str, event: LiveEvent) -> None:
        """Forget what an event may have changed."""
        if event.kind in _MATTERS:
            is_of_one = event.subject.startswith(f"{Function.ID_KIND}_")
            self.forget(workspace, function=event.subject if is_of_one else "")

    def missed(self) -> None:
        """Forget all: nobody knows what happened."""
        with self._lock:
            self._entries.clear()
            self._vouchers.clear()

    def forget(self, workspace: str, *, function: str = "") -> None:
        """Forget what was found of a workspace, or of one function there; by their public ids."""
        with self._lock:
            gone = [slot for slot, entry in self._entries.items() if entry.is_of(workspace, function)]
            for slot in gone:
                del self._entries[slot]
            self._vouchers.clear()  # they may have been asked for before it happened

    def _holds(self, entry: _Entry, now: float) -> bool:
        if entry.has_failed:
            return False
        age = now - entry.asked_at
        if age < self._fresh_seconds:
            return True
        if age >= self._told_seconds or not self.is_told():
            return False
        return entry.ends_at > time.time()

    def _may_be_vouched_for(self, entry: _Entry, now: float) -> bool:
        """Whether it is enough to ask about the key: nothing was missed as far as is known, and not for long."""
        is_there = entry.found.done() and not entry.has_failed and entry.ends_at > time.time()
        return is_there and now - entry.whole_at < VOUCHED_SECONDS and self.is_told()

    def _voucher(self, digest: bytes, bearer: str, now: float) -> tuple[float, Future[ApiKey]]:
        """Return the key as it is now, asked once in a few seconds for all functions it calls, and when it was."""
        voucher = self._vouchers.get(digest)
        if voucher is None or now - voucher[0] >= self._told_seconds or has_failed(voucher[1]):
            voucher = (now, in_database_thread(lambda: authenticate(bearer)))
            self._vouchers[digest] = voucher
            self._vouchers.move_to_end(digest)
            while len(self._vouchers) > MAX_ENTRIES:
                self._vouchers.popitem(last=False)
        return voucher


def _found_again(before: Future[Admitted], key: Future[ApiKey], ask: Callable[[], Admitted]) -> Future[Admitted]:
    """Return what was found before, if the key still works and nothing has happened since; else ask anew."""
    found: Future[Admitted] = Future()

    def decide(answered: Future[ApiKey]) -> None:
        if error := answered.exception():
            found.set_exception(error)
        elif answered.result().n_events_then == before.result().key.n_events_then:
            found.set_result(before.result())
        else:
            in_database_thread(ask).add_done_callback(partial(_pass_on, found))

    key.add_done_callback(decide)
    return found


def _pass_on(to: Future[Admitted], answered: Future[Admitted]) -> None:
    if error := answered.exception():
        to.set_exception(error)
    else:
        to.set_result(answered.result())


def admit(bearer: str, function_id: str, model_id: str = "") -> Admitted:
    """Ask the database. Raises NotSignedIn, NotFound or NotAllowed."""
    key = authenticate(bearer)
    function = Access(Action.INVOKE, key=key).fetch(Function, function_id)
    if function.searches:
        raise InvalidInput(
            f"This function finds samples. Call /v1/search-functions/{function.public_id}/invoke instead."
        )
    ends_at = _ends_at(bearer, key)
    if model_id:
        return Admitted(key, function, _named_model(function, model_id), ends_at=ends_at)
    answerer = load_answerer(function)
    missing = () if isinstance(answerer, Served) else tuple(training_state(function).missing)
    return Admitted(key, function, answerer, missing, ends_at)


def _ends_at(bearer: str, key: ApiKey) -> float:
    """Return when what was shown stops working by itself; of a key with two secrets, when the older one does."""
    ends = [end.timestamp() for end in (key.expires_at, key.old_until) if end is not None]
    return min([end_of_token(bearer), *(end for end in ends if end > time.time())])


def _named_model(function: Function, model_id: str) -> Served:
    """Return the model that a caller names, published once if not now. Raises NotFound, or InvalidInput for one that
    can answer no more."""
    published = TrainedModel.objects.filter(function=function).exclude(published_at=None)
    rows = published.select_related("function__workspace", "adaptation")
    model = rows.filter(public_id=with_prefix("model", model_id)).first()
    if model is None:
        raise NotFound("This function has no such model. Leave modelId empty to ask the current one.")
    served = load_stored(model)
    if served is None:
        raise InvalidInput("This model can answer no more. Leave modelId empty to ask the current one.")
    return served
