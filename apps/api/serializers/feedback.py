"""What callers say of answers, and what became of that, on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.choices import WireChoice
from apps.samples.models import FeedbackState, Verdict
from apps.samples.services.feedback import NOTE_MAX, REPORTER_MAX

VERDICTS = {verdict.value: verdict.value for verdict in Verdict}
STATES = {state.value: state.value for state in FeedbackState}


class NamedLabel(WireSerializer):
    """A label, by its name or its id."""

    labelName = serializers.CharField(required=False, help_text="The name of a label that there is.")
    labelId = serializers.CharField(required=False, help_text="Instead of the name: the id of the label.")


class NewFeedback(NamedLabel):
    """What somebody says of the answer they were given for a sample."""

    verdict = WireChoice(VERDICTS, help_text="Whether the answer was right.")
    tags = NamedLabel(
        many=True, required=False, help_text="Where the function gives tags: those that would be right, all of them."
    )
    note = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=NOTE_MAX,
        help_text="Anything that helps whoever looks. What the function blots out of captured texts goes from it too.",
    )
    reporter = serializers.CharField(
        required=False, allow_blank=True, max_length=REPORTER_MAX, help_text="Who says so, in your own words."
    )


class NewFeedbackOfSample(NewFeedback):
    """What somebody says of an answer, naming its sample by either of its ids."""

    sampleId = serializers.CharField(required=False, help_text="The sampleId that the call was answered with.")
    externalId = serializers.CharField(
        required=False, help_text="Instead of it: the id of your own that you sent with the call."
    )


class SaidLabel(WireSerializer):
    """A label as it goes out."""

    labelName = serializers.CharField(source="name", help_text="Its name.")
    labelId = serializers.CharField(source="public_id", help_text="Its id.")


class FeedbackReply(WireSerializer):
    """A report, and what became of it."""

    id = serializers.CharField(source="public_id", help_text="Its id, `feedback_` in front.")
    sampleId = serializers.CharField(source="sample.public_id", help_text="The sample it is about.")
    externalId = serializers.CharField(
        source="sample.external_id", required=False, help_text="Your own id of that sample."
    )
    verdict = WireChoice(VERDICTS, help_text="Whether the answer was right, as reported.")
    labelName = serializers.CharField(
        source="label.name", required=False, help_text="What would be right, as reported."
    )
    labelId = serializers.CharField(source="label.public_id", required=False, help_text="The id of that label.")
    tags = SaidLabel(
        source="tag_labels", many=True, required=False, help_text="Where the function gives tags: those reported."
    )
    note = serializers.CharField(required=False, help_text="What was written beside it.")
    reporter = serializers.CharField(required=False, help_text="Who reported it.")
    state = WireChoice(
        STATES,
        help_text=(
            "`waiting` for a person; `accepted` or `declined` by one; `learned` once a model that answers learned it."
        ),
    )
    learnedIn = serializers.CharField(source="learned_in", required=False, help_text="The model that learned it.")
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it came.")
    handledAt = serializers.DateTimeField(source="handled_at", required=False, help_text="When a person decided.")
