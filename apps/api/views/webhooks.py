"""Webhooks over the wire: who is told what happens, and whether they heard."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.paging import page_reply
from apps.api.parameters import PAGING
from apps.api.serializers.base import read
from apps.api.serializers.functions import Done
from apps.api.serializers.webhooks import (
    STATES,
    DeliveryReply,
    NewSecretReply,
    NewWebhook,
    WebhookChange,
    WebhookReply,
)
from apps.api.views.base import ApiView, acts
from apps.core.errors import InvalidInput, NotFound
from apps.workspaces.models import Delivery, Webhook
from apps.workspaces.roles import Action
from apps.workspaces.services import webhooks as services

_TAGS = ["Webhooks"]
_SENT = {"url": "https://example.com/hundredfold", "kinds": ["model.published", "import.done"]}
_WEBHOOK = {
    "id": "webhook_q2w4e6r8t0y1u3i5",
    **_SENT,
    "isOn": True,
    "createdAt": "2026-05-31T08:00:00Z",
}
_WITH_SECRET = {**_WEBHOOK, "secret": "whsec_VGhpcyBpcyBvbmx5IGFuIGV4YW1wbGUsIG5vdCBvbmU"}
_DELIVERY = {
    "id": "delivery_a9s8d7f6g5h4j3k2",
    "kind": "model.published",
    "state": "delivered",
    "attempts": 1,
    "status": 204,
    "milliseconds": 83,
    "createdAt": "2026-05-31T09:00:00Z",
    "deliveredAt": "2026-05-31T09:00:01Z",
}
_QUEUED = {**{name: _DELIVERY[name] for name in ("id", "createdAt")}, "kind": "ping", "state": "waiting", "attempts": 0}
_QUEUED["nextAt"] = _DELIVERY["createdAt"]
_ASK = OpenApiExample("Two kinds", value=_SENT, request_only=True)
_ASK_ALL = OpenApiExample("Everything", value={"url": _SENT["url"]}, request_only=True)


def _reply(name: str, value: object) -> OpenApiExample:
    return OpenApiExample(name, value=value, response_only=True, status_codes=["200"])


class WebhooksView(ApiView):
    """All webhooks of the workspace."""

    @extend_schema(
        operation_id="createWebhook",
        summary="Make a webhook: have a program told what happens",
        tags=_TAGS,
        request=NewWebhook,
        responses=NewSecretReply,
        examples=[_ASK, _ASK_ALL, _reply("With its secret", _WITH_SECRET)],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def post(self, request: Request) -> Response:
        """The reply holds the secret, this once. Only keys of owners may."""
        workspace = self.access.own_workspace()
        asked = read(NewWebhook, request)
        webhook, secret = services.create_webhook(
            workspace=workspace,
            actor=self.key.owner,
            url=asked["url"],
            kinds=asked.get("kinds", []),
            only_function=asked.get("functionId", ""),
        )
        return _with_secret(webhook, secret)

    @extend_schema(
        operation_id="listWebhooks",
        summary="List webhooks, the oldest first",
        tags=_TAGS,
        parameters=PAGING,
        responses=WebhookReply(many=True),
        examples=[_reply("One webhook", [_WEBHOOK])],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def get(self, request: Request) -> Response:
        rows = self.access.own_workspace().webhooks.order_by("id")
        return page_reply(request, rows, lambda page: WebhookReply(page, many=True).data)


class WebhookView(ApiView):
    """One webhook."""

    @extend_schema(
        operation_id="getWebhook",
        summary="Read a webhook",
        tags=_TAGS,
        responses=WebhookReply,
        examples=[_reply("A webhook", _WEBHOOK)],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def get(self, request: Request, webhook_id: str) -> Response:
        return Response(WebhookReply(self.access.fetch(Webhook, webhook_id)).data)

    @extend_schema(
        operation_id="updateWebhook",
        summary="Change a webhook, or turn it on or off",
        tags=_TAGS,
        request=WebhookChange,
        responses=WebhookReply,
        examples=[OpenApiExample("Off", value={"isOn": False}, request_only=True), _reply("A webhook", _WEBHOOK)],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def put(self, request: Request, webhook_id: str) -> Response:
        """What is left out stays. Messages that still wait go to the new address."""
        webhook = self.access.fetch(Webhook, webhook_id)
        asked = read(WebhookChange, request)
        services.change_webhook(
            webhook=webhook,
            actor=self.key.owner,
            url=asked.get("url"),
            kinds=asked.get("kinds"),
            only_function=asked.get("functionId"),
        )
        if "isOn" in asked:
            switch = services.turn_on if asked["isOn"] else services.turn_off
            switch(webhook=webhook, actor=self.key.owner)
        return Response(WebhookReply(webhook).data)

    @extend_schema(
        operation_id="deleteWebhook",
        summary="Delete a webhook with the log of its messages",
        tags=_TAGS,
        responses=Done,
        examples=[_reply("Deleted", {"id": _WEBHOOK["id"]})],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def delete(self, request: Request, webhook_id: str) -> Response:
        """It hears nothing more, and what still waits is not sent."""
        webhook = self.access.fetch(Webhook, webhook_id)
        services.delete_webhook(webhook=webhook, actor=self.key.owner)
        return Response(Done({"id": webhook.public_id}).data)


class WebhookSecretView(ApiView):
    """The secret of a webhook."""

    @extend_schema(
        operation_id="rotateWebhookSecret",
        summary="Make a new secret",
        tags=_TAGS,
        request=None,
        responses=NewSecretReply,
        examples=[_reply("With its secret", _WITH_SECRET)],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def post(self, request: Request, webhook_id: str) -> Response:
        """For a day messages are signed with the secret before as well."""
        webhook = self.access.fetch(Webhook, webhook_id)
        return _with_secret(webhook, services.rotate_secret(webhook=webhook, actor=self.key.owner))


class WebhookPingView(ApiView):
    """A test of a webhook."""

    @extend_schema(
        operation_id="pingWebhook",
        summary="Send a test",
        tags=_TAGS,
        request=None,
        responses=DeliveryReply,
        examples=[_reply("On its way", _QUEUED)],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def post(self, request: Request, webhook_id: str) -> Response:
        """A message of the kind `ping`. The list of messages says what came of it."""
        webhook = self.access.fetch(Webhook, webhook_id)
        return Response(DeliveryReply(services.ping(webhook=webhook)).data)


class DeliveriesView(ApiView):
    """The messages to one webhook."""

    @extend_schema(
        operation_id="listDeliveries",
        summary="List messages, the newest first",
        tags=_TAGS,
        parameters=[
            *PAGING,
            OpenApiParameter(
                "state", {"type": "string", "enum": list(STATES)}, description="Those in this state; all without it."
            ),
        ],
        responses=DeliveryReply(many=True),
        examples=[_reply("One message", [_DELIVERY])],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def get(self, request: Request, webhook_id: str) -> Response:
        """They are kept for 30 days."""
        webhook = self.access.fetch(Webhook, webhook_id)
        state = request.query_params.get("state", "")
        if state and state not in STATES:
            raise InvalidInput(f"state must be one of {', '.join(STATES)}.")
        rows = Delivery.objects.filter(webhook=webhook, **({"state": state} if state else {})).order_by("-id")
        return page_reply(request, rows.defer("body"), lambda page: DeliveryReply(page, many=True).data)


class RedeliveryView(ApiView):
    """A message once more."""

    @extend_schema(
        operation_id="redeliver",
        summary="Send a message again",
        tags=_TAGS,
        request=None,
        responses=DeliveryReply,
        examples=[_reply("On its way", _QUEUED)],
    )
    @acts(Action.MANAGE_WEBHOOKS)
    def post(self, request: Request, webhook_id: str, delivery_id: str) -> Response:
        """The same body under the same id."""
        webhook = self.access.fetch(Webhook, webhook_id)
        delivery = self.access.fetch(Delivery, delivery_id)
        if delivery.webhook_id != webhook.pk:
            raise NotFound("There is no such message here.")
        services.send_again(delivery=delivery, actor=self.key.owner)
        return Response(DeliveryReply(delivery).data)


def _with_secret(webhook: Webhook, secret: str) -> Response:
    response = Response({**WebhookReply(webhook).data, "secret": secret})
    response["Cache-Control"] = "no-store"
    return response
