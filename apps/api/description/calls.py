"""Calls as the document tells of them. They are answered before Django by `apps.invoke.asgi`, so these views stand in
no URL map but the document's own.
"""

from __future__ import annotations

from typing import NoReturn

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import OpenApiExample, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request

from apps.api.serializers.invoke import (
    BatchBody,
    BatchReply,
    CallBody,
    CallOptions,
    CallReply,
    LabelConfidence,
    OldCallReply,
    PictureForm,
    PicturesForm,
)
from apps.api.views.base import ApiView, acts
from apps.workspaces.roles import Action

_GUESS = {"labelName": "Refund", "labelId": "label_p2m8v4c6x1z9q7w3", "confidence": 0.97}
_ANSWER = {**_GUESS, "decision": "auto", "modelId": "model_f3g7h1j5k9l2z6x4"}
_TEXT = OpenApiExample(
    "A text",
    value={"data": "I want my money back", "externalId": "ticket-1742"},
    request_only=True,
    media_type="application/json",
)
_PICTURE = OpenApiExample(
    "A picture", value={"data": "parcel.jpg"}, request_only=True, media_type="multipart/form-data"
)
_REPLY = OpenApiExample(
    "One label", value={**_ANSWER, "externalId": "ticket-1742"}, response_only=True, status_codes=["200"]
)


class _Elsewhere(ApiView):
    """An address that requests never reach here."""

    def _nothing(self) -> NoReturn:
        raise Http404


class InvokeView(_Elsewhere):
    @extend_schema(
        operation_id="invoke",
        summary="Call a function",
        tags=["Calling"],
        parameters=[CallOptions],
        request={"application/json": CallBody, "multipart/form-data": PictureForm},
        responses=CallReply,
        examples=[_TEXT, _PICTURE, _REPLY],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> NoReturn:
        """Answers with the model that is published. Before there is one it guesses by names and rules, and says so."""
        self._nothing()


class InvokeBatchView(_Elsewhere):
    @extend_schema(
        operation_id="invokeBatch",
        summary="Call a function with many inputs",
        tags=["Calling"],
        parameters=[CallOptions],
        request={"application/json": BatchBody, "multipart/form-data": PicturesForm},
        responses=BatchReply,
        examples=[
            OpenApiExample(
                "Two texts",
                value={"items": [{"data": "I want my money back"}, {"data": "Where is my parcel?"}]},
                request_only=True,
                media_type="application/json",
            ),
            OpenApiExample(
                "Two pictures",
                value={"data": ["one.jpg", "two.jpg"]},
                request_only=True,
                media_type="multipart/form-data",
            ),
            OpenApiExample(
                "An answer each",
                value={"items": [_ANSWER, {"error": {"message": "The text is empty.", "code": "invalid_input"}}]},
                response_only=True,
                status_codes=["200"],
            ),
        ],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> NoReturn:
        """One input that cannot be answered does not spoil the others. Each counts as a call."""
        self._nothing()


class OldInvokeView(_Elsewhere):
    @extend_schema(
        operation_id="invokeV09",
        summary="Call a function, in the words of version 0.9",
        tags=["Version 0.9"],
        parameters=[CallOptions],
        request={"application/json": CallBody, "multipart/form-data": PictureForm},
        responses=PolymorphicProxySerializer(
            component_name="AnswerV09",
            serializers=[OldCallReply, LabelConfidence(many=True)],
            resource_type_field_name=None,
            many=False,
        ),
        examples=[
            _TEXT,
            _PICTURE,
            OpenApiExample("One label", value={**_ANSWER, "name": "Refund"}, response_only=True, status_codes=["200"]),
        ],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> NoReturn:
        """A function that gives tags answers with the list of those that are there."""
        self._nothing()


urlpatterns = [
    path("v1/functions/<str:function_id>/invoke", InvokeView.as_view(), name="invoke"),
    path("v1/functions/<str:function_id>/invoke/batch", InvokeBatchView.as_view(), name="invoke_batch"),
    path("v0.9/functions/<str:function_id>/invoke", OldInvokeView.as_view(), name="old_invoke"),
]
