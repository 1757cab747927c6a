"""The pictures of samples, for whoever holds an address that a reply gave out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api.pictures import MINUTES, read_token
from apps.api.serializers.samples import PICTURE_REPLY
from apps.core.errors import NotFound
from apps.samples.media import open_image, open_picture
from apps.samples.models import Sample
from apps.samples.rows import picture_key
from apps.samples.views.pictures import picture_response
from apps.workspaces.access import DECLARED

if TYPE_CHECKING:
    from rest_framework.views import AsView, GenericView  # there for type checkers alone

_TOKEN = OpenApiParameter("token", str, OpenApiParameter.PATH, description="What a reply gave out, as it is.")


class MediaView(APIView):
    """Needs no key: the address itself is the secret, opens one picture, and works for minutes."""

    authentication_classes: ClassVar[list[Any]] = []  # type: ignore[misc]
    http_method_names: ClassVar[list[str]] = ["get", "head"]  # type: ignore[misc]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> AsView[GenericView]:
        view = super().as_view(**initkwargs)
        setattr(view, DECLARED, "public")
        return view

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Let in whoever takes pictures alone: JSON is spoken here of what went wrong only."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(
        operation_id="getPicture",
        summary="Fetch a picture",
        tags=["Samples"],
        parameters=[_TOKEN],
        responses=PICTURE_REPLY,
        auth=[],
    )
    def get(self, request: Request, token: str) -> HttpResponse:
        """Samples give their pictures as such addresses; each works for 20 minutes, without a key."""
        signed = read_token(token)
        sample = Sample.objects.filter(public_id=signed.sample_id).first()
        if sample is None:
            raise NotFound("This sample has been deleted.")
        key = picture_key(sample.row or {}, signed.field_id) if signed.field_id else ""
        response = picture_response(sample, open_picture(key) if signed.field_id else open_image(sample))
        response["Cache-Control"] = f"private, max-age={MINUTES * 60}"
        return response
