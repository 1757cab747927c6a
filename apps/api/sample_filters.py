"""Which samples a list holds, as its address asks: names compare without case, empty values mean *not given*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import numpy as np
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import QueryDict

from apps.api.sample_bodies import ORIGINS
from apps.core.errors import InvalidInput
from apps.core.ids import with_prefix
from apps.core.moments import moment_asked
from apps.core.texts import storable
from apps.functions.models import Function, Label, OutputKind
from apps.review.filters import SampleFilter, Verdict
from apps.review.selectors.samples import label_keys
from apps.review.selectors.tag_table import tag_table
from apps.samples.models import Capture, CaptureReason, Sample, SampleTag
from apps.samples.services.posting import NamedLabels, Naming
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.selectors import EVEN, judging_model, tag_thresholds

MOST_IDS = 1_000
MOST_SEARCHED = 200
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
_OF_LABELS = ("annotationlabelid", "predictionlabelid", "annotationlabelidnot", "predictionlabelidnot")

E = TypeVar("E")


@dataclass(frozen=True)
class SamplesAsked:
    """What a list of samples was asked for."""

    external_id: str = ""
    ids: tuple[str, ...] | None = None
    is_annotated: bool | None = None
    is_predicted: bool | None = None
    label: Label | None = None
    predicted: Label | None = None
    without: Label | None = None
    unsaid: Label | None = None
    agrees: bool | None = None
    capture_reason: CaptureReason | None = None
    origin: str = ""
    search: str = ""
    is_in_train_set: bool | None = None
    is_in_a_set: bool = False
    created_after: datetime | None = None
    created_before: datetime | None = None
    is_ascending: bool = False
    includes_data: bool = True

    @property
    def compares(self) -> bool:
        """Whether it asks for samples as the figures count them: judged ones, those accepted in the grid left out."""
        return self.agrees is not None or self.without is not None or self.unsaid is not None


def read_asked(function: Function, query: QueryDict) -> SamplesAsked:
    """Read the query string of a list of samples. Raises InvalidInput."""
    values = {name.lower(): storable(str(value)).strip() for name, value in query.items()}
    _one_of(values.get("sortby", ""), {"creation": ""}, "sortBy")
    order = _one_of(values.get("sortorder", ""), {"ascending": True, "descending": False}, "sortOrder")
    label, predicted, without, unsaid = _labels(function, values)
    return SamplesAsked(
        external_id=values.get("externalid", ""),
        ids=_ids(query),
        is_annotated=_flag(values, "annotated"),
        is_predicted=_flag(values, "predicted"),
        label=label,
        predicted=predicted,
        without=without,
        unsaid=unsaid,
        agrees=_flag(values, "predictionAndAnnotationAgree"),
        capture_reason=_one_of(
            values.get("capturereason", ""), {each.value: each for each in CaptureReason}, "captureReason"
        ),
        origin=_one_of(values.get("origin", ""), ORIGINS, "origin") or "",
        search=_search(values.get("searchtext", "")),
        is_in_train_set=_flag(values, "inTrainSet"),
        is_in_a_set=bool(values.get("samplesetid")),
        created_after=moment_asked(values.get("createdafter", ""), name="createdAfter"),
        created_before=moment_asked(values.get("createdbefore", ""), name="createdBefore"),
        is_ascending=bool(order),
        includes_data=_flag(values, "includeData") is not False,
    )


def sample_keys(function: Function, asked: SamplesAsked) -> QuerySet[Sample, int] | Sequence[int]:
    """Return the keys of the samples asked for, in their order: read from indexes, contents are not."""
    if asked.is_in_a_set or asked.ids == ():
        return Sample.objects.none().values_list("pk", flat=True)
    rows = Sample.objects.filter(_of_samples(asked), function=function)
    for narrow in (_narrow_by_label, _narrow_by_prediction, _narrow_by_model):
        rows = narrow(function, rows, asked)
    keys = rows.order_by("pk" if asked.is_ascending else "-pk").values_list("pk", flat=True)
    return _compared_tags(function, keys, asked) if _is_by_table(function, asked) else keys


def _is_by_table(function: Function, asked: SamplesAsked) -> bool:
    """Whether tags on samples are compared with those said: the pages' table of them knows."""
    return _gives_tags(function) and (asked.compares or (asked.label is not None and asked.predicted is not None))


def _of_samples(asked: SamplesAsked) -> Q:
    """What the columns of samples say by themselves."""
    wanted = Q()
    if asked.external_id:
        wanted &= Q(external_id=asked.external_id)
    if asked.ids is not None:
        wanted &= Q(public_id__in=asked.ids)
    if asked.is_annotated is not None:
        wanted &= Q(annotation__isnull=False) if asked.is_annotated else Q(annotation=None)
    if asked.origin:
        wanted &= Q(origin=asked.origin)
    if asked.search:
        columns = ("text", "original_name", "external_id")
        anywhere = Q()
        for column in columns:
            anywhere |= Q((f"{column}__icontains", asked.search))
        wanted &= anywhere
    if asked.created_after:
        wanted &= Q(created_at__gt=asked.created_after)
    if asked.created_before:
        wanted &= Q(created_at__lt=asked.created_before)
    if asked.capture_reason:
        wanted &= Q(pk__in=Capture.objects.filter(reason=asked.capture_reason).values("sample"))
    return wanted


