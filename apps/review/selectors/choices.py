"""What there is to choose from in the filters of a list of samples."""

from __future__ import annotations

from dataclasses import dataclass

from apps.accounts.models import User
from apps.engine import languages
from apps.functions.models import Act, ActKind, Function, InputKind
from apps.review.filters import Noted, Picked, Sort
from apps.samples.models import Sample

MOST_ACTS = 30
LANGUAGES_OF = 1_000
"""Languages are looked for among as many of the newest samples; an index for the rest would cost every upload."""
_SORTS = {
    Sort.NEWEST: "Newest first",
    Sort.OLDEST: "Oldest first",
    Sort.LEAST_SURE: "Least sure first",
    Sort.SUREST: "Surest first",
}
_NOTES = {
    Noted.FLAGGED: "Flagged",
    Noted.UNSURE: "Somebody was not sure",
    Noted.COMMENTED: "With a comment",
    Noted.DISPUTED: "Disputed",
}
_PICKS = {
    Picked.RANDOM: "At random",
    Picked.QUEUE: "By the queue",
    Picked.PERSON: "By a person",
    Picked.GRID: "In the grid",
    Picked.IMPORT: "Brought with it",
}


@dataclass(frozen=True)
class Choices:
    """Values and their names. Lists with a single entry are left empty: they would narrow nothing."""

    sorts: list[tuple[str, str]]
    notes: list[tuple[str, str]]
    picks: list[tuple[str, str]]
    people: list[User]
    languages: list[tuple[str, str]]
    acts: list[Act]


def choices(function: Function) -> Choices:
    """Three small queries: the members, the languages found, the imports."""
    people = list(User.objects.filter(memberships__workspace=function.workspace_id).order_by("name", "email"))
    brought = Act.objects.filter(function=function, kind=ActKind.IMPORT, undone_at=None, n_samples__gt=0)
    return Choices(
        sorts=[(str(value), name) for value, name in _SORTS.items()],
        notes=[(str(value), name) for value, name in _NOTES.items()],
        picks=[(str(value), name) for value, name in _PICKS.items()],
        people=people if len(people) > 1 else [],
        languages=_languages(function),
        acts=list(brought.order_by("-pk")[:MOST_ACTS]),
    )


def _languages(function: Function) -> list[tuple[str, str]]:
    if function.input_kind != InputKind.TEXT:
        return []
    newest = Sample.objects.filter(function=function).order_by("-pk").values_list("language", flat=True)[:LANGUAGES_OF]
    codes = {code for code in newest if code}
    named = sorted((languages.NAMES.get(code, code), code) for code in codes)
    return [(code, name) for name, code in named] if len(codes) > 1 else []
