"""Predicting inputs with the published model: the one way for calls over HTTP and for the box on the call page.

Warm path: the backbone is loaded once per process and runs in one thread per backbone, concurrent callers share its
forward pass, towers that a function owns go on from there, and the head is a matrix product; both from bounded caches.
"""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future

import structlog
from django.db import DatabaseError
from django.utils import timezone

from apps.core.errors import InvalidInput, TooLarge, Unavailable
from apps.core.metrics import BATCH_SIZES
from apps.engine.errors import EngineError
from apps.functions.models import Function, InputKind
from apps.invoke.answering import Answerer, Content, Question, answer_batch, cannot_load, inputs_of
from apps.invoke.answers import Answer, Decision, Guess
from apps.invoke.batching import MicroBatcher
from apps.invoke.database import as_request
from apps.invoke.recorder import Answered, Recorder
from apps.invoke.wire import Data, NoModel
from apps.samples import rows
from apps.samples.checks import TEXT_MAX_CHARACTERS, checked_text
from apps.samples.images import as_stored
from apps.samples.rows import FindPicture
from apps.training.models import TrainedModel
from apps.training.services import encoders, serving
from apps.training.services.inputs import Layout
from apps.training.services.serving import Served
from apps.training.services.untrained import load_untrained

__all__ = ["Answer", "Answerer", "Content", "Data", "Decision", "Guess", "Question", "inputs_of"]

logger = structlog.get_logger(__name__)

MAX_CODE = 40
ANSWER_SECONDS = 60
"""The first call after a start may wait for the backbone to load; nothing else takes long."""
TOO_SLOW = "The model did not answer in time. Try again in a moment."


class Predictions:
    """One micro-batcher per kind of input, made when first asked for, and the record of what was answered."""

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder or Recorder()
        self._batchers: dict[str, MicroBatcher[Question, Answer]] = {}
        self._lock = threading.Lock()

    def submit(self, answerer: Answerer, content: Content, *, key: str = "", due: float = math.inf) -> Future[Answer]:
        """Queue one input; the future is done when its batch has run. Never blocks. `key` as a question's.

        The future raises Unavailable where its turn comes after `due`, a moment of the monotonic clock.
        """
        return self._batcher(answerer.layout.input_kind).submit(Question(answerer, content, key), due=due)

    def submit_bulk(self, questions: Sequence[Question]) -> list[Future[Answer]]:
        """Queue inputs of a large call, of one kind; those of other calls go first."""
        return self._batcher(questions[0].answerer.layout.input_kind).submit_bulk(questions)

    def record(self, answer: Answer, *, key_id: int | None, milliseconds: float, sample_id: str = "") -> None:
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
                sample_id=sample_id,
                novelty=answer.novelty,
                is_for_review=answer.decision is Decision.REVIEW,
            )
        )

    def record_failure(self, *, function_id: int, key_id: int, error: str, milliseconds: float) -> None:
        """Note a call that was not answered, by the code of why."""
        self.recorder.add(
            Answered(function_id, None, 0, key_id, None, milliseconds, timezone.now(), error=error[:MAX_CODE])
        )

    def close(self) -> None:
        """Answer what is queued, write what was answered."""
        with self._lock:
            batchers = list(self._batchers.values())
            self._batchers.clear()
        for batcher in batchers:
            batcher.close()
        self.recorder.close()

    def _batcher(self, input_kind: str) -> MicroBatcher[Question, Answer]:
        with self._lock:
            if input_kind not in self._batchers:
                self._batchers[input_kind] = MicroBatcher(
                    answer_batch, name=f"invoke-{input_kind}", on_batch=BATCH_SIZES.labels(input_kind).observe
                )
            return self._batchers[input_kind]


predictions = Predictions()


def load_answerer(function: Function) -> Answerer | None:
    """Return the published model, or what guesses before there is one; None where nothing has anything to say."""
    try:
        return serving.load_live(function.pk) or load_untrained(function)
    except OSError as error:  # out of open files, say: the model is as it was, and the next call may find it
        raise cannot_load(function.public_id, error) from error


def load_stored(model: TrainedModel) -> Served | None:
    """Return a stored model, published now or before; None where it can answer no more. Its function must be loaded."""
    try:
        return serving.load_model(model)
    except OSError as error:
        raise cannot_load(model.function.public_id, error) from error


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
    return answer_batch([Question(answerer, content) for content in contents])


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
    # What is loaded by now stays. Looking through it for garbage again and again takes a fifth of a second each time,
    # in which nobody is answered.
    gc.freeze()
