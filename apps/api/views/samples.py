"""The samples of a function: one at a time, many at a time, and lists of them."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.errors import Duplicate
from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.sample_batches import add_batch
from apps.api.sample_bodies import ORIGINS, SampleBodies
from apps.api.sample_filters import MOST_IDS, MOST_SEARCHED, read_asked, sample_keys
from apps.api.sample_inputs import read_sample
from apps.api.serializers.functions import Done
from apps.api.serializers.samples import (
    ORIGIN,
    REASONS,
    NewSample,
    NewSampleForm,
    SampleBatch,
    SampleBatchForm,
    SampleBatchReply,
    SampleReply,
)
from apps.api.views.base import ApiView, PictureApiView, acts
from apps.core.errors import InvalidInput, NotFound
from apps.core.ids import with_prefix
from apps.core.texts import storable
from apps.functions.models import Function
from apps.samples.models import CaptureReason, Sample
from apps.samples.services.bin import bin_samples
from apps.samples.services.intake import Outcome
from apps.samples.services.posting import post_samples
from apps.workspaces.access import Access
from apps.workspaces.roles import Action

DUPLICATE = "This sample is here already. Change what is right for it with PUT on its annotation."
_SAMPLE = {
    "id": "sample_c4n8x2m6q0w5z9t3",
    "data": "Where is my parcel?",
    "externalId": "ticket-1742",
    "annotation": {"labelId": "label_p2m8v4c6x1z9q7w3", "labelName": "Shipping"},
    "prediction": {"labelId": "label_p2m8v4c6x1z9q7w3", "labelName": "Shipping", "confidence": 0.93},
    "origin": "Api",
    "createdAt": "2026-05-31T08:00:00Z",
}
_NEW = {"data": "Where is my parcel?", "externalId": "ticket-1742", "annotation": {"labelName": "Shipping"}}
_REPLY = OpenApiExample("A sample", value=_SAMPLE, response_only=True, status_codes=["200"])
_GONE = OpenApiExample("Deleted", value={"id": _SAMPLE["id"]}, response_only=True, status_codes=["200"])
_BATCH_REPLY = {
    "items": [
        {"outcome": "added", "id": "sample_c4n8x2m6q0w5z9t3"},
        {"outcome": "refused", "message": "The text is empty."},
    ],
    "addedCount": 1,
    "duplicateCount": 0,
    "refusedCount": 1,
}


def _parameter(name: str, description: str, type_: object = OpenApiTypes.STR, **options: object) -> OpenApiParameter:
    return OpenApiParameter(name, type_, description=description, **options)  # type: ignore[arg-type]  # passed through


EXTERNAL_ID = _parameter("externalId", "The one sample with this id of yours.")
FILTERS = [
    EXTERNAL_ID,
    _parameter("annotated", "Whether anybody said what is right.", OpenApiTypes.BOOL),
    _parameter("predicted", "Whether a model has said anything.", OpenApiTypes.BOOL),
    _parameter("annotationLabelId", "Those that are labelled so; of tags, those that have it."),
    _parameter("predictionLabelId", "Those that a model says are so."),
    _parameter(
        "predictionAndAnnotationAgree",
        "Those that count as right, or as wrong, in the figures of the function.",
        OpenApiTypes.BOOL,
    ),
    _parameter("annotationLabelIdNot", "Judged ones that are not labelled so; of tags, those said not to have it."),
    _parameter("predictionLabelIdNot", "Judged ones that a model does not say are so."),
    _parameter("captureReason", f"Captured calls kept for this reason. {REASONS}", enum=CaptureReason.values),
    _parameter("origin", ORIGIN, enum=list(ORIGINS)),
    _parameter("searchText", f"Words in the text, the row, the file name or the id: up to {MOST_SEARCHED} characters."),
    _parameter("sampleIds", f"These ones, divided by commas: up to {MOST_IDS:,}."),
    _parameter("inTrainSet", "Whether the model that answers learned from it.", OpenApiTypes.BOOL),
    _parameter("createdAfter", "Those that came in after this moment.", OpenApiTypes.DATETIME),
    _parameter("createdBefore", "Those that came in before this moment.", OpenApiTypes.DATETIME),
    _parameter("sortBy", "What they are sorted by: the order in which they came in.", enum=["creation"]),
    _parameter("sortOrder", "The newest first (descending), unless asked otherwise.", enum=["ascending", "descending"]),
    _parameter("includeData", "False leaves the inputs out.", OpenApiTypes.BOOL),
]


class SamplesView(PictureApiView):
    """All samples of a function."""

    @extend_schema(
        operation_id="createSample",
        summary="Add a sample",
        tags=["Samples"],
        request={"application/json": NewSample, "multipart/form-data": NewSampleForm},
        responses=SampleReply,
        examples=[
            OpenApiExample("A text with its label", value=_NEW, request_only=True, media_type="application/json"),
            OpenApiExample(
                "A picture with its label",
                value={"data": "parcel.jpg", "annotation.labelName": "Shipping"},
                request_only=True,
                media_type="multipart/form-data",
            ),
            _REPLY,
        ],
    )
    @acts(Action.BRING_SAMPLES)
    def post(self, request: Request, function_id: str) -> Response:
        """One that is here already is answered by 409 with its `existingSampleId`. It keeps its annotation; it is given
        the one it lacks. Texts that differ in blanks at their ends or in line ends alone are the same sample. A label
        that there is not is refused, never made.
        """
        function = self.access.fetch(Function, function_id)
        [became] = post_samples(function=function, items=[read_sample(function, request)], person=self.key.owner)
        if became.sample is None:
            raise InvalidInput(became.reason)
        if became.outcome is Outcome.DUPLICATE:
            raise Duplicate(DUPLICATE, existing_id=became.sample.public_id, name="existingSampleId")
        is_new = became.outcome is Outcome.ADDED
        return Response(SampleBodies(request, function).of_keys([became.sample.pk], are_new=is_new)[0])

    @extend_schema(
        operation_id="listSamples",
        summary="List samples, or find some",
        tags=["Samples"],
        parameters=[*FILTERS, *PAGING],
        responses=SampleReply(many=True),
        examples=[OpenApiExample("One sample", value=[_SAMPLE], response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        function = self.access.fetch(Function, function_id)
        asked = read_asked(function, request.query_params)
        bodies = SampleBodies(request, function, includes_data=asked.includes_data)
        return page_reply(request, sample_keys(function, asked), bodies.of_keys)

    @extend_schema(
        operation_id="deleteSampleByExternalId",
        summary="Delete a sample by an id of yours",
        tags=["Samples"],
        parameters=[OpenApiParameter("externalId", str, required=True, description="The id of yours.")],
        responses=Done,
        examples=[_GONE],
    )
    @acts(Action.DELETE_SAMPLES)
    def delete(self, request: Request, function_id: str) -> Response:
        """It rests in the bin for 30 days: people can take it back out, and so does adding it anew."""
        function = self.access.fetch(Function, function_id)
        values = {name.lower(): storable(str(value)).strip() for name, value in request.query_params.items()}
        if not (external_id := values.get("externalid", "")):
            raise InvalidInput("Say which sample by externalId, or by its id in the address.")
        ids = list(function.samples.filter(external_id=external_id).values_list("public_id", flat=True)[:100])
        if not ids:
            raise NotFound("There is no sample with this externalId here.")
        bin_samples(function=function, sample_ids=ids, person=self.key.owner)
        return Response({"id": ids[0]})


class SampleView(ApiView):
    """One sample."""

    @extend_schema(
        operation_id="getSample", summary="Read a sample", tags=["Samples"], responses=SampleReply, examples=[_REPLY]
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str, sample_id: str) -> Response:
        sample = sample_of(self.access, function_id, sample_id)
        return Response(SampleBodies(request, sample.function).of([sample])[0])

    @extend_schema(
        operation_id="deleteSample", summary="Delete a sample", tags=["Samples"], responses=Done, examples=[_GONE]
    )
    @acts(Action.DELETE_SAMPLES)
    def delete(self, request: Request, function_id: str, sample_id: str) -> Response:
        """It rests in the bin for 30 days: people can take it back out, and so does adding it anew."""
        sample = sample_of(self.access, function_id, sample_id)
        bin_samples(function=sample.function, sample_ids=[sample.public_id], person=self.key.owner)
        return Response({"id": sample.public_id})


class SampleBatchView(PictureApiView):
    """Many samples in one request."""

    @extend_schema(
        operation_id="createSamples",
        summary="Add many samples",
        tags=["Samples"],
        request={"application/json": SampleBatch, "multipart/form-data": SampleBatchForm},
        responses=SampleBatchReply,
        examples=[
            OpenApiExample(
                "Two texts", value={"items": [_NEW, {"data": ""}]}, request_only=True, media_type="application/json"
            ),
            OpenApiExample(
                "Pictures, all with one label",
                value={"data": ["one.jpg", "two.jpg"], "annotation.labelName": "Shipping"},
                request_only=True,
                media_type="multipart/form-data",
            ),
            OpenApiExample("One was refused", value=_BATCH_REPLY, response_only=True, status_codes=["200"]),
        ],
    )
    @acts(Action.BRING_SAMPLES)
    def post(self, request: Request, function_id: str) -> Response:
        """Up to 1,000 texts or rows, or 64 pictures. One that cannot be used is refused alone, with the reason.
        Pictures may come as the files of a form as well, whose annotation is that of all of them.
        """
        function = self.access.fetch(Function, function_id)
        return Response(add_batch(function, request.data, person=self.key.owner))


def sample_of(access: Access, function_id: str, sample_id: str) -> Sample:
    """Return a sample of that function. Raises NotFound for one of another, and for one in the bin."""
    sample = access.fetch(Sample, sample_id, related=("function",))
    if sample.function.public_id != with_prefix(Function.ID_KIND, function_id):
        raise NotFound("There is no such sample here.")
    return sample
