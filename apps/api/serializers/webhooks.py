"""Webhooks and the messages to them, on the wire."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer
from apps.api.serializers.choices import WireChoice
from apps.core.outbound import MOST_CHARACTERS
from apps.workspaces.models import DeliveryState
from apps.workspaces.services.webhooks import WANTED

KINDS = {kind.value: kind.value for kind in WANTED}
STATES = {state.value: state.value for state in DeliveryState}
_URL = "Where messages go as POST: an http or https address that the public internet knows."
_KINDS = "What it hears of; left out for everything, also what later versions add."
_FUNCTION = "The only function it hears of; of all where it is left out."


class NewWebhook(WireSerializer):
    """A program to be told what happens."""

    url = serializers.CharField(max_length=MOST_CHARACTERS, help_text=_URL)
    kinds = serializers.ListField(
        child=WireChoice(KINDS),
        required=False,
        max_length=len(KINDS),
        help_text=f"{_KINDS[:-1]}. An empty list says the same.",
    )
    functionId = serializers.CharField(required=False, allow_blank=True, max_length=40, help_text=_FUNCTION)


class WebhookChange(WireSerializer):
    """What to change of a webhook; the rest stays."""

    url = serializers.CharField(required=False, max_length=MOST_CHARACTERS, help_text=_URL)
    kinds = serializers.ListField(
        child=WireChoice(KINDS),
        required=False,
        max_length=len(KINDS),
        help_text="What it hears of; an empty list for everything, also what later versions add.",
    )
    functionId = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="The only function it hears of; empty for all."
    )
    isOn = serializers.BooleanField(
        required=False, help_text="Whether it hears anything. Turned off, what waits is given up."
    )


class Kinds(serializers.ListField):
    """Left out where it is empty: it means everything then, and an empty list reads like nothing."""

    def to_representation(self, data: Any) -> Any:
        return super().to_representation(data) or None


class WebhookReply(WireSerializer):
    """A webhook. Its secret is in the reply to making it, or to making a new secret, and never again."""

    id = serializers.CharField(source="public_id", help_text="Its id, `webhook_` in front.")
    url = serializers.CharField(help_text="Where its messages go.")
    kinds = Kinds(child=serializers.ChoiceField(choices=list(KINDS)), required=False, help_text=_KINDS)
    functionId = serializers.CharField(source="only_function", required=False, help_text=_FUNCTION)
    isOn = serializers.BooleanField(source="is_on", help_text="Whether it hears anything.")
    offBecause = serializers.CharField(
        source="off_because", required=False, help_text="Why it was turned off, where nobody did it."
    )
    failingSince = serializers.DateTimeField(
        source="failing_since", required=False, help_text="Since when nothing has got through, where that is so."
    )
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it was made.")


class NewSecretReply(WebhookReply):
    """A webhook with its secret, this once."""

    secret = serializers.CharField(help_text="The key of its signatures, `whsec_` in front. It is shown this once.")


class DeliveryReply(WireSerializer):
    """A message to a webhook, and what came of it. Nothing of the receiver's words is kept."""

    id = serializers.CharField(source="public_id", help_text="Its id, `delivery_` in front, as in the message itself.")
    kind = serializers.CharField(help_text="What happened.")
    state = WireChoice(STATES, help_text="`waiting` for its first or its next try, `delivered`, or `given_up`.")
    attempts = serializers.IntegerField(source="n_attempts", help_text="How often it was tried.")
    status = serializers.IntegerField(required=False, help_text="The code of the last answer.")
    milliseconds = serializers.IntegerField(
        required=False, min_value=0, help_text="How long the receiver took to answer; left out where it did not."
    )
    problem = serializers.CharField(required=False, help_text="Why the last try failed.")
    createdAt = serializers.DateTimeField(source="created_at", help_text="When it was written.")
    nextAt = serializers.DateTimeField(source="next_at", required=False, help_text="When it is tried next.")
    deliveredAt = serializers.DateTimeField(source="delivered_at", required=False, help_text="When it got through.")
