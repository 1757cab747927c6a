"""Signing in with a client id and its secret."""

from rest_framework import serializers

from apps.api.serializers.base import WireSerializer


class TokenRequest(WireSerializer):
    """What OAuth 2 calls client credentials; id and secret may stand in a Basic header instead."""

    grant_type = serializers.CharField(max_length=100, help_text="Always client_credentials.")
    client_id = serializers.CharField(max_length=200, help_text="A key's client id, which the page API keys shows.")
    client_secret = serializers.CharField(
        max_length=1000, trim_whitespace=False, help_text="The key's own text, or the secret chosen for it."
    )


class TokenReply(WireSerializer):
    """A token to send as `Authorization: Bearer …`."""

    access_token = serializers.CharField(help_text="The token. It does what its key does, for an hour.")
    token_type = serializers.ChoiceField(["Bearer"], help_text="How to send it.")
    expires_in = serializers.IntegerField(help_text="Seconds until it ends.")


class TokenRefusal(WireSerializer):
    """An error as everywhere here, with the name that OAuth 2 gives it."""

    message = serializers.CharField(help_text="What went wrong and what to do.")
    code = serializers.CharField(help_text="What went wrong, for programs.")
    requestId = serializers.CharField(help_text="Finds this request in the server's log.")
    error = serializers.ChoiceField(
        ["invalid_request", "invalid_client", "unsupported_grant_type", "temporarily_unavailable"],
        help_text="What went wrong, in the words of RFC 6749.",
    )
