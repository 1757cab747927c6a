"""What is known of samples from the calls they came in with: what was answered, why it was kept, what callers say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from apps.functions.models import Function, Label, OutputKind
from apps.samples.models import Capture, CaptureReason, Feedback, FeedbackState, Verdict
from apps.samples.services.saying import KnownLabels
from apps.training.words import confidence_word

SETTLED_SHOWN = 8
UNNAMED = "A caller"


@dataclass(frozen=True)
class Heard:
    """The call that a sample came in with: what was answered then, and why it was kept.

    Of those that chance alone chose (`is_random`) it is measured how often answers are right.
    """

    answered: tuple[Label, ...]
    gives_tags: bool
    confidence: float
    reason: CaptureReason
    at: datetime
    is_random: bool = False

    @property
    def word(self) -> str:
        return confidence_word(self.confidence)

    @property
    def why(self) -> str:
        return CaptureReason(self.reason).label


@dataclass(frozen=True)
class Told:
    """What a caller says of an answer; `right` is what would be right, None where that was not said."""

    who: str
    is_wrong: bool
    right: tuple[Label, ...] | None
    note: str
    at: datetime


@dataclass(frozen=True)
class Settled:
    """A report that a person has decided of, and what came of it."""

    told: Told
    sample_id: str
    state: str
    words: str


class FromCalls:
    """Reads them in the labels of now; `labels` are those in use."""

    def __init__(self, function: Function, labels: Sequence[Label]) -> None:
        self._known = KnownLabels(function.pk)
        self._labels = labels
        self._gives_tags = function.output_kind == OutputKind.TAGS

    def heard(self, keys: Collection[int]) -> dict[int, Heard]:
        """Return by sample how those that were captured came in. One query."""
        return {
            row.sample_id: Heard(
                answered=self._read(row.label_id, row.tags) or (),
                gives_tags=self._gives_tags,
                confidence=row.confidence,
                reason=CaptureReason(row.reason),
                at=row.created_at,
                is_random=row.is_random,
            )
            for row in Capture.objects.filter(sample__in=keys)
        }

    def told(self, keys: Collection[int]) -> dict[int, tuple[Told, ...]]:
        """Return by sample what waits to be looked at: wrong answers first, then the newest. One query."""
        found: defaultdict[int, list[Told]] = defaultdict(list)
        for row in Feedback.objects.filter(sample__in=keys, state=FeedbackState.WAITING).order_by("-pk"):
            found[row.sample_id].append(self._told(row))
        return {key: tuple(sorted(each, key=lambda one: not one.is_wrong)) for key, each in found.items()}

    def settled(self, function: Function) -> list[Settled]:
        """Return the reports decided last, with what came of them. One query."""
        rows = Feedback.objects.filter(function=function, sample__deleted_at=None).exclude(state=FeedbackState.WAITING)
        return [
            Settled(self._told(row), row.sample.public_id, row.state, FeedbackState(row.state).label)
            for row in rows.select_related("sample").order_by("-pk")[:SETTLED_SHOWN]
        ]

    def _told(self, row: Feedback) -> Told:
        right = self._read(row.label_id, row.tags)
        return Told(row.reporter or UNNAMED, row.verdict == Verdict.WRONG, right, row.note, row.created_at)

    def _read(self, label_id: int | None, tags: Collection[str] | None) -> tuple[Label, ...] | None:
        if self._gives_tags:
            there = self._known.by_key(None if tags is None else dict.fromkeys(tags, True))
            return None if there is None else tuple(label for label in self._labels if label.pk in there)
        root = self._known.standing_for(label_id)
        return None if root is None else tuple(label for label in self._labels if label.pk == root)
