"""What clients ask that wait until a function is trained: state and counts that never contradict each other."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.serializers.functions import FunctionReply
from apps.api.serializers.v09 import FunctionStateReply, MetricsReply, State
from apps.api.views.base import ApiView, acts
from apps.functions.models import Function
from apps.training.standing import label_counts, standing_of
from apps.workspaces.roles import Action

_STATE = {
    "id": "function_k3j9x2m4p8qazw1s",
    "name": "Which desk?",
    "input": "Text",
    "output": "Classification",
    "projectId": "project_b7c2d9e4f1a6h3k8",
    "createdAt": "2026-05-31T08:00:00Z",
    "state": "Browsing",
}
_COUNTS = {"label_p2m8v4c6x1z9q7w3": 62, "label_r5t8y1u4i7o2a9s6": 38}
_METRICS = {
    "sampleCount": 140,
    "predictionCount": 140,
    "annotatedSampleCount": 100,
    "isTraining": False,
    "annotatedLabelCounts": _COUNTS,
    "positiveAnnotatedLabelCounts": _COUNTS,
}


class FunctionStateView(ApiView):
    """One function and how far it is."""

    @extend_schema(
        operation_id="getFunctionState",
        summary="Read a function and how far it is, as older clients do",
        tags=["Version 0.9"],
        responses=FunctionStateReply,
        examples=[OpenApiExample("It answers", value=_STATE, response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        function = self.access.fetch(Function, function_id)
        return Response({**FunctionReply(function).data, "state": State.of(standing_of(function)).value})


class MetricsView(ApiView):
    """Counts of one function."""

    @extend_schema(
        operation_id="getMetrics",
        summary="Count samples, predictions and labels: is it trained?",
        tags=["Functions"],
        responses=MetricsReply,
        examples=[OpenApiExample("All is done", value=_METRICS, response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """A function is trained once `isTraining` is false and there are as many predictions as samples. Asking once a
        second costs next to nothing; a webhook that hears of `model.trained` spares it.
        """
        function = self.access.fetch(Function, function_id)
        standing = standing_of(function)
        counts = label_counts(function, standing)
        return Response(
            {
                "sampleCount": standing.n_samples,
                "predictionCount": standing.n_predicted,
                "annotatedSampleCount": standing.n_labelled,
                "isTraining": standing.is_at_work,
                "annotatedLabelCounts": counts.said,
                "positiveAnnotatedLabelCounts": counts.present,
            }
        )


@extend_schema_view(
    get=extend_schema(
        operation_id="getMetricsV09", summary="Count samples and labels, as older clients do", tags=["Version 0.9"]
    )
)
class OldMetricsView(MetricsView):
    """The same at the address of the version before."""
