"""Making the survey of a function's samples: after samples have been embedded or deleted, once it is quiet.

While a few samples are added, only those are read and placed among the others; when there are a third more than the
map was drawn with, it is drawn anew. Nothing waits for it, and it holds up nothing: samples are read in short chunks,
and the map is drawn by a niced process of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import SubprocessError

import numpy as np
import numpy.typing as npt
import structlog
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from apps.engine import survey as engine
from apps.engine.readers.table import TableReader
from apps.engine.runtime import Deadline, one_thread
from apps.engine.survey import Directions, Overview, Vectors
from apps.engine.types import FloatArray, Inputs, IntArray, TrainingData
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function, InputKind, OutputKind
from apps.samples.models import Sample
from apps.training.models import FunctionWork, Survey, WorkKind
from apps.training.services.inputs import Layout, layout_of
from apps.training.services.points import read_inputs
from apps.training.services.survey import read_survey
from apps.training.services.survey_file import SurveyView, drop_other_surveys, folder_of, write_survey
from apps.training.services.vectors import read_vectors
from apps.training.services.work import (
    LeaseLost,
    Progress,
    do_wanted_work,
    require_mine,
    want_inspection,
    want_survey,
)

logger = structlog.get_logger(__name__)

FEWEST = 20
"""A map of fewer says nothing that the list of samples does not."""
GROWTH = 1.3
ROWS_AT_ONCE = 500
REST_SECONDS = 10.0
NEARLY_SAME = 0.93
"""The cosine from which on two samples count as nearly the same, measured with copies that were changed a little. Texts
with a word left out: 0.92 to 0.98 (the middle half), with other punctuation 0.96 to 0.99, with another word 0.85 to
0.92; so many of 1,000 different texts have such a neighbour: clinc20 228 (reworded on purpose), snips7 21, sms_spam 25,
medical_abstracts 2. Pictures brightened, cropped or turned by 3 degrees: 0.95 to 0.98 (of tiny ones 0.76 to 0.97); of
400 pictures of trashnet 4 have such a neighbour, of sign_digits none."""
NEARLY_SAME_ROWS = 0.999
"""The same for table rows, which have less to tell them apart: 184 of 206 penguins have a neighbour above 0.93, 36
above 0.995; one of their numbers changed by 2 % leaves 0.993 to 0.999. Of german_credit's rows none is nearer than
0.97."""


def want_missing_surveys() -> None:
    """Ask where a survey is missing, or still holds samples that were deleted for good. For the sweeper, seldom."""
    done = FunctionWork.objects.filter(kind=WorkKind.SURVEY, wanted_revision__gt=F("done_revision"))
    looked_over = Function.objects.exclude(output_kind=OutputKind.SEARCH)  # those have an index of their own
    for pk in looked_over.filter(survey=None).exclude(work__in=done).values_list("pk", flat=True):
        if Sample.everywhere.filter(function=pk)[FEWEST - 1 : FEWEST].exists():
            want_survey(pk)
    forget_deleted()


def forget_deleted(workspace_ids: Sequence[int] | None = None) -> None:
    """Ask for new surveys where the last one holds samples that were deleted for good, bin included."""
    surveys = Survey.objects.filter(function__work__kind=WorkKind.SURVEY)
    if workspace_ids is not None:
        surveys = surveys.filter(function__workspace__in=workspace_ids)
    for pk, last, n_then in surveys.values_list("function_id", "last_sample_id", "function__work__cursor"):
        if _n_up_to(pk, last) < n_then:
            want_survey(pk)


def survey_function(*, function_id: int) -> Progress:
    """Look over a function's samples if any came or went since. Running it twice gives the same file."""
    function = Function.objects.select_related("workspace").filter(pk=function_id).first()
    if function is None:
        return Progress.DONE
    return do_wanted_work(
        function_id=function_id,
        kind=WorkKind.SURVEY,
        do=lambda work: _survey(function, work),
        rest_seconds=REST_SECONDS,
    )


@dataclass(frozen=True)
class _Samples:
    """What is known of the samples before their vectors are read, in the order of their keys."""

    keys: IntArray
    public_ids: list[str]
    hashes: list[str]

    def take(self, rows: IntArray) -> _Samples:
        return _Samples(self.keys[rows], [self.public_ids[row] for row in rows], [self.hashes[row] for row in rows])


