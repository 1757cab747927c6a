"""Events of the audit log on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer


class EventReply(WireSerializer):
    """Something that happened. With `hash` and `previousHash` the log can be checked from its beginning."""

    number = serializers.IntegerField(source="event.sequence", help_text="Its place in the log, from 1, without a gap.")
    kind = serializers.CharField(source="event.kind", help_text="What happened, as a word that does not change.")
    text = serializers.CharField(source="what", help_text="What happened, in English, as it follows a name.")
    createdAt = serializers.DateTimeField(source="event.created_at", help_text="When.")
    personId = serializers.CharField(
        source="event.actor", required=False, help_text="Who did it; absent where the server did."
    )
    person = serializers.CharField(source="who", help_text="The e-mail address of that person, or the server's name.")
    address = serializers.CharField(required=False, help_text="The address it came from.")
    keyId = serializers.CharField(
        source="key_id", required=False, help_text="The key it was done with, where it was one."
    )
    objectId = serializers.CharField(source="event.subject", required=False, help_text="What it happened to.")
    functionId = serializers.CharField(source="function_id", required=False, help_text="The function it happened in.")
    data = serializers.DictField(  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
        source="event.data", help_text="What else is on record; never the text of a sample."
    )
    hash = serializers.CharField(source="event.hash", help_text="The SHA-256 of all this and of the event before.")
    previousHash = serializers.CharField(
        source="event.previous_hash", required=False, help_text="The hash of the event before."
    )
