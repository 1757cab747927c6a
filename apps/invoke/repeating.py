"""Calls that name themselves (`Idempotency-Key`): sent again, they are answered as before and ask no model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial

from apps.core.errors import HundredfoldError
from apps.invoke import wire
from apps.invoke.database import in_database_thread
from apps.workspaces.models import ApiKey
from apps.workspaces.services import idempotency
from apps.workspaces.services.idempotency import Replay

HEADER = "idempotency-key"


async def once(
    *, key: ApiKey, words: str, request_hash: str, request_id: str, work: Callable[[], Awaitable[wire.Reply]]
) -> wire.Reply:
    """Do the work, or return what it was answered before. Raises what the work raises; that is kept as well."""
    claim = await asyncio.wrap_future(
        in_database_thread(partial(idempotency.begin, key=key, words=words, request_hash=request_hash))
    )
    if isinstance(claim, Replay):
        return wire.Reply(claim.status, json.loads(claim.body))
    try:
        reply = await work()
    except HundredfoldError as error:
        await _finish(claim, wire.refusal(error, request_id))
        raise
    except BaseException:
        await asyncio.wrap_future(in_database_thread(partial(idempotency.give_up, claim)))
        raise
    await _finish(claim, reply)
    return reply


async def _finish(claim: idempotency.Claim, reply: wire.Reply) -> None:
    job = partial(idempotency.finish, claim, status=int(reply.status), body=reply.content)
    await asyncio.wrap_future(in_database_thread(job))
