"""From inputs to answers, in the model's thread: one forward pass per backbone for all who wait, then the heads.

Calls, the box on the call page and files all answer here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import structlog
from PIL import Image

from apps.core.errors import Unavailable
from apps.engine import decisions
from apps.engine.adapt import Tower
from apps.engine.backbones import BackboneSpec
from apps.engine.errors import ArtifactCorrupt, BackboneUnavailable
from apps.engine.types import FloatArray, Inputs, IntArray
from apps.functions.models import Function, OutputKind
from apps.invoke import novelty
from apps.invoke.answers import Answer, Guess
from apps.invoke.database import in_database_thread
from apps.invoke.embedding_cache import CacheKey, embedding_cache
from apps.samples.rows import ReadRow
from apps.training.rule_hits import words_of
from apps.training.services import serving
from apps.training.services.inputs import build_inputs
from apps.training.services.serving import Served
from apps.training.services.towers import Wanted, embed_wanted
from apps.training.services.untrained import Untrained
from apps.training.services.vectors import STORED

logger = structlog.get_logger(__name__)

Content = str | Image.Image | ReadRow
Answerer = Served | Untrained
EVEN = 0.5
TAKING_OVER = "The file of this model is damaged, and the model before it takes over. Try again in a moment."


@dataclass(frozen=True)
class Question:
    """One input and who is to answer it. `key` says what the content is, as no other content does; "" where nobody
    has said so."""

    answerer: Answerer
    content: Content
    key: str = ""


def answer_batch(items: Sequence[Question]) -> list[Answer]:
    """Run in the model thread: one forward pass per backbone for all, then one matrix product per model among them."""
    embeddings = _embeddings(items)
    rows_of: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row, item in enumerate(items):
        rows_of[_identity(item.answerer)].append(row)
    answers: dict[int, Answer] = {}
    for rows_of_one in rows_of.values():
        answerer = items[rows_of_one[0]].answerer
        _have_at_hand(answerer)
        matrices = {spec.name: np.stack([embeddings[spec.name][row] for row in rows_of_one]) for spec in answerer.specs}
        contents = [items[row].content for row in rows_of_one]
        probs = _pred_probs(answerer, contents, matrices)
        novelties = novelty.of(answerer, [_as_stored(content) for content in contents], matrices)
        answered = [_answer(answerer, of_one) for of_one in probs]
        answers.update(
            (row, replace(answer, novelty=novel))
            for row, answer, novel in zip(rows_of_one, answered, novelties, strict=True)
        )
    return [answers[row] for row in range(len(items))]


def inputs_of(answerer: Answerer, contents: Sequence[Content]) -> Inputs:
    """Return the inputs of a model, embedded now: the bare work of a call."""
    embeddings = _embeddings([Question(answerer, content) for content in contents])
    matrices = {name: np.stack([of_row[row] for row in sorted(of_row)]) for name, of_row in embeddings.items()}
    return build_inputs(answerer.layout, [_as_stored(content) for content in contents], matrices)


def _embeddings(items: Sequence[Question]) -> dict[str, dict[int, FloatArray]]:
    """Return vectors by name and row: each backbone reads all that needs it in one pass, whoever's top goes on.

    What was read lately is not read again. Heads learned from stored vectors: the same rounding makes a call say what
    the pages say of a stored sample.
    """
    found: defaultdict[str, dict[int, FloatArray]] = defaultdict(dict)
    wanting: defaultdict[BackboneSpec, list[int]] = defaultdict(list)
    for row, item in enumerate(items):
        for spec in _specs(item.answerer):
            known = embedding_cache.get(_cache_key(item, spec)) if item.key else None
            if known is None:
                wanting[spec].append(row)
            else:
                found[spec.name][row] = known.astype(np.float32)
    wanted = [Wanted(spec, np.array(rows), _tower(items[rows[0]].answerer, spec)) for spec, rows in wanting.items()]
    for one, vectors in zip(wanted, _embed(wanted, [item.content for item in items]) if wanted else [], strict=True):
        stored = vectors.astype(STORED)
        found[one.spec.name].update(zip(one.rows.tolist(), stored.astype(np.float32), strict=True))
        for row, vector in zip(one.rows.tolist(), stored, strict=True):
            if items[row].key:
                embedding_cache.put(_cache_key(items[row], one.spec), vector)
    return found


def _cache_key(item: Question, spec: BackboneSpec) -> CacheKey:
    return CacheKey(_function_of(item.answerer).workspace_id, spec.name, spec.version, item.key)


def _specs(answerer: Answerer) -> tuple[BackboneSpec, ...]:
    try:
        return answerer.specs
    except BackboneUnavailable as error:  # it went, or was exchanged, after the model was looked up
        raise cannot_load(_function_of(answerer).public_id, error) from error


def _tower(answerer: Answerer, spec: BackboneSpec) -> Tower | None:
    if not isinstance(answerer, Served):
        return None
    try:
        return answerer.tower(spec)
    except ArtifactCorrupt as error:
        raise _taken_over(answerer, error) from error
    except (BackboneUnavailable, OSError) as error:
        raise cannot_load(spec.name, error) from error


def _have_at_hand(answerer: Answerer) -> None:
    """Read the head again where others have taken its place in memory since the model was looked up."""
    if not isinstance(answerer, Served):
        return
    try:
        answerer.artifact  # noqa: B018  # read for the sake of having it
    except ArtifactCorrupt as error:
        raise _taken_over(answerer, error) from error
    except OSError as error:
        raise cannot_load(answerer.model.public_id, error) from error


def _taken_over(answerer: Served, error: ArtifactCorrupt) -> Unavailable:
    logger.error("model_unreadable", model=answerer.model.public_id, error=str(error))
    # Who loads the model anew finds the same, and lets the one before it answer. Not here: others wait.
    in_database_thread(partial(serving.load_model, answerer.model))
    return Unavailable(TAKING_OVER)


def _embed(wanted: Sequence[Wanted], contents: Sequence[Content]) -> list[FloatArray]:
    try:
        return embed_wanted(wanted, [content.row if isinstance(content, ReadRow) else content for content in contents])
    except BackboneUnavailable as error:
        raise cannot_load(wanted[0].spec.name, error) from error


def cannot_load(name: str, error: BackboneUnavailable | OSError) -> Unavailable:
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
