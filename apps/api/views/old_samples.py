"""Samples at the addresses that older clients of tags use. They are the same samples, written the same way."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view

from apps.api.views.annotations import AnnotationView
from apps.api.views.samples import SamplesView, SampleView

_TAGS = ["Version 0.9"]


@extend_schema_view(
    post=extend_schema(operation_id="createSampleV09", summary="Add a sample, as older clients do", tags=_TAGS),
    get=extend_schema(operation_id="listSamplesV09", summary="List samples, as older clients do", tags=_TAGS),
    delete=extend_schema(
        operation_id="deleteSampleByExternalIdV09",
        summary="Delete a sample by an id of yours, as older clients do",
        tags=_TAGS,
    ),
)
class OldSamplesView(SamplesView):
    """All samples of a function."""


@extend_schema_view(
    get=extend_schema(operation_id="getSampleV09", summary="Read a sample, as older clients do", tags=_TAGS),
    delete=extend_schema(operation_id="deleteSampleV09", summary="Delete a sample, as older clients do", tags=_TAGS),
)
class OldSampleView(SampleView):
    """One sample."""


@extend_schema_view(
    put=extend_schema(operation_id="annotateSampleV09", summary="Say what is right, as older clients do", tags=_TAGS),
    post=extend_schema(
        operation_id="annotateSampleByPostV09", summary="Say what is right by POST, as older clients do", tags=_TAGS
    ),
    delete=extend_schema(
        operation_id="deleteAnnotationV09", summary="Take an annotation away, as older clients do", tags=_TAGS
    ),
)
class OldAnnotationView(AnnotationView):
    """The annotation of one sample."""
