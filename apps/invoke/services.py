"""Predicting one input with the published model: the one way for calls over HTTP and for the box on the call page.

Warm path: the backbone is loaded once per process and runs in one thread per backbone, concurrent callers share its
forward pass, towers that a function owns go on from there, and the head is a matrix product; both from bounded caches.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import prod

import numpy as np
import structlog
from django.db import DatabaseError
from django.utils import timezone
from PIL import Image

from apps.core.errors import InvalidInput, TooLarge, Unavailable
from apps.engine import decisions
from apps.engine.adapt import Tower
from apps.engine.backbones import BackboneSpec
from apps.engine.errors import ArtifactCorrupt, BackboneUnavailable, EngineError
from apps.engine.types import FloatArray, Inputs, IntArray
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.invoke.batching import MicroBatcher
from apps.invoke.database import as_request, in_database_thread
from apps.invoke.recorder import Answered, Recorder
from apps.invoke.wire import NoModel
from apps.samples import rows
from apps.samples.checks import TEXT_MAX_CHARACTERS, checked_text
from apps.samples.images import as_stored
from apps.samples.rows import FindPicture, ReadRow
from apps.training.models import TrainedModel
from apps.training.rule_hits import words_of
from apps.training.services import encoders, figures, serving
from apps.training.services.inputs import Layout, build_inputs
from apps.training.services.serving import Served
from apps.training.services.towers import Wanted, embed_wanted
from apps.training.services.untrained import Untrained, load_untrained
from apps.training.services.vectors import STORED

logger = structlog.get_logger(__name__)

Content = str | Image.Image | ReadRow
Data = str | bytes | Mapping[str, object]
Answerer = Served | Untrained
EVEN = 0.5
ANSWER_SECONDS = 60
"""The first call after a start may wait for the backbone to load; nothing else takes long."""
TOO_SLOW = "The model did not answer in time. Try again in a moment."
TAKING_OVER = "The file of this model is damaged, and the model before it takes over. Try again in a moment."


@dataclass(frozen=True)
class Guess:
    """A label, its calibrated probability, and what the model that answers calls it."""

    label: Label
    confidence: float
    name: str


class Decision(StrEnum):
    """Who has the last word on an answer."""

    AUTO = "auto"  # nobody need look
    REVIEW = "review"


@dataclass(frozen=True)
class Answer:
    """What is said of one input: every label known, the one said first, then the likeliest.

    Where the function gives tags, `tags` are those said to be there, likeliest first; None where it gives one label.
    Without a `model` it is a guess, by the labels' names and keyword rules; there are no guesses at all of an input of
    which there is nothing to say.
    """

    function: Function
    model: TrainedModel | None
    guesses: tuple[Guess, ...]
    tags: tuple[Guess, ...] | None = None

    @property
    def best(self) -> Guess:
        return self.guesses[0]

    @property
    def label(self) -> Label | None:
        """The label said; where there are tags, the likeliest that is there, if any is."""
        said = self.guesses if self.tags is None else self.tags
        return said[0].label if said else None

    @property
    def confidence(self) -> float:
        """How probable it is that all of the answer is right; of tags, as if they did not depend on each other."""
        if self.tags is None:
            return self.best.confidence
        there = {tag.label.pk for tag in self.tags}
        return prod(guess.confidence if guess.label.pk in there else 1 - guess.confidence for guess in self.guesses)

    @property
    def decision(self) -> Decision:
        """Whether the answer may pass without a person, by how right the function's owner wants such answers to be."""
        if self.model is None:
            return Decision.REVIEW
        threshold = figures.threshold_for(self.model, self.function.automation_target)
        return Decision.AUTO if threshold is not None and self.confidence >= threshold else Decision.REVIEW


