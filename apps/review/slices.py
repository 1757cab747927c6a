"""Slices: filters kept by name."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.http import QueryDict

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import Function, Label
from apps.review.filters import SampleFilter, read_filter
from apps.review.models import Slice

MOST_CHARS = 120
MOST_SLICES = 100


@transaction.atomic
def save_slice(*, function: Function, name: str, chosen: SampleFilter, person: User) -> Slice:
    """Keep a filter by name, its order and page left aside. Raises Conflict where the name is taken."""
    words = _checked(name)
    if Slice.objects.filter(function=function).count() >= MOST_SLICES:
        raise InvalidInput(f"There are {MOST_SLICES} slices already. Delete one you no longer need.")
    try:
        with transaction.atomic():
            return Slice.objects.create(function=function, name=words, query=chosen.whole.query, person=person)
    except IntegrityError as error:
        raise Conflict(f"There is a slice called “{words}” already. Choose another name.") from error


@transaction.atomic
def rename_slice(*, kept: Slice, name: str) -> Slice:
    """Call a slice something else. Raises Conflict where the name is taken."""
    words = _checked(name)
    try:
        with transaction.atomic():
            Slice.objects.filter(pk=kept.pk).update(name=words)
    except IntegrityError as error:
        raise Conflict(f"There is a slice called “{words}” already. Choose another name.") from error
    kept.name = words
    return kept


def delete_slice(*, kept: Slice) -> None:
    """Forget the name; samples are not touched."""
    kept.delete()


def filter_of(kept: Slice, labels: Mapping[str, Label]) -> SampleFilter | None:
    """Return what a slice asks for; None where it names a label that is gone."""
    try:
        return read_filter(QueryDict(kept.query), labels)
    except InvalidInput:
        return None


def _checked(name: str) -> str:
    words = " ".join(name.replace("\x00", "").split())
    if not words:
        raise InvalidInput("Give the slice a name.")
    if len(words) > MOST_CHARS:
        raise InvalidInput(f"A name has at most {MOST_CHARS} characters.")
    return words
