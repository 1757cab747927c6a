"""What was done in one go, in words, for the page on which it is undone."""

from collections.abc import Callable
from dataclasses import dataclass

from django.core.paginator import Page, Paginator

from apps.accounts.models import User
from apps.functions.models import Act, ActKind, Function
from apps.samples.services.acts import needed_to_undo
from apps.samples.services.set_aside import is_under_way
from apps.samples.services.undoing import PROVISIONAL, kind_words, outcome_of, progress_of
from apps.workspaces.roles import Action

ACTS_PER_PAGE = 50

WORDS = {
    ActKind.GRID: "labelled in the grid{as_label}",
    ActKind.SELECTION: "labelled a selection{as_label}",
    ActKind.IMPORT: "brought samples{from_name}",
    ActKind.DELETE_SAMPLES: "put samples into the bin",
    ActKind.SET_ASIDE: "set a person's answers aside",
    ActKind.RENAME_LABEL: "renamed the label “{before}” to “{after}”",
    ActKind.RECOLOUR_LABEL: "gave the label “{name}” another colour",
    ActKind.DESCRIBE_LABEL: "described the label “{name}”",
    ActKind.MERGE_LABELS: "merged the label “{name}” into “{into}”",
    ActKind.SPLIT_LABEL: "split “{name}” off the label “{of}”",
    ActKind.DELETE_LABEL: "deleted the label “{name}”",
}


@dataclass(frozen=True)
class ActLine:
    """An act as the page shows it; `can_undo` for the person who looks."""

    act: Act
    words: str
    can_undo: bool

    @property
    def is_under_way(self) -> bool:
        return is_under_way(self.act)

    @property
    def n_undone(self) -> int | None:
        """How many samples are seen to, while the act is being taken back."""
        progress = progress_of(self.act)
        return None if progress is None else min(progress.n_done, self.act.n_samples)

    @property
    def is_undone(self) -> bool:
        """Whether it was taken back, and nobody is still at that."""
        return self.act.undone_at is not None and self.act.undoing is None

    @property
    def n_stay(self) -> int:
        """How many samples somebody had changed since, when it was taken back: they stay as they are."""
        return outcome_of(self.act).n_left

    @property
    def who(self) -> str:
        person = self.act.person
        return (person.name or person.email) if person else "Someone who has left"


def history_lines(
    *, function: Function, person: User, may: Callable[[Action], bool], page_number: str | int
) -> tuple[Page[Act], list[ActLine]]:
    """Return one page of a function's acts, the newest first; those that are still coming in have no number yet."""
    page = Paginator(function.acts.select_related("person").order_by("-pk"), ACTS_PER_PAGE).get_page(page_number)
    return page, [_line(act, person, may) for act in page]


def _line(act: Act, person: User, may: Callable[[Action], bool]) -> ActLine:
    can_undo = act.undone_at is None and all(may(action) for action in needed_to_undo(act, person))
    return ActLine(act, words_of(act), can_undo)


def words_of(act: Act) -> str:
    """Return what follows a person's name; an act whose facts are of another version reads as its bare kind."""
    if act.facts.get(PROVISIONAL):
        return kind_words(act)
    facts = {name: str(value) for name, value in act.facts.items()}
    facts |= {
        "as_label": f" as “{facts['label']}”" if facts.get("label") else "",
        "from_name": f": {facts['file']}" if facts.get("file") else "",
    }
    try:
        return WORDS[ActKind(act.kind)].format_map(facts)
    except (ValueError, KeyError):
        return kind_words(act)
