"""The labels of a function."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.errors import Duplicate
from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.base import read
from apps.api.serializers.functions import Done
from apps.api.serializers.labels import LabelChange, LabelReply, NewLabel
from apps.api.views.base import ApiView, acts
from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions import services
from apps.functions.models import Function, Label
from apps.functions.services import NameTaken
from apps.workspaces.roles import Action

_LABEL = {
    "id": "label_p2m8v4c6x1z9q7w3",
    "name": "Refund",
    "description": "Somebody wants money back.",
    "metadata": {"queue": "billing"},
    "createdAt": "2026-05-31T08:00:00Z",
}
_NEW = {name: value for name, value in _LABEL.items() if name not in {"id", "createdAt"}}
_REPLY = OpenApiExample("A label", value=_LABEL, response_only=True, status_codes=["200"])


class LabelsView(ApiView):
    """All labels of a function."""

    @extend_schema(
        operation_id="createLabel",
        summary="Make a label",
        tags=["Labels"],
        request=NewLabel,
        responses=LabelReply,
        examples=[OpenApiExample("A label", value=_NEW, request_only=True), _REPLY],
    )
    @acts(Action.EDIT_LABELS)
    def post(self, request: Request, function_id: str) -> Response:
        """One that is there already is answered by 409 with its `id`, and stays as it is: so it is safe to repeat."""
        function = self.access.fetch(Function, function_id)
        label, is_new = services.make_label(function=function, actor=self.key.owner, **read(NewLabel, request))
        if not is_new:
            raise Duplicate(f"A label “{label.name}” already exists.", existing_id=label.public_id)
        return Response(LabelReply(label).data)

    @extend_schema(
        operation_id="listLabels",
        summary="List labels, in the order people see them",
        tags=["Labels"],
        parameters=PAGING,
        responses=LabelReply(many=True),
        examples=[OpenApiExample("One label", value=[_LABEL], response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        rows = self.access.fetch(Function, function_id).labels.in_use().order_by("position", "id")
        return page_reply(request, rows, lambda page: LabelReply(page, many=True).data)


class LabelView(ApiView):
    """One label."""

    @extend_schema(
        operation_id="getLabel",
        summary="Read a label",
        tags=["Labels"],
        responses=LabelReply,
        examples=[_REPLY],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str, label_id: str) -> Response:
        return Response(LabelReply(self._label(function_id, label_id)).data)

    @extend_schema(
        operation_id="updateLabel",
        summary="Change a label",
        tags=["Labels"],
        request=LabelChange,
        responses=LabelReply,
        examples=[OpenApiExample("Another name", value={"name": "Money back"}, request_only=True), _REPLY],
    )
    @acts(Action.EDIT_LABELS)
    def put(self, request: Request, function_id: str, label_id: str) -> Response:
        """What is left out, or null, stays. What was labelled with it stays so under the new name."""
        label = self._label(function_id, label_id)
        try:
            label = services.edit_label(label=label, actor=self.key.owner, **read(LabelChange, request))
        except NameTaken as error:
            raise Duplicate(error.message, existing_id=error.existing_id) from error
        return Response(LabelReply(label).data)

    @extend_schema(
        operation_id="deleteLabel",
        summary="Delete a label",
        tags=["Labels"],
        responses=Done,
        examples=[OpenApiExample("Deleted", value={"id": _LABEL["id"]}, response_only=True, status_codes=["200"])],
    )
    @acts(Action.EDIT_LABELS)
    def delete(self, request: Request, function_id: str, label_id: str) -> Response:
        """Its samples stay, without a label. People can take this back in the browser."""
        label = self._label(function_id, label_id)
        services.delete_label(label=label, actor=self.key.owner)
        return Response({"id": label.public_id})

    def _label(self, function_id: str, label_id: str) -> Label:
        """Raises NotFound for a label of another function, and for one that was deleted or merged."""
        label = self.access.fetch(Label, label_id, related=("function",))
        is_gone = label.deleted_at is not None or label.merged_into_id is not None
        if is_gone or label.function.public_id != with_prefix(Function.ID_KIND, function_id):
            raise NotFound("There is no such label here.")
        return label
