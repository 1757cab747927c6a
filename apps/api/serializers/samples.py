"""Samples and annotations on the wire."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.api.sample_bodies import ORIGINS
from apps.api.serializers.base import WireSerializer
from apps.samples.checks import EXTERNAL_ID_MAX
from apps.samples.models import CaptureReason

DATA = {
    "description": (
        "The input: a text; a picture as a data URI or an address that the server can reach; or a row, an object of "
        "values by the names or ids of fields."
    ),
    "oneOf": [{"type": "string"}, {"type": "object", "additionalProperties": {}}],
}
ONE = {
    "type": "object",
    "properties": {
        "labelName": {"type": "string", "description": "The name of a label that there is.", "minLength": 1},
        "labelId": {"type": "string", "description": "Instead of the name: the id of the label.", "minLength": 1},
        "present": {
            "type": "boolean",
            "description": "Of a tag: whether it is on the sample. True where it is left out.",
        },
    },
}
ANNOTATION = {
    "description": "What is right: one label, or where the function gives tags a list of them.",
    "oneOf": [ONE, {"type": "array", "items": ONE}],
}
SAID = {
    "type": "object",
    "properties": {
        "labelId": {"type": "string", "description": "The id of the label."},
        "labelName": {"type": "string", "description": "Its name."},
    },
    "required": ["labelId", "labelName"],
}


def _saying(name: str, schema: dict[str, object]) -> dict[str, object]:
    said = {**SAID, "properties": {**SAID["properties"], name: schema}, "required": [*SAID["required"], name]}  # type: ignore[dict-item]  # a schema is a tree of anything
    return {"type": "array", "items": said}


ANNOTATED = {
    "description": "What people say is right; left out where nobody has said anything.",
    "oneOf": [SAID, _saying("present", {"type": "boolean", "description": "Whether the tag is on the sample."})],
}
CONFIDENCE = {"type": "number", "minimum": 0, "maximum": 1, "description": "How probable it is, from 0 to 1."}
PREDICTED = {
    "description": (
        "What a model says: of a sample with an annotation one that never saw it, of others the one that answers. "
        "Left out where nothing has been said yet."
    ),
    "oneOf": [_saying("confidence", CONFIDENCE)["items"], _saying("confidence", CONFIDENCE)],
}


@extend_schema_field(DATA)
class DataField(serializers.Field[Any, Any, Any, Any]):
    """Anything: what it may be depends on the function."""


@extend_schema_field(ANNOTATION)
class AnnotationField(serializers.Field[Any, Any, Any, Any]):
    """One label, or a list of tags."""


@extend_schema_field(ANNOTATED)
class AnnotatedField(serializers.Field[Any, Any, Any, Any]):
    """One label, or a list of tags, as they go out."""


@extend_schema_field(PREDICTED)
class PredictedField(serializers.Field[Any, Any, Any, Any]):
    """One label, or a list of tags, with confidences."""


class NewSample(WireSerializer):
    """A sample to add."""

    data = DataField(help_text="The input.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    externalId = serializers.CharField(
        required=False, max_length=EXTERNAL_ID_MAX, help_text="An id of your own, at most once in the function."
    )
    annotation = AnnotationField(required=False, help_text="What is right, where it is known.")


def _annotation_parts(words: str) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
    return {
        "annotation.labelName": serializers.CharField(required=False, help_text=words),
        "annotation.labelId": serializers.CharField(required=False, help_text="Instead of the name: its id."),
    }


class NewSampleForm(WireSerializer):
    """A sample to add, as a form with a picture file."""

    data = serializers.FileField(help_text="The picture: JPEG, PNG, WEBP, GIF or HEIC.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    externalId = serializers.CharField(
        required=False, max_length=EXTERNAL_ID_MAX, help_text="An id of your own, at most once in the function."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | _annotation_parts("The name of its label.")


ORIGIN = (
    "How it came in. Browser: put in by a person; Import: from a file; Api: sent by a program; "
    "InvokeCapture: kept of a call."
)
REASONS = (
    "LowConfidence: the model was not sure; RareClass: few samples have its label; NewKind: unlike the samples; "
    "Random: drawn at random; All: every call is kept."
)


class SampleReply(WireSerializer):
    """A sample with what is right for it and what a model says of it."""

    id = serializers.CharField(help_text="The id of the sample.")
    data = DataField(required=False, help_text="The input as it was sent. Pictures are addresses that work 20 minutes.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    externalId = serializers.CharField(required=False, help_text="Your own id of it.")
    annotation = AnnotatedField(required=False, help_text="What people say is right.")
    prediction = PredictedField(required=False, help_text="What a model says.")
    origin = serializers.ChoiceField(choices=list(ORIGINS), help_text=ORIGIN)
    captureReason = serializers.ChoiceField(
        choices=CaptureReason.values, required=False, help_text=f"Why a captured call was kept. {REASONS}"
    )
    createdAt = serializers.DateTimeField(help_text="When it came in.")


class SampleBatch(WireSerializer):
    """Many samples to add."""

    items = NewSample(many=True, help_text="Up to 1,000 texts or rows, or 64 pictures.")


class SampleBatchForm(WireSerializer):
    """Many pictures to add, as the files of a form."""

    data = serializers.ListField(  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
        child=serializers.FileField(), max_length=64, help_text="Up to 64 pictures, each a part of this name."
    )

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return super().get_fields() | _annotation_parts("The name of the label that all of them have.")


class BatchItem(WireSerializer):
    """What became of one sample of a batch."""

    outcome = serializers.ChoiceField(
        choices=["added", "restored", "duplicate", "refused"],
        help_text="Added; back out of the bin; there already; or not taken, and why.",
    )
    id = serializers.CharField(required=False, help_text="The id of the sample, new or known.")
    existingSampleId = serializers.CharField(
        required=False, help_text="Of a duplicate: the sample that is there already."
    )
    message = serializers.CharField(required=False, help_text="Why it was refused, or what of it could not be read.")


class SampleBatchReply(WireSerializer):
    """What became of each, in the order sent, and how many came to what."""

    items = BatchItem(many=True, help_text="An entry for each sample, in the order sent.")
    addedCount = serializers.IntegerField(help_text="How many were added, or came back out of the bin.")
    duplicateCount = serializers.IntegerField(help_text="How many were there already.")
    refusedCount = serializers.IntegerField(help_text="How many were refused.")


ANNOTATION_BODY: Any = {"application/json": ANNOTATION}
ANNOTATION_REPLY: Any = {(200, "application/json"): ANNOTATED}
PICTURE_REPLY: Any = {(200, "image/jpeg"): OpenApiTypes.BINARY}
