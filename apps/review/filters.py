"""Which samples a page shows: a fixed list of filters. Anything else in the address is refused, never ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from django.http import QueryDict

from apps.core.errors import InvalidInput
from apps.functions.models import Label

UNSURE_MARGIN = 0.2
"""Below this distance between the two likeliest labels a prediction counts as unsure: 55 % against 36 % is one."""

_MAX_SEARCH_CHARS = 200
_SHAPES = {
    "person": re.compile(r"user_[a-z0-9]{16}"),
    "brought": re.compile(r"act_[a-z0-9]{16}"),
    "language": re.compile(r"[a-z]{2,3}"),
}


class Tab(StrEnum):
    """The two kinds of prediction, never on one page: out-of-fold ones, and the published model's."""

    LABELLED = "labelled"
    UNLABELLED = "unlabelled"


class Verdict(StrEnum):
    """What became of a labelled sample. Unsure ones are right or wrong as well; waiting ones have no prediction yet.

    Those accepted in the grid are learned from and never judged: the model proposed their labels itself.
    """

    JUDGED = "judged"
    RIGHT = "right"
    WRONG = "wrong"
    UNSURE = "unsure"
    WAITING = "waiting"
    GRID = "grid"


class Sort(StrEnum):
    """The order of a page. By sureness, those nothing was said of are left out."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LEAST_SURE = "least-sure"
    SUREST = "surest"


class Noted(StrEnum):
    """What people left beside a sample."""

    FLAGGED = "flagged"
    UNSURE = "not-sure"
    COMMENTED = "commented"
    DISPUTED = "disputed"


class Picked(StrEnum):
    """How a sample came to have its label; the same words as `PickedBy`."""

    RANDOM = "random"
    QUEUE = "queue"
    GRID = "grid"
    PERSON = "person"
    IMPORT = "import"


E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True)
class SampleFilter:
    """What a page of samples was asked for: labelled so (`label`), labelled but not so (`without`), said to be so
    (`predicted`), judged without that being said of it (`unsaid`).

    `person` who labelled it and `brought`, the act it came with, are public ids.
    """

    tab: Tab = Tab.LABELLED
    verdict: Verdict | None = None
    label: Label | None = None
    without: Label | None = None
    predicted: Label | None = None
    unsaid: Label | None = None
    search: str = ""
    sort: Sort | None = None
    noted: Noted | None = None
    picked: Picked | None = None
    person: str = ""
    brought: str = ""
    language: str = ""
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        labels = (self.label, self.without, self.predicted, self.unsaid)
        return bool(self.verdict or any(labels) or self.search or self.is_particular)

    @property
    def is_particular(self) -> bool:
        """Whether it asks for what the counts by label and verdict do not know of."""
        return bool(self.noted or self.picked or self.person or self.brought or self.language)

    @property
    def has_extras(self) -> bool:
        """Whether anything is chosen that only the fields under *More* show."""
        return self.is_particular or self.sort is not None

    def at_page(self, page: int) -> SampleFilter:
        return replace(self, page=page)

    @property
    def whole(self) -> SampleFilter:
        """The same samples as a slice keeps them: all pages, in no particular order."""
        return replace(self, page=1, sort=None)

    @property
    def query(self) -> str:
        """The query string that `read_filter` reads back as this filter."""
        values = {
            "tab": "" if self.tab is Tab.LABELLED else self.tab,
            "verdict": self.verdict or "",
            "label": self.label.public_id if self.label else "",
            "without": self.without.public_id if self.without else "",
            "predicted": self.predicted.public_id if self.predicted else "",
            "unsaid": self.unsaid.public_id if self.unsaid else "",
            "q": self.search,
            "noted": self.noted or "",
            "picked": self.picked or "",
            "person": self.person,
            "brought": self.brought,
            "language": self.language,
            "sort": self.sort or "",
            "page": "" if self.page == 1 else str(self.page),
        }
        return urlencode({name: value for name, value in values.items() if value})


_NAMES = {"tab", "verdict", "label", "without", "predicted", "unsaid", "q", "noted", "picked", "sort", "page", *_SHAPES}
_ABOUT_LABELS = ("verdict", "label", "without", "unsaid", "picked", "person")


def read_filter(query: QueryDict, labels: Mapping[str, Label]) -> SampleFilter:
    """Read a page's query string; `labels` are the function's by public id. Empty values count as not given."""
    if set(query) - _NAMES or any(len(values) > 1 for _name, values in query.lists()):
        raise InvalidInput("This address asks for a filter that does not exist. Choose one on the page instead.")
    chosen = SampleFilter(
        tab=_one_of(query.get("tab", ""), Tab) or Tab.LABELLED,
        verdict=_one_of(query.get("verdict", ""), Verdict),
        label=_label(query.get("label", ""), labels),
        without=_label(query.get("without", ""), labels),
        predicted=_label(query.get("predicted", ""), labels),
        unsaid=_label(query.get("unsaid", ""), labels),
        search=_search(query.get("q", "")),
        noted=_one_of(query.get("noted", ""), Noted),
        picked=_one_of(query.get("picked", ""), Picked),
        person=_shaped("person", query),
        brought=_shaped("brought", query),
        language=_shaped("language", query),
        sort=_one_of(query.get("sort", ""), Sort),
        page=_page(query.get("page", "")),
    )
    if chosen.tab is Tab.UNLABELLED and any(query.get(name) for name in _ABOUT_LABELS):
        raise InvalidInput("Samples without a label are neither right nor wrong. Choose another filter.")
    return chosen


def _one_of(value: str, choices: type[E]) -> E | None:
    if not value:
        return None
    if value not in [choice.value for choice in choices]:
        raise InvalidInput("There is no such filter. Choose one on the page.")
    return choices(value)


def _shaped(name: str, query: QueryDict) -> str:
    value = query.get(name, "")
    if value and not _SHAPES[name].fullmatch(value):
        raise InvalidInput("There is no such filter. Choose one on the page.")
    return value


def _label(value: str, labels: Mapping[str, Label]) -> Label | None:
    if not value:
        return None
    if value not in labels:
        raise InvalidInput("This function has no such label any more. Choose another one.")
    return labels[value]


def _search(value: str) -> str:
    text = value.strip()
    if len(text) > _MAX_SEARCH_CHARS or "\x00" in text:
        raise InvalidInput(f"Search for at most {_MAX_SEARCH_CHARS} ordinary characters.")
    return text


def _page(value: str) -> int:
    if not value:
        return 1
    if not (value.isascii() and value.isdigit() and 1 <= len(value) <= 7 and int(value) >= 1):
        raise InvalidInput("There is no such page.")
    return int(value)
