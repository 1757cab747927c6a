"""Many samples in one request: each is read and taken in by itself, and one that cannot be used spoils no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic

from django.http import QueryDict

from apps.accounts.models import User
from apps.api.pictures import is_address
from apps.api.sample_inputs import SampleReader, pictures_of_form
from apps.core.connections import let_go
from apps.core.errors import HundredfoldError, InvalidInput
from apps.functions.models import Function, InputKind
from apps.samples.services.intake import ItemResult, Outcome
from apps.samples.services.posting import PostedSample, post_samples

MOST, MOST_PICTURES = 1_000, 64
AT_ONCE = 8
"""Samples whose pictures are fetched from the web side by side."""
FETCH_SECONDS = 30.0
"""What all of them may take; those that did not come by then are refused."""
TOO_SLOW = "Its picture did not come in time. Send it again, with fewer that have to be fetched."
SEND_LIST = 'Send JSON like {"items": [{"data": "your text"}]}.'
Body = dict[str, object]


def add_batch(function: Function, body: object, *, person: User) -> Body:
    """Take a list of samples in and say what became of each. Raises InvalidInput for what is no list, or too long."""
    items = _items(function, body)
    read = _read_all(SampleReader(function), items)
    posted = {index: each for index, each in enumerate(read) if isinstance(each, PostedSample)}
    became = post_samples(function=function, items=list(posted.values()), person=person) if posted else []
    results = {
        index: ItemResult(Outcome.REFUSED, reason=each) for index, each in enumerate(read) if isinstance(each, str)
    } | dict(zip(posted, became, strict=True))
    return _reply([results[index] for index in range(len(items))])


def _items(function: Function, body: object) -> list[object]:
    items = _listed(body)
    if not isinstance(items, list) or not items:
        raise InvalidInput(f"The items are missing. {SEND_LIST}")
    most = MOST_PICTURES if function.input_kind == InputKind.IMAGE else MOST
    if len(items) > most:
        raise InvalidInput(f"Send at most {most:,} samples in one request.")
    return items


def _listed(body: object) -> object:
    if isinstance(body, QueryDict):
        return pictures_of_form(body)
    members = {str(name).lower(): value for name, value in body.items()} if isinstance(body, Mapping) else {}
    return members.get("items")


def _read_all(reader: SampleReader, items: Sequence[object]) -> list[PostedSample | str]:
    """Return each sample, or why it is none. Those named by web addresses are fetched side by side."""
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="fetch")
    ends_at = monotonic() + FETCH_SECONDS
    try:
        if any(_is_on_the_web(item) for item in items):
            let_go()
        waiting = {index: pool.submit(_read, reader, item) for index, item in enumerate(items) if _is_on_the_web(item)}
        return [
            _fetched(waiting[index], ends_at) if index in waiting else _read(reader, item)
            for index, item in enumerate(items)
        ]
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _fetched(waiting: Future[PostedSample | str], ends_at: float) -> PostedSample | str:
    try:
        return waiting.result(max(0.0, ends_at - monotonic()))
    except TimeoutError:
        return TOO_SLOW


def _is_on_the_web(item: object) -> bool:
    values = list(item.values()) if isinstance(item, Mapping) else []
    cells = [cell for value in values if isinstance(value, Mapping) for cell in value.values()]
    return any(is_address(value) for value in (*values, *cells))


def _read(reader: SampleReader, item: object) -> PostedSample | str:
    try:
        if not isinstance(item, Mapping):
            raise InvalidInput(f"A sample is a JSON object. {SEND_LIST}")
        return reader.read(item)
    except HundredfoldError as problem:
        return problem.message


def _reply(results: Sequence[ItemResult]) -> Body:
    outcomes = [each.outcome for each in results]
    return {
        "items": [_entry(each) for each in results],
        "addedCount": outcomes.count(Outcome.ADDED) + outcomes.count(Outcome.RESTORED),
        "duplicateCount": outcomes.count(Outcome.DUPLICATE),
        "refusedCount": outcomes.count(Outcome.REFUSED),
    }


def _entry(became: ItemResult) -> Body:
    entry: Body = {"outcome": became.outcome.value}
    if became.sample is not None:
        entry["id"] = became.sample.public_id
        if became.outcome is Outcome.DUPLICATE:
            entry["existingSampleId"] = became.sample.public_id
    if message := became.reason or became.note:
        entry["message"] = message
    return entry
