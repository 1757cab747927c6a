"""What the published model says of the samples nobody has labelled, a chunk at a time."""

from __future__ import annotations

import time

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from apps.core.jobs import JobName, enqueue
from apps.engine import decisions
from apps.engine.query import margin_scores
from apps.engine.types import ADAPTED, FloatArray
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Label
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.training.models import FunctionWork, Prediction, PredictionKind, TrainedModel, WorkKind
from apps.training.services import figures
from apps.training.services.adapting_views import keep_vectors
from apps.training.services.embedding import forget_embedding
from apps.training.services.encoding import Due
from apps.training.services.inputs import build_inputs, read_contents
from apps.training.services.serving import Served, load_live
from apps.training.services.vectors import read_vectors, which_exist
from apps.training.services.work import Progress, claim_work, want_plan

ROWS_AT_ONCE, MADE_AT_ONCE = 500, 32
CHUNK_SECONDS = 0.3


def predict_function(*, function_id: int) -> Progress:
    """Bring live predictions up to the published model, for `CHUNK_SECONDS`, and ask for the rest.

    Goes round and round over the samples: when a newer model comes in the middle it goes on where it was, so that
    every sample gets its turn however often models follow each other.
    """
    if not _is_wanted(function_id):
        return Progress.DONE
    with claim_work(function_id=function_id, kind=WorkKind.PREDICT) as work:
        if work is None:
            return Progress.BUSY
        served = load_live(function_id)
        if served is None:
            FunctionWork.objects.filter(pk=work.pk).update(done_revision=work.wanted_revision)
            return Progress.DONE
        is_done = _predict_for_a_while(work, served)
    # Not only at the end: with answers coming in, a large function always has some left to predict.
    want_plan(function_id)
    enqueue(JobName.PLAN_QUEUE, function_id)
    if is_done and not _is_wanted(function_id):
        return Progress.DONE
    enqueue(JobName.PREDICT_FUNCTION, function_id)
    return Progress.MORE


def prediction_rows(
    *,
    model: TrainedModel,
    kind: PredictionKind,
    sample_ids: list[int],
    labels: tuple[Label, ...],
    pred_probs: FloatArray,
    thresholds: FloatArray | None = None,
) -> list[Prediction]:
    """Return unsaved predictions; row `i` of `pred_probs` is of sample `i`, its columns are `labels`.

    A label that is worse to miss is said sooner. `thresholds` are those of tags as the model chose them, unweighed.
    """
    weights = np.array([label.weight for label in labels], dtype=np.float64)
    if thresholds is not None:
        weighed = decisions.weighed_thresholds(thresholds, weights)
        return _tag_rows(model, kind, sample_ids, labels, pred_probs, weighed)
    said = decisions.decide(pred_probs, weights)
    confidences = np.take_along_axis(pred_probs, said[:, None], axis=1)[:, 0]
    margins = 1.0 - margin_scores(pred_probs)
    seconds = decisions.runners_up(pred_probs, said)
    return [
        Prediction(
            sample_id=sample_id,
            function_id=model.function_id,
            kind=kind,
            model=model,
            label=labels[column],
            runner_up=labels[second] if second >= 0 else None,
            confidence=float(confidence),
            margin=float(margin),
        )
        for sample_id, column, second, confidence, margin in zip(
            sample_ids, said, seconds, confidences, margins, strict=True
        )
    ]


def _tag_rows(
    model: TrainedModel,
    kind: PredictionKind,
    sample_ids: list[int],
    labels: tuple[Label, ...],
    pred_probs: FloatArray,
    thresholds: FloatArray,
) -> list[Prediction]:
    confidences = decisions.confidence_of_tags(pred_probs, thresholds)
    margins = np.abs(pred_probs - thresholds).min(axis=1)
    likeliest = np.where(pred_probs >= thresholds, pred_probs, -1.0)
    return [
        Prediction(
            sample_id=sample_id,
            function_id=model.function_id,
            kind=kind,
            model=model,
            label=labels[int(there.argmax())] if there.max() >= 0 else None,
            tags={label.public_id: float(prob) for label, prob in zip(labels, probs, strict=True)},
            confidence=float(confidence),
            margin=float(margin),
        )
        for sample_id, probs, there, confidence, margin in zip(
            sample_ids, pred_probs, likeliest, confidences, margins, strict=True
        )
    ]


def write_predictions(rows: list[Prediction]) -> None:
    """Insert predictions or replace those of the same samples and kind, in the caller's transaction."""
    Prediction.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["sample", "kind"],
        update_fields=["model", "label", "runner_up", "tags", "confidence", "margin"],
    )


