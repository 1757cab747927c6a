"""Changing one's own keys; every answer is where all of them stand then."""

from django.http import JsonResponse
from django.views.decorators.http import require_POST

from apps.core.errors import InvalidInput
from apps.core.json_body import read_json_object
from apps.labeling.key_services import Keys, choose_key, reset_keys, switch_keys
from apps.workspaces.access import AppHttpRequest, signed_in


@require_POST
@signed_in
def choose(request: AppHttpRequest) -> JsonResponse:
    body = read_json_object(request)
    command, key = body.get("command"), body.get("key")
    if not isinstance(command, str) or not isinstance(key, str):
        raise InvalidInput("Say which command gets which key.")
    return _as_json(choose_key(person=request.user, command=command, key=key))


@require_POST
@signed_in
def switch(request: AppHttpRequest) -> JsonResponse:
    are_on = read_json_object(request).get("areOn")
    if not isinstance(are_on, bool):
        raise InvalidInput("Say whether single keys act: true or false.")
    return _as_json(switch_keys(person=request.user, are_on=are_on))


@require_POST
@signed_in
def reset(request: AppHttpRequest) -> JsonResponse:
    return _as_json(reset_keys(person=request.user))


def _as_json(keys: Keys) -> JsonResponse:
    return JsonResponse({"areOn": keys.are_on, "keys": dict(keys.by_command)})
