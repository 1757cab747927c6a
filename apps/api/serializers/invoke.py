"""Calls and their answers, as the document tells of them: they are read and written in `apps.invoke`."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.samples import DataField
from apps.invoke.answers import Decision
from apps.invoke.batches import MAX_ITEMS

# The wire's names, which are not Python's.
# ruff: noqa: N815


class Call(WireSerializer):
    """One input."""

    data = DataField(help_text="The input: a text; a picture as data URI or address; a row by names or ids of fields.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    externalId = serializers.CharField(required=False, max_length=200, help_text="An id of your own; comes back.")


class CallForm(WireSerializer):
    """A picture as a file."""

    data = serializers.FileField(help_text="The picture: JPEG, PNG, WEBP, GIF or HEIC.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    externalId = serializers.CharField(required=False, max_length=200, help_text="An id of your own; comes back.")


class CallBatch(WireSerializer):
    """Many inputs at once."""

    items = serializers.ListField(
        child=Call(), max_length=MAX_ITEMS, help_text="The inputs: up to 1,000 texts or rows, or 64 pictures."
    )


class Guess(WireSerializer):
    """A label and how sure the model is of it."""

    labelName = serializers.CharField(help_text="What the label is called.")
    labelId = serializers.CharField(help_text="The id of the label.")
    confidence = serializers.FloatField(min_value=0, max_value=1, help_text="How probable it is that this is right.")
    labelMetadata = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="What you keep beside the label, where asked for."
    )


class Answered(WireSerializer):
    """An answer: one label, or the tags that are there."""

    labelName = serializers.CharField(required=False, help_text="What the label is called.")
    labelId = serializers.CharField(required=False, help_text="The id of the label.")
    confidence = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="How probable it is that this is right."
    )
    labelMetadata = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="What you keep beside the label, where asked for."
    )
    tags = Guess(many=True, required=False, help_text="The tags that are there, likeliest first, if it gives tags.")
    decision = serializers.ChoiceField(
        choices=[decision.value for decision in Decision],
        required=False,
        help_text="`auto`: as right as the function's owner wants, nobody need look. `review`: let a person look.",
    )
    modelId = serializers.CharField(required=False, help_text="The model that answered; absent for a guess.")
    isTrained = serializers.BooleanField(required=False, help_text="False where it guesses by the names of labels.")
    isCalibrated = serializers.BooleanField(required=False, help_text="False where the confidence is a guess too.")
    labelConfidences = Guess(many=True, required=False, help_text="The likeliest labels, where `labelCount` is given.")
    externalId = serializers.CharField(required=False, help_text="The id of your own that came with the call.")
    sampleId = serializers.CharField(required=False, help_text="The sample that was kept of it, for people to look at.")


class AnsweredOld(Answered):
    """An answer in the words of version 0.9."""

    name = serializers.CharField(required=False, help_text="The same as `labelName`.")


class ItemProblem(WireSerializer):
    """Why one input was not answered."""

    message = serializers.CharField(help_text="What is wrong and what to do about it.")
    code = serializers.CharField(help_text="What is wrong, for programs.")


class BatchAnswer(Answered):
    """What was said of one input, or why nothing was."""

    error = ItemProblem(required=False, help_text="Why this input was not answered; the others are.")


class BatchAnswered(WireSerializer):
    """The answers, in the order of the inputs."""

    results = BatchAnswer(many=True, help_text="One for each input, in the same order.")
