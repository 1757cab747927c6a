"""Saying that an answer was right or wrong, and following what becomes of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.base import WireSerializer, read
from apps.api.serializers.feedback import STATES, FeedbackReply, NewFeedback, NewFeedbackOfSample
from apps.api.views.base import ApiView, acts
from apps.api.views.samples import sample_of
from apps.core.errors import InvalidInput, NotFound
from apps.functions.models import Function
from apps.functions.selectors import standing_labels
from apps.samples.models import Feedback, Sample, Verdict
from apps.samples.services.feedback import Report, report
from apps.samples.services.posting import NamedLabels, Naming
from apps.workspaces.roles import Action

_TAGS = ["Capture and feedback"]
_SENT = {
    "verdict": "Wrong",
    "labelName": "Shipping",
    "note": "They ask where it is, not for money.",
    "reporter": "desk-4",
}
_FEEDBACK = {
    "id": "feedback_h2k7m4x9c1v6b3n8",
    "sampleId": "sample_c4n8x2m6q0w5z9t3",
    "externalId": "ticket-1742",
    "verdict": "Wrong",
    "labelName": "Shipping",
    "labelId": "label_p2m8v4c6x1z9q7w3",
    "note": "They ask where it is, not for money.",
    "reporter": "desk-4",
    "state": "learned",
    "learnedIn": "model_s5d1f8g4h7j2k6l9",
    "createdAt": "2026-05-31T08:00:00Z",
    "handledAt": "2026-05-31T09:12:00Z",
}
_WAITING = {name: _FEEDBACK[name] for name in _FEEDBACK if name not in {"learnedIn", "handledAt"}} | {
    "state": "waiting"
}
_KEPT = OpenApiExample("It waits for a person", value=_WAITING, response_only=True, status_codes=["200"])
_LIST = OpenApiExample("One report", value=[_FEEDBACK], response_only=True, status_codes=["200"])
_STATE = OpenApiParameter(
    "state", {"type": "string", "enum": list(STATES)}, description="Those in this state; all where it is left out."
)


class SampleFeedbackView(ApiView):
    """What was said of the answer for one sample."""

    @extend_schema(
        operation_id="reportSample",
        summary="Say that an answer was right or wrong",
        tags=_TAGS,
        request=NewFeedback,
        responses=FeedbackReply,
        examples=[OpenApiExample("It was wrong", value=_SENT, request_only=True), _KEPT],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str, sample_id: str) -> Response:
        """Nothing changes before a person has looked; wrong answers are shown to them first. The same report again,
        while it waits, is answered with the one that is there.
        """
        sample = sample_of(self.access, function_id, sample_id)
        return _report(self, sample, read(NewFeedback, request))

    @extend_schema(
        operation_id="listSampleFeedback",
        summary="List what was reported of a sample, the newest first",
        tags=_TAGS,
        parameters=PAGING,
        responses=FeedbackReply(many=True),
        examples=[_LIST],
    )
    @acts(Action.INVOKE)
    def get(self, request: Request, function_id: str, sample_id: str) -> Response:
        """A key that may not read sees what it reported itself."""
        sample = sample_of(self.access, function_id, sample_id)
        return _page(self, request, sample.function, Feedback.objects.filter(sample=sample))


class FunctionFeedbackView(ApiView):
    """What was said of a function's answers."""

    @extend_schema(
        operation_id="reportAnswer",
        summary="Say that an answer was right or wrong, by either id of its sample",
        tags=_TAGS,
        request=NewFeedbackOfSample,
        responses=FeedbackReply,
        examples=[
            OpenApiExample("By your own id", value=_SENT | {"externalId": "ticket-1742"}, request_only=True),
            _KEPT,
        ],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> Response:
        """For callers who know the answer by the id they sent with the call (`externalId`), if its input was kept."""
        function = self.access.fetch(Function, function_id)
        sent = read(NewFeedbackOfSample, request)
        sample_id, external_id = sent.pop("sampleId", ""), sent.pop("externalId", "")
        if bool(sample_id) == bool(external_id):
            raise InvalidInput("Say which sample is meant: by sampleId or by externalId, not by both.")
        if sample_id:
            return _report(self, sample_of(self.access, function_id, sample_id), sent)
        sample = Sample.objects.filter(function=function, external_id=external_id).order_by("-pk").first()
        if sample is None:
            raise NotFound("There is no sample with this externalId here: the input of that call was not kept.")
        return _report(self, sample, sent)

    @extend_schema(
        operation_id="listFeedback",
        summary="List what was reported, the newest first",
        tags=_TAGS,
        parameters=[_STATE, *PAGING],
        responses=FeedbackReply(many=True),
        examples=[_LIST],
    )
    @acts(Action.INVOKE)
    def get(self, request: Request, function_id: str) -> Response:
        """A key that may not read sees what it reported itself."""
        function = self.access.fetch(Function, function_id)
        rows = Feedback.objects.filter(function=function, sample__deleted_at=None)
        asked = {name.lower(): str(value) for name, value in request.query_params.items()}.get("state", "")
        if asked and asked.lower() not in STATES:
            raise InvalidInput(f"state must be one of {', '.join(STATES)}.")
        return _page(self, request, function, rows.filter(state=asked.lower()) if asked else rows)


def _report(view: ApiView, sample: Sample, sent: dict[str, Any]) -> Response:
    labels = NamedLabels(sample.function)
    tags = sent.get("tags")
    said = Report(
        verdict=Verdict(sent["verdict"]),
        label=labels.find(_naming(sent)) if _naming(sent) != Naming() else None,
        tags=None if tags is None else [labels.find(_naming(tag)) for tag in tags],
        note=sent.get("note", ""),
        reporter=sent.get("reporter", ""),
    )
    written = report(sample=sample, said=said, key=view.key)
    return Response(_bodies(sample.function, [written])[0])


def _naming(sent: dict[str, Any]) -> Naming:
    return Naming(name=sent.get("labelName", ""), id=sent.get("labelId", ""))


def _page(view: ApiView, request: Request, function: Function, rows: QuerySet[Feedback]) -> Response:
    if not view.access.also(Action.VIEW):
        rows = rows.filter(key=view.key)
    rows = rows.select_related("sample", "label").order_by("-id")
    return page_reply(request, rows, lambda page: _bodies(function, page))


def _bodies(function: Function, rows: Sequence[Feedback]) -> Sequence[dict[str, Any]]:
    """As they go out: labels are called as they are now, and those deleted since are left out."""
    labels = standing_labels(function.pk)
    for row in rows:
        named = [labels[key] for key in row.tags or () if key in labels]
        row.tag_labels = None if row.tags is None else list(dict.fromkeys(named))  # type: ignore[attr-defined]  # for the serializer
        row.label = labels.get(row.label.public_id) if row.label else None
    bodies: WireSerializer = FeedbackReply(rows, many=True)
    return list(bodies.data)
