"""Any number of items from a caller's hands, taken in a transaction's worth at a time."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from apps.accounts.models import User
from apps.functions.models import Act, Function
from apps.samples.models import Origin
from apps.samples.services.intake.items import NewImage, NewRow, NewText
from apps.samples.services.intake.preparing import prepare_rows, prepare_texts, prepared_images
from apps.samples.services.intake.results import IntakeResult
from apps.samples.services.intake.storing import take_in

T = TypeVar("T")

# 200 labelled texts hold the write lock for about 25 ms, 500 for 60 (two cores, SQLite): every writer waits for that.
TEXTS_PER_TRANSACTION = 200
ROWS_PER_TRANSACTION = 200
IMAGES_PER_TRANSACTION = 50


def add_texts(
    *, function: Function, items: Iterable[NewText], person: User | None, origin: Origin, act: Act | None = None
) -> IntakeResult:
    """Take texts in as part of an act, in transactions of `TEXTS_PER_TRANSACTION`, or inside the caller's."""
    result = IntakeResult()
    for chunk in _chunks(items, TEXTS_PER_TRANSACTION):
        result += take_in(batch=prepare_texts(function=function, items=chunk, origin=origin), person=person, act=act)
    return result


def add_rows(*, function: Function, items: Iterable[NewRow], person: User | None, origin: Origin) -> IntakeResult:
    """Take table rows in, in transactions of `ROWS_PER_TRANSACTION`, or inside the caller's."""
    result = IntakeResult()
    for chunk in _chunks(items, ROWS_PER_TRANSACTION):
        result += take_in(batch=prepare_rows(function=function, items=chunk, origin=origin), person=person)
    return result


def add_images(*, function: Function, items: Iterable[NewImage], person: User | None, origin: Origin) -> IntakeResult:
    """Take pictures in, in transactions of `IMAGES_PER_TRANSACTION`. Not for use inside a caller's transaction."""
    result = IntakeResult()
    for chunk in _chunks(items, IMAGES_PER_TRANSACTION):
        with prepared_images(function=function, items=chunk, origin=origin) as batch:
            result += take_in(batch=batch, person=person)
    return result


def _chunks(items: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
