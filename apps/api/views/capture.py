"""What a function keeps of its calls, so that people look at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.serializers.base import read
from apps.api.serializers.capture import CaptureChange, CaptureReply
from apps.api.views.base import ApiView, acts
from apps.functions.models import Function
from apps.invoke.capture import change_capture
from apps.samples.services.capture_policies import CaptureRules, missed_this_hour, policy_of
from apps.samples.services.capturing import kept_since
from apps.workspaces.roles import Action

_TAGS = ["Capture and feedback"]
_CHANGE = {"mode": "informative", "randomShare": 0.02, "perHour": 200, "daysKept": 90, "redactions": ["email", "phone"]}
_REPLY = OpenApiExample(
    "What is kept", value=_CHANGE | {"keptLastDay": 31, "missedLastHour": 0}, response_only=True, status_codes=["200"]
)


class CaptureView(ApiView):
    """What is kept of calls."""

    @extend_schema(
        operation_id="getCapture",
        summary="Read what is kept of calls",
        tags=_TAGS,
        responses=CaptureReply,
        examples=[_REPLY],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """A function keeps nothing until somebody says so. A call with `capture=false` is never kept."""
        return _reply(self.access.fetch(Function, function_id))

    @extend_schema(
        operation_id="updateCapture",
        summary="Change what is kept of calls",
        tags=_TAGS,
        request=CaptureChange,
        responses=CaptureReply,
        examples=[OpenApiExample("What there is something to learn from", value=_CHANGE, request_only=True), _REPLY],
    )
    @acts(Action.EDIT_FUNCTIONS)
    def put(self, request: Request, function_id: str) -> Response:
        """What is left out stays. Captured samples wait for a person: they never train by themselves."""
        function = self.access.fetch(Function, function_id)
        sent = read(CaptureChange, request)
        chosen: dict[str, Any] = {
            _NAMES[name]: tuple(value) if isinstance(value, list) else value for name, value in sent.items()
        }
        rules = replace(CaptureRules.of(policy_of(function.pk)), **chosen)
        change_capture(function=function, rules=rules, actor=self.key.owner)
        return _reply(function)


_NAMES = {
    "mode": "mode",
    "randomShare": "random_share",
    "perHour": "per_hour",
    "daysKept": "days_kept",
    "redactions": "redactions",
}


def _reply(function: Function) -> Response:
    policy = policy_of(function.pk)
    rules = CaptureRules.of(policy)
    body = {name: getattr(rules, ours) for name, ours in _NAMES.items()}
    missed = missed_this_hour(policy)
    body |= {
        "redactions": list(rules.redactions),
        "keptLastDay": kept_since(function, hours=24),
        "missedLastHour": missed.n_calls,
        "missedBecause": missed.because,
    }
    return Response(CaptureReply(body).data)
