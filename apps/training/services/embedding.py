"""From samples to vectors, one short chunk at a time, so that training can come in between."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import SystemRandom

import structlog
from django.db import transaction
from django.db.models import QuerySet, Value
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Least, Length

from apps.core.jobs import JobName, enqueue, enqueue_on_commit
from apps.engine import languages
from apps.engine.backbones import BackboneSpec
from apps.engine.errors import BackboneUnavailable
from apps.functions.models import Function, InputKind
from apps.functions.services import note_data_change
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.training.models import FunctionWork, TrainedModel, WorkKind
from apps.training.services import adapting_views, chosen
from apps.training.services.encoders import backbone, base_of, cell_spec
from apps.training.services.encoding import Due, new_vectors
from apps.training.services.inputs import Layout, layout_of
from apps.training.services.search_arrivals import note_arrivals
from apps.training.services.vectors import ROWS_AT_ONCE, Matrix, write_vectors_of
from apps.training.services.work import (
    LeaseLost,
    Progress,
    claim_work,
    require_mine,
    want_plan,
    want_predictions,
    want_survey,
)

logger = structlog.get_logger(__name__)

CHUNK_SECONDS = 0.3
MAX_CHUNK = 4_000
"""Samples in a chunk, for the memory they take. Time ends it long before where reading is slow: on two cores at about
500 short texts."""
MOST_DRAWN_FROM, N_PLACES = 5_000, 16
FIRST_COST = 2_000.0
PICTURE_COST = 100
TEXT_COST, MAX_CHARACTERS = 50, 1_100
"""A text costs `TEXT_COST` and one more per character, up to where backbones cut it off. Measured with MiniLM, texts of
45, 80 and 1,200 characters on average: 146, 122 and 105 thousand of that a second, where texts a second were 1,540, 940
and 92. A chunk cut by number after short texts took 2.5 s for long ones."""


class Pace:
    """How much of a kind of samples this process reads in `CHUNK_SECONDS`, learned from the chunks before."""

    def __init__(self) -> None:
        self._per_second: dict[str, float] = {}
        self._lock = threading.Lock()

    def cost_of_a_chunk(self, input_kind: str) -> float:
        rate = self._per_second.get(input_kind)
        return FIRST_COST if rate is None else rate * CHUNK_SECONDS

    def learn(self, input_kind: str, cost: float, seconds: float) -> None:
        """At most doubles: one lucky chunk must not make the next one long. What cost nothing teaches nothing."""
        if not cost:
            return
        with self._lock:
            ceiling = 2 * self._per_second.get(input_kind, FIRST_COST / CHUNK_SECONDS)
            self._per_second[input_kind] = min(cost / max(seconds, 1e-6), ceiling)


pace = Pace()
_random = SystemRandom()


def embed_function(*, function_id: int) -> Progress:
    """Embed one chunk of a function's samples, annotated ones first, and ask for the next chunk."""
    function = Function.objects.filter(pk=function_id).first()
    if function is None or not _to_embed(function_id).exists():
        return Progress.DONE
    with claim_work(function_id=function_id, kind=WorkKind.EMBED) as work:
        if work is None:
            return Progress.BUSY
        try:
            _embed_chunk(function, work)
        except LeaseLost:
            return Progress.BUSY
    if not _to_embed(function_id).exists():
        return Progress.DONE
    enqueue(JobName.EMBED_FUNCTION, function_id)
    return Progress.MORE


def _embed_chunk(function: Function, work: FunctionWork) -> None:
    layout = layout_of(function)
    for spec in layout.specs:
        backbone(base_of(spec.name))  # loading takes seconds, which say nothing about the pace
    _languages(function, [])
    started = time.monotonic()
    costs = _next_chunk(function, pace.cost_of_a_chunk(function.input_kind))
    if not costs:
        return  # somebody else was quicker; a pace learned from nothing would be none at all
    samples = list(Sample.objects.filter(pk__in=costs).order_by("pk"))
    specs = [*layout.specs, *_read_by_live_model(function, layout)]
    due = [Due(spec, samples) for spec in specs] + adapting_views.due_of(function, layout, samples)
    vectors = new_vectors(function, due)
    for start in range(0, len(samples), ROWS_AT_ONCE):
        _keep(function, work, samples[start : start + ROWS_AT_ONCE], vectors)
    pace.learn(function.input_kind, cost_of_new(samples, costs, vectors), time.monotonic() - started)


def _keep(
    function: Function,
    work: FunctionWork,
    samples: Sequence[Sample],
    vectors: Mapping[BackboneSpec, Mapping[str, Matrix]],
) -> None:
    """Write what was read of some samples, and ask for what follows, in one short transaction."""
    keys_of_language = _languages(function, samples)
    hashes = [sample.content_hash for sample in samples]
    with transaction.atomic():
        lock_function(function.pk)
        require_mine(work)
        write_vectors_of(workspace_id=function.workspace_id, hashes=hashes, vectors=vectors)
        Sample.objects.filter(pk__in=[sample.pk for sample in samples]).update(is_embedded=True)
        for language, keys in keys_of_language.items():
            Sample.objects.filter(pk__in=keys).update(language=language)
        _ask_for_what_follows(function, samples)


