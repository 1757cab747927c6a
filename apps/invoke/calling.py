"""Answering those who were let in: one input, or many in one call."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog
from django.db import Error as DatabaseFault

from apps.core.errors import HundredfoldError, Unavailable
from apps.core.metrics import INVOKE_SECONDS
from apps.functions.models import InputKind
from apps.invoke import capture, wire
from apps.invoke.answers import Answer
from apps.invoke.batches import Item
from apps.invoke.bodies import Body, answer_body, old_body
from apps.invoke.lookup import Admitted
from apps.invoke.reading import Input, Reading
from apps.invoke.services import ANSWER_SECONDS, TOO_SLOW, Answerer, Predictions, Question
from apps.training.services.inputs import Layout
from apps.workspaces.services.quotas import note_calls

Result = TypeVar("Result")
logger = structlog.get_logger(__name__)

DUE_SECONDS = 1.0
"""A call whose turn has not come after so long is told to come back; with its pass it takes less than two seconds."""
BATCH_SECONDS = 300.0
AT_ONCE = {InputKind.TEXT.value: 32, InputKind.TABLE.value: 32, InputKind.IMAGE.value: 8}
"""Inputs of one large call that are read in one go; twice as many wait for the model, the others for them."""
GONE_WRONG = "Something went wrong here. The log of the server holds this request's id."


@dataclass(frozen=True)
class Call:
    """What one caller, who was let in, wants to be told."""

    admitted: Admitted
    answerer: Answerer
    options: wire.Options
    request_id: str
    is_old: bool = False


@dataclass(frozen=True)
class Said:
    """An answer with the input it is of."""

    payload: wire.Payload
    sent: wire.Data
    answer: Answer


Outcome = Said | HundredfoldError


class Calling:
    """Takes inputs to the model and what it says back, in the words of the wire."""

    def __init__(self, service: Predictions) -> None:
        self._service = service
        self._reading = Reading()

    async def one(self, call: Call, body: bytes, content_type: str) -> Body | list[Body]:
        """Answer one input. Raises what is wrong with it, or Unavailable."""
        started = time.perf_counter()
        due = time.monotonic() + DUE_SECONDS
        payload = await self._reading.payload(body, content_type, call.answerer.layout)
        one = await self._reading.input(payload.data, call.answerer.layout)
        await self._reading.have_at_hand(call.answerer)
        future = self._service.submit(call.answerer, one.content, key=one.key, due=due)
        answer = await _in_time(asyncio.wrap_future(future))
        _check(answer, call)
        milliseconds = 1000 * (time.perf_counter() - started)
        sample_id = await capture.consider(answer, one.sent, _heard(call, payload))
        self._note(call, answer, milliseconds, sample_id)
        return _written(call, Said(payload, one.sent, answer), sample_id)

    async def payloads(self, body: bytes, content_type: str, layout: Layout) -> list[Item]:
        """Read the body of a call of many inputs. Raises InvalidInput, TooLarge or WrongType."""
        return await self._reading.batch(body, content_type, layout)

    async def many(self, call: Call, payloads: Sequence[Item]) -> list[Body]:
        """Answer many inputs, each by itself: one that cannot be answered has its error in its place."""
        started = time.perf_counter()
        try:
            async with asyncio.timeout(BATCH_SECONDS):
                outcomes = await self._outcomes(call, payloads)
        except TimeoutError as error:
            raise Unavailable(TOO_SLOW) from error
        said = [outcome for outcome in outcomes if isinstance(outcome, Said)]
        milliseconds = 1000 * (time.perf_counter() - started) / max(1, len(outcomes))  # each has its share
        ids = iter(
            await capture.consider_many(
                [one.answer for one in said], [one.sent for one in said], [_heard(call, one.payload) for one in said]
            )
        )
        results: list[Body] = []
        for outcome in outcomes:
            if isinstance(outcome, HundredfoldError):
                self._record_failure(call.admitted, outcome, milliseconds)
                results.append({"error": {"message": outcome.message, "code": outcome.code}})
                continue
            sample_id = next(ids)
            self._note(call, outcome.answer, milliseconds, sample_id)
            results.append(answer_body(outcome.answer, call.options, outcome.payload, sample_id))
        return results

    def failed(self, admitted: Admitted, error: HundredfoldError, started: float) -> None:
        """Note that a call was not answered, and why; `started` as `time.perf_counter` said."""
        self._record_failure(admitted, error, 1000 * (time.perf_counter() - started))

    async def _outcomes(self, call: Call, payloads: Sequence[Item]) -> list[Outcome]:
        """Read and answer, a bounded part at a time, so that pictures take no more memory than a few of them do."""
        outcomes: dict[int, Outcome] = {i: one for i, one in enumerate(payloads) if isinstance(one, HundredfoldError)}
        waiting: deque[tuple[int, wire.Payload, Input, asyncio.Future[Answer]]] = deque()
        places = _in_order(payloads)
        await self._reading.have_at_hand(call.answerer)
        size = AT_ONCE[call.answerer.layout.input_kind]

        async def take(n_left: int) -> None:
            while len(waiting) > n_left:
                place, payload, one, future = waiting.popleft()
                outcomes[place] = await self._outcome(call, payload, one, future)

        for start in range(0, len(places), size):
            part = {place: payloads[place] for place in places[start : start + size]}
            sent = {place: one for place, one in part.items() if isinstance(one, wire.Payload)}
            read = await self._reading.inputs([one.data for one in sent.values()], call.answerer.layout)
            ready = {place: one for place, one in zip(sent, read, strict=True) if isinstance(one, Input)}
            outcomes |= {place: one for place, one in zip(sent, read, strict=True) if isinstance(one, HundredfoldError)}
            questions = [Question(call.answerer, one.content, one.key) for one in ready.values()]
            futures = self._service.submit_bulk(questions) if questions else []
            for (place, one), future in zip(ready.items(), futures, strict=True):
                waiting.append((place, sent[place], one, asyncio.wrap_future(future)))
            await take(size)
        await take(0)
        return [outcomes[place] for place in range(len(payloads))]

    async def _outcome(self, call: Call, payload: wire.Payload, one: Input, future: asyncio.Future[Answer]) -> Outcome:
        try:
            answer = await future
            _check(answer, call)
        except HundredfoldError as error:
            return error
        except DatabaseFault:
            logger.exception("invoke_database_failed", request_id=call.request_id)
            return Unavailable("The database did not answer. Try again in a moment.")
        except Exception:
            logger.exception("invoke_failed", request_id=call.request_id)
            return wire.Fault(GONE_WRONG)
        return Said(payload, one.sent, answer)

    def _note(self, call: Call, answer: Answer, milliseconds: float, sample_id: str) -> None:
        INVOKE_SECONDS.labels(call.answerer.layout.input_kind).observe(milliseconds / 1000)
        note_calls(call.admitted.key.workspace_id)
        self._service.record(answer, key_id=call.admitted.key.pk, milliseconds=milliseconds, sample_id=sample_id)

    def _record_failure(self, admitted: Admitted, error: HundredfoldError, milliseconds: float) -> None:
        self._service.record_failure(
            function_id=admitted.function.pk, key_id=admitted.key.pk, error=error.code, milliseconds=milliseconds
        )


async def _in_time(result: Awaitable[Result]) -> Result:
    """Wait for an answer, not for ever. Raises Unavailable."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await result
    except TimeoutError as error:
        raise Unavailable(TOO_SLOW) from error


def _check(answer: Answer, call: Call) -> None:
    if not answer.guesses:
        raise wire.NoModel(call.admitted.missing)


def _heard(call: Call, payload: wire.Payload) -> capture.Call:
    external_id = payload.external_id or call.options.external_id
    key = call.admitted.key
    return capture.Call(key.pk, external_id, call.options.wants_capture, key.n_events_then)


def _written(call: Call, said: Said, sample_id: str) -> Body | list[Body]:
    write = old_body if call.is_old else answer_body
    return write(said.answer, call.options, said.payload, sample_id)


def _in_order(payloads: Sequence[Item]) -> list[int]:
    """Return the places of what can be read, texts by length: a pass takes as long as its longest text."""
    places = [place for place, one in enumerate(payloads) if isinstance(one, wire.Payload)]
    return sorted(places, key=lambda place: _length(payloads[place]))


def _length(payload: Item) -> int:
    data = payload.data if isinstance(payload, wire.Payload) else ""
    return len(data) if isinstance(data, str) else 0
