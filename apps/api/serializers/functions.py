"""Functions as they travel."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.choices import INPUTS, OUTPUTS, WireChoice
from apps.core.errors import NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function
from apps.functions.names import FUNCTION_NAME_MAX
from apps.workspaces.models import Workspace

PROJECT = "project"
_INPUT = "What comes in: a text, a picture (Image), or a row of named values (Tabular)."
_OUTPUT = "What comes out: one label (Classification), any number of Tags, or the samples most like the input (Search)."


def project_id_of(workspace: Workspace) -> str:
    """Return what a workspace is called where clients speak of projects."""
    return f"{PROJECT}_{workspace.public_id.partition('_')[2]}"


def check_project(project_id: str, workspace: Workspace) -> None:
    """Raise NotFound where a project is named that is not this workspace; the kind in front may be missing."""
    if project_id and with_prefix(PROJECT, project_id) != project_id_of(workspace):
        raise NotFound("There is no such project here. A key works in one: leave projectId out.")


class NewFunction(WireSerializer):
    """A question to be answered."""

    name = serializers.CharField(
        required=False, allow_blank=True, max_length=FUNCTION_NAME_MAX, help_text="What people call it."
    )
    input = WireChoice(INPUTS, help_text=_INPUT)
    output = WireChoice(OUTPUTS, help_text=_OUTPUT)
    projectId = serializers.CharField(
        required=False, help_text="The project it belongs to. A key has one, so this may be left out."
    )


class FunctionName(WireSerializer):
    """What may be changed of a function."""

    name = serializers.CharField(max_length=FUNCTION_NAME_MAX, help_text="What people call it from now on.")


class FunctionReply(WireSerializer):
    """A function."""

    id = serializers.CharField(source="public_id", help_text="Its id, `function_` in front.")
    name = serializers.CharField(help_text="What people call it.")
    input = WireChoice(INPUTS, source="input_kind", help_text=_INPUT)
    output = WireChoice(OUTPUTS, source="output_kind", help_text=_OUTPUT)
    projectId = serializers.SerializerMethodField(help_text="The project it belongs to.")
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it was made.")

    def get_projectId(self, function: Function) -> str:  # noqa: N802  # named after its field
        return project_id_of(function.workspace)


class Done(WireSerializer):
    """That something is done, where there is nothing else to say."""

    id = serializers.CharField(help_text="What it was done to.")
