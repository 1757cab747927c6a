"""Projects: a key works in one workspace, and that is the one project there is."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.serializers.base import read
from apps.api.serializers.functions import project_id_of
from apps.api.serializers.projects import NewProject, ProjectReply
from apps.api.views.base import ApiView, acts
from apps.workspaces.roles import Action

_PROJECT = {"id": "project_b7c2d9e4f1a6h3k8", "name": "Support desk"}


class ProjectsView(ApiView):
    """The projects of a key, of which there is one."""

    @extend_schema(
        operation_id="listProjects",
        summary="List projects",
        tags=["Version 0.9"],
        responses=ProjectReply(many=True),
        examples=[OpenApiExample("The one there is", value=[_PROJECT], response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request) -> Response:
        """There is one: the workspace of the key."""
        return Response([self._project()])

    @extend_schema(
        operation_id="createProject",
        summary="Make a project, or find the one there is",
        tags=["Version 0.9"],
        request=NewProject,
        responses=ProjectReply,
        examples=[
            OpenApiExample("A name", value={"name": "Support desk"}, request_only=True),
            OpenApiExample("The one there is", value=_PROJECT, response_only=True, status_codes=["200"]),
        ],
    )
    @acts(Action.VIEW)
    def post(self, request: Request) -> Response:
        """Makes nothing: a key works in one workspace, whose project is the answer, under the name it has."""
        project = self._project()
        read(NewProject, request)
        return Response(project)

    def _project(self) -> dict[str, str]:
        workspace = self.access.own_workspace()
        return {"id": project_id_of(workspace), "name": workspace.name}
