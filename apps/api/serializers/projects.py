"""Projects as they travel: what existing clients call a workspace."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer


class NewProject(WireSerializer):
    """A project somebody wants."""

    name = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="What to call it.")


class ProjectReply(WireSerializer):
    """The project of a key: its workspace."""

    id = serializers.CharField(help_text="Its id, `project_` in front.")
    name = serializers.CharField(help_text="What people call it.")
