"""The samples most like an input, or like another sample: the one way for calls and for the search page.

The input is read by the backbone that is warm in this process, in one forward pass with whatever else is searched for
at that moment, and compared with all samples of its function.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import structlog
from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from apps.core import outbound
from apps.core.errors import InvalidInput, Unavailable
from apps.engine.backbones import BackboneSpec, Pair
from apps.engine.errors import BackboneUnavailable
from apps.engine.retrieval import Rows, unit
from apps.engine.types import FloatArray
from apps.functions.models import Function, InputKind
from apps.invoke import services
from apps.invoke.answering import cannot_load
from apps.invoke.batching import MicroBatcher
from apps.invoke.pictures import DATA_URI, addresses_of
from apps.invoke.reading import read_input
from apps.invoke.recorder import Answered
from apps.invoke.services import ANSWER_SECONDS, TOO_SLOW, Content
from apps.invoke.wire import Data
from apps.samples.models import Sample
from apps.samples.rows import ReadRow
from apps.training.services import encoders, search_index
from apps.training.services.inputs import build_inputs, stored_picture
from apps.training.services.search_index import View
from apps.training.services.search_space import Space, space_of
from apps.training.services.towers import Wanted, embed_wanted
from apps.training.services.vectors import STORED
from apps.workspaces.services.quotas import note_calls, require_calls

logger = structlog.get_logger(__name__)

MOST, USUAL = 1_000, 10
FETCH_SECONDS = 10.0
ONLY_PICTURES = (
    "This function compares pictures: send a picture. Texts find pictures only where a backbone is chosen that reads "
    "both."
)
NOT_A_SEARCH = "This function does not find samples: it says what is what. Call /v1/functions/{id}/invoke instead."


@dataclass(frozen=True)
class Found:
    """A sample, and how far it is from what was asked for: 0 is the same, 1 has nothing in common with it.

    `likeness` is how far it is on the way from any sample of the function, at 0, to the same one, at 1. Two photos of
    anything are closer than two texts of one kind, so distances by themselves mean nothing to people.
    """

    sample: Sample
    distance: float
    likeness: float


@dataclass(frozen=True)
class Asked:
    """An input that is searched for: in which space, and as its backbone reads it."""

    space: Space
    content: Content


class Searches:
    """One micro-batcher per kind of input, made when first asked for."""

    def __init__(self) -> None:
        self._batchers: dict[str, MicroBatcher[Asked, Rows]] = {}
        self._lock = threading.Lock()

    def submit(self, asked: Asked) -> Future[Rows]:
        """Queue one input; the future is done when it was read. Never blocks."""
        kind = asked.space.layout.input_kind
        with self._lock:
            if kind not in self._batchers:
                self._batchers[kind] = MicroBatcher(read_batch, name=f"search-{kind}")
            return self._batchers[kind].submit(asked)


searches = Searches()


@dataclass(frozen=True)
class Search:
    """A search of a function for its `n` nearest samples; `rows` are read as the caller wants them."""

    function: Function
    n: int
    rows: QuerySet[Sample]
    key_id: int | None = None

    def by_input(self, data: Data) -> list[Found]:
        """Return the samples most like an input, the nearest first.

        Waits; the search is recorded, and counts as a call. Raises InvalidInput, QuotaReached, TooLarge or Unavailable.
        """
        self._admit()
        started = time.perf_counter()
        view = search_index.view_of(self.function)
        asked = Asked(view.space, _read(data, view.space))
        found = self._nearest(view, _vector(asked)) if len(view) else []
        self._record(started)
        return found

    def by_sample(self, sample: Sample) -> list[Found]:
        """Return the samples most like one of the function's own, itself left out, as `by_input`."""
        self._admit()
        started = time.perf_counter()
        view = search_index.view_of(self.function)
        if not len(view):
            return []
        vector = view.vector_of(sample)
        if vector is None:  # it came a moment ago, and was not read yet
            vector = _vector(Asked(view.space, _stored(sample)))
        found = self._nearest(view, vector, without=sample.pk)
        self._record(started)
        return found

    def _admit(self) -> None:
        require_search(self.function, self.n)
        if self.key_id is not None:
            require_calls(self.function.workspace)

    def _nearest(self, view: View, vector: Rows, *, without: int | None = None) -> list[Found]:
        found = view.nearest(vector, self.n, self.rows.filter(function=self.function), without=without)
        rest = max(1 - view.usual, 1e-6)
        return [Found(sample, _distance(cosine), (cosine - view.usual) / rest) for sample, cosine in found]

    def _record(self, started: float) -> None:
        milliseconds = 1000 * (time.perf_counter() - started)
        row = Answered(self.function.pk, None, 0, self.key_id, None, milliseconds, timezone.now())
        services.predictions.recorder.add(row)
        if self.key_id is not None:
            note_calls(self.function.workspace_id)


