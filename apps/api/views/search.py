"""Searching a function for the samples most like an input."""

from __future__ import annotations

from collections.abc import Mapping

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.sample_bodies import Body, SampleBodies
from apps.api.sample_inputs import SEND
from apps.api.serializers.search import FoundSample, FoundSamples, SearchForm, SearchQuery
from apps.api.views.base import ApiView, PictureApiView, acts
from apps.api.views.samples import sample_of
from apps.core.errors import InvalidInput
from apps.functions.models import Function, InputKind
from apps.invoke.searching import MOST, USUAL, Found, Search, require_search
from apps.samples.models import Sample
from apps.workspaces.roles import Action

SEND_SAMPLE = 'Or name a sample of this function, like {"sampleId": "sample_c4n8x2m6q0w5z9t3"}.'
_TAGS = ["Search"]
_REQUEST = {"application/json": SearchQuery, "multipart/form-data": SearchForm}
_PARAMETERS = [
    OpenApiParameter(
        "sampleCount",
        {"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
        description="How many samples to find.",
    ),
    OpenApiParameter(
        "includeData", OpenApiTypes.BOOL, description="False leaves the samples' data out, and is quicker for it."
    ),
]
_ASKED = OpenApiExample(
    "A text", value={"data": "My parcel never came"}, request_only=True, media_type="application/json"
)
_LIKE = OpenApiExample(
    "More like a sample",
    value={"sampleId": "sample_c4n8x2m6q0w5z9t3"},
    request_only=True,
    media_type="application/json",
)
_PICTURE = OpenApiExample(
    "A picture", value={"data": "parcel.jpg"}, request_only=True, media_type="multipart/form-data"
)
_FOUND = [
    {
        "sampleId": "sample_c4n8x2m6q0w5z9t3",
        "distance": 0.21847,
        "externalId": "ticket-1742",
        "data": "Where is my parcel?",
    },
    {"sampleId": "sample_r1t6y3u8i2o5p9a4", "distance": 0.39112, "data": "Delivery is three days late."},
]

_AS_AN_OBJECT = OpenApiExample(
    "Two samples, the nearest first", value={"searchSamples": _FOUND}, response_only=True, status_codes=["200"]
)


class SearchInvokeView(PictureApiView):
    """The samples most like an input, as a list."""

    @extend_schema(
        operation_id="searchSamples",
        summary="Find the samples most like an input",
        tags=_TAGS,
        parameters=_PARAMETERS,
        request=_REQUEST,
        responses=FoundSample(many=True),
        examples=[
            _ASKED,
            _LIKE,
            _PICTURE,
            OpenApiExample("Two samples, the nearest first", value=_FOUND, response_only=True, status_codes=["200"]),
        ],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> Response:
        """For functions whose output is Search. A sample can be found as soon as it was read, seconds after it came.
        Without samples the list is empty.
        """
        return Response(_search(self, request, function_id))


class SearchView(PictureApiView):
    """The same as an object."""

    @extend_schema(
        operation_id="searchFunction",
        summary="Find the samples most like an input, as an object",
        tags=_TAGS,
        parameters=_PARAMETERS,
        request=_REQUEST,
        responses=FoundSamples,
        examples=[
            _ASKED,
            _LIKE,
            _PICTURE,
            _AS_AN_OBJECT,
        ],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> Response:
        """Answers what `/v1/search-functions/{id}/invoke` does, in an object."""
        return Response({"searchSamples": _search(self, request, function_id)})


class OldSearchView(SearchView):
    """The same address of the version before."""

    @extend_schema(
        operation_id="searchFunctionV09",
        summary="Find the samples most like an input, as older clients do",
        tags=["Version 0.9"],
        parameters=_PARAMETERS,
        request=_REQUEST,
        responses=FoundSamples,
        examples=[_ASKED, _LIKE, _PICTURE, _AS_AN_OBJECT],
    )
    @acts(Action.INVOKE)
    def post(self, request: Request, function_id: str) -> Response:
        """As `/v1/functions/{id}/search`."""
        return Response({"searchSamples": _search(self, request, function_id)})


def _search(view: ApiView, request: Request, function_id: str) -> list[Body]:
    function = view.access.fetch(Function, function_id)
    n, includes_data = _options(request)
    require_search(function, n)
    members = _members(request, function)
    rows = Sample.objects.all() if includes_data else Sample.objects.defer("text", "row")
    search = Search(function, n, rows, key_id=view.key.pk)
    if sample_id := members.get("sampleid"):
        found = search.by_sample(sample_of(view.access, function_id, str(sample_id)))
    else:
        found = search.by_input(_data(members, function))
    return _bodies(SampleBodies(request, function), found, includes_data=includes_data)


def _options(request: Request) -> tuple[int, bool]:
    asked = {name.lower(): str(value) for name, value in request.query_params.items()}
    count = asked.get("samplecount", "")
    if count and not (count.isascii() and count.isdigit() and len(count) <= 9):
        raise InvalidInput(f"sampleCount is a whole number from 1 to {MOST:,}.")
    includes = asked.get("includedata", "").lower() or "true"
    if includes not in {"true", "false"}:
        raise InvalidInput("includeData is true or false.")
    return int(count or USUAL), includes == "true"


def _members(request: Request, function: Function) -> Mapping[str, object]:
    """Return what the body says; of a form with a file, that is the data. Raises InvalidInput."""
    body = request.data
    if not isinstance(body, Mapping):
        raise InvalidInput(f"The JSON must be an object. {SEND[InputKind(function.input_kind)]}")
    files = [value for value in body.values() if isinstance(value, UploadedFile)] if isinstance(body, QueryDict) else []
    if not files:
        return {str(name).lower(): value for name, value in body.items() if value is not None}
    chosen = [body["data"]] if isinstance(body.get("data"), UploadedFile) else files
    if len(chosen) != 1:
        raise InvalidInput("The form holds several files. Name the picture's part data.")
    return {"data": chosen[0].read()}


def _data(members: Mapping[str, object], function: Function) -> str | bytes | Mapping[str, object]:
    data = members.get("data")
    if isinstance(data, str | bytes | Mapping):
        return data
    advice = f"{SEND[InputKind(function.input_kind)]} {SEND_SAMPLE}"
    raise InvalidInput(f"The data is missing. {advice}" if data is None else f"The data cannot be read. {advice}")


def _bodies(bodies: SampleBodies, found: list[Found], *, includes_data: bool) -> list[Body]:
    datas = bodies.datas([each.sample for each in found]) if includes_data else []
    written: list[Body] = []
    for place, each in enumerate(found):
        body: Body = {"sampleId": each.sample.public_id, "distance": each.distance}
        if each.sample.external_id:
            body["externalId"] = each.sample.external_id
        written.append(body | {"data": datas[place]} if includes_data else body)
    return written
