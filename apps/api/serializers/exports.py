"""Exports on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.samples.models import ExportState
from apps.samples.services.export_runs import FORMATS

_FORMAT = "csv for spreadsheets, jsonl for programs: an object a line."


class NewExport(WireSerializer):
    """What file to write."""

    format = serializers.ChoiceField(choices=list(FORMATS), help_text=_FORMAT)


class ExportReply(WireSerializer):
    """An export, and how far it is."""

    id = serializers.CharField(source="public_id", help_text="The id of the export.")
    state = serializers.ChoiceField(
        choices=ExportState.values,
        help_text="queued and running go on by themselves; done has a result; failed says why.",
    )
    format = serializers.ChoiceField(choices=list(FORMATS), help_text=_FORMAT)
    rowCount = serializers.IntegerField(source="n_rows", help_text="How many samples are in it so far.")
    expectedRowCount = serializers.IntegerField(
        source="n_rows_expected", help_text="How many there were when it was begun."
    )
    message = serializers.CharField(required=False, help_text="Why it failed.")
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it was asked for.")
    finishedAt = serializers.DateTimeField(
        source="finished_at", required=False, help_text="When it ended. Seven days later it is deleted."
    )
