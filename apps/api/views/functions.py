"""Functions: making, listing, renaming and deleting them."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.base import read
from apps.api.serializers.functions import Done, FunctionName, FunctionReply, NewFunction, check_project
from apps.api.views.base import ApiView, acts
from apps.functions import services
from apps.functions.models import Function
from apps.workspaces.roles import Action

UNNAMED = "New function"

_FUNCTION = {
    "id": "function_k3j9x2m4p8qazw1s",
    "name": "Which desk?",
    "input": "Text",
    "output": "Classification",
    "projectId": "project_b7c2d9e4f1a6h3k8",
    "createdAt": "2026-05-31T08:00:00Z",
}
_REPLY = OpenApiExample("A function", value=_FUNCTION, response_only=True, status_codes=["200"])


class FunctionsView(ApiView):
    """All functions that the key sees."""

    @extend_schema(
        operation_id="createFunction",
        summary="Make a function",
        tags=["Functions"],
        request=NewFunction,
        responses=FunctionReply,
        examples=[
            OpenApiExample(
                "One label for a text",
                value={"name": "Which desk?", "input": "Text", "output": "Classification"},
                request_only=True,
            ),
            _REPLY,
        ],
    )
    @acts(Action.EDIT_FUNCTIONS)
    def post(self, request: Request) -> Response:
        """Its labels, and the fields of a table, are made afterwards, or come with the samples."""
        workspace = self.access.own_workspace()
        asked = read(NewFunction, request)
        check_project(asked.get("projectId", ""), workspace)
        function = services.create_function(
            workspace=workspace,
            name=asked.get("name") or UNNAMED,
            input_kind=asked["input"],
            output_kind=asked["output"],
            label_names=[],
            allow_no_labels=True,
            actor=self.key.owner,
        )
        return Response(FunctionReply(function).data)

    @extend_schema(
        operation_id="listFunctions",
        summary="List functions, the newest first",
        tags=["Functions"],
        parameters=PAGING,
        responses=FunctionReply(many=True),
        examples=[OpenApiExample("One function", value=[_FUNCTION], response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request) -> Response:
        rows = self.access.seen(Function).select_related("workspace").order_by("-id")
        return page_reply(request, rows, lambda page: FunctionReply(page, many=True).data)


class FunctionView(ApiView):
    """One function."""

    @extend_schema(
        operation_id="getFunction",
        summary="Read a function",
        tags=["Functions"],
        responses=FunctionReply,
        examples=[_REPLY],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        return Response(FunctionReply(self.access.fetch(Function, function_id)).data)

    @extend_schema(
        operation_id="updateFunction",
        summary="Rename a function",
        tags=["Functions"],
        request=FunctionName,
        responses=FunctionReply,
        examples=[OpenApiExample("Another name", value={"name": "Which team?"}, request_only=True), _REPLY],
    )
    @acts(Action.EDIT_FUNCTIONS)
    def put(self, request: Request, function_id: str) -> Response:
        """What comes in and what goes out stays as it was made."""
        function = self.access.fetch(Function, function_id)
        name = read(FunctionName, request)["name"]
        return Response(
            FunctionReply(services.rename_function(function=function, name=name, actor=self.key.owner)).data
        )

    @extend_schema(
        operation_id="deleteFunction",
        summary="Delete a function with all that belongs to it",
        tags=["Functions"],
        responses=Done,
        examples=[
            OpenApiExample("Deleted", value={"id": _FUNCTION["id"]}, response_only=True, status_codes=["200"]),
        ],
    )
    @acts(Action.EDIT_FUNCTIONS)
    def delete(self, request: Request, function_id: str) -> Response:
        """Samples, labels, models and figures go for good. There is no way back."""
        function = self.access.fetch(Function, function_id)
        services.delete_function(function=function, actor=self.key.owner)
        return Response({"id": function.public_id})
