"""What a function has learned so far, and which of it answers."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.model_bodies import model_bodies
from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.models import ModelReply
from apps.api.views.base import ApiView, acts
from apps.core.errors import Conflict, NotFound
from apps.core.ids import with_prefix
from apps.functions.models import Function
from apps.training.models import TrainedModel
from apps.training.services.choosing import pin_model, pinned_model, roll_back, unpin_model
from apps.workspaces.roles import Action

_MODEL = {
    "id": "model_h5t1y8u3i6o0p2a4",
    "number": 7,
    "createdAt": "2026-05-31T08:00:00Z",
    "isCurrent": True,
    "isPinned": False,
    "annotationCount": 112,
    "accuracy": {"value": 0.94, "low": 0.9, "high": 0.97, "isEarly": False},
    "changes": ["12 labels added", "1 corrected"],
}
_REPLY = OpenApiExample("A model", value=_MODEL, response_only=True, status_codes=["200"])


class ModelsView(ApiView):
    """All models of a function."""

    @extend_schema(
        operation_id="listModels",
        summary="List models, the newest first",
        tags=["Models"],
        parameters=PAGING,
        responses=ModelReply(many=True),
        examples=[OpenApiExample("One model", value=[_MODEL], response_only=True, status_codes=["200"])],
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str) -> Response:
        function = self.access.fetch(Function, function_id)
        return page_reply(request, _published(function), lambda page: model_bodies(function, page))


class ModelView(ApiView):
    """One model."""

    @extend_schema(
        operation_id="getModel", summary="Read a model", tags=["Models"], responses=ModelReply, examples=[_REPLY]
    )
    @acts(Action.VIEW)
    def get(self, request: Request, function_id: str, model_id: str) -> Response:
        return _reply(_model(self, function_id, model_id))


class PublishModelView(ApiView):
    """Having one model answer."""

    @extend_schema(
        operation_id="publishModel",
        summary="Have this model answer",
        tags=["Models"],
        request=None,
        responses=ModelReply,
        examples=[_REPLY],
    )
    @acts(Action.CHOOSE_MODEL)
    def post(self, request: Request, function_id: str, model_id: str) -> Response:
        """At once, and until another is chosen, or the newest one again (`models/automatic`), whatever is learned."""
        return _reply(pin_model(model=_model(self, function_id, model_id), actor=self.key.owner))


class RollBackView(ApiView):
    """Having the model before answer."""

    @extend_schema(
        operation_id="rollBackModel",
        summary="Go back to the model before",
        tags=["Models"],
        request=None,
        responses=ModelReply,
        examples=[_REPLY],
    )
    @acts(Action.CHOOSE_MODEL)
    def post(self, request: Request, function_id: str) -> Response:
        """The one before the one that answers now does so at once, and until another is chosen. Each call goes back
        by one; with an `Idempotency-Key` it is safe to repeat.
        """
        function = self.access.fetch(Function, function_id)
        return _reply(roll_back(function=function, actor=self.key.owner))


class AutomaticModelView(ApiView):
    """Having the newest model answer."""

    @extend_schema(
        operation_id="chooseModelsAutomatically",
        summary="Have the newest model answer from now on",
        tags=["Models"],
        request=None,
        responses=ModelReply,
        examples=[_REPLY],
    )
    @acts(Action.CHOOSE_MODEL)
    def post(self, request: Request, function_id: str) -> Response:
        """As it is from the beginning: whatever is learned answers as soon as it is better."""
        function = self.access.fetch(Function, function_id)
        if pinned_model(function) is not None:
            return _reply(unpin_model(function=function, actor=self.key.owner))
        live = _published(function).filter(is_live=True).select_related("function").first()
        if live is None:
            raise Conflict("There is no model yet: label some samples, and the first one comes by itself.")
        return _reply(live)


def _published(function: Function) -> QuerySet[TrainedModel]:
    rows = TrainedModel.objects.filter(function=function).exclude(published_at=None)
    return rows.select_related("adaptation").order_by("-number")


def _model(view: ApiView, function_id: str, model_id: str) -> TrainedModel:
    """Return a published model of that function. Raises NotFound for any other."""
    model = view.access.fetch(TrainedModel, model_id, related=("function", "adaptation"))
    if model.published_at is None or model.function.public_id != with_prefix(Function.ID_KIND, function_id):
        raise NotFound("There is no such model here.")
    return model


def _reply(model: TrainedModel) -> Response:
    return Response(model_bodies(model.function, [model])[0])
