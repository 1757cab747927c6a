"""Predicting one input with the published model: the one way for calls over HTTP and for the box on the call page.

Warm path: the backbone is loaded once per process and runs in one thread per backbone, concurrent callers share its
forward pass, and the head is a matrix product from a bounded cache.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from math import prod

import numpy as np
import structlog
from django.db import DatabaseError
from django.utils import timezone
from PIL import Image

from apps.core.errors import InvalidInput, TooLarge, Unavailable
from apps.engine import decisions
from apps.engine.backbones import Backbone
from apps.engine.errors import BackboneUnavailable, EngineError
from apps.engine.types import FloatArray, IntArray
from apps.functions.models import Function, InputKind, Label
from apps.invoke.batching import MicroBatcher
from apps.invoke.database import as_request
from apps.invoke.recorder import Answered, Recorder
from apps.invoke.wire import NoModel
from apps.samples.checks import TEXT_MAX_CHARACTERS, checked_text
from apps.samples.images import as_stored
from apps.training.models import TrainedModel
from apps.training.services import figures, serving
from apps.training.services.serving import Served
from apps.training.services.vectors import STORED

logger = structlog.get_logger(__name__)

Content = str | Image.Image
ANSWER_SECONDS = 60
"""The first call after a start may wait for the backbone to load; nothing else takes long."""
TOO_SLOW = "The model did not answer in time. Try again in a moment."


@dataclass(frozen=True)
class Guess:
    """A label and its calibrated probability."""

    label: Label
    confidence: float


class Decision(StrEnum):
    """Who has the last word on an answer."""

    AUTO = "auto"  # nobody need look
    REVIEW = "review"


@dataclass(frozen=True)
class Answer:
    """What a model says of one input: every label it knows, the one said first, then the likeliest.

    Where the function gives tags, `tags` are those it says are there, likeliest first; None where it gives one label.
    """

    model: TrainedModel
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
        threshold = figures.threshold_for(self.model, self.model.function.automation_target)
        return Decision.AUTO if threshold is not None and self.confidence >= threshold else Decision.REVIEW


class Predictions:
    """One micro-batcher per backbone, made when first asked for, and the record of what was answered."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder or Recorder()
        self._batchers: dict[str, MicroBatcher[tuple[Served, Content], Answer]] = {}
        self._lock = threading.Lock()

    def submit(self, served: Served, content: Content) -> Future[Answer]:
        """Queue one input; the future is done when its batch has run. Never blocks."""
        return self._batcher(served.backbone_name).submit((served, content))

    def record(self, answer: Answer, *, key_id: int | None, milliseconds: float) -> None:
        """Note an answered call; it is written in the background."""
        self.recorder.add(
            Answered(
                function_id=answer.model.function_id,
                model_id=answer.model.pk,
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

    def _batcher(self, backbone_name: str) -> MicroBatcher[tuple[Served, Content], Answer]:
        with self._lock:
            if backbone_name not in self._batchers:
                self._batchers[backbone_name] = MicroBatcher(_answer_batch, name=f"invoke-{backbone_name}")
            return self._batchers[backbone_name]


predictions = Predictions()


def read_content(data: str | bytes, input_kind: str) -> Content:
    """Turn what was sent into what the backbone reads, exactly as intake does for training. Slow for pictures."""
    if input_kind == InputKind.IMAGE:
        if isinstance(data, str):
            raise InvalidInput("This function takes pictures, not text.")
        return as_stored(data)
    if not isinstance(data, str):
        raise InvalidInput("This function takes text, not files.")
    if len(data) > TEXT_MAX_CHARACTERS:
        raise TooLarge(f"The text is longer than {TEXT_MAX_CHARACTERS:,} characters.")
    return checked_text(data)


def answer_now(*, function: Function, data: str | bytes) -> Answer:
    """Predict one input for a person on the page, by the same way as a call. Waits; the answer is recorded.

    Raises InvalidInput (NoModel among them), TooLarge or Unavailable.
    """
    started = time.perf_counter()
    served = serving.load_live(function.pk)
    if served is None:
        raise NoModel
    content = read_content(data, function.input_kind)
    try:
        answer = predictions.submit(served, content).result(ANSWER_SECONDS)
    except TimeoutError as error:
        raise Unavailable(TOO_SLOW) from error
    predictions.record(answer, key_id=None, milliseconds=1000 * (time.perf_counter() - started))
    return answer


def warm_up(find_names: Callable[[], Iterable[str]]) -> None:
    """Load backbones in the background, so that the first caller need not wait for them."""
    threading.Thread(target=_load, args=(find_names,), name="invoke-warm-up", daemon=True).start()


def live_backbone_names() -> list[str]:
    """Return the backbones that published models use."""
    live = TrainedModel.objects.filter(is_live=True).order_by()
    return list(live.values_list("recipe__backbone", flat=True).distinct())


def _load(find_names: Callable[[], Iterable[str]]) -> None:
    try:
        for name in as_request(find_names):
            serving.backbone(name)
    except (DatabaseError, EngineError) as error:
        # Nothing is lost but time: the first call tries again and says what is wrong.
        logger.warning("backbones_not_warmed", error=repr(error))


def _answer_batch(items: Sequence[tuple[Served, Content]]) -> list[Answer]:
    """Run in the model thread: one forward pass for all, then one matrix product per model among them."""
    backbone = _backbone(items[0][0].backbone_name)
    embeddings = backbone.encode([content for _served, content in items])
    # Heads learned from stored vectors: the same rounding makes a call say what the pages say of a stored sample.
    embeddings = embeddings.astype(STORED).astype(np.float32)
    rows_of: defaultdict[int, list[int]] = defaultdict(list)
    for row, (served, _content) in enumerate(items):
        rows_of[served.model.pk].append(row)
    answers: dict[int, Answer] = {}
    for rows in rows_of.values():
        served = items[rows[0]][0]
        pred_probs = served.pred_probs(embeddings[rows])
        answers.update((row, _answer(served, probs)) for row, probs in zip(rows, pred_probs, strict=True))
    return [answers[row] for row in range(len(items))]


def _backbone(name: str) -> Backbone:
    try:
        return serving.backbone(name)
    except BackboneUnavailable as error:
        logger.error("backbone_unavailable", backbone=name, error=str(error))
        raise Unavailable("The model cannot be loaded on this server; its log says why.") from error


def _answer(served: Served, probs: FloatArray) -> Answer:
    weights = np.array([label.weight for label in served.labels], dtype=np.float64)
    order = np.argsort(-probs, kind="stable")
    if served.thresholds is None:  # what is worse to miss may be said though another is likelier
        said = decisions.decide(probs[None, :], weights)[0]
        order = np.concatenate([[said], order[order != said]])
        return Answer(served.model, _guesses(served, probs, order))
    is_there = probs >= decisions.weighed_thresholds(served.thresholds, weights)
    tags = _guesses(served, probs, order[is_there[order]])
    return Answer(served.model, _guesses(served, probs, order), tags)


def _guesses(served: Served, probs: FloatArray, columns: IntArray) -> tuple[Guess, ...]:
    return tuple(Guess(served.labels[column], float(probs[column])) for column in columns)
