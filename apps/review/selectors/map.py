"""The map of a function's samples as its page draws it: where each is, and what is said of it, as columns of numbers.

Two answers, because only one of them changes while people work. Each is a length (4 bytes, little-endian), so many
bytes of JSON that name the columns, and the columns, one after the other. No text of a sample is read.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from apps.engine.types import IntArray
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.review.filters import Verdict
from apps.review.selectors.tag_table import THERE, tag_table
from apps.samples.models import PickedBy, Sample
from apps.training.models import FunctionWork, Prediction, PredictionKind, TrainedModel, WorkKind
from apps.training.services.survey_file import SurveyView

NOTHING = 65_535
"""No label, or nothing said."""
SEVERAL = 65_534
"""More than one tag, or that there is none of them."""
GONE, LABELLED, RIGHT, WRONG = 1, 2, 4, 8
"""Bits of a sample's state. Neither right nor wrong is what was not judged."""

Columns = Mapping[str, npt.NDArray[np.generic]]
Places = Mapping[int, int]
Uint16 = npt.NDArray[np.uint16]


def points_version(view: SurveyView) -> str:
    return view.sha256[:32]


def pack_points(view: SurveyView) -> bytes:
    """Where each sample is (`x`, `y`), and the 16 characters of its public id."""
    columns: Columns = {
        "x": np.ascontiguousarray(view.xy[:, 0]),
        "y": np.ascontiguousarray(view.xy[:, 1]),
        "ids": np.ascontiguousarray(view.public_ids),
    }
    return _packed({"survey": points_version(view), "n": len(view.keys)}, columns)


def colours_version(function: Function, view: SurveyView, labels: Sequence[Label]) -> str:
    """A name for all that the colours are made of; a handful of small queries."""
    work = FunctionWork.objects.filter(function=function, kind=WorkKind.PREDICT)
    models = TrainedModel.objects.filter(function=function).exclude(published_at=None)
    made_of = (
        view.sha256,
        Function.objects.values_list("data_revision", flat=True).get(pk=function.pk),
        work.values_list("done_revision", "wanted_revision", "cursor").first(),
        models.order_by("-number").values_list("pk", flat=True).first(),
        _in_bin(function).count(),
        _n_left(function, view),
        _n_newer(function, view),
        [(label.public_id, label.name, label.colour, label.weight) for label in labels],
    )
    return hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]


def pack_colours(function: Function, view: SurveyView, labels: Sequence[Label]) -> bytes:
    """Each sample's `label`, what is `said` of it, how sure (`confidence`, of 255), and its `state`.

    Labels by their place among those in use. What is said of a labelled sample was said by a model that never saw it;
    of any other, by the published model.
    """
    places = _places(function, labels)
    n = len(view.keys)
    label = np.full(n, NOTHING, dtype=np.uint16)
    said = np.full(n, NOTHING, dtype=np.uint16)
    confidence = np.zeros(n, dtype=np.uint8)
    state = np.zeros(n, dtype=np.uint8)
    state[_gone(function, view)] |= GONE
    rows, values = _labelled(function, view, labels, places)
    label[rows] = values
    state[rows] |= LABELLED
    is_labelled = (state & LABELLED) > 0
    for kind in PredictionKind:
        rows, values, sure = _said(function, view, kind, places)
        fits = is_labelled[rows] == (kind == PredictionKind.OUT_OF_FOLD)
        said[rows[fits]], confidence[rows[fits]] = values[fits], sure[fits]
    right, wrong = _verdicts(function, view, labels, label, said)
    state[right] |= RIGHT
    state[wrong] |= WRONG
    facts = {
        "survey": points_version(view),
        "n": n,
        "n_newer": _n_newer(function, view),
        "labels": [{"id": each.public_id, "name": each.name, "colour": each.colour} for each in labels],
    }
    return _packed(facts, {"label": label, "said": said, "confidence": confidence, "state": state})


def _packed(facts: Mapping[str, object], columns: Columns) -> bytes:
    named = [[name, column.dtype.itemsize, column.dtype.kind] for name, column in columns.items()]
    header = json.dumps({**facts, "columns": named}).encode()
    header += b" " * (-(len(header) + 4) % 8)  # so that columns of two bytes begin at even places
    return b"".join([struct.pack("<I", len(header)), header, *(column.tobytes() for column in columns.values())])


def _places(function: Function, labels: Sequence[Label]) -> Places:
    """The place of each label by key; what was merged into one of them is read as that one."""
    place_of = {label.pk: place for place, label in enumerate(labels)}
    merged = Label.objects.filter(function=function).exclude(merged_into=None).values_list("pk", "merged_into")
    into = {pk: other for pk, other in merged if other is not None}
    for pk in into:
        last = pk
        while last in into:
            last = into[last]
        if last in place_of:
            place_of[pk] = place_of[last]
    return place_of


