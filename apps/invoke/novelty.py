"""How unlike its samples each call of a function is, from what the model was given of it anyway.

What calls are compared with is read in the background when it is first missing, and now and then anew: no call waits
for it, and until it is there nothing is said.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import structlog
from django.conf import settings
from django.db import DatabaseError

from apps.engine.errors import BackboneUnavailable
from apps.engine.familiarity import FEWEST_KNOWN, MOST_KNOWN, Familiar, familiar, spelled
from apps.engine.query_points import point_reader
from apps.engine.types import ADAPTED, FloatArray, Inputs
from apps.functions.models import Function, InputKind
from apps.invoke.database import as_request
from apps.samples.models import Origin, Sample
from apps.training.services.inputs import Row, build_inputs, read_contents
from apps.training.services.points import read_inputs
from apps.training.services.serving import Served
from apps.training.services.untrained import Untrained
from apps.training.services.vectors import read_vectors

logger = structlog.get_logger(__name__)

FRESH_SECONDS = 600.0
MAX_BYTES = 64 * 1024**2
ROWS, SPELLING = "rows", "spelling"
"""What is compared of table rows, and of texts whose model reads no vectors."""
Key = tuple[int, int, str, str]


@dataclass(frozen=True)
class _Compared:
    """What calls are compared with; `known` is None where there are too few samples."""

    known: Familiar | None
    points_of: Callable[[Inputs], FloatArray]

    @property
    def n_bytes(self) -> int:
        return self.known.n_bytes if self.known else 0


class References:
    """What the calls of each function are compared with: bounded in bytes, the one that rested longest goes first.

    Keyed by workspace, function and what reads the samples. `clock` is in seconds. Off where one command runs alone:
    nothing goes on beside it.
    """

    def __init__(
        self, *, is_on: bool = True, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._is_on, self._max_bytes, self._clock = is_on, max_bytes, clock
        self._kept: OrderedDict[Key, tuple[float, _Compared]] = OrderedDict()
        self._reading: dict[Key, Future[None]] = {}
        self._lock = threading.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="invoke-novelty")

    def of(
        self, answerer: Served | Untrained, contents: Sequence[str | Row], matrices: Mapping[str, FloatArray]
    ) -> list[float | None]:
        """Return the novelty of each input; None where there is nothing to compare with, or not yet. Never waits.

        `contents` and `matrices` are what the model was given, see `training.services.inputs.build_inputs`.
        """
        nothing: list[float | None] = [None] * len(contents)
        name = _read_by(answerer) if self._is_on and isinstance(answerer, Served) else None
        if name is None or not isinstance(answerer, Served):
            return nothing
        compared = self._find(_key(answerer, name), answerer, name)
        if compared is None or compared.known is None:
            return nothing
        points = compared.points_of(build_inputs(answerer.layout, contents, matrices))
        return list(compared.known.novelty(points).tolist())

    def wait(self) -> None:
        """Wait until nothing is being read; for tests."""
        with self._lock:
            reading = list(self._reading.values())
        for future in reading:
            future.result()

    def _find(self, key: Key, answerer: Served, name: str) -> _Compared | None:
        now = self._clock()
        with self._lock:
            entry = self._kept.get(key)
            if entry is not None:
                self._kept.move_to_end(key)
            if (entry is None or now - entry[0] > FRESH_SECONDS) and key not in self._reading:
                future = self._thread.submit(self._read, key, answerer, name)
                self._reading[key] = future
        return entry[1] if entry else None

    def _read(self, key: Key, answerer: Served, name: str) -> None:
        try:
            compared: _Compared | None = as_request(lambda: _compared(answerer, name))
        except (DatabaseError, BackboneUnavailable) as error:  # the next call asks again
            logger.warning("novelty_not_read", function=answerer.model.function.public_id, error=repr(error))
            compared = None
        with self._lock:
            self._reading.pop(key, None)
            if compared is not None:
                self._kept[key] = (self._clock(), compared)
                while len(self._kept) > 1 and sum(one.n_bytes for _when, one in self._kept.values()) > self._max_bytes:
                    self._kept.popitem(last=False)


references = References(is_on=not settings.IS_ALONE)
of = references.of


def drawn_samples(function: Function, *, labelled_too: bool = True) -> dict[int, str]:
    """Return the content hashes of an even draw of a function's samples, by key: `MOST_KNOWN` of many.

    Calls that were kept and that nobody has looked at are left out: they are what is compared. Hashes are as good as
    dice, and an index has them in order, so that no more rows are read than are drawn.
    """
    rows = Sample.objects.filter(function=function, is_embedded=True)
    rows = rows.exclude(origin=Origin.CAPTURE, annotation=None)
    rows = rows if labelled_too else rows.filter(annotation=None)
    return dict(rows.order_by("content_hash").values_list("pk", "content_hash")[:MOST_KNOWN])


def _read_by(answerer: Served) -> str | None:
    """Return the name of the embedding that is compared, `ROWS` or `SPELLING`; None where there is nothing."""
    if answerer.layout.input_kind == InputKind.TABLE:
        return ROWS
    names = [spec.name for spec in answerer.specs]
    if not names:
        return SPELLING if answerer.layout.input_kind == InputKind.TEXT else None
    return next((name for name in names if not name.startswith(ADAPTED)), names[0])


def _key(answerer: Served, name: str) -> Key:
    function = answerer.model.function
    version = answerer.model.backbone_versions.get(name, "")
    return (function.workspace_id, function.pk, name, version)


def _compared(answerer: Served, name: str) -> _Compared:
    # Layers that learned from labelled samples see these nearer together than new ones.
    hash_of = drawn_samples(answerer.model.function, labelled_too=not name.startswith(ADAPTED))
    inputs = _stored_inputs(answerer, name, hash_of) if hash_of else Inputs(0)
    if inputs.n_samples < FEWEST_KNOWN:
        return _Compared(None, _spelling)
    points_of = _spelling if name == SPELLING else point_reader(inputs)
    return _Compared(familiar(points_of(inputs)), points_of)


def _spelling(inputs: Inputs) -> FloatArray:
    return spelled(list(inputs.texts))


def _stored_inputs(answerer: Served, name: str, hash_of: dict[int, str]) -> Inputs:
    function = answerer.model.function
    if name == ROWS:
        _keys, inputs = read_inputs(function, answerer.layout, hash_of, Sample.objects.all())
        return inputs
    if name == SPELLING:
        contents = read_contents(answerer.layout, Sample.objects.filter(pk__in=hash_of))
        return build_inputs(answerer.layout, list(contents.values()), {})
    spec = next(spec for spec in answerer.specs if spec.name == name)
    found = read_vectors(workspace_id=function.workspace_id, spec=spec, hashes=list(hash_of.values()))
    return Inputs(len(found), {name: np.stack(list(found.values()))}) if found else Inputs(0)
