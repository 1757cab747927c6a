"""Labels as they travel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.functions.names import DESCRIPTION_MAX, LABEL_NAME_MAX
from apps.functions.services.labels import METADATA_MAX


class Metadata(serializers.DictField):
    """Texts by name, kept for whoever calls: nothing is learned from them."""

    child = serializers.CharField(allow_blank=True, trim_whitespace=False)

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if isinstance(data, Mapping) and not all(isinstance(value, str) for value in data.values()):
            raise serializers.ValidationError("Every value must be a text.")
        texts: dict[str, str] = super().to_internal_value(data)
        return texts


_NAME = "What it is called. No two labels of a function are called the same."
_DESCRIPTION = "What belongs here, in a sentence: it is answered by before anything has been learned."
_METADATA = f"Texts of your own by name, at most {METADATA_MAX:,} characters: calls can have them in their answer."


class NewLabel(WireSerializer):
    """A label to be made."""

    name = serializers.CharField(max_length=LABEL_NAME_MAX, help_text=_NAME)
    description = serializers.CharField(
        required=False, allow_blank=True, max_length=DESCRIPTION_MAX, help_text=_DESCRIPTION
    )
    metadata = Metadata(required=False, help_text=_METADATA)


class LabelChange(WireSerializer):
    """What changes of a label. What is left out, or null, stays; an empty text or object clears."""

    name = serializers.CharField(required=False, max_length=LABEL_NAME_MAX, help_text=_NAME)
    description = serializers.CharField(
        required=False, allow_blank=True, max_length=DESCRIPTION_MAX, help_text=_DESCRIPTION
    )
    metadata = Metadata(required=False, help_text=_METADATA)


class LabelReply(WireSerializer):
    """A label."""

    id = serializers.CharField(source="public_id", help_text="Its id, `label_` in front.")
    name = serializers.CharField(help_text="What it is called.")
    description = serializers.CharField(required=False, help_text="What belongs here; left out where nothing is said.")
    metadata = serializers.DictField(
        child=serializers.CharField(),
        required=False,
        help_text="Texts of your own; left out where there are none.",
    )
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it was made.")
