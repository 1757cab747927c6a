"""What people say is right for a sample."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.sample_bodies import SampleBodies
from apps.api.sample_inputs import read_annotation
from apps.api.serializers.functions import Done
from apps.api.serializers.samples import ANNOTATION_BODY, ANNOTATION_REPLY
from apps.api.views.base import ApiView, acts
from apps.api.views.samples import sample_of
from apps.samples.services.posting import annotate_as_posted
from apps.workspaces.roles import Action

_SAID = {"labelId": "label_p2m8v4c6x1z9q7w3", "labelName": "Refund"}
_EXAMPLES = [
    OpenApiExample("One label", value={"labelName": "Refund"}, request_only=True),
    OpenApiExample("One label", value=_SAID, response_only=True, status_codes=["200"]),
]


class AnnotationView(ApiView):
    """The annotation of one sample."""

    @extend_schema(
        operation_id="annotateSample",
        summary="Say what is right for a sample",
        tags=["Annotations"],
        request=ANNOTATION_BODY,
        responses=ANNOTATION_REPLY,
        examples=_EXAMPLES,
    )
    @acts(Action.REVIEW)
    def put(self, request: Request, function_id: str, sample_id: str) -> Response:
        """A function that gives tags takes a list, like `[{"labelName": "Refund", "present": true}]`: of labels that
        are not mentioned it says that they are not on the sample. What was said before stays in the history.
        """
        return self._annotate(request, function_id, sample_id)

    @extend_schema(
        operation_id="annotateSampleByPost",
        summary="Say what is right for a sample, as older clients do",
        tags=["Annotations"],
        request=ANNOTATION_BODY,
        responses=ANNOTATION_REPLY,
        examples=_EXAMPLES,
    )
    @acts(Action.REVIEW)
    def post(self, request: Request, function_id: str, sample_id: str) -> Response:
        """The same as PUT."""
        return self._annotate(request, function_id, sample_id)

    @extend_schema(
        operation_id="deleteAnnotation",
        summary="Take an annotation away",
        tags=["Annotations"],
        responses=Done,
        examples=[
            OpenApiExample(
                "Taken away", value={"id": "sample_c4n8x2m6q0w5z9t3"}, response_only=True, status_codes=["200"]
            )
        ],
    )
    @acts(Action.REVIEW)
    def delete(self, request: Request, function_id: str, sample_id: str) -> Response:
        """The sample stays, and waits for somebody to say what is right. The history keeps what was said."""
        sample = sample_of(self.access, function_id, sample_id)
        annotate_as_posted(sample=sample, annotation=None, person=self.key.owner)
        return Response({"id": sample.public_id})

    def _annotate(self, request: Request, function_id: str, sample_id: str) -> Response:
        sample = sample_of(self.access, function_id, sample_id)
        annotate_as_posted(sample=sample, annotation=read_annotation(request.data), person=self.key.owner)
        sample = sample_of(self.access, function_id, sample_id)
        return Response(SampleBodies(request, sample.function).annotation_of(sample))
