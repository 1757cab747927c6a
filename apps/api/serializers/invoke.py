"""Calls as they travel. `apps.invoke.wire`, `batches` and `bodies` read and write them; this says what they do."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.samples import DataField
from apps.invoke.answers import Decision
from apps.invoke.batches import MAX_ITEMS, MAX_PICTURES
from apps.samples.checks import EXTERNAL_ID_MAX


class CallOptions(WireSerializer):
    """What the address of a call may ask for, behind the question mark."""

    labelCount = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=999_999_999,
        help_text="How many of the likeliest labels to list too.",
    )
    modelId = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="The model to ask, one of those published before; left out or empty: the current one.",
    )
    includeMetadata = serializers.BooleanField(
        required=False, help_text="Whether labels come with the metadata that was stored with them."
    )
    capture = serializers.BooleanField(
        required=False, help_text="false: keep nothing of the input, whatever the function's settings say."
    )
    externalId = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=EXTERNAL_ID_MAX,
        help_text="Your own id of the input; it comes back.",
    )


class CallBody(WireSerializer):
    """One input."""

    data = DataField(  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
        help_text=(
            "A text; or of a picture function a data URI or an address beginning with https://; or of a table function "
            "an object with a value for each field, by the field's name or id."
        )
    )
    externalId = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=EXTERNAL_ID_MAX,
        help_text="Your own id of the input; it comes back in the answer.",
    )


class PictureForm(WireSerializer):
    """One picture, as the file of a form."""

    data = serializers.FileField(help_text="The picture: JPEG, PNG, WEBP, GIF or HEIC.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    externalId = serializers.CharField(
        required=False, max_length=EXTERNAL_ID_MAX, help_text="Your own id of the input; it comes back in the answer."
    )


class LabelConfidence(WireSerializer):
    """A label, and how sure the model is of it."""

    labelName = serializers.CharField(help_text="What the label is called.")
    labelId = serializers.CharField(help_text="The label's id.")
    confidence = serializers.FloatField(
        min_value=0,
        max_value=1,
        help_text="How probable this is: of answers with 0.9, nine in ten are right.",
    )
    labelMetadata = serializers.DictField(
        required=False, child=serializers.CharField(), help_text="The label's metadata, where it was asked for."
    )


class CallReply(WireSerializer):
    """An answer: `labelName`, `labelId` and `confidence` of a classification function, `tags` of a tags function."""

    labelName = serializers.CharField(required=False, help_text="The label said.")
    labelId = serializers.CharField(required=False, help_text="The label's id.")
    confidence = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="How probable it is that the label is right."
    )
    labelMetadata = serializers.DictField(
        required=False, child=serializers.CharField(), help_text="The label's metadata, where it was asked for."
    )
    tags = LabelConfidence(many=True, required=False, help_text="The tags that are there, the likeliest first.")
    decision = serializers.ChoiceField(
        choices=[each.value for each in Decision],
        help_text="auto: as right as the function's owner asks for; review: a person should look at it.",
    )
    modelId = serializers.CharField(required=False, help_text="The model that answered.")
    isTrained = serializers.BooleanField(
        required=False, help_text="false where there is no model yet and this is a guess; else left out."
    )
    isCalibrated = serializers.BooleanField(required=False, help_text="false where the confidence is a guess as well.")
    labelConfidences = LabelConfidence(
        many=True, required=False, help_text="As many of the likeliest labels as `labelCount` asks for."
    )
    externalId = serializers.CharField(required=False, help_text="Your own id, where you gave one.")
    sampleId = serializers.CharField(required=False, help_text="The sample that the input was kept as, where it was.")


class OldCallReply(CallReply):
    """An answer of a classification function in the words of version 0.9."""

    name = serializers.CharField(help_text="The label said, by its older name.")


class ItemError(WireSerializer):
    """Why one input was not answered."""

    message = serializers.CharField(help_text="What is wrong, and what to do about it.")
    code = serializers.CharField(help_text="The same in one word, for programs.")


class BatchBody(WireSerializer):
    """Many inputs, each with its data."""

    items = CallBody(  # type: ignore[call-arg]  # many=True makes a list of it, which knows max_length
        many=True,
        max_length=MAX_ITEMS,
        help_text=f"At most {MAX_ITEMS:,} texts or rows, or {MAX_PICTURES} pictures or rows with pictures.",
    )


class PicturesForm(WireSerializer):
    """Many pictures, as the files of a form, each as a part named data."""

    data = serializers.ListField(  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
        child=serializers.FileField(), max_length=MAX_PICTURES, help_text=f"At most {MAX_PICTURES} pictures."
    )


class BatchResult(CallReply):
    """The answer to one of many inputs, or why there is none."""

    decision = serializers.ChoiceField(
        required=False, choices=[each.value for each in Decision], help_text="As of a call with one input."
    )
    error = ItemError(required=False, help_text="Why this input was not answered; nothing else is said of it then.")


class BatchReply(WireSerializer):
    """The answers, one for each input, in their order."""

    items = BatchResult(many=True, help_text="One for each input, in order: an answer or an error.")
