"""Samples as they go out: what was sent, what people say is right, and what a model says that never saw the answer.

A page of samples takes the same few queries whatever its length. Only labels and fields that there still are go out:
clients look each up in the lists they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rest_framework.request import Request

from apps.api.pictures import picture_address
from apps.engine.types import ColumnType
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.selectors import standing_labels
from apps.samples.models import Capture, Origin, Sample, SampleTag
from apps.samples.rows import TypedField, picture_key, typed
from apps.samples.sent_rows import sent_cells
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.training.selectors import judging_model, tag_thresholds, tags_said

Body = dict[str, object]
ORIGINS = {
    "Browser": Origin.BROWSER,
    "Import": Origin.IMPORT,
    "Api": Origin.API,
    "InvokeCapture": Origin.CAPTURE,
}
"""Where samples came from, as the wire has it."""
_ORIGIN_NAMES = {origin: name for name, origin in ORIGINS.items()}


class SampleBodies:
    """Writes samples of one function as JSON for one request."""

    def __init__(self, request: Request, function: Function, *, includes_data: bool = True) -> None:
        self._request = request
        self._function = function
        self._includes_data = includes_data
        self._kind = InputKind(function.input_kind)
        self._gives_tags = function.output_kind == OutputKind.TAGS
        self._labels: Mapping[str, Label] = {} if function.searches else standing_labels(function.pk)
        self._by_key = {label.pk: label for label in self._labels.values()}

    def of_keys(self, keys: Sequence[int], *, are_new: bool = False) -> list[Body]:
        """Return the samples of these keys, in their order; one deleted meanwhile is left out.

        Those that came just now were neither predicted nor captured, and are not asked about.
        """
        rows = Sample.objects.filter(pk__in=keys)
        found = {sample.pk: sample for sample in (rows if self._includes_data else rows.defer("text", "row"))}
        return self.of([found[key] for key in keys if key in found], are_new=are_new)

    def of(self, samples: Sequence[Sample], *, are_new: bool = False) -> list[Body]:
        """Return samples as JSON. At most six queries."""
        keys = [sample.pk for sample in samples]
        predictions, tags = {} if are_new else self._predictions(samples), self._tags(keys)
        captures = Capture.objects.none() if are_new else Capture.objects.filter(sample__in=keys)
        reasons = dict(captures.values_list("sample", "reason"))
        datas = self.datas(samples) if self._includes_data else [None] * len(samples)
        bodies: list[Body] = []
        for sample, data in zip(samples, datas, strict=True):
            body: Body = {"id": sample.public_id}
            if self._includes_data:
                body["data"] = data
            if sample.external_id:
                body["externalId"] = sample.external_id
            self._put_annotation(body, sample, tags)
            if sample.pk in predictions:
                body["prediction"] = predictions[sample.pk]
            body["origin"] = _ORIGIN_NAMES[Origin(sample.origin)]
            if sample.pk in reasons:
                body["captureReason"] = reasons[sample.pk]
            body["createdAt"] = sample.created_at.isoformat().replace("+00:00", "Z")
            bodies.append(body)
        return bodies

    def datas(self, samples: Sequence[Sample]) -> list[object]:
        """Return what was sent of each sample. One query for tables, none for others."""
        if self._kind is not InputKind.TABLE:
            return [self._data(sample) for sample in samples]
        fields = typed(self._function.fields.all())
        return [self._row(sample, fields) for sample in samples]

    def annotation_of(self, sample: Sample) -> object:
        """Return what is right for one sample, as it is now; None where nothing was said."""
        body: Body = {}
        self._put_annotation(body, sample, self._tags([sample.pk]))
        return body.get("annotation")

    def _put_annotation(self, body: Body, sample: Sample, tags: Mapping[int, list[Body]]) -> None:
        if sample.annotation_id is None:
            return
        if self._gives_tags:
            body["annotation"] = tags.get(sample.pk, [])
        elif label := self._by_key.get(sample.label_id or 0):
            body["annotation"] = {"labelId": label.public_id, "labelName": label.name}

    def _tags(self, keys: Sequence[int]) -> dict[int, list[Body]]:
        """What was said of tags, in the order in which it was said."""
        found: dict[int, list[Body]] = {}
        if not self._gives_tags:
            return found
        rows = SampleTag.objects.filter(sample__in=keys).order_by("pk").values_list("sample", "label", "is_present")
        for key, label_key, is_present in rows:
            if label := self._by_key.get(label_key):
                said = {"labelId": label.public_id, "labelName": label.name, "present": is_present}
                found.setdefault(key, []).append(said)
        return found

    def _predictions(self, samples: Sequence[Sample]) -> dict[int, object]:
        """Of samples with an annotation what was said without having seen it; of others what the live model says."""
        is_annotated = {sample.pk: sample.annotation_id is not None for sample in samples}
        found: dict[int, object] = {}
        rows = list(Prediction.objects.filter(sample__in=list(is_annotated)))
        thresholds = self._thresholds() if rows else {}
        for row in rows:
            if (row.kind == PredictionKind.OUT_OF_FOLD) != is_annotated[row.sample_id]:
                continue
            if row.tags is not None:
                found[row.sample_id] = self._tags_said(row.tags, thresholds[PredictionKind(row.kind)])
            elif label := self._by_key.get(row.label_id or 0):
                found[row.sample_id] = _said(label, row.confidence)
        return found

    def _thresholds(self) -> dict[PredictionKind, dict[str, float]]:
        if not self._gives_tags:
            return {kind: {} for kind in PredictionKind}
        live = TrainedModel.objects.filter(function=self._function, is_live=True).first()
        return {
            PredictionKind.OUT_OF_FOLD: tag_thresholds(judging_model(self._function)),
            PredictionKind.LIVE: tag_thresholds(live),
        }

    def _tags_said(self, tags: Mapping[str, float], thresholds: Mapping[str, float]) -> list[Body]:
        """The tags judged to be there, likeliest first; of two labels that are one by now, once."""
        said: dict[Label, float] = {}
        for public_id in tags_said(tags, thresholds):
            if label := self._labels.get(public_id):
                said.setdefault(label, tags[public_id])
        return [_said(label, confidence) for label, confidence in said.items()]

    def _data(self, sample: Sample) -> object:
        if self._kind is InputKind.TEXT:
            return sample.text
        return picture_address(self._request, sample.public_id)

    def _row(self, sample: Sample, fields: Sequence[TypedField]) -> object:
        cells = sent_cells(sample.row, fields)
        row = sample.row or {}
        pictures = [field.key for field in fields if field.type is ColumnType.IMAGE and picture_key(row, field.key)]
        return cells | {key: picture_address(self._request, sample.public_id, key) for key in pictures}


def _said(label: Label, confidence: float) -> Body:
    return {"labelId": label.public_id, "labelName": label.name, "confidence": confidence}
