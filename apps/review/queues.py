"""The queues of review by name: what people are told about each. What is in them is in `selectors.queues`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apps.functions.models import Function, ReviewLevel


class QueueName(StrEnum):
    """As in addresses, in the order of the menu."""

    REPORTED = "reported"
    CAPTURED = "captured"
    WRONG_LABELS = "wrong-labels"
    UNSURE = "unsure"
    UNSURE_LABELLED = "unsure-labelled"
    DISPUTED = "disputed"
    FLAGGED = "flagged"
    TO_CHECK = "to-check"
    NEW_KINDS = "new-kinds"
    NEAR_DUPLICATES = "near-duplicates"
    PROVISIONAL = "provisional"


@dataclass(frozen=True)
class Queue:
    """`about` says what its samples have in common, `done` what it means that there is none.

    A queue that is `only_where_used` is in the menu only when the function works that way, or something is in it.
    """

    name: QueueName
    title: str
    about: str
    done: str
    only_where_used: bool = False

    def is_used(self, function: Function) -> bool:
        return {
            QueueName.DISPUTED: function.overlap_share > 0,
            QueueName.TO_CHECK: function.review_level != ReviewLevel.OFF,
            QueueName.PROVISIONAL: function.is_machine_first,
            # Of what callers do nothing is said before there is something.
            QueueName.REPORTED: False,
            QueueName.CAPTURED: False,
        }.get(self.name, True)


QUEUES: dict[QueueName, Queue] = {
    queue.name: queue
    for queue in (
        Queue(
            QueueName.REPORTED,
            "Reported",
            "Somebody who was given these answers says whether they were right. What was wrong comes first.",
            "Every report has been looked at.",
            only_where_used=True,
        ),
        Queue(
            QueueName.CAPTURED,
            "Captured",
            "Calls that were kept because there is something to learn from them. The newest come first.",
            "Every call that was kept has been looked at.",
            only_where_used=True,
        ),
        Queue(
            QueueName.WRONG_LABELS,
            "Likely wrong labels",
            "A model that never saw these says something else. The likeliest mistakes come first.",
            "No label stands out as wrong. After the next labels they are looked over again.",
        ),
        Queue(
            QueueName.UNSURE,
            "Unsure",
            "Without a label, and the model is torn. What you say here teaches it most.",
            "The model is sure of every sample without a label.",
        ),
        Queue(
            QueueName.UNSURE_LABELLED,
            "Unsure, labelled",
            "A model that never saw these could not decide. Some are hard, some have the wrong label.",
            "Nothing labelled left the model in doubt.",
        ),
        Queue(
            QueueName.DISPUTED,
            "Disputed",
            "People who were asked the same did not say the same. Yours is the last word.",
            "Nobody disagrees.",
            only_where_used=True,
        ),
        Queue(
            QueueName.FLAGGED,
            "Flagged",
            "Somebody wanted these looked at, or was not sure.",
            "Nobody flagged anything, and nobody was unsure.",
        ),
        Queue(
            QueueName.TO_CHECK,
            "To check",
            "Answers waiting for a second look before they are done with.",
            "Every answer that was to be checked has been.",
            only_where_used=True,
        ),
        Queue(
            QueueName.NEW_KINDS,
            "New kinds",
            "Far from everything labelled so far. A new label may be missing, or only examples.",
            "Everything resembles something that has a label.",
        ),
        Queue(
            QueueName.NEAR_DUPLICATES,
            "Near-duplicates",
            "Pairs that are almost the same. Those with different labels come first.",
            "No two samples are nearly the same.",
        ),
        Queue(
            QueueName.PROVISIONAL,
            "Provisional",
            "The machine is sure of these, so they stand until somebody looks. Accepted ones are learned from.",
            "Nothing waits to be accepted.",
            only_where_used=True,
        ),
    )
}
