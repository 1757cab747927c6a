"""Which samples a page shows: a fixed list of filters. Anything else in the address is refused, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlencode

from django.http import QueryDict

from apps.core.errors import InvalidInput
from apps.functions.models import Label

UNSURE_MARGIN = 0.2
"""Below this distance between the two likeliest labels a prediction counts as unsure: 55 % against 36 % is one."""

_MAX_SEARCH_CHARS = 200
_NAMES = {"tab", "verdict", "label", "without", "predicted", "q", "page"}


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


@dataclass(frozen=True)
class SampleFilter:
    """What a page of samples was asked for: labelled so (`label`), labelled but not so (`without`), said to be so."""

    tab: Tab = Tab.LABELLED
    verdict: Verdict | None = None
    label: Label | None = None
    without: Label | None = None
    predicted: Label | None = None
    search: str = ""
    page: int = 1

    @property
    def is_narrowed(self) -> bool:
        return bool(self.verdict or self.label or self.without or self.predicted or self.search)

    def at_page(self, page: int) -> SampleFilter:
        return replace(self, page=page)

    @property
    def query(self) -> str:
        """The query string that `read_filter` reads back as this filter."""
        values = {
            "tab": "" if self.tab is Tab.LABELLED else self.tab,
            "verdict": self.verdict or "",
            "label": self.label.public_id if self.label else "",
            "without": self.without.public_id if self.without else "",
            "predicted": self.predicted.public_id if self.predicted else "",
            "q": self.search,
            "page": "" if self.page == 1 else str(self.page),
        }
        return urlencode({name: value for name, value in values.items() if value})


def read_filter(query: QueryDict, labels: Mapping[str, Label]) -> SampleFilter:
    """Read a page's query string; `labels` are the function's by public id. Empty values count as not given."""
    if set(query) - _NAMES or any(len(values) > 1 for _name, values in query.lists()):
        raise InvalidInput("This address asks for a filter that does not exist. Choose one on the page instead.")
    chosen = SampleFilter(
        tab=Tab(_one_of(query.get("tab", ""), Tab) or Tab.LABELLED),
        verdict=Verdict(verdict) if (verdict := _one_of(query.get("verdict", ""), Verdict)) else None,
        label=_label(query.get("label", ""), labels),
        without=_label(query.get("without", ""), labels),
        predicted=_label(query.get("predicted", ""), labels),
        search=_search(query.get("q", "")),
        page=_page(query.get("page", "")),
    )
    if chosen.tab is Tab.UNLABELLED and (chosen.verdict or chosen.label or chosen.without):
        raise InvalidInput("Samples without a label are neither right nor wrong. Choose another filter.")
    return chosen


def _one_of(value: str, choices: type[Tab | Verdict]) -> str:
    if value and value not in [choice.value for choice in choices]:
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
