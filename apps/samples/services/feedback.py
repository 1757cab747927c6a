"""What callers say of answers they were given: kept until a reviewer has looked, and followed until it is learned.

A report changes nothing by itself. What a reviewer then says of the sample decides whether it is accepted, and the next
model that learned from that tells so.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.events.kinds import Notify
from apps.events.services import notify
from apps.functions.models import Function, Label, OutputKind
from apps.functions.services.changes import announce_change
from apps.samples.models import Capture, Feedback, FeedbackState, Sample, Verdict
from apps.samples.redaction import redacted
from apps.samples.services.annotations import lock_function
from apps.samples.services.capture_policies import CaptureRules, policy_of
from apps.samples.services.saying import KnownLabels
from apps.workspaces.models import ApiKey

NOTE_MAX = 400
REPORTER_MAX = 200
MOST_WAITING = 20
"""Reports of one sample that nobody has looked at: more of them would say nothing more."""


@dataclass(frozen=True)
class Report:
    """What somebody says of an answer. `tags` are those that would be right, None where that is not said."""

    verdict: Verdict
    label: Label | None = None
    tags: Sequence[Label] | None = None
    note: str = ""
    reporter: str = ""


def report(*, sample: Sample, said: Report, key: ApiKey | None = None) -> Feedback:
    """Keep what somebody says of the answer they were given for a sample, until a reviewer has looked.

    The same again, while it waits, is the one that is there. Raises InvalidInput for what does not fit the function,
    Conflict where enough has been said of this sample.
    """
    with transaction.atomic():
        lock_function(sample.function_id)
        there = Sample.objects.select_related("function__workspace").filter(pk=sample.pk).first()
        if there is None:
            raise Conflict("This sample has been deleted.")
        written = _written(there.function, said)
        waiting = list(there.feedback.filter(state=FeedbackState.WAITING))
        for earlier in waiting:
            if _sameness(earlier) == _sameness(written):
                return earlier
        if len(waiting) >= MOST_WAITING:
            raise Conflict("This sample has been reported often enough: a reviewer will look at it.")
        written.sample, written.function, written.key = there, there.function, key
        written.save(force_insert=True)
        _tell(written)
        return written


def _written(function: Function, said: Report) -> Feedback:
    gives_tags = function.output_kind == OutputKind.TAGS
    if function.output_kind == OutputKind.SEARCH:
        raise InvalidInput("This function finds samples: its answers are not reported.")
    if said.label is not None and gives_tags:
        raise InvalidInput("This function gives tags: say which are right in tags.")
    if said.tags is not None and not gives_tags:
        raise InvalidInput("This function gives one label: say which is right in labelName or labelId.")
    known = KnownLabels(function.pk)
    for label in (*(said.tags or ()), *([said.label] if said.label else [])):
        if known.standing_for(label.pk) != label.pk:
            raise InvalidInput(f"This function has no label “{label.name}” any more.")
    rules = CaptureRules.of(policy_of(function.pk))
    return Feedback(
        verdict=said.verdict,
        label=said.label,
        tags=None if said.tags is None else sorted({label.public_id for label in said.tags}),
        note=redacted(_checked(said.note, NOTE_MAX, "A note"), rules.redactions)[:NOTE_MAX],
        reporter=_checked(said.reporter, REPORTER_MAX, "Who reports"),
    )


def _checked(text: str, most: int, what: str) -> str:
    words = text.replace("\x00", "").strip()
    if len(words) > most:
        raise InvalidInput(f"{what} has at most {most} characters.")
    return words


def _sameness(feedback: Feedback) -> tuple[object, ...]:
    return feedback.verdict, feedback.label_id, feedback.tags, feedback.note, feedback.reporter


def _tell(feedback: Feedback) -> None:
    function = feedback.function
    notify(
        workspace=function.workspace.public_id,
        kind=Notify.SAMPLE_REPORTED,
        function=function.public_id,
        sample_id=feedback.sample.public_id,
        feedback_id=feedback.public_id,
        verdict=feedback.verdict,
    )
    announce_change(function)


def settle_reports(*, sample: Sample, person: User) -> list[str]:
    """After a reviewer has decided: let what waits be accepted where it proved true, and declined where it did not.

    The caller holds the function's lock. Returns the public ids of what was settled, which `reopen_reports` takes.
    """
    waiting = list(sample.feedback.filter(state=FeedbackState.WAITING).select_related("label"))
    if not waiting:
        return []
    now = Sample.objects.get(pk=sample.pk)
    truth = _Truth(now)
    for each in waiting:
        each.state = FeedbackState.ACCEPTED if truth.bears_out(each) else FeedbackState.DECLINED
        each.handled_by, each.handled_at = person, timezone.now()
    Feedback.objects.bulk_update(waiting, ["state", "handled_by", "handled_at"])
    announce_change(sample.function)
    return [each.public_id for each in waiting]


def reopen_reports(*, sample: Sample, feedback_ids: Collection[str]) -> int:
    """Let these wait again: what was decided of them has been taken back. Returns how many do."""
    rows = Feedback.objects.filter(sample=sample, public_id__in=feedback_ids).exclude(state=FeedbackState.WAITING)
    n = rows.update(state=FeedbackState.WAITING, handled_by=None, handled_at=None, learned_in="")
    if n:
        announce_change(sample.function)
    return n


def note_learned(*, function_id: int, model_id: str, up_to_annotation_id: int) -> int:
    """Say of accepted reports that a model which answers from now on learned from them. Returns how many those are.

    `up_to_annotation_id` is the newest annotation that the model knows. In the caller's transaction.
    """
    accepted = Feedback.objects.filter(function=function_id, state=FeedbackState.ACCEPTED)
    learned = accepted.filter(sample__annotation__lte=up_to_annotation_id, sample__deleted_at=None)
    keys = list(learned.order_by().values_list("pk", flat=True))
    return Feedback.objects.filter(pk__in=keys).update(state=FeedbackState.LEARNED, learned_in=model_id) if keys else 0


class _Truth:
    """What is in force of a sample by now, and what had been answered where that is known."""

    def __init__(self, sample: Sample) -> None:
        self._known = KnownLabels(sample.function_id)
        self._is_said = sample.annotation_id is not None
        self._gives_tags = sample.function.output_kind == OutputKind.TAGS
        self._said = self._labels_of(sample)
        capture = Capture.objects.filter(sample=sample).first()
        self._answered = None if capture is None else self._read(capture.label_id, capture.tags)

    def bears_out(self, feedback: Feedback) -> bool:
        """Whether the verdict proved true. A report of a sample of which nothing is said is not."""
        if not self._is_said:
            return False
        proposed = self._read(feedback.label_id, feedback.tags)
        if feedback.verdict == Verdict.RIGHT:
            expected = proposed if proposed is not None else self._answered
            return expected is None or expected == self._said
        if self._answered is not None:
            return self._said != self._answered
        return proposed is None or proposed == self._said

    def _labels_of(self, sample: Sample) -> frozenset[int]:
        if not self._gives_tags:
            return frozenset({sample.label_id} if sample.label_id else ())
        return frozenset(sample.tags.filter(is_present=True).values_list("label_id", flat=True))

    def _read(self, label_id: int | None, tags: Collection[str] | None) -> frozenset[int] | None:
        """In the labels of now; None where nothing was named."""
        if self._gives_tags:
            read = self._known.by_key(None if tags is None else dict.fromkeys(tags, True))
            return None if read is None else frozenset(read)
        root = self._known.standing_for(label_id)
        return None if root is None else frozenset({root})