def _survey(function: Function, work: FunctionWork) -> None:
    n_total = _n_up_to(function.pk, None)
    samples = _embedded(function.pk)
    if len(samples.keys) < FEWEST:
        Survey.objects.filter(function=function).delete()
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=work.wanted_revision)
        drop_other_surveys(folder_of(function), "")
        return
    source = _Source.of(function)
    old = read_survey(function)
    with one_thread():
        if old is not None and source.can_grow(old) and len(samples.keys) <= GROWTH * old.n_fitted:
            samples, arrays, n_fitted = _grown(source, samples, old)
        else:
            samples, arrays, n_fitted = _drawn_anew(source, samples)
    arrays["keys"] = samples.keys
    arrays["public_ids"] = _as_bytes(samples.public_ids)
    facts = {"source": source.name, "n_fitted": str(n_fitted)}
    _publish(function, work, write_survey(folder_of(function), arrays, facts), samples, n_total)


def _publish(function: Function, work: FunctionWork, sha256: str, samples: _Samples, n_total: int) -> None:
    folder = folder_of(function)
    last = int(samples.keys[-1])
    try:
        with transaction.atomic():
            require_mine(work)
            Survey.objects.update_or_create(
                function=function,
                defaults={
                    "n_samples": len(samples.keys),
                    "last_sample_id": last,
                    "sha256": sha256,
                    "made_at": timezone.now(),
                },
            )
            FunctionWork.objects.filter(pk=work.pk).update(
                done_revision=work.wanted_revision, cursor=min(n_total, _n_up_to(function.pk, last))
            )
            want_inspection(function.pk)
            workspace = function.workspace.public_id
            announce(workspace=workspace, kind=Live.SAMPLES_CHANGED, subject=function.public_id, survey=sha256)
    except LeaseLost:
        current = Survey.objects.filter(function=function).values_list("sha256", flat=True).first()
        drop_other_surveys(folder, current or "")
        raise
    drop_other_surveys(folder, sha256)


def _n_up_to(function_id: int, last: int | None) -> int:
    rows = Sample.everywhere.filter(function=function_id)
    return (rows if last is None else rows.filter(pk__lte=last)).count()


def _embedded(function_id: int) -> _Samples:
    """Those in the bin, too: they may come back. A chunk at a time, so that nobody waits for the interpreter."""
    rows = Sample.everywhere.filter(function=function_id, is_embedded=True).order_by("pk")
    found: list[tuple[int, str, str]] = []
    while chunk := list(
        rows.filter(pk__gt=found[-1][0] if found else 0).values_list("pk", "public_id", "content_hash")[:2000]
    ):
        found += chunk
    return _Samples(
        np.array([pk for pk, _id, _hash in found], dtype=np.int64),
        [public_id for _pk, public_id, _hash in found],
        [content_hash for _pk, _id, content_hash in found],
    )


def _as_bytes(public_ids: Sequence[str]) -> npt.NDArray[np.uint8]:
    """Public ids without their kind, `(n_samples, 16)` bytes."""
    text = "".join(public_id.partition("_")[2] for public_id in public_ids)
    return np.frombuffer(text.encode("ascii"), dtype=np.uint8).reshape(len(public_ids), -1)


class _Source:
    """Where the numbers of a function's samples come from: the embeddings of its best backbone, or typed columns."""

    def __init__(self, function: Function, layout: Layout) -> None:
        self.function = function
        self.layout = layout
        self._reader: TableReader | None = None

    @classmethod
    def of(cls, function: Function) -> _Source:
        return cls(function, layout_of(function))

    @property
    def is_table(self) -> bool:
        return self.layout.input_kind == InputKind.TABLE

    @property
    def name(self) -> str:
        """What the numbers are of; others cannot be compared with them."""
        if self.is_table:
            return "table"
        return f"{self.layout.specs[0].name} {self.layout.specs[0].version}"

    @property
    def nearly_same(self) -> float:
        return NEARLY_SAME_ROWS if self.is_table else NEARLY_SAME

    def can_grow(self, old: SurveyView) -> bool:
        """Cells of rows may have been read anew, by another type of column: those start over every time."""
        return not self.is_table and old.source == self.name

    def fit(self, samples: _Samples) -> Directions:
        if self.is_table:
            inputs, _there = self._inputs(samples)
            nothing = np.zeros(inputs.n_samples, dtype=np.int64)
            self._reader = TableReader().fit(TrainingData(inputs, nothing, n_classes=1, groups=nothing))
        rows, _there = self.rows(samples)
        return engine.find_directions(rows)

    def rows(self, samples: _Samples) -> tuple[FloatArray, IntArray]:
        """Return `(n_there, dim)`, and which of the samples those are: some may have gone since they were listed."""
        if self._reader is not None:
            inputs, there = self._inputs(samples)
            return self._reader.read(inputs), there
        spec = self.layout.specs[0]
        found = read_vectors(workspace_id=self.function.workspace_id, spec=spec, hashes=samples.hashes)
        there = np.array([i for i, key in enumerate(samples.hashes) if key in found], dtype=np.int64)
        rows = np.stack([found[samples.hashes[i]] for i in there]) if len(there) else np.zeros((0, 1), np.float32)
        return rows, there

    def _inputs(self, samples: _Samples) -> tuple[Inputs, IntArray]:
        hash_of = dict(zip(samples.keys.tolist(), samples.hashes, strict=True))
        keys, inputs = read_inputs(self.function, self.layout, hash_of, Sample.everywhere.all())
        return inputs, np.searchsorted(samples.keys, np.array(keys, dtype=np.int64))