def _narrow_by_label(function: Function, rows: QuerySet[Sample], asked: SamplesAsked) -> QuerySet[Sample]:
    if asked.label is None:
        return rows
    if _gives_tags(function):
        tagged = SampleTag.objects.filter(label=asked.label, is_present=True)
        return rows.filter(pk__in=tagged.values("sample"), annotation__isnull=False)
    return rows.filter(label=asked.label)


def _narrow_by_prediction(function: Function, rows: QuerySet[Sample], asked: SamplesAsked) -> QuerySet[Sample]:
    """Predictions as they go out with samples: out-of-fold of those with an annotation, live ones of the others."""
    if asked.compares and not _gives_tags(function):
        in_use = list(function.labels.in_use())
        rows = rows.filter(pk__in=label_keys(function, in_use, _as_filter(asked)).order_by())
    elif asked.predicted is not None and not _is_by_table(function, asked):
        rows = rows.filter(pk__in=_of_kinds(_saying(function, asked.predicted)).values("sample"))
    if asked.is_predicted is None:
        return rows
    said = Prediction.objects.filter(sample=OuterRef("pk"))
    if not _gives_tags(function):
        said = said.filter(label__in=function.labels.in_use())
    is_said = Q(Exists(said.filter(kind=PredictionKind.OUT_OF_FOLD)), annotation__isnull=False) | Q(
        Exists(said.filter(kind=PredictionKind.LIVE)), annotation=None
    )
    return rows.filter(is_said if asked.is_predicted else ~is_said)


def _of_kinds(rows: QuerySet[Prediction]) -> QuerySet[Prediction]:
    return rows.filter(
        Q(kind=PredictionKind.OUT_OF_FOLD, sample__annotation__isnull=False)
        | Q(kind=PredictionKind.LIVE, sample__annotation=None)
    )


def _saying(function: Function, label: Label) -> QuerySet[Prediction]:
    """What was said of samples where it is that label, or where that tag is there."""
    if not _gives_tags(function):
        return Prediction.objects.filter(label=label)
    live = TrainedModel.objects.filter(function=function, is_live=True).first()
    models = {PredictionKind.OUT_OF_FOLD: judging_model(function), PredictionKind.LIVE: live}
    says = Q()
    for kind, model in models.items():
        least = tag_thresholds(model).get(label.public_id, EVEN)
        says |= Q((f"tags__{label.public_id}__gte", least), kind=kind)
    return Prediction.objects.filter(says, function=function)


def _as_filter(asked: SamplesAsked) -> SampleFilter:
    """The filter by which pages show the same samples."""
    verdict = None if asked.agrees is None else Verdict.RIGHT if asked.agrees else Verdict.WRONG
    return SampleFilter(
        verdict=verdict, label=asked.label, without=asked.without, predicted=asked.predicted, unsaid=asked.unsaid
    )


def _compared_tags(function: Function, keys: QuerySet[Sample, int], asked: SamplesAsked) -> Sequence[int]:
    table = tag_table(function, list(function.labels.in_use()))
    judged = table.sample_ids[table.matching(_as_filter(asked))]
    found = np.array(list(keys), dtype=np.int64)
    return [int(key) for key in found[np.isin(found, judged)]]


def _narrow_by_model(function: Function, rows: QuerySet[Sample], asked: SamplesAsked) -> QuerySet[Sample]:
    """What the model that answers learned from: the answers there were when it did."""
    if asked.is_in_train_set is None:
        return rows
    live = TrainedModel.objects.filter(function=function, is_live=True).values_list("last_annotation_id", flat=True)
    last = live.first()
    if last is None:
        return rows.none() if asked.is_in_train_set else rows
    learned = Q(annotation__isnull=False, annotation_id__lte=last)
    return rows.filter(learned if asked.is_in_train_set else ~learned)


def _gives_tags(function: Function) -> bool:
    return function.output_kind == OutputKind.TAGS


def _labels(function: Function, values: Mapping[str, str]) -> list[Label | None]:
    ids = [values.get(name, "") for name in _OF_LABELS]
    if not any(ids):
        return [None] * len(ids)
    named = NamedLabels(function)
    return [named.find(Naming(id=one)) if one else None for one in ids]


def _ids(query: QueryDict) -> tuple[str, ...] | None:
    """The ids asked for, one parameter each or divided by commas; None where none was asked, () where an empty one."""
    given = [part for name in query if name.lower() in {"sampleids", "sampleids[]"} for part in query.getlist(name)]
    if not given:
        return None
    ids = dict.fromkeys(one.strip() for part in given for one in str(part).split(",") if one.strip())
    if len(ids) > MOST_IDS:
        raise InvalidInput(f"sampleIds names at most {MOST_IDS:,} samples.")
    return tuple(storable(with_prefix("sample", one)) for one in ids)


def _flag(values: Mapping[str, str], name: str) -> bool | None:
    return _one_of(values.get(name.lower(), ""), _FLAGS, name)


def _one_of(value: str, choices: Mapping[str, E], name: str) -> E | None:
    if not value:
        return None
    found = {choice.lower(): meant for choice, meant in choices.items()}
    if value.lower() not in found:
        raise InvalidInput(f"{name} is one of {', '.join(choices)}.")
    return found[value.lower()]


def _search(value: str) -> str:
    if len(value) > MOST_SEARCHED:
        raise InvalidInput(f"searchText has at most {MOST_SEARCHED} characters.")
    return value
