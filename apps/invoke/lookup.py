"""Who calls, what they may call, and with which model: three queries, asked once a second per key and function.

A revoked key, a removed member and a deleted function are refused at the latest one second later, in every process;
a newly published model answers as soon. What was found is kept by a hash of the key's text and the function's id, so
nothing of one workspace is ever found for another.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from apps.core.errors import InvalidInput, NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function
from apps.invoke.database import in_database_thread
from apps.invoke.services import Answerer, load_answerer, load_stored
from apps.training.models import TrainedModel
from apps.training.selectors import training_state
from apps.training.services.serving import Served
from apps.workspaces.access import Access
from apps.workspaces.models import ApiKey
from apps.workspaces.roles import Action
from apps.workspaces.services import authenticate

FRESH_SECONDS = 1.0
MAX_ENTRIES = 4096
FINDS_SAMPLES = "This function finds samples. Send the input to"


@dataclass(frozen=True)
class Admitted:
    """A caller who may call this function. Until it is trained, `missing` says what it lacks, and `answerer` guesses;
    None where nothing has anything to say."""

    key: ApiKey
    function: Function
    answerer: Answerer | None
    missing: tuple[str, ...] = ()


class Lookup:
    """Answers from memory for a second; one query at a time per key and function, however many callers wait for it."""

    def __init__(self, *, fresh_seconds: float = FRESH_SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._entries: OrderedDict[tuple[bytes, str, str], tuple[float, Future[Admitted]]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, bearer: str, function_id: str, model_id: str = "") -> Future[Admitted]:
        """Return who calls what. The future raises NotSignedIn, NotFound or NotAllowed; a refusal is not kept."""
        slot = (hashlib.sha256(bearer.encode("utf-8", "replace")).digest(), function_id, model_id)
        now = self._clock()
        with self._lock:
            entry = self._entries.get(slot)
            if entry is not None and now - entry[0] < self._fresh_seconds and not _has_failed(entry[1]):
                return entry[1]
            found = in_database_thread(lambda: admit(bearer, function_id, model_id))
            # Counted from before the query: what it read cannot be older.
            self._entries[slot] = (now, found)
            self._entries.move_to_end(slot)
            while len(self._entries) > MAX_ENTRIES:
                self._entries.popitem(last=False)
        return found


def admit(bearer: str, function_id: str, model_id: str = "") -> Admitted:
    """Ask the database. Raises NotSignedIn, NotFound or NotAllowed."""
    key = authenticate(bearer)
    function = Access(Action.INVOKE, key=key).fetch(Function, function_id)
    if function.searches:
        raise InvalidInput(f"{FINDS_SAMPLES} /v1/search-functions/{function.public_id}/invoke")
    if model_id:
        return Admitted(key, function, _named_model(function, model_id))
    answerer = load_answerer(function)
    missing = () if isinstance(answerer, Served) else tuple(training_state(function).missing)
    return Admitted(key, function, answerer, missing)


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


def _has_failed(found: Future[Admitted]) -> bool:
    return found.done() and (found.cancelled() or found.exception() is not None)