class Predictions:
    """One micro-batcher per kind of input, made when first asked for, and the record of what was answered."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder or Recorder()
        self._batchers: dict[str, MicroBatcher[tuple[Answerer, Content], Answer]] = {}
        self._lock = threading.Lock()

    def submit(self, answerer: Answerer, content: Content) -> Future[Answer]:
        """Queue one input; the future is done when its batch has run. Never blocks."""
        return self._batcher(answerer.layout.input_kind).submit((answerer, content))

    def record(self, answer: Answer, *, key_id: int | None, milliseconds: float) -> None:
        """Note an answered call; it is written in the background."""
        self.recorder.add(
            Answered(
                function_id=answer.function.pk,
                model_id=answer.model.pk if answer.model else None,
                label_id=answer.label.pk if answer.label else 0,
                key_id=key_id,
                confidence=answer.confidence,
                milliseconds=milliseconds,
                created_at=timezone.now(),
            )
        )

    def close(self) -> None:
        """Answer what is queued, write what was answered."""
        with self._lock:
            batchers = list(self._batchers.values())
            self._batchers.clear()
        for batcher in batchers:
            batcher.close()
        self.recorder.close()

    def _batcher(self, input_kind: str) -> MicroBatcher[tuple[Answerer, Content], Answer]:
        with self._lock:
            if input_kind not in self._batchers:
                self._batchers[input_kind] = MicroBatcher(_answer_batch, name=f"invoke-{input_kind}")
            return self._batchers[input_kind]


predictions = Predictions()


def load_answerer(function: Function) -> Answerer | None:
    """Return the published model, or what guesses before there is one; None where nothing has anything to say."""
    try:
        return serving.load_live(function.pk) or load_untrained(function)
    except OSError as error:  # out of open files, say: the model is as it was, and the next call may find it
        raise _cannot_load(function.public_id, error) from error


def read_content(data: Data, layout: Layout, *, find_picture: FindPicture | None = None) -> Content:
    """Turn what was sent into what models read, exactly as intake does for training. Slow for pictures.

    `find_picture` returns the picture that a cell of a row names, where there are any.
    """
    if layout.input_kind == InputKind.TABLE:
        if not isinstance(data, Mapping):
            raise InvalidInput("This function takes a row: an object with a value for each field.")
        fields = rows.typed(layout.fields)
        return rows.read_row(rows.cells_by_name(data, fields), fields, find_picture=find_picture)
    if layout.input_kind == InputKind.IMAGE:
        if not isinstance(data, bytes):
            raise InvalidInput("This function takes pictures, not text.")
        return as_stored(data)
    if not isinstance(data, str):
        raise InvalidInput("This function takes text, not files.")
    if len(data) > TEXT_MAX_CHARACTERS:
        raise TooLarge(f"The text is longer than {TEXT_MAX_CHARACTERS:,} characters.")
    return checked_text(data)


def answer_now(*, function: Function, data: Data) -> Answer:
    """Predict one input for a person on the page, by the same way as a call. Waits; the answer is recorded.

    Raises InvalidInput (NoModel among them), TooLarge or Unavailable.
    """
    started = time.perf_counter()
    answerer = load_answerer(function)
    if answerer is None:
        raise NoModel
    content = read_content(data, answerer.layout)
    try:
        answer = predictions.submit(answerer, content).result(ANSWER_SECONDS)
    except TimeoutError as error:
        raise Unavailable(TOO_SLOW) from error
    if not answer.guesses:
        raise NoModel
    predictions.record(answer, key_id=None, milliseconds=1000 * (time.perf_counter() - started))
    return answer


def answer_many(answerer: Answerer, contents: Sequence[Content]) -> list[Answer]:
    """Predict many inputs in this thread, by the same way as a call; nothing is recorded. Raises Unavailable."""
    return _answer_batch([(answerer, content) for content in contents])


def warm_up(find_names: Callable[[], Iterable[str]]) -> None:
    """Load backbones in the background, so that the first caller need not wait for them."""
    threading.Thread(target=_load, args=(find_names,), name="invoke-warm-up", daemon=True).start()


def live_backbone_names() -> list[str]:
    """Return the backbones that published models use."""
    return sorted({name for model in TrainedModel.objects.filter(is_live=True) for name in backbones_read_by(model)})


def backbones_read_by(model: TrainedModel) -> list[str]:
    """Return the backbones a model needs loaded, those under towers and those that read cells among them."""
    return sorted({encoders.base_of(name) for name in model.backbone_versions})


def _load(find_names: Callable[[], Iterable[str]]) -> None:
    try:
        for name in as_request(find_names):
            encoders.backbone(name)
    except (DatabaseError, EngineError) as error:
        # Nothing is lost but time: the first call tries again and says what is wrong.
        logger.warning("backbones_not_warmed", error=repr(error))


def _answer_batch(items: Sequence[tuple[Answerer, Content]]) -> list[Answer]:
    """Run in the model thread: one forward pass per backbone for all, then one matrix product per model among them."""
    embeddings = _embeddings(items)
    rows_of: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row, (answerer, _content) in enumerate(items):
        rows_of[_identity(answerer)].append(row)
    answers: dict[int, Answer] = {}
    for rows_of_one in rows_of.values():
        answerer = items[rows_of_one[0]][0]
        matrices = {spec.name: np.stack([embeddings[spec.name][row] for row in rows_of_one]) for spec in answerer.specs}
        contents = [items[row][1] for row in rows_of_one]
        probs = _pred_probs(answerer, contents, matrices)
        answers.update((row, _answer(answerer, probs[i])) for i, row in enumerate(rows_of_one))
    return [answers[row] for row in range(len(items))]


def inputs_of(answerer: Answerer, contents: Sequence[Content]) -> Inputs:
    """Return the inputs of a model, embedded now: the bare work of a call."""
    embeddings = _embeddings([(answerer, content) for content in contents])
    matrices = {name: np.stack(list(of_row.values())) for name, of_row in embeddings.items()}
    return build_inputs(answerer.layout, [_as_stored(content) for content in contents], matrices)


def _embeddings(items: Sequence[tuple[Answerer, Content]]) -> dict[str, dict[int, FloatArray]]:
    """Return vectors by name and row: each backbone reads all that needs it in one pass, whoever's top goes on."""
    wanting: defaultdict[BackboneSpec, list[int]] = defaultdict(list)
    for row, (answerer, _content) in enumerate(items):
        for spec in _specs(answerer):
            wanting[spec].append(row)
    wanted = [Wanted(spec, np.array(rows), _tower(items[rows[0]][0], spec)) for spec, rows in wanting.items()]
    found: defaultdict[str, dict[int, FloatArray]] = defaultdict(dict)
    for one, vectors in zip(wanted, _embed(wanted, [content for _answerer, content in items]), strict=True):
        # Heads learned from stored vectors: the same rounding makes a call say what the pages say of a stored sample.
        rounded = vectors.astype(STORED).astype(np.float32)
        found[one.spec.name].update(zip(one.rows.tolist(), rounded, strict=True))
    return found


