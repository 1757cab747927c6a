"""Calls as they went, on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.engine.drift import Watched
from apps.invoke.models import DriftKind


class LabelCount(WireSerializer):
    """How often a label was answered."""

    labelId = serializers.CharField(help_text="The id of the label.")
    labelName = serializers.CharField(help_text="Its name, as it is now.")
    callCount = serializers.IntegerField(min_value=0, help_text="Calls answered so.")


class Milliseconds(WireSerializer):
    """How long answers took, to within the width of a bin."""

    p50 = serializers.FloatField(min_value=0, help_text="Half of them took at most this.")
    p95 = serializers.FloatField(min_value=0, help_text="95 of 100 took at most this.")


class Confidences(WireSerializer):
    """How sure answers were, to within a twentieth."""

    p10 = serializers.FloatField(min_value=0, max_value=1, help_text="One in ten was at most this sure.")
    p50 = serializers.FloatField(min_value=0, max_value=1, help_text="Half of them were at most this sure.")


class StretchReply(WireSerializer):
    """The calls of one hour or one day. What nothing is known of without an answer is left out."""

    start = serializers.DateTimeField(help_text="Its beginning, in UTC.")
    end = serializers.DateTimeField(help_text="Its end, which is not part of it.")
    callCount = serializers.IntegerField(min_value=0, help_text="All calls.")
    errorCount = serializers.IntegerField(min_value=0, help_text="Those that were not answered.")
    reviewCount = serializers.IntegerField(min_value=0, help_text="Answers with the decision review.")
    milliseconds = Milliseconds(required=False, help_text="How long the answers took.")
    confidence = Confidences(required=False, help_text="How sure the answers were.")
    labels = LabelCount(many=True, help_text="What was answered, the commonest first.")


class ProductionReply(WireSerializer):
    """How right answers are in production, by calls drawn at random that a person has labelled since."""

    value = serializers.FloatField(min_value=0, max_value=1, help_text="The share that was right.")
    low = serializers.FloatField(min_value=0, max_value=1, help_text="The true share is at least this, and")
    high = serializers.FloatField(min_value=0, max_value=1, help_text="at most this, nine times in ten.")
    sampleCount = serializers.IntegerField(min_value=1, help_text="How many were judged.")
    rightCount = serializers.IntegerField(min_value=0, help_text="How many of them were right.")


class MonitoringReply(WireSerializer):
    """The calls of a function over time."""

    total = StretchReply(help_text="All of it together.")
    stretches = StretchReply(many=True, help_text="Each hour or day, also those without calls.")
    production = ProductionReply(
        required=False, help_text="Left out while no call drawn at random within the time has been labelled."
    )


class DriftCall(WireSerializer):
    """One call, as it was answered."""

    createdAt = serializers.DateTimeField(help_text="When it came.")
    labelId = serializers.CharField(required=False, help_text="The label answered.")
    labelName = serializers.CharField(required=False, help_text="Its name.")
    confidence = serializers.FloatField(required=False, min_value=0, max_value=1, help_text="How sure the answer was.")
    novelty = serializers.FloatField(
        required=False,
        min_value=0,
        max_value=1,
        help_text="The share of the samples that are less unlike the others than it is.",
    )
    sampleId = serializers.CharField(required=False, help_text="What was kept of its input.")


class RecordedCallReply(DriftCall):
    """One call in a list of all."""

    milliseconds = serializers.FloatField(min_value=0, help_text="How long the answer took.")
    decision = serializers.ChoiceField(
        ["auto", "review"],
        required=False,
        help_text="auto: it may stand; review: a person should look at it. Left out where it was not answered.",
    )
    error = serializers.CharField(required=False, help_text="The code of why it was not answered.")
    modelId = serializers.CharField(required=False, help_text="What answered; left out of a guess.")


class AlarmReply(WireSerializer):
    """That calls are no longer like the samples, or were not for a time."""

    id = serializers.CharField(help_text="The id of the alarm.")
    kind = serializers.ChoiceField(
        DriftKind.values, help_text="What changed. input: what is sent in; prediction: what is answered."
    )
    watched = serializers.ChoiceField(
        [watched.value for watched in Watched],
        required=False,
        help_text=(
            "By what it was noticed. novelty: how unlike the samples calls are; confidence: how sure answers are; "
            "label: how often one label is answered."
        ),
    )
    isMore = serializers.BooleanField(required=False, help_text="Whether there is more of it than there was, or less.")
    now = serializers.FloatField(
        required=False, help_text="Since then: the share that is new or has the label, or the mean confidence."
    )
    usual = serializers.FloatField(required=False, help_text="The same among the samples.")
    labelId = serializers.CharField(required=False, help_text="Which label.")
    beganAt = serializers.DateTimeField(help_text="Since about when.")
    raisedAt = serializers.DateTimeField(help_text="When it was noticed.")
    seenAt = serializers.DateTimeField(required=False, help_text="When somebody saw it.")
    calls = DriftCall(many=True, help_text="Some of the calls that show it.")


class DriftReply(WireSerializer):
    """What is watched, and what was noticed."""

    comparedCallCount = serializers.IntegerField(
        min_value=0, help_text="How many calls have been compared since the model learned anew."
    )
    alarms = AlarmReply(many=True, help_text="The newest, those nobody has seen first.")
