"""The fields of a table function."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.errors import Duplicate
from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.base import read
from apps.api.serializers.fields import FieldChange, FieldReply, NewField
from apps.api.serializers.functions import Done
from apps.api.views.base import ApiView, acts
from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions import services
from apps.functions.models import Field, Function
from apps.functions.services import NameTaken
from apps.samples.services import row_fields
from apps.workspaces.roles import Action

_FIELD = {"id": "field_d4f7g1h8j2k5l9z3", "name": "Age", "type": "Number", "createdAt": "2026-05-31T08:00:00Z"}
_REPLY = OpenApiExample("A field", value=_FIELD, response_only=True, status_codes=["200"])


class FieldsView(ApiView):
    """All fields of a table function."""

    @extend_schema(
        operation_id="createField",
        summary="Make a field",
        tags=["Fields"],
        request=NewField,
        responses=FieldReply,
        examples=[
            OpenApiExample("A number", value={"name": "Age", "type": "Number"}, request_only=True),
            _REPLY,
        ],
    )
    @acts(Action.EDIT_LABELS)
    def post(self, request: Request, function_id: str) -> Response:
        """One that is there already is answered by 409 with its `id`, and stays as it is: so it is safe to repeat."""
        function = self.access.fetch(Function, function_id)
        field, is_new = services.make_field(function=function, actor=self.key.owner, **read(NewField, request))
        if not is_new:
            raise Duplicate(f"A field “{field.name}” already exists.", existing_id=field.public_id)
        return Response(FieldReply(field).data)

    @extend_schema(
        operation_id="listFields",
        summary="List fields, in the order people see them",
        tags=["Fields"],
        parameters=PAGING,
        responses=FieldReply(many=True),
        examples=[OpenApiExample("One field", value=[_FIELD], response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        rows = self.access.fetch(Function, function_id).fields.order_by("position", "id")
        return page_reply(request, rows, lambda page: FieldReply(page, many=True).data)


class FieldView(ApiView):
    """One field."""

    @extend_schema(
        operation_id="getField",
        summary="Read a field",
        tags=["Fields"],
        responses=FieldReply,
        examples=[_REPLY],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str, field_id: str) -> Response:
        return Response(FieldReply(self._field(function_id, field_id)).data)

    @extend_schema(
        operation_id="updateField",
        summary="Change a field",
        tags=["Fields"],
        request=FieldChange,
        responses=FieldReply,
        examples=[OpenApiExample("Another type", value={"type": "Text"}, request_only=True), _REPLY],
    )
    @acts(Action.EDIT_LABELS)
    def put(self, request: Request, function_id: str, field_id: str) -> Response:
        """What is left out stays. With another type, values that cannot be read as that count as missing."""
        field, asked, actor = self._field(function_id, field_id), read(FieldChange, request), self.key.owner
        try:
            if "name" in asked:
                row_fields.name_field(field=field, name=asked["name"], actor=actor)
        except NameTaken as error:
            raise Duplicate(error.message, existing_id=error.existing_id) from error
        if asked.get("type", field.type) != field.type:
            row_fields.retype_field(field=field, type=asked["type"], actor=actor)
        return Response(FieldReply(field).data)

    @extend_schema(
        operation_id="deleteField",
        summary="Delete a field with its values",
        tags=["Fields"],
        responses=Done,
        examples=[OpenApiExample("Deleted", value={"id": _FIELD["id"]}, response_only=True, status_codes=["200"])],
    )
    @acts(Action.DELETE_SAMPLES)
    def delete(self, request: Request, function_id: str, field_id: str) -> Response:
        """Its values go from all samples. There is no way back."""
        field = self._field(function_id, field_id)
        row_fields.remove_field(field=field, actor=self.key.owner)
        return Response({"id": field.public_id})

    def _field(self, function_id: str, field_id: str) -> Field:
        """Raises NotFound for a field of another function."""
        field = self.access.fetch(Field, field_id, related=("function",))
        if field.function.public_id != with_prefix(Function.ID_KIND, function_id):
            raise NotFound("There is no such field here.")
        return field