def _read_by_live_model(function: Function, layout: Layout) -> list[BackboneSpec]:
    """What it reads beside: it may be of a backbone that was in use before, pinned or not replaced yet."""
    rows = TrainedModel.objects.filter(function=function, is_live=True)
    versions: Mapping[str, str] = rows.values_list("backbone_versions", flat=True).first() or {}
    known, columns = {spec.name for spec in layout.specs}, {field.public_id for field in layout.fields}
    names = [name for name in versions if name not in known and base_of(name) == name.partition(":")[0]]
    names = [name for name in names if ":" not in name or name.partition(":")[2] in columns]
    try:
        chosen.require_here(map(base_of, names))
        specs = [cell_spec(name) for name in names]
    except BackboneUnavailable as error:
        logger.error("backbone_unavailable", function=function.public_id, error=str(error))
        return []
    return [spec for spec in specs if spec.version == versions[spec.name]]


def forget_embedding(sample_ids: Sequence[int], *, function_id: int) -> None:
    """Have samples embedded again whose vectors are gone or were made by another version of the backbone."""
    for start in range(0, len(sample_ids), ROWS_AT_ONCE):
        with transaction.atomic():
            lock_function(function_id)
            Sample.objects.filter(pk__in=sample_ids[start : start + ROWS_AT_ONCE]).update(is_embedded=False)
    enqueue(JobName.EMBED_FUNCTION, function_id)


def _to_embed(function_id: int) -> QuerySet[Sample]:
    return Sample.objects.filter(function_id=function_id, is_embedded=False)


def _next_chunk(function: Function, most: float) -> dict[int, int]:
    """Return keys and costs of the next samples, annotated ones first: as many as cost `most`, at least one.

    The second query asks for any, not for unlabelled ones: so it reads nothing but the small index of what waits.
    """
    waiting, fit = _to_embed(function.pk), n_that_fit(most)
    rows = waiting.order_by("pk").values_list("pk", cost_of(function.input_kind))
    costs = dict(rows.filter(annotation__isnull=False)[:fit])
    if len(costs) < fit and sum(costs.values()) < most:
        drawn = _from_all_over(waiting, fit)
        found = dict(rows.filter(pk__in=drawn))
        costs |= {key: found[key] for key in drawn if key in found}
    return dict(within(most, costs.items()))


def _from_all_over(waiting: QuerySet[Sample], n: int) -> list[int]:
    """Return the keys of `n` samples, or of all there are, drawn at random; of very many from a few places at random.

    Files come sorted by kind: in the order they came in, the first questions to be asked would all be of one kind.
    """
    keys = waiting.order_by("pk").values_list("pk", flat=True)
    found = list(keys[:MOST_DRAWN_FROM])
    if len(found) == MOST_DRAWN_FROM and (last := keys.last()):
        places = [_random.randint(found[0], last) for _ in range(N_PLACES)]
        found = list({key for place in places for key in keys.filter(pk__gte=place)[: n // N_PLACES + 1]})
    return _random.sample(found, min(n, len(found)))


def n_that_fit(most: float) -> int:
    """Return how many samples cost so much together at most, were they ever so short."""
    return max(1, min(MAX_CHUNK, int(most // TEXT_COST)))


def within(most: float, costs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the first keys and costs of those that cost `most` together, at least one and no more than `MAX_CHUNK`."""
    total = 0
    for n_before, (pk, cost) in enumerate(costs):
        total += cost
        if n_before and (total > most or n_before == MAX_CHUNK):
            return
        yield pk, cost


def cost_of_new(
    samples: Sequence[Sample], costs: Mapping[int, int], vectors: Mapping[BackboneSpec, Mapping[str, Matrix]]
) -> int:
    """Return what those samples cost that were read: contents that were known say nothing about the pace."""
    read = {content_hash for of_content in vectors.values() for content_hash in of_content}
    return sum(costs[sample.pk] for sample in samples if sample.content_hash in read)


def cost_of(input_kind: str) -> Value | CombinedExpression:
    """Return what reading a sample costs, in the unit of `Pace`."""
    if input_kind == InputKind.IMAGE:
        return Value(PICTURE_COST)
    return TEXT_COST + Least(Length("text"), MAX_CHARACTERS)


def _languages(function: Function, samples: Sequence[Sample]) -> Mapping[str, list[int]]:
    """Return the keys of texts by the language they are in; nothing for pictures and rows."""
    keys_of: defaultdict[str, list[int]] = defaultdict(list)
    if function.input_kind == InputKind.TEXT:
        for sample, language in zip(samples, languages.detect([sample.text for sample in samples]), strict=True):
            keys_of[language].append(sample.pk)
    return keys_of


def _ask_for_what_follows(function: Function, samples: Sequence[Sample]) -> None:
    """Live predictions of what is unlabelled; a round once annotated samples can be learned from.

    Where the function finds samples, nothing but that they can be found.

    While a large labelled import is being read, rounds follow each time there is twice as much to learn from: the
    first predictions come early and the reading is not held up by a round per chunk.
    """
    function_id = function.pk
    if function.searches:
        note_arrivals(function_id, [sample.pk for sample in samples])
        return
    # As they are now: some may have been labelled while they were being read.
    is_annotated = Sample.objects.filter(pk__in=[sample.pk for sample in samples], annotation__isnull=False).exists()
    want_predictions(function_id)
    want_survey(function_id)
    want_plan(function_id)
    enqueue_on_commit(JobName.PREDICT_FUNCTION, function_id)
    enqueue_on_commit(JobName.PLAN_QUEUE, function_id)
    if not is_annotated:
        return
    annotated = Sample.objects.filter(function_id=function_id, annotation__isnull=False)
    newest_first = TrainedModel.objects.filter(function_id=function_id).order_by("-number")
    n_learned_from = newest_first.values_list("n_annotations", flat=True).first() or 0
    is_last = not annotated.filter(is_embedded=False).exists()
    if is_last or annotated.filter(is_embedded=True).count() >= 2 * n_learned_from:
        note_data_change(function_id)
