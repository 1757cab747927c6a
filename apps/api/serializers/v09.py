"""How far a function is, as older clients ask for it."""

from __future__ import annotations

from enum import StrEnum

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.functions import FunctionReply
from apps.training.standing import Standing


class State(StrEnum):
    """Clients compare these words: in the last two a function answers."""

    LABELING = "Labeling"
    TRAINING = "Training"
    TUNING = "Tuning"
    BROWSING = "Browsing"

    @classmethod
    def of(cls, standing: Standing) -> State:
        if standing.can_answer:
            return cls.TUNING if standing.is_at_work else cls.BROWSING
        return cls.TRAINING if standing.is_at_work else cls.LABELING


class FunctionStateReply(FunctionReply):
    """A function, and how far it is."""

    state = serializers.ChoiceField(
        [state.value for state in State],
        help_text=(
            "Labeling: more labels are needed. Training: the first model is on its way. Tuning: it answers, and learns "
            "from what is new. Browsing: it answers, and has learned from all there is."
        ),
    )


class MetricsReply(WireSerializer):
    """Counts of a function, all of one moment."""

    sampleCount = serializers.IntegerField(help_text="How many samples there are.")
    predictionCount = serializers.IntegerField(
        help_text="Of how many samples it is said what they are. Reaches sampleCount once all is done."
    )
    annotatedSampleCount = serializers.IntegerField(help_text="Of how many samples people have said what they are.")
    isTraining = serializers.BooleanField(
        help_text="Whether something brought or labelled so far has yet to be learned from."
    )
    annotatedLabelCounts = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="By label: of how many samples people have said whether they have it. Zeros are included.",
    )
    positiveAnnotatedLabelCounts = serializers.DictField(
        child=serializers.IntegerField(), help_text="By label: how many samples people have said have it."
    )
