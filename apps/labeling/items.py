"""What passes between the queue and a person: samples to ask about, and what the person says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from apps.functions.models import Label
from apps.samples.models import Capture, Comment, PickedBy, Sample


class Why(StrEnum):
    """Why a sample is asked about, as the page says it. The first four are those a plan knows (`models.Reason`)."""

    TYPICAL = "typical"
    TORN = "torn"
    RARE = "rare"
    NEW = "new"
    RANDOM = "random"
    OPINION = "opinion"
    SENT_BACK = "sent_back"


@dataclass(frozen=True)
class Suggestion:
    """What the published model says of an unlabelled sample, or one of the tags it says are there."""

    label: Label
    confidence: float


@dataclass(frozen=True)
class QueueItem:
    """A sample to ask about, and why this one.

    `labels` are those the reason is about. `suggestions` are the tags the model says are there, the likeliest first;
    None where it has not said anything. With `may_not_suggest` the answer is to be the person's own: neither the
    model's word nor anybody else's is shown. `said` are the tags of an answer just taken back, so that it can be mended
    rather than given anew. `capture` is the call it came in with. `sent_back` is what a reviewer wrote who wants it
    answered again. `comments` are the newest ones that this person may read.
    """

    sample: Sample
    picked_by: PickedBy
    why: Why = Why.RANDOM
    labels: tuple[Label, ...] = ()
    suggestion: Suggestion | None = None
    suggestions: tuple[Suggestion, ...] | None = None
    said: tuple[str, ...] = ()
    comments: tuple[Comment, ...] = ()
    is_flagged: bool = False
    sent_back: Comment | None = None
    capture: Capture | None = None
    may_not_suggest: bool = False


@dataclass(frozen=True)
class Answer:
    """What a person said of a sample of their queue; with neither a label nor tags they passed it over.

    `tags` says of every tag that the person was shown, by public id, whether it is there. `active_ms` is how long the
    person was at it, pauses left out; `is_unsure` that they would like somebody to look again.
    """

    token: UUID
    sample_id: str
    label_id: str | None
    proof: str
    tags: Mapping[str, bool] | None = None
    active_ms: int | None = None
    is_unsure: bool = False

    @property
    def is_skip(self) -> bool:
        return self.label_id is None and self.tags is None


@dataclass(frozen=True)
class Refusal:
    """An answer that could not be saved, and the sentence for the person who gave it."""

    token: UUID
    message: str


@dataclass(frozen=True)
class Outcome:
    saved: list[UUID]
    refused: list[Refusal]
