"""What became of what came in."""

from dataclasses import dataclass
from enum import StrEnum

from apps.samples.models import Sample


class Outcome(StrEnum):
    ADDED = "added"
    RESTORED = "restored"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True)
class ItemResult:
    """What became of one item: its sample, or why there is none; `note` says what of it could not be read."""

    outcome: Outcome
    sample: Sample | None = None
    reason: str = ""
    note: str = ""


@dataclass(frozen=True)
class IntakeResult:
    """What became of each item, in the order given; the counts derive from that."""

    items: tuple[ItemResult, ...] = ()
    n_labelled: int = 0

    @property
    def n_added(self) -> int:
        return self._count(Outcome.ADDED)

    @property
    def n_restored(self) -> int:
        """How many came back out of the bin, with what they had."""
        return self._count(Outcome.RESTORED)

    @property
    def n_duplicates(self) -> int:
        return self._count(Outcome.DUPLICATE)

    @property
    def problems(self) -> list[tuple[int, str]]:
        """Position and reason of each refused item."""
        return [(index, item.reason) for index, item in enumerate(self.items) if item.outcome is Outcome.REFUSED]

    @property
    def notes(self) -> list[tuple[int, str]]:
        """Position and note of each item that came in but for a part that could not be read."""
        return [(index, item.note) for index, item in enumerate(self.items) if item.note]

    @property
    def samples(self) -> list[Sample]:
        """The samples of all items that were not refused, new and known."""
        return [item.sample for item in self.items if item.sample is not None]

    def _count(self, outcome: Outcome) -> int:
        return sum(item.outcome is outcome for item in self.items)

    def __add__(self, other: "IntakeResult") -> "IntakeResult":
        return IntakeResult(self.items + other.items, self.n_labelled + other.n_labelled)
