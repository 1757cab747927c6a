"""One of a few words on the wire, and what each is called in here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.functions.models import FieldType, InputKind, OutputKind

INPUTS: Mapping[str, str] = {InputKind.TEXT: "Text", InputKind.IMAGE: "Image", InputKind.TABLE: "Tabular"}
OUTPUTS: Mapping[str, str] = {
    OutputKind.LABEL: "Classification",
    OutputKind.TAGS: "Tags",
    OutputKind.SEARCH: "Search",
}
FIELD_TYPES: Mapping[str, str] = {
    FieldType.NUMBER: "Number",
    FieldType.TEXT: "Text",
    FieldType.IMAGE: "Image",
    FieldType.CATEGORY: "Category",
    FieldType.DATE: "Date",
}


class WireChoice(serializers.ChoiceField):
    """Takes a word whatever its case and reads it as ours; shows ours as the word."""

    def __init__(self, words: Mapping[str, str], **options: Any) -> None:
        self.words = words
        self._ours = {word.lower(): ours for ours, word in words.items()}
        super().__init__(choices=list(words.values()), **options)

    def to_internal_value(self, data: object) -> str:
        ours = self._ours.get(data.strip().lower()) if isinstance(data, str) else None
        if ours is None:
            raise serializers.ValidationError(f"This must be one of {', '.join(self.words.values())}.")
        return ours

    def to_representation(self, value: str) -> str:
        return self.words[value]