def _is_wanted(function_id: int) -> bool:
    rows = FunctionWork.objects.filter(function_id=function_id, kind=WorkKind.PREDICT)
    wanted, done = rows.values_list("wanted_revision", "done_revision").first() or (0, 0)
    return wanted > done


def _predict_for_a_while(work: FunctionWork, served: Served) -> bool:
    """Return whether everything is predicted. Keeps the cursor, and what is done, in the work's row."""
    ends_at = time.monotonic() + CHUNK_SECONDS
    cursor = work.cursor
    mine = FunctionWork.objects.filter(pk=work.pk)
    while True:
        chunk = dict(_pending(served).filter(pk__gt=cursor).values_list("pk", "content_hash")[:ROWS_AT_ONCE])
        if chunk:
            chunk = _with_own_vectors(served, chunk, ends_at)
            _predict_chunk(served, chunk)
            cursor = max(chunk)
        elif cursor == 0:
            figures.refresh(served.model)
            with transaction.atomic():
                mine.update(done_revision=work.wanted_revision, cursor=0)
                _announce(served)
            return True
        else:
            cursor = 0
        if time.monotonic() >= ends_at:
            mine.update(cursor=cursor)
            return False


def _pending(served: Served) -> QuerySet[Sample]:
    """Samples nobody has labelled that this model has not predicted."""
    by_this_model = Prediction.objects.filter(sample=OuterRef("pk"), kind=PredictionKind.LIVE, model_id=served.model.pk)
    rows = Sample.objects.filter(function_id=served.model.function_id, annotation=None, is_embedded=True)
    return rows.filter(~Exists(by_this_model)).order_by("pk")


def _with_own_vectors(served: Served, hash_of: dict[int, str], ends_at: float) -> dict[int, str]:
    """Make what the model's own layers make of samples where that is missing; return the samples there was time for.

    These vectors are of this model's adaptation alone, and made when it first comes to a sample: heads fitted later on
    the same layers find them. Everything else is made when samples are brought.
    """
    function, own = served.model.function, [spec for spec in served.specs if spec.name.startswith(ADAPTED)]
    hashes = list(hash_of.values())
    known = [which_exist(workspace_id=function.workspace_id, spec=spec, hashes=hashes) for spec in own]
    lacking = [pk for pk, content_hash in hash_of.items() if not all(content_hash in there for there in known)]
    for start in range(0, len(lacking), MADE_AT_ONCE):
        if start and time.monotonic() >= ends_at:
            return {pk: content_hash for pk, content_hash in hash_of.items() if pk < lacking[start]}
        samples = list(Sample.objects.filter(pk__in=lacking[start : start + MADE_AT_ONCE]))
        keep_vectors(function, [Due(spec, samples, served.tower(spec)) for spec in own])
    return hash_of


def _predict_chunk(served: Served, hash_of: dict[int, str]) -> None:
    function = served.model.function
    vectors = {
        spec.name: read_vectors(workspace_id=function.workspace_id, spec=spec, hashes=list(hash_of.values()))
        for spec in served.specs
    }
    is_whole = {pk: all(content_hash in found for found in vectors.values()) for pk, content_hash in hash_of.items()}
    if not all(is_whole.values()):
        forget_embedding([pk for pk in hash_of if not is_whole[pk]], function_id=function.pk)
    contents = read_contents(served.layout, Sample.objects.filter(pk__in=[pk for pk in hash_of if is_whole[pk]]))
    sample_ids = [pk for pk in hash_of if pk in contents]  # others have been deleted meanwhile
    if not sample_ids:
        return
    embeddings = {name: np.stack([found[hash_of[pk]] for pk in sample_ids]) for name, found in vectors.items()}
    pred_probs = served.pred_probs(build_inputs(served.layout, [contents[pk] for pk in sample_ids], embeddings))
    rows = prediction_rows(
        model=served.model,
        kind=PredictionKind.LIVE,
        sample_ids=sample_ids,
        labels=served.labels,
        pred_probs=pred_probs,
        thresholds=served.thresholds,
    )
    with transaction.atomic():
        lock_function(function.pk)  # so that nobody labels one of them between this look and the writing
        still = set(Sample.objects.filter(pk__in=sample_ids, annotation=None).values_list("pk", flat=True))
        write_predictions([row for row in rows if row.sample_id in still])


def _announce(served: Served) -> None:
    function = served.model.function
    announce(
        workspace=function.workspace.public_id,
        kind=Live.PREDICTIONS_CHANGED,
        subject=function.public_id,
        revision=served.model.data_revision,
        predictions=PredictionKind.LIVE.value,
    )
