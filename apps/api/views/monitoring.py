"""How the calls of a function go: over time, one by one, and what changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.monitoring import DriftReply, MonitoringReply, RecordedCallReply
from apps.api.views.base import ApiView, acts
from apps.core.errors import InvalidInput
from apps.core.moments import moment_asked
from apps.functions.models import Function, Label
from apps.invoke import monitor_selectors as selectors
from apps.invoke.models import DriftAlarm, Invocation
from apps.invoke.monitor_selectors import Production, Stretch
from apps.workspaces.roles import Action

STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1)}
MOST_STRETCHES = 800
ONLY = ("review", "errors")
_TAGS = ["Monitoring"]
_WHEN = {"type": "string", "format": "date-time"}
_FROM = OpenApiParameter("from", _WHEN, description="From when on. By default a day before the end.")
_TO = OpenApiParameter("to", _WHEN, description="Up to when. By default now.")
_TOTAL = {
    "start": "2026-05-31T08:00:00Z",
    "end": "2026-05-31T09:00:00Z",
    "callCount": 1204,
    "errorCount": 2,
    "reviewCount": 96,
    "milliseconds": {"p50": 13.1, "p95": 41.5},
    "confidence": {"p10": 0.71, "p50": 0.96},
    "labels": [{"labelId": "label_p2m8v4c6x1z9q7w3", "labelName": "Refund", "callCount": 611}],
}
_CALL = {
    "createdAt": "2026-05-31T08:12:44Z",
    "labelId": "label_p2m8v4c6x1z9q7w3",
    "labelName": "Refund",
    "confidence": 0.93,
    "novelty": 0.42,
}


class MonitoringView(ApiView):
    """Calls over time."""

    @extend_schema(
        operation_id="getMonitoring",
        summary="Read how calls went, by the hour or day",
        tags=_TAGS,
        parameters=[
            _FROM,
            _TO,
            OpenApiParameter(
                "by",
                {"type": "string", "enum": list(STEPS), "default": "hour"},
                description=f"How finely; at most {MOST_STRETCHES} hours or days.",
            ),
        ],
        responses=MonitoringReply,
        examples=[
            OpenApiExample(
                "One hour",
                value={
                    "total": _TOTAL,
                    "stretches": [_TOTAL],
                    "production": {"value": 0.92, "low": 0.86, "high": 0.96, "sampleCount": 74, "rightCount": 68},
                },
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """Times are cut to whole hours or days, in UTC. The hour that is not over counts as far as it has come."""
        function = self.access.fetch(Function, function_id)
        step = STEPS.get(request.query_params.get("by", "hour").lower())
        if step is None:
            raise InvalidInput(f"by must be one of {', '.join(STEPS)}.")
        start, end = _stretch_asked(request)
        if (end - start) / step > MOST_STRETCHES:
            raise InvalidInput(f"That is more than {MOST_STRETCHES} stretches. Ask for a shorter time, or by=day.")
        found = selectors.stretches(function, start, end, step)
        whole = Stretch(found[0].start, found[-1].end, selectors.sum_of(found))
        names = {label.public_id: label.name for label in Label.objects.filter(function=function)}
        body: dict[str, Any] = {
            "total": _stretch_body(whole, names),
            "stretches": [_stretch_body(stretch, names) for stretch in found],
        }
        production = selectors.production_accuracy(function, start)
        return Response(body | ({"production": _production_body(production)} if production.n else {}))


class DriftView(ApiView):
    """What changed."""

    @extend_schema(
        operation_id="getDrift",
        summary="Read whether calls are still like the samples",
        tags=_TAGS,
        responses=DriftReply,
        examples=[
            OpenApiExample(
                "Inputs of a new kind",
                value={
                    "comparedCallCount": 5120,
                    "alarms": [
                        {
                            "id": "alarm_q8w2e6r4t1y9u3i7",
                            "kind": "input",
                            "watched": "novelty",
                            "isMore": True,
                            "now": 0.34,
                            "usual": 0.05,
                            "beganAt": "2026-05-31T06:40:00Z",
                            "raisedAt": "2026-05-31T07:02:00Z",
                            "calls": [_CALL],
                        }
                    ],
                },
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """An alarm stands until somebody says on the page Monitor that they have seen it, or another model answers."""
        function = self.access.fetch(Function, function_id)
        watch = selectors.watch_of(function)
        alarms = [_alarm_body(alarm) for alarm in selectors.alarms_of(function)]
        return Response({"comparedCallCount": watch.n_calls if watch else 0, "alarms": alarms})


class CallsView(ApiView):
    """Calls one by one."""

    @extend_schema(
        operation_id="listCalls",
        summary="List calls, the newest first",
        tags=_TAGS,
        parameters=[
            _FROM,
            _TO,
            OpenApiParameter("labelId", {"type": "string"}, description="Only those answered so."),
            OpenApiParameter(
                "only",
                {"type": "string", "enum": list(ONLY)},
                description="Only answers that a person should look at, or only calls that were not answered.",
            ),
            *PAGING,
        ],
        responses=RecordedCallReply(many=True),
        examples=[
            OpenApiExample(
                "One call",
                value=[_CALL | {"milliseconds": 12.4, "decision": "auto", "modelId": "model_h5t1y8u3i6o0p2a4"}],
                response_only=True,
                status_codes=["200"],
            )
        ],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """The rows of calls are kept for some weeks. Nothing of an input is here but the sample that was kept."""
        function = self.access.fetch(Function, function_id)
        only = request.query_params.get("only", "")
        if only and only not in ONLY:
            raise InvalidInput(f"only must be one of {', '.join(ONLY)}.")
        label_id = request.query_params.get("labelId", "")
        label = self.access.fetch(Label, label_id) if label_id else None
        start, end = _stretch_asked(request)
        rows = selectors.calls_of(function, start=start, end=end, label=label, only=only)
        return page_reply(request, rows, _call_bodies)


def _stretch_asked(request: Request) -> tuple[datetime, datetime]:
    end = moment_asked(request.query_params.get("to", ""), name="to") or timezone.now()
    start = moment_asked(request.query_params.get("from", ""), name="from") or end - timedelta(days=1)
    if start >= end:
        raise InvalidInput("from must be before to.")
    return start, end


def _stretch_body(stretch: Stretch, names: dict[str, str]) -> dict[str, Any]:
    tally = stretch.tally
    body: dict[str, Any] = {
        "start": stretch.start,
        "end": stretch.end,
        "callCount": tally.n_calls,
        "errorCount": tally.n_errors,
        "reviewCount": tally.n_for_review,
    }
    if sum(tally.milliseconds):
        at = {"p50": tally.milliseconds_at(0.5), "p95": tally.milliseconds_at(0.95)}
        body["milliseconds"] = {name: round(value, 2) for name, value in at.items() if value is not None}
    if sum(tally.confidence):
        body["confidence"] = {"p10": tally.confidence_at(0.1), "p50": tally.confidence_at(0.5)}
    counted = [(key, n) for key, n in tally.labels.most_common() if key in names]
    body["labels"] = [{"labelId": key, "labelName": names[key], "callCount": n} for key, n in counted]
    return body


def _production_body(production: Production) -> dict[str, Any]:
    return {
        "value": production.share,
        "low": production.low,
        "high": production.high,
        "sampleCount": production.n,
        "rightCount": production.n_right,
    }


def _alarm_body(alarm: DriftAlarm) -> dict[str, Any]:
    facts = alarm.facts
    told = {
        "watched": facts.get("watched"),
        "isMore": facts.get("is_more"),
        "now": facts.get("now"),
        "usual": facts.get("usual"),
        "labelId": facts.get("label") or None,
        "seenAt": alarm.seen_at,
    }
    return {
        "id": alarm.public_id,
        "kind": alarm.kind,
        "beganAt": alarm.began_at,
        "raisedAt": alarm.raised_at,
        **_present(told),
        "calls": [_example_body(call) for call in facts.get("calls", [])],
    }


def _example_body(call: dict[str, Any]) -> dict[str, Any]:
    told = {
        "labelId": call.get("label") or None,
        "labelName": call.get("label_name") or None,
        "confidence": call.get("confidence"),
        "novelty": call.get("novelty"),
        "sampleId": call.get("sample") or None,
    }
    return {"createdAt": call["at"], **_present(told)}


def _call_bodies(calls: Sequence[Invocation]) -> list[dict[str, Any]]:
    return [_call_body(call) for call in calls]


def _call_body(call: Invocation) -> dict[str, Any]:
    answered = not call.error
    told = {
        "labelId": call.label.public_id if call.label else None,
        "labelName": call.label.name if call.label else None,
        "confidence": call.confidence,
        "novelty": call.novelty,
        "sampleId": call.sample.public_id if call.sample else None,
        "decision": ("review" if call.is_for_review else "auto") if answered else None,
        "error": call.error or None,
        "modelId": call.model.public_id if call.model else None,
    }
    return {"createdAt": call.created_at, "milliseconds": round(call.milliseconds, 2), **_present(told)}


def _present(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if value is not None}