def require_search(function: Function, n: int = USUAL) -> None:
    """Raises InvalidInput where the function gives labels, or so many samples are not to be had."""
    if not function.searches:
        raise InvalidInput(NOT_A_SEARCH.replace("{id}", function.public_id))
    if not 1 <= n <= MOST:
        raise InvalidInput(f"sampleCount is a whole number from 1 to {MOST:,}.")


def takes_texts(function: Function) -> bool:
    """Whether a text can be searched for: where texts are compared, or pictures by a backbone that reads both."""
    space = space_of(function)
    return function.input_kind == InputKind.TEXT or (not space.is_table and space.specs[0].is_pair)


def read_batch(items: Sequence[Asked]) -> list[Rows]:
    """Run in the model's thread: one forward pass per backbone for all. Raises Unavailable."""
    wanting: defaultdict[BackboneSpec, list[int]] = defaultdict(list)
    for row, asked in enumerate(items):
        for spec in () if _is_words(asked) else asked.space.specs:
            wanting[spec].append(row)
    wanted = [Wanted(spec, np.array(rows)) for spec, rows in wanting.items()]
    embeddings: defaultdict[int, dict[str, FloatArray]] = defaultdict(dict)
    contents = [asked.content.row if isinstance(asked.content, ReadRow) else asked.content for asked in items]
    try:
        read = embed_wanted(wanted, contents)
        for one, vectors in zip(wanted, read, strict=True):
            # Samples are compared by stored vectors: rounded alike, an input is the same as the sample it equals.
            for row, vector in zip(one.rows.tolist(), vectors.astype(STORED).astype(np.float32), strict=True):
                embeddings[row][one.spec.name] = vector[None, :]
        return [_row(asked, embeddings[row]) for row, asked in enumerate(items)]
    except BackboneUnavailable as error:
        raise cannot_load(items[0].space.function.public_id, error) from error


def _row(asked: Asked, embeddings: dict[str, FloatArray]) -> Rows:
    if _is_words(asked):
        return _row_of_words(str(asked.content), asked.space.specs[0])
    inputs = build_inputs(asked.space.layout, [_told(asked.content)], embeddings)
    row: Rows = asked.space.of_inputs(inputs)[0]
    return row


def _row_of_words(words: str, spec: BackboneSpec) -> Rows:
    backbone = encoders.backbone(spec.name)
    if not isinstance(backbone, Pair):
        raise InvalidInput(ONLY_PICTURES)
    row: Rows = unit(backbone.encode_names([words]))[0]
    return row


def _told(content: Content) -> str | Mapping[str, object]:
    """Return what is read of an input beside its embeddings."""
    if isinstance(content, ReadRow):
        return content.row
    return content if isinstance(content, str) else ""


def _is_words(asked: Asked) -> bool:
    """Whether pictures are searched by a text."""
    return asked.space.layout.input_kind == InputKind.IMAGE and isinstance(asked.content, str)


def _read(data: Data, space: Space) -> Content:
    """Read an input as intake reads samples; words that pictures are searched by as they are."""
    addresses = addresses_of(data, space.layout)
    is_words = space.layout.input_kind == InputKind.IMAGE and isinstance(data, str) and not addresses
    if is_words and not DATA_URI.match(str(data)):
        if not space.specs[0].is_pair:
            raise InvalidInput(ONLY_PICTURES)
        return str(data)
    fetched = {one: outbound.fetch(one, max_bytes=settings.IMAGE_MAX_BYTES, seconds=FETCH_SECONDS) for one in addresses}
    return read_input(data, space.layout, fetched).content


def _stored(sample: Sample) -> Content:
    if sample.row is not None:
        return ReadRow(sample.row, sample.text, "", ())
    return stored_picture(sample.file_key) if sample.file_key else sample.text


def _vector(asked: Asked) -> Rows:
    try:
        return searches.submit(asked).result(ANSWER_SECONDS)
    except TimeoutError as error:
        raise Unavailable(TOO_SLOW) from error


def _distance(cosine: float) -> float:
    """Half precision is how vectors are stored: what is below it is no difference."""
    return min(max(round(1 - cosine, 5), 0.0), 2.0)
