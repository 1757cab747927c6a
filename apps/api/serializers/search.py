"""Searches on the wire."""

from __future__ import annotations

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.samples import DataField


class SearchQuery(WireSerializer):
    """What to search for: an input, or a sample of the function. One of the two is needed."""

    data = DataField(required=False, help_text="The input that samples are to be like.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own
    sampleId = serializers.CharField(
        required=False,
        max_length=80,
        help_text="Instead of data: a sample of this function.",
    )


class SearchForm(WireSerializer):
    """What to search for, as a form with a picture file."""

    data = serializers.FileField(help_text="The picture that samples are to be like.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own


class FoundSample(WireSerializer):
    """A sample that was found."""

    sampleId = serializers.CharField(help_text="The id of the sample.")
    distance = serializers.FloatField(
        min_value=0, max_value=2, help_text="How far it is: 0 is the same, from 1 on they have nothing in common."
    )
    externalId = serializers.CharField(required=False, help_text="Your own id of it.")
    data = DataField(required=False, help_text="The sample. Pictures are addresses that work 20 minutes.")  # type: ignore[assignment]  # declared fields leave the class: `data` stays its own


class FoundSamples(WireSerializer):
    """What was found."""

    searchSamples = FoundSample(many=True, help_text="The nearest first.")