def _specs(answerer: Answerer) -> tuple[BackboneSpec, ...]:
    try:
        return answerer.specs
    except BackboneUnavailable as error:  # it went, or was exchanged, after the model was looked up
        raise _cannot_load(_function_of(answerer).public_id, error) from error


def _tower(answerer: Answerer, spec: BackboneSpec) -> Tower | None:
    if not isinstance(answerer, Served):
        return None
    try:
        return answerer.tower(spec)
    except ArtifactCorrupt as error:
        logger.error("tower_unreadable", model=answerer.model.public_id, error=str(error))
        # Who loads the model anew finds the same, and lets the one before it answer. Not here: others wait.
        in_database_thread(partial(serving.load_model, answerer.model))
        raise Unavailable(TAKING_OVER) from error
    except (BackboneUnavailable, OSError) as error:
        raise _cannot_load(spec.name, error) from error


def _embed(wanted: Sequence[Wanted], contents: Sequence[Content]) -> list[FloatArray]:
    try:
        return embed_wanted(wanted, [content.row if isinstance(content, ReadRow) else content for content in contents])
    except BackboneUnavailable as error:
        raise _cannot_load(wanted[0].spec.name, error) from error


def _cannot_load(name: str, error: BackboneUnavailable | OSError) -> Unavailable:
    logger.error("backbone_unavailable", what=name, error=str(error))
    return Unavailable("The model cannot be loaded on this server; its log says why.")


def _identity(answerer: Answerer) -> tuple[int, int]:
    return (answerer.model.pk, 0) if isinstance(answerer, Served) else (0, answerer.function.pk)


def _pred_probs(answerer: Answerer, contents: Sequence[Content], matrices: Mapping[str, FloatArray]) -> FloatArray:
    if isinstance(answerer, Served):
        stored = [_as_stored(content) for content in contents]
        return answerer.pred_probs(build_inputs(answerer.layout, stored, matrices))
    texts = [
        words_of(content.text, content.row) if isinstance(content, ReadRow) else str(content) for content in contents
    ]
    return answerer.pred_probs(texts, matrices.get(answerer.backbone_name))


def _as_stored(content: Content) -> str | Mapping[str, object]:
    if isinstance(content, ReadRow):
        return content.row
    return content if isinstance(content, str) else ""


def _answer(answerer: Answerer, probs: FloatArray) -> Answer:
    function, labels = _function_of(answerer), answerer.labels
    model = answerer.model if isinstance(answerer, Served) else None
    if np.isnan(probs).any():
        return Answer(function, model, ())
    weights = np.array([label.weight for label in labels], dtype=np.float64)
    order = np.argsort(-probs, kind="stable")
    if function.output_kind == OutputKind.LABEL:  # what is worse to miss may be said though another is likelier
        said = decisions.decide(probs[None, :], weights)[0]
        order = np.concatenate([[said], order[order != said]])
        return Answer(function, model, _guesses(answerer, probs, order))
    chosen = answerer.thresholds if isinstance(answerer, Served) else None
    thresholds = np.full(len(labels), EVEN) if chosen is None else chosen
    is_there = probs >= decisions.weighed_thresholds(thresholds, weights)
    return Answer(function, model, _guesses(answerer, probs, order), _guesses(answerer, probs, order[is_there[order]]))


def _function_of(answerer: Answerer) -> Function:
    return answerer.model.function if isinstance(answerer, Served) else answerer.function


def _guesses(answerer: Answerer, probs: FloatArray, columns: IntArray) -> tuple[Guess, ...]:
    labels, names = answerer.labels, answerer.names
    return tuple(Guess(labels[column], float(probs[column]), names[column]) for column in columns)
