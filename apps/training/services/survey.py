"""What is like what among a function's samples, read from its survey in a few milliseconds; fine in a request.

A survey may be older than what it is asked about: samples it does not know have no neighbours yet, and deleted ones
are left out of every answer. `surveying` makes it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np
import structlog

from apps.engine import survey as engine
from apps.engine.errors import ArtifactCorrupt
from apps.engine.types import FloatArray, IntArray
from apps.functions.models import Function, OutputKind
from apps.samples.models import Sample, SampleTag
from apps.training.models import Survey
from apps.training.services.survey_file import SurveyView, folder_of, open_survey
from apps.training.services.work import want_survey

logger = structlog.get_logger(__name__)

LOOKED_AT_ONCE = 500
MOST_ASKED = 2_000
MOST_LABELS = 16
MAX_SURVEYS = 64


class _Views:
    """The surveys asked for last, of each function the newest: an older one would keep its file on the disk.

    Keyed by workspace first: nobody else's survey can ever be found by a wrong number.
    """

    def __init__(self, *, max_entries: int) -> None:
        self._max_entries = max_entries
        self._views: OrderedDict[tuple[int, int], SurveyView] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, function: Function, sha256: str) -> SurveyView:
        """Raises `ArtifactCorrupt`. Two that ask at once may both open the file; that does no harm."""
        key = (function.workspace_id, function.pk)
        with self._lock:
            view = self._views.get(key)
        if view is None or view.sha256 != sha256:
            view = open_survey(folder_of(function), sha256)
        with self._lock:
            self._views[key] = view
            self._views.move_to_end(key)
            while len(self._views) > self._max_entries:
                self._views.popitem(last=False)
        return view


_views = _Views(max_entries=MAX_SURVEYS)


def read_survey(function: Function) -> SurveyView | None:
    """Return the newest look over a function's samples, or None where there is none yet. One small query.

    One that is damaged counts as none; another is asked for.
    """
    while True:
        sha256 = Survey.objects.filter(function=function).values_list("sha256", flat=True).first()
        if sha256 is None:
            return None
        try:
            return _views.get(function, sha256)
        except ArtifactCorrupt as error:
            if Survey.objects.filter(function=function, sha256=sha256).delete()[0]:
                want_survey(function.pk)
                logger.error("survey_damaged", function=function.public_id, reason=str(error))
                return None
            # A newer one took its place between the look at the row and the opening of the file.


def nearest(
    function: Function, sample_pk: int, n: int, *, only: Collection[int] | None = None
) -> list[tuple[int, float]]:
    """Return the keys of the `n` samples most like one, itself left out, with their cosines; the likest first.

    With `only`, of these samples alone.
    """
    view = read_survey(function)
    rows = view.rows_of(np.array([sample_pk])) if view else None
    if view is None or rows is None or not len(rows):
        return []
    likeness = engine.likeness(view.vectors, view.vectors[rows[0]])
    return _first_standing(view, likeness, n, without=rows, only=only)


def nearest_to_label(function: Function, label_pk: int, n: int) -> list[tuple[int, float]]:
    """Return the keys of the `n` unlabelled samples most like those that have this label, the likest first.

    With how much more they are like those than like samples that have another label.
    """
    view = read_survey(function)
    if view is None:
        return []
    examples = view.rows_of(_labelled(function, label_pk))
    if not len(examples):
        return []
    examples = _some_of(examples)
    others = _some_of(view.rows_of(_labelled_otherwise(function, label_pk)))
    likeness = engine.likeness_to_some(view.vectors, view.vectors[examples], view.vectors[others])
    found = _first_standing(view, likeness, n, without=examples, is_wanted=_unlabelled)
    if len(found) < n:  # nearly all that are like it have a label: ask the other way round
        unlabelled = Sample.objects.filter(function=function, annotation=None).order_by()
        return _first_standing(view, likeness, n, without=examples, only=set(unlabelled.values_list("pk", flat=True)))
    return found


def near_duplicates(function: Function) -> list[tuple[int, int, float]]:
    """Return pairs of samples that are nearly the same, by key, with their cosines; the most alike first."""
    view = read_survey(function)
    if view is None:
        return []
    keys = view.keys[view.pairs]
    there = np.array(sorted(_standing(np.unique(keys).tolist())), dtype=np.int64)
    is_there = np.isin(keys, there).all(axis=1)
    rows = zip(keys[is_there].tolist(), view.likeness[is_there].tolist(), strict=True)
    return [(first, second, cosine) for (first, second), cosine in rows]


def _first_standing(
    view: SurveyView,
    likeness: FloatArray,
    n: int,
    *,
    without: IntArray,
    only: Collection[int] | None = None,
    is_wanted: Callable[[Sequence[int]], set[int]] | None = None,
) -> list[tuple[int, float]]:
    """The first `n` that are still there, asking the database about a few hundred at most."""
    values = np.array(likeness, dtype=np.float32)
    values[without] = -np.inf
    if only is not None:
        of_these = np.full(len(values), -np.inf, dtype=np.float32)
        rows = view.rows_of(np.fromiter(only, dtype=np.int64, count=len(only)))
        of_these[rows] = values[rows]
        values = of_these
    found: list[tuple[int, float]] = []
    for keys, cosines in _best_first(view, values, n):
        standing = (is_wanted or _standing)(keys)
        found += [(key, cosine) for key, cosine in zip(keys, cosines, strict=True) if key in standing]
        if len(found) >= n:
            break
    return found[:n]


def _best_first(view: SurveyView, values: FloatArray, n: int) -> Iterator[tuple[list[int], list[float]]]:
    best = engine.largest(values, min(max(2 * n, LOOKED_AT_ONCE), MOST_ASKED))
    best = best[np.isfinite(values[best])]
    first = min(len(best), n + 10)  # usually enough: hardly anything is deleted
    for start, end in [(0, first), *((i, i + LOOKED_AT_ONCE) for i in range(first, len(best), LOOKED_AT_ONCE))]:
        rows = best[start:end]
        if len(rows):
            yield view.keys[rows].tolist(), values[rows].tolist()


def _standing(keys: Sequence[int]) -> set[int]:
    """Those of the samples that have not been deleted."""
    found: set[int] = set()
    for start in range(0, len(keys), LOOKED_AT_ONCE):
        found.update(Sample.objects.filter(pk__in=keys[start : start + LOOKED_AT_ONCE]).values_list("pk", flat=True))
    return found


def _unlabelled(keys: Sequence[int]) -> set[int]:
    return set(Sample.objects.filter(pk__in=keys, annotation=None).values_list("pk", flat=True))


def _some_of(rows: IntArray) -> IntArray:
    """A few of them, evenly over them all: the newest alone may be ten of a kind."""
    return rows[:: max(1, -(-len(rows) // engine.EXAMPLES))]


def _labelled(function: Function, label_pk: int) -> list[int]:
    """The newest samples with a label, or with a tag."""
    if function.output_kind == OutputKind.TAGS:
        tagged = SampleTag.objects.filter(label=label_pk, is_present=True).order_by("-sample_id")
        return list(tagged.values_list("sample_id", flat=True)[:MOST_ASKED])
    rows = Sample.objects.filter(function=function, label=label_pk).order_by("-pk")
    return list(rows.values_list("pk", flat=True)[:MOST_ASKED])


def _labelled_otherwise(function: Function, label_pk: int) -> list[int]:
    """The newest samples with another label, or of which it was said that they do not have this tag."""
    if function.output_kind == OutputKind.TAGS:
        tagged = SampleTag.objects.filter(label=label_pk, is_present=False).order_by("-sample_id")
        return list(tagged.values_list("sample_id", flat=True)[:MOST_ASKED])
    others = list(function.labels.in_use().exclude(pk=label_pk).values_list("pk", flat=True))
    others = others[:: max(1, -(-len(others) // MOST_LABELS))]
    found: list[int] = []
    for other in others:  # a query each, answered by an index: one over all labels would find those of the first
        rows = Sample.objects.filter(function=function, label=other).order_by("-pk").values_list("pk", flat=True)
        found += rows[: max(2, engine.EXAMPLES // len(others))]
    return found
