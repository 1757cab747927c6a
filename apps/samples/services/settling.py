"""What of all that was said of a sample is in force: one rule, `settle`, for every door.

The newest ordinary annotation that nobody took back is in force. Where none is, what most of the people who were asked
say is, once enough of them have answered. Where they cannot agree nothing is in force, and the sample waits for a
reviewer, whose ordinary annotation decides.

Whoever calls something here holds the function's lock (`annotations.lock_function`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from apps.functions.models import DecidedBy, OutputKind
from apps.functions.services import note_data_change
from apps.samples.models import Annotation, GoldSample, Opinion, PickedBy, ReviewState, Sample
from apps.samples.services.saying import KnownLabels, Said, repeat_tags

Meant: TypeAlias = int | frozenset[int]
"""What an answer comes to today: the key of its label, or of the tags it says are there."""

UNREVIEWED: dict[str, Any] = {"is_disputed": False, "review": ReviewState.NONE, "sent_back_to": None}
"""The columns of a sample whose answer is new: whatever reviewers were asked or said concerned another."""


def meant(said: Said) -> Meant | None:
    """Return what an answer comes to, so that two can be compared; None where it says nothing."""
    if said.tags is None:
        return said.label_id
    return frozenset(key for key, is_present in said.tags.items() if is_present)


def kept_reason(sample: Sample, picked_by: PickedBy) -> str:
    """A correction keeps why the sample came to be looked at: else the random stream would lose its errors.

    So does the answer that settles what people disagreed on, or were asked anew.
    """
    if sample.annotation is not None:
        return sample.annotation.picked_by
    if not (sample.n_opinions or sample.is_disputed or sample.review):
        return picked_by
    return sample.annotations.order_by("-id").values_list("picked_by", flat=True).first() or picked_by


def put_in_force(sample: Sample, annotation: Annotation | None, said: Said) -> None:
    """Repeat beside the sample what the annotation says in the labels of now; where that is nothing, none is."""
    annotation = None if said.is_nothing else annotation
    sample.annotation, sample.label_id = annotation, said.label_id
    sample.labelled_at = annotation.created_at if annotation else None
    sample.is_disputed, sample.review, sample.sent_back_to = False, ReviewState.NONE, None
    Sample.objects.filter(pk=sample.pk).update(
        annotation=annotation, label=sample.label_id, labelled_at=sample.labelled_at, **UNREVIEWED
    )


def standing_annotations(sample: Sample) -> list[Annotation]:
    """The sample's annotations that no undo took back, oldest first; the last one is in force. Opinions aside."""
    return _not_undone(sample.annotations.filter(is_opinion=False).select_related("label").order_by("id"))


def standing_opinions(sample: Sample, person_id: int) -> list[Annotation]:
    """What this person said as one of several, and did not take back, oldest first."""
    return _not_undone(sample.annotations.filter(is_opinion=True, person=person_id).order_by("id"))


def _not_undone(annotations: Iterable[Annotation]) -> list[Annotation]:
    standing: list[Annotation] = []
    for annotation in annotations:
        if annotation.undoes_id is None:
            standing.append(annotation)
        elif standing and standing[-1].pk == annotation.undoes_id:
            standing.pop()
    return standing


def settle(sample: Sample, labels: KnownLabels | None = None) -> None:
    """Put in force what history and opinions come to today, and count the opinions.

    For every change that is not simply a newer annotation: one taken back, an opinion more or less, a sample out of
    the bin, a label brought back. What is in force already stays, with what reviewers said of it.
    """
    now = Sample.objects.filter(pk=sample.pk).select_related("function").first()
    if now is None:
        return  # in the bin, where nothing is in force
    labels = labels or KnownLabels(now.function_id)
    voices = _voices(now, labels)
    standing = standing_annotations(now)
    decision = _Voice.of(standing[-1], labels) if standing else None
    if decision is None or decision.said.is_nothing:
        after, is_disputed = _consensus(voices, now, decision)
    else:
        after, is_disputed = decision, _is_contradicted(decision, voices, now)
    _repeat(now, after)
    now.n_opinions, now.is_disputed = len(voices), is_disputed
    now.save(update_fields=["n_opinions", "is_disputed"])
    for name in ("annotation_id", "label_id", "labelled_at", "n_opinions", "is_disputed", "review", "sent_back_to_id"):
        setattr(sample, name, getattr(now, name))


def settle_many(sample_ids: Collection[int], labels: KnownLabels) -> None:
    """Settle those of the samples that several people have answered; nobody speaks for the others."""
    for sample in Sample.objects.filter(pk__in=sample_ids, n_opinions__gt=0):
        settle(sample, labels)


@dataclass(frozen=True)
class _Voice:
    """An annotation and what it says in the labels of now."""

    annotation: Annotation
    said: Said

    @staticmethod
    def of(annotation: Annotation, labels: KnownLabels) -> "_Voice":
        return _Voice(annotation, labels.of_history(annotation.label_id, annotation.tags))


def _voices(sample: Sample, labels: KnownLabels) -> list[_Voice]:
    """The newest answer of each person who was asked, oldest first; one whose label is gone is none.

    Where the answer is known nobody is heard: it is they who are being tried.
    """
    if GoldSample.objects.filter(sample=sample).exists():
        return []
    rows = Opinion.objects.filter(sample=sample).select_related("annotation").order_by("annotation")
    voices = [_Voice.of(row.annotation, labels) for row in rows]
    return [voice for voice in voices if not voice.said.is_nothing]


def _consensus(voices: Sequence[_Voice], sample: Sample, taken_away: _Voice | None) -> tuple[_Voice | None, bool]:
    """Return whose answer is to be in force, None where nobody's, and whether a reviewer has to decide.

    More than half must say the same: of five people, two are not most. What was taken away after everybody had spoken
    is not put back by what they had said.
    """
    if not voices or len(voices) < sample.n_wanted:
        return None, False
    if taken_away is not None and taken_away.annotation.pk > voices[-1].annotation.pk:
        return None, True
    [(most_said, n_most)] = Counter(meant(voice.said) for voice in voices).most_common(1)
    by_majority = sample.function.decided_by == DecidedBy.MAJORITY
    if n_most == len(voices) or (by_majority and 2 * n_most > len(voices)):
        return next(voice for voice in reversed(voices) if meant(voice.said) == most_said), False
    return None, True


def _is_contradicted(decision: _Voice, voices: Sequence[_Voice], sample: Sample) -> bool:
    """Whether somebody answered after one alone had, and otherwise. What a reviewer decided or checked is settled."""
    if sample.n_wanted > 1 or sample.review == ReviewState.ACCEPTED:
        return False
    later = (voice for voice in voices if voice.annotation.pk > decision.annotation.pk)
    return any(meant(voice.said) != meant(decision.said) for voice in later)


def _repeat(sample: Sample, after: _Voice | None) -> None:
    """Put an answer in force, unless it is already and counts as the same label."""
    said = after.said if after else Said()
    annotation = after.annotation if after else None
    if (annotation.pk if annotation else None, said.label_id) == (sample.annotation_id, sample.label_id):
        return
    put_in_force(sample, annotation, said)
    if sample.function.output_kind == OutputKind.TAGS:
        repeat_tags({sample.pk: said.tags})
    note_data_change(sample.function_id)
