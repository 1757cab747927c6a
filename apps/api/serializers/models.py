"""Models and figures on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer


class AccuracyOfModel(WireSerializer):
    """The share of answers to expect to be right of samples nobody has seen, and how sure that is."""

    value = serializers.FloatField(min_value=0, max_value=1, help_text="The share expected to be right.")
    low = serializers.FloatField(min_value=0, max_value=1, help_text="It is at least this, and")
    high = serializers.FloatField(min_value=0, max_value=1, help_text="at most this, nine times in ten.")
    isEarly = serializers.BooleanField(help_text="Too few samples are labelled to trust it yet.")


class ModelReply(WireSerializer):
    """What was learned, and of how much."""

    id = serializers.CharField(help_text="The id of the model: calls can name it as modelId.")
    number = serializers.IntegerField(min_value=1, help_text="Its number among the models of the function.")
    createdAt = serializers.DateTimeField(help_text="When it was published.")
    isCurrent = serializers.BooleanField(help_text="Whether it is the one that answers.")
    isPinned = serializers.BooleanField(help_text="Whether it stays so whatever is learned.")
    annotationCount = serializers.IntegerField(min_value=0, help_text="How many annotations it learned from.")
    accuracy = AccuracyOfModel(required=False, help_text="Estimated when it was published; left out where it was not.")
    changes = serializers.ListField(
        child=serializers.CharField(), help_text="What it learned that the model before had not, in words."
    )
    whyNot = serializers.CharField(required=False, help_text="Why it cannot answer any more; left out where it can.")


class ExpectedAccuracy(AccuracyOfModel):
    """What to expect of samples that nobody has seen."""

    isWeighted = serializers.BooleanField(
        help_text="Samples chosen because they are hard count less, so that all of them stand for the world."
    )
    sampleCount = serializers.IntegerField(min_value=0, help_text="How many samples it was estimated on.")
    randomSampleCount = serializers.IntegerField(min_value=0, help_text="How many of them were drawn at random.")


class LabelFigures(WireSerializer):
    """How well one label is told."""

    labelId = serializers.CharField(help_text="The id of the label.")
    labelName = serializers.CharField(help_text="Its name.")
    sampleCount = serializers.IntegerField(min_value=0, help_text="How many judged samples have it.")
    caughtCount = serializers.IntegerField(min_value=0, help_text="How many of these it was said of.")
    missedCount = serializers.IntegerField(min_value=0, help_text="How many of these it was not said of.")
    falseAlarmCount = serializers.IntegerField(min_value=0, help_text="How many others it was said of.")
    caught = serializers.CharField(help_text="The address that lists those caught.")
    missed = serializers.CharField(help_text="The address that lists those missed.")
    falseAlarms = serializers.CharField(help_text="The address that lists the false alarms.")


class FiguresReply(WireSerializer):
    """How well the function does. Every sample is judged by a model that never saw what is right for it."""

    modelId = serializers.CharField(required=False, help_text="The model that judged; left out before there is one.")
    accuracy = ExpectedAccuracy(required=False, help_text="What to expect of samples that nobody has seen.")
    guessingShare = serializers.FloatField(
        min_value=0, max_value=1, help_text="The share that always answering the commonest label would get right."
    )
    annotatedCount = serializers.IntegerField(min_value=0, help_text="How many samples have an annotation.")
    judgedCount = serializers.IntegerField(min_value=0, help_text="How many of them were judged.")
    rightCount = serializers.IntegerField(min_value=0, help_text="How many of these the model got right.")
    wrongCount = serializers.IntegerField(min_value=0, help_text="And how many wrong.")
    unsureCount = serializers.IntegerField(min_value=0, help_text="Of how many it was unsure, right or wrong.")
    labels = LabelFigures(many=True, help_text="The same label by label.")


class ConfusionCell(WireSerializer):
    """How many samples of one label were taken for another, or for itself."""

    annotationLabelId = serializers.CharField(help_text="The label that is right.")
    annotationLabelName = serializers.CharField(help_text="Its name.")
    predictionLabelId = serializers.CharField(help_text="The label that was said.")
    predictionLabelName = serializers.CharField(help_text="Its name.")
    count = serializers.IntegerField(min_value=1, help_text="How many samples.")
    samples = serializers.CharField(help_text="The address that lists them.")


class TagMistakes(WireSerializer):
    """How often one tag is missed, or said where it is not."""

    labelId = serializers.CharField(help_text="The id of the tag.")
    labelName = serializers.CharField(help_text="Its name.")
    presentCount = serializers.IntegerField(min_value=0, help_text="How many judged samples have it.")
    missedCount = serializers.IntegerField(min_value=0, help_text="Of how many of these it was not said.")
    saidCount = serializers.IntegerField(min_value=0, help_text="Of how many judged samples it was said.")
    wrongCount = serializers.IntegerField(min_value=0, help_text="On how many of these it is not.")
    missed = serializers.CharField(help_text="The address that lists those missed.")
    wrong = serializers.CharField(help_text="The address that lists those where it is not.")


class ConfusionReply(WireSerializer):
    """What is taken for what."""

    judgedCount = serializers.IntegerField(min_value=0, help_text="How many samples were judged.")
    wrongCount = serializers.IntegerField(min_value=0, help_text="How many of them wrongly.")
    cells = ConfusionCell(
        many=True,
        required=False,
        help_text="Of functions that give one label: what was taken for what, oftenest first.",
    )
    moreCellCount = serializers.IntegerField(
        min_value=0, required=False, help_text="How many rarer cells are left out."
    )
    tags = TagMistakes(many=True, required=False, help_text="Of functions that give tags: each, the worst first.")
