"""What a function keeps of its calls, on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.choices import WireChoice
from apps.samples.models import CaptureMode, Missed
from apps.samples.redaction import all_kinds
from apps.samples.services.capture_policies import MOST_DAYS, MOST_PER_HOUR

MODES = {mode.value: mode.value for mode in CaptureMode}
_MODE = (
    "`off`; `informative`: what the model was not sure of, what has a rare label, what is unlike the samples, and a "
    "share drawn at random; `all`: every call."
)
_SHARE = "The share of calls drawn at random, from 0 to 1: by those alone one can tell how right it is in production."
_PER_HOUR = "At most so many calls are kept in an hour; a fifth of them is left for those drawn at random."
_DAYS = "What nobody has labelled or had anything to say of is deleted after so many days."
_REDACTIONS = "What is blotted out of texts before anything is kept. Pictures are kept as they are."


class CaptureChange(WireSerializer):
    """What is to be kept of calls from now on. What is left out stays."""

    mode = WireChoice(MODES, required=False, help_text=_MODE)
    randomShare = serializers.FloatField(required=False, min_value=0, max_value=1, help_text=_SHARE)
    perHour = serializers.IntegerField(required=False, min_value=1, max_value=MOST_PER_HOUR, help_text=_PER_HOUR)
    daysKept = serializers.IntegerField(required=False, min_value=1, max_value=MOST_DAYS, help_text=_DAYS)
    redactions = serializers.ListField(
        child=serializers.ChoiceField(choices=all_kinds()), required=False, help_text=_REDACTIONS
    )


class CaptureReply(WireSerializer):
    """What is kept of calls, and what was lately."""

    mode = WireChoice(MODES, help_text=_MODE)
    randomShare = serializers.FloatField(help_text=_SHARE)
    perHour = serializers.IntegerField(help_text=_PER_HOUR)
    daysKept = serializers.IntegerField(help_text=_DAYS)
    redactions = serializers.ListField(child=serializers.ChoiceField(choices=all_kinds()), help_text=_REDACTIONS)
    keptLastDay = serializers.IntegerField(help_text="How many calls were kept in the last 24 hours.")
    missedLastHour = serializers.IntegerField(help_text="How many calls of this hour were to be kept and were not.")
    missedBecause = serializers.ChoiceField(
        choices=Missed.values,
        required=False,
        help_text=(
            "Why the last of those was not. Limit: as many as may be kept in an hour were; Quota: the workspace has as "
            "many samples as it may have; Redaction: what the operator blots texts out with failed; Fault: it could "
            "not be stored."
        ),
    )
