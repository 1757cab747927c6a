"""What tests of samples over the API say and read."""

from __future__ import annotations

import json
from typing import Any

from apps.functions.models import Function
from tests.api.conftest import KeyClient


def address_of(function: Function, *more: str) -> str:
    return "/".join([f"/v1/functions/{function.public_id}/samples", *more])


def post(client: KeyClient, function: Function, data: object, **more: object) -> dict[str, Any]:
    response = client.post(address_of(function), {"data": data, **more})
    assert response.status_code == 200, response.json()
    body: dict[str, Any] = response.json()
    return body


def ids_of(client: KeyClient, function: Function, **query: object) -> list[str]:
    response = client.get(address_of(function), query)
    assert response.status_code == 200, response.json()
    return [sample["id"] for sample in response.json()]


def send_batch(client: KeyClient, function: Function, samples: object) -> Any:
    return client.post(address_of(function, "batch"), json.dumps({"items": samples}))
