"""Columns of table functions as they travel."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.choices import FIELD_TYPES, WireChoice
from apps.functions.names import LABEL_NAME_MAX

_NAME = "What samples call it. No two fields of a function are called the same, whatever their upper and lower case."
_TYPE = (
    "What it holds. Category: one of a few words; Text: words that mean something by themselves, such as a note; "
    "Date: a day, with or without a time."
)


class NewField(WireSerializer):
    """A field to be made."""

    name = serializers.CharField(max_length=LABEL_NAME_MAX, help_text=_NAME)
    type = WireChoice(FIELD_TYPES, help_text=_TYPE)


class FieldChange(WireSerializer):
    """What changes of a field; what is left out stays. With another type its values are read anew."""

    name = serializers.CharField(required=False, max_length=LABEL_NAME_MAX, help_text=_NAME)
    type = WireChoice(FIELD_TYPES, required=False, help_text=_TYPE)


class FieldReply(WireSerializer):
    """A field."""

    id = serializers.CharField(source="public_id", help_text="Its id, `field_` in front.")
    name = serializers.CharField(help_text="What samples call it.")
    type = WireChoice(FIELD_TYPES, help_text=_TYPE)
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it was made.")