Arrays = dict[str, npt.NDArray[np.generic]]


def _drawn_anew(source: _Source, samples: _Samples) -> tuple[_Samples, Arrays, int]:
    n = len(samples.keys)
    draw = np.random.default_rng(0).permutation(n)[: engine.FITTED_ON]
    directions = source.fit(samples.take(np.sort(draw)))
    samples, vectors = _compact(source, samples, directions)
    found = _look_over(vectors, source.nearly_same)
    arrays = _arrays(vectors, found.layout.xy, found.pairs, found.layout.landmarks, directions)
    return samples, arrays, len(samples.keys)


def _grown(source: _Source, samples: _Samples, old: SurveyView) -> tuple[_Samples, Arrays, int]:
    """Place the new ones among the landmarks; those that are gone leave. Nothing else moves."""
    old_rows = old.rows_of(samples.keys)
    kept = np.flatnonzero(np.isin(samples.keys, old.keys))
    new = np.setdiff1d(np.arange(len(samples.keys)), kept)
    new_samples, new_vectors = _compact(source, samples.take(new), old.directions)
    landmarks = np.intersect1d(old.landmarks, old_rows)
    new_xy = engine.place(new_vectors, old.vectors[landmarks], _to_unit(old.xy[landmarks]), seed=len(old.keys))
    keys = np.concatenate([samples.keys[kept], new_samples.keys])
    order = np.argsort(keys, kind="stable")
    vectors = np.concatenate([old.vectors[old_rows], new_vectors])[order]
    xy = np.concatenate([_to_unit(old.xy[old_rows]), new_xy])[order]
    joined = _Samples(
        keys, samples.take(kept).public_ids + new_samples.public_ids, samples.take(kept).hashes + new_samples.hashes
    ).take(order)
    pairs = engine.near_duplicates(vectors, at_least=source.nearly_same, deadline=Deadline.after(10.0))
    rows = np.searchsorted(joined.keys, old.keys[landmarks])
    return joined, _arrays(vectors, xy, pairs, rows, old.directions), old.n_fitted


def _compact(source: _Source, samples: _Samples, directions: Directions) -> tuple[_Samples, Vectors]:
    parts = [np.zeros((0, directions.components.shape[1]), dtype=np.float32)]
    there = []
    for start in range(0, len(samples.keys), ROWS_AT_ONCE):
        chunk = np.arange(start, min(start + ROWS_AT_ONCE, len(samples.keys)))
        rows, which = source.rows(samples.take(chunk))
        if len(which):
            parts.append(directions.compact(rows))
            there.append(chunk[which])
    return samples.take(np.concatenate(there) if there else np.zeros(0, np.int64)), np.concatenate(parts)


def _look_over(vectors: Vectors, at_least: float) -> Overview:
    try:
        return engine.look_over(vectors, at_least=at_least)
    except SubprocessError as error:
        logger.error("survey_failed", reason=str(error), said=getattr(error, "stderr", None))
        raise


def _arrays(
    vectors: Vectors, xy: FloatArray, pairs: engine.Pairs, landmarks: IntArray, directions: Directions
) -> Arrays:
    return {
        "vectors": np.ascontiguousarray(vectors, dtype=np.float32),
        "xy": np.round(np.clip(xy, 0.0, 1.0) * 65535).astype(np.uint16),
        "pairs": pairs.rows.astype(np.int64),
        "likeness": pairs.cosines.astype(np.float32),
        "landmarks": landmarks.astype(np.int64),
        "mean": directions.mean.astype(np.float32),
        "components": np.ascontiguousarray(directions.components, dtype=np.float32),
    }


def _to_unit(xy: npt.NDArray[np.uint16]) -> Vectors:
    places: Vectors = xy.astype(np.float32) / np.float32(65535)
    return places