def _gone(function: Function, view: SurveyView) -> IntArray:
    """Rows whose samples are in the bin or gone for good. As good as always the bin is asked, and nothing else."""
    binned = np.array(list(_in_bin(function).values_list("pk", flat=True)), dtype=np.int64)
    if _is_whole(function, view):
        return view.find(binned)[0]
    there = np.array(list(Sample.objects.filter(function=function).order_by().values_list("pk", flat=True)))
    gone: IntArray = np.flatnonzero(~np.isin(view.keys, there))
    return gone


def _in_bin(function: Function) -> QuerySet[Sample]:
    return Sample.everywhere.filter(function=function, deleted_at__isnull=False).order_by()


def _is_whole(function: Function, view: SurveyView) -> bool:
    """Whether none of the samples was deleted for good since they were surveyed; counted in an index."""
    work = FunctionWork.objects.filter(function=function, kind=WorkKind.SURVEY).values_list("cursor", flat=True)
    return _n_left(function, view) >= (work.first() or 0)


def _n_left(function: Function, view: SurveyView) -> int:
    return Sample.everywhere.filter(function=function, pk__lte=int(view.keys[-1])).count()


def _n_newer(function: Function, view: SurveyView) -> int:
    """How many samples came after those on the map: they are placed at the next look over all of them."""
    return Sample.objects.filter(function=function, pk__gt=int(view.keys[-1])).count()


def _labelled(function: Function, view: SurveyView, labels: Sequence[Label], places: Places) -> tuple[IntArray, Uint16]:
    if function.output_kind == OutputKind.TAGS:
        table = tag_table(function, labels)
        is_there = table.truth == THERE
        n_there = is_there.sum(axis=1)
        first = is_there.argmax(axis=1) if len(labels) else n_there
        values = np.where(n_there == 1, first, np.where(n_there, SEVERAL, NOTHING)).astype(np.uint16)
        rows, is_known = view.find(table.sample_ids)
        return rows, values[is_known]
    # Through everything, as what is in the bin has no label: so an index alone answers.
    pairs = Sample.everywhere.filter(function=function, label__in=list(places)).order_by().values_list("pk", "label_id")
    found = _columns(pairs, 2).astype(np.int64)
    rows, is_known = view.find(found[:, 0])
    return rows, _translated(found[is_known, 1], places)


def _said(
    function: Function, view: SurveyView, kind: PredictionKind, places: Places
) -> tuple[IntArray, Uint16, npt.NDArray[np.uint8]]:
    said = Prediction.objects.filter(function=function, kind=kind).order_by()
    found = _columns(said.values_list("sample_id", "label_id", "confidence"), 3)
    rows, is_known = view.find(found[:, 0].astype(np.int64))
    found = found[is_known]
    sure = np.round(np.clip(found[:, 2], 0, 1) * 255).astype(np.uint8)
    return rows, _translated(found[:, 1].astype(np.int64), places), sure


def _verdicts(
    function: Function, view: SurveyView, labels: Sequence[Label], label: Uint16, said: Uint16
) -> tuple[IntArray, IntArray]:
    """Rows that a model which never saw them got right, and those it got wrong; as the list of samples counts them."""
    if function.output_kind == OutputKind.TAGS:
        table = tag_table(function, labels)
        right = view.find(table.sample_ids[table.is_verdict(Verdict.RIGHT)])[0]
        return right, view.find(table.sample_ids[table.is_verdict(Verdict.WRONG)])[0]
    is_judged = (label != NOTHING) & (said != NOTHING)
    is_judged[_from_grid(function, view)] = False
    return np.flatnonzero(is_judged & (label == said)), np.flatnonzero(is_judged & (label != said))


def _from_grid(function: Function, view: SurveyView) -> IntArray:
    """Rows that were accepted among many: they are not judged. Asked only where the grid was ever used."""
    if not Act.objects.filter(function=function, kind=ActKind.GRID).exists():
        return np.zeros(0, dtype=np.int64)
    rows = Sample.objects.filter(function=function, annotation__picked_by=PickedBy.GRID).order_by()
    return view.find(np.array(list(rows.values_list("pk", flat=True)), dtype=np.int64))[0]


def _columns(rows: Iterable[tuple[float | None, ...]], width: int) -> npt.NDArray[np.float64]:
    """Numbers of rows side by side, -1 for none: far quicker than an array of tuples."""
    values = (-1.0 if value is None else value for value in chain.from_iterable(rows))
    return np.fromiter(values, dtype=np.float64).reshape(-1, width)


def _translated(keys: IntArray, places: Places) -> Uint16:
    """Places of labels for their keys."""
    known = np.array(sorted(places), dtype=np.int64)
    if not len(known):
        return np.full(len(keys), NOTHING, dtype=np.uint16)
    table = np.array([places[key] for key in known.tolist()], dtype=np.uint16)
    at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[at] == keys, table[at], np.uint16(NOTHING)).astype(np.uint16)
