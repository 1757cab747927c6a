"""How well a function does: the numbers of its pages."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.model_bodies import confusion_body, figures_body
from apps.api.serializers.models import ConfusionReply, FiguresReply
from apps.api.views.base import ApiView, acts
from apps.functions.models import Function
from apps.workspaces.roles import Action

_LIST = "/v1/functions/function_k3j9x0q2m5w8r1t7/samples?annotationLabelId=label_p2m8v4c6x1z9q7w3"
_REFUND = {"labelId": "label_p2m8v4c6x1z9q7w3", "labelName": "Refund"}
_FIGURES = {
    "modelId": "model_h5t1y8u3i6o0p2a4",
    "accuracy": {
        "value": 0.94,
        "low": 0.9,
        "high": 0.97,
        "isEarly": False,
        "isWeighted": False,
        "sampleCount": 112,
        "randomSampleCount": 61,
    },
    "guessingShare": 0.52,
    "annotatedCount": 112,
    "judgedCount": 112,
    "rightCount": 105,
    "wrongCount": 7,
    "unsureCount": 9,
    "labels": [
        {
            **_REFUND,
            "sampleCount": 58,
            "caughtCount": 55,
            "missedCount": 3,
            "falseAlarmCount": 4,
            "caught": f"{_LIST}&predictionAndAnnotationAgree=true",
            "missed": f"{_LIST}&predictionAndAnnotationAgree=false",
            "falseAlarms": f"{_LIST.replace('annotation', 'prediction')}&predictionAndAnnotationAgree=false",
        }
    ],
}
_CONFUSION = {
    "judgedCount": 112,
    "wrongCount": 7,
    "cells": [
        {
            "annotationLabelId": "label_p2m8v4c6x1z9q7w3",
            "annotationLabelName": "Refund",
            "predictionLabelId": "label_r6f0d2s8g4h1j5k9",
            "predictionLabelName": "Shipping",
            "count": 3,
            "samples": f"{_LIST}&predictionLabelId=label_r6f0d2s8g4h1j5k9&predictionAndAnnotationAgree=false",
        }
    ],
    "moreCellCount": 3,
}


class FiguresView(ApiView):
    """How well a function does."""

    @extend_schema(
        operation_id="getAccuracy",
        summary="Read how well a function does",
        tags=["Models"],
        responses=FiguresReply,
        examples=[OpenApiExample("Two labels", value=_FIGURES, response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """With the share that guessing would get, and for every number the address of the samples behind it."""
        return Response(figures_body(self.access.fetch(Function, function_id)))


class ConfusionView(ApiView):
    """What a function takes for what."""

    @extend_schema(
        operation_id="getConfusion",
        summary="Read what is taken for what",
        tags=["Models"],
        responses=ConfusionReply,
        examples=[OpenApiExample("One cell", value=_CONFUSION, response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        """Judged by models that never saw what is right. Samples accepted many at once are learned from, not judged."""
        return Response(confusion_body(self.access.fetch(Function, function_id)))
