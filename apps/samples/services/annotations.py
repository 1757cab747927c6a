"""People's labels and tags on samples: append-only history, with what is in force repeated beside the sample.

Every function here locks the function's row before a sample's: intake does the same, so the two never wait on each
other in a circle, and what stands of a sample's history is always what its columns and its tags' rows repeat.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.functions.models import Act, Function, Label, OutputKind
from apps.functions.services import is_undone, note_data_change
from apps.samples.models import Annotation, Opinion, PickedBy, ReviewState, Sample, SampleTag
from apps.samples.services.known_answers import let_known_answers_follow
from apps.samples.services.saying import ROWS_PER_TRANSACTION, KnownLabels, Said, repeat_tags
from apps.samples.services.settling import (
    UNREVIEWED,
    kept_reason,
    put_in_force,
    settle,
    settle_many,
    standing_annotations,
)

# 2,000 rows of tags hold the write lock for about 45 ms (two cores, SQLite).
TAGS_PER_TRANSACTION = 2_000


def lock_function(function_id: int) -> OutputKind:
    """Let nobody else annotate or take in for this function until the transaction ends. Needs a transaction.

    Returns what the function gives. `no_key` leaves room for rows elsewhere that merely refer to the function. SQLite
    has one writer anyway. Raises NotFound when the function has been deleted.
    """
    locked = Function.objects.select_for_update(no_key=True).filter(pk=function_id)
    output_kind = locked.values_list("output_kind", flat=True).first()
    if output_kind is None:
        raise NotFound("This function has been deleted.")
    return OutputKind(output_kind)


@dataclass(frozen=True)
class _Source:
    """Who said it, how the sample came to them, and as part of which act."""

    person: User | None
    picked_by: PickedBy
    client_token: UUID | None = None
    active_ms: int | None = None
    act: Act | None = None


def annotate_sample(
    *,
    sample: Sample,
    label: Label | None,
    person: User | None,
    picked_by: PickedBy,
    client_token: UUID | None = None,
    active_ms: int | None = None,
) -> Annotation:
    """Give a sample a label, or take away what was said of it, tags too (`label=None`).

    The same `client_token` again returns the first answer. `active_ms` is how long the person was at it.
    """
    said = Said(label_id=label.pk if label else None)
    return _annotate(sample, said, _Source(person, picked_by, client_token, active_ms))


def tag_sample(
    *,
    sample: Sample,
    tags: Mapping[Label, bool],
    person: User | None,
    picked_by: PickedBy,
    client_token: UUID | None = None,
    active_ms: int | None = None,
    is_whole: bool = True,
) -> Annotation:
    """Say which tags a sample has. Labels in use that are not mentioned are not on it; later ones stay unknown.

    Where `tags` names every label the person was shown, `is_whole=False` leaves the others unknown, too: one may have
    been made before the answer arrived. A tag deleted since it was read is passed over: what was said of the others
    holds all the same. The same `client_token` again returns the first answer.
    """
    said = Said(tags={label.pk: is_present for label, is_present in tags.items()}, is_whole=is_whole)
    return _annotate(sample, said, _Source(person, picked_by, client_token, active_ms))


def _annotate(sample: Sample, said: Said, source: _Source) -> Annotation:
    try:
        with transaction.atomic():
            gives = lock_function(sample.function_id)
            return answer_with_token(sample, source.client_token) or _append(sample, gives, said, source)
    except IntegrityError:
        # The token's first use was for a sample of another function, hence behind another lock.
        repeated = answer_with_token(sample, source.client_token)
        if repeated is None:
            raise
        return repeated


def answer_with_token(sample: Sample, client_token: UUID | None) -> Annotation | None:
    """Return the answer that came with this token before. Raises Conflict where that was for another sample."""
    if client_token is None:
        return None
    earlier = Annotation.objects.filter(client_token=client_token).select_related("label").first()
    if earlier is not None and earlier.sample_id != sample.pk:
        raise Conflict("This answer was already given for another sample.")
    return earlier


def _append(sample: Sample, gives: OutputKind, said: Said, source: _Source) -> Annotation:
    labels = KnownLabels(sample.function_id)
    said = labels.checked(said, gives)
    before = Sample.objects.filter(pk=sample.pk).select_related("annotation").first()
    if before is None:
        raise Conflict("This sample has been deleted.")
    annotation = Annotation.objects.create(
        sample=sample,
        label_id=said.label_id,
        tags=labels.by_public_id(said.tags),
        person=source.person,
        picked_by=kept_reason(before, source.picked_by),
        client_token=source.client_token,
        active_ms=source.active_ms,
    )
    put_in_force(sample, annotation, said)
    if gives is OutputKind.TAGS:
        repeat_tags({sample.pk: said.tags})
    if said.is_nothing:
        settle_many([sample.pk], labels)
    let_known_answers_follow([sample.pk], source.person)
    note_data_change(sample.function_id)
    return annotation


def annotate_many(
    *,
    function: Function,
    pairs: Sequence[tuple[int, int | None]],
    person: User | None,
    picked_by: PickedBy,
    act: Act | None = None,
    active_ms: int | None = None,
) -> int:
    """Label many samples of one function: pairs of sample and label keys, None takes away what was said.

    Pairs that would change nothing are passed over. Returns how many annotations were appended. Works in transactions
    of `ROWS_PER_TRANSACTION`, or inside the caller's. With an `act`, all of it is undone as one. `active_ms` is how
    long the person was at each.
    """
    if not pairs:
        return 0
    known = KnownLabels(function.pk)
    if any(label_id is not None and known.standing_for(label_id) is None for _sample_id, label_id in pairs):
        raise InvalidInput("One of the labels does not belong to the function. Reload the page and choose again.")
    said = {sample_id: Said(label_id=label_id) for sample_id, label_id in pairs}
    return _say_of_many(function, said, _Source(person, picked_by, active_ms=active_ms, act=act))


def tag_many(
    *,
    function: Function,
    tags_of: Mapping[int, Mapping[int, bool]],
    person: User | None,
    picked_by: PickedBy,
    act: Act | None = None,
    active_ms: int | None = None,
) -> int:
    """Tag many samples of one function: by sample key, whether each label is on it, by label key.

    A label that is not mentioned stays unknown: whoever means *not on it* says so. Otherwise as `annotate_many`.
    """
    said = {pk: Said(tags=tags) for pk, tags in tags_of.items()}
    n_tags = max((len(tags) for tags in tags_of.values()), default=0)
    n_at_once = samples_per_transaction(n_tags)
    source = _Source(person, picked_by, active_ms=active_ms, act=act)
    return _say_of_many(function, said, source, n_at_once=n_at_once)


def samples_per_transaction(n_tags: int, most: int = ROWS_PER_TRANSACTION) -> int:
    """How many samples with this many tags each are written at once, so that nobody else has to wait for long."""
    return max(1, min(most, TAGS_PER_TRANSACTION // max(1, n_tags)))


def _say_of_many(
    function: Function, said: Mapping[int, Said], source: _Source, *, n_at_once: int = ROWS_PER_TRANSACTION
) -> int:
    rows = list(said.items())
    chunks = (rows[start : start + n_at_once] for start in range(0, len(rows), n_at_once))
    return sum(_annotate_chunk(function, dict(chunk), source) for chunk in chunks)


@transaction.atomic
def _annotate_chunk(function: Function, said: dict[int, Said], source: _Source) -> int:
    gives = lock_function(function.pk)
    if source.act is not None and is_undone(source.act):
        return 0
    labels = KnownLabels(function.pk)
    wanted = {
        pk: labels.checked(each, gives)
        for pk, each in said.items()
        if each.label_id is None or labels.standing_for(each.label_id)  # one may have been deleted between two chunks
    }
    before = _said_before(function, list(wanted), gives)
    changes = {pk: each for pk, each in wanted.items() if pk in before and before[pk][0] != each}
    if not changes:
        return 0
    Annotation.objects.bulk_create(
        Annotation(
            sample_id=pk,
            label_id=each.label_id,
            tags=labels.by_public_id(each.tags),
            person=source.person,
            picked_by=before[pk][1] or source.picked_by,
            active_ms=source.active_ms,
            act=source.act,
        )
        for pk, each in changes.items()
    )
    _repeat_newest([pk for pk, each in changes.items() if not each.is_nothing])
    nothing = [pk for pk, each in changes.items() if each.is_nothing]
    Sample.objects.filter(pk__in=nothing).update(label=None, annotation=None, labelled_at=None, **UNREVIEWED)
    if gives is OutputKind.TAGS:
        repeat_tags({pk: each.tags for pk, each in changes.items()})
    settle_many(nothing, labels)
    let_known_answers_follow(list(changes), source.person)
    note_data_change(function.pk)
    return len(changes)


def _said_before(
    function: Function, sample_ids: Sequence[int], gives: OutputKind
) -> dict[int, tuple[Said, str | None]]:
    """What is in force of each of these samples, and why it came to be annotated."""
    rows = list(
        Sample.objects.filter(function=function, pk__in=sample_ids).values_list(
            "pk", "label_id", "annotation_id", "annotation__picked_by"
        )
    )
    asked_for = _reasons_of_opinions([pk for pk, _label_id, annotation_id, _reason in rows if not annotation_id])
    reasons = {pk: reason or asked_for.get(pk) for pk, _label_id, _annotation_id, reason in rows}
    if gives is OutputKind.LABEL:
        return {pk: (Said(label_id=label_id), reasons[pk]) for pk, label_id, _annotation_id, _reason in rows}
    tags: dict[int, dict[int, bool]] = {pk: {} for pk, _label_id, annotation_id, _reason in rows if annotation_id}
    said = SampleTag.objects.filter(sample__in=list(tags)).values_list("sample_id", "label_id", "is_present")
    for sample_id, label_id, is_present in said:
        tags[sample_id][label_id] = is_present
    return {pk: (Said(tags=tags.get(pk)), reasons[pk]) for pk, _label_id, _annotation_id, _reason in rows}


def _reasons_of_opinions(sample_ids: Sequence[int]) -> dict[int, str]:
    """Why those of the samples that several people were asked about came to be looked at."""
    rows = Opinion.objects.filter(sample__in=sample_ids).order_by("annotation")
    return dict(rows.values_list("sample_id", "annotation__picked_by"))


def _repeat_newest(sample_ids: list[int]) -> None:
    newest = Annotation.objects.filter(sample=OuterRef("pk")).order_by("-id")
    Sample.objects.filter(pk__in=sample_ids).update(
        annotation_id=Subquery(newest.values("pk")[:1]),
        label_id=Subquery(newest.values("label_id")[:1]),
        labelled_at=timezone.now(),
        **UNREVIEWED,
    )


def undo_annotation(*, annotation: Annotation, person: User | None) -> Annotation:
    """Append an annotation that restores the state before; the history keeps both. Undoing twice undoes once.

    Raises NotAllowed for somebody else's annotation, Conflict when the sample has been labelled anew since.
    """
    if person is not None and annotation.person_id != person.pk:
        raise NotAllowed("You can only undo your own labels.")
    with transaction.atomic():
        sample = annotation.sample
        lock_function(sample.function_id)
        earlier = Annotation.objects.filter(undoes=annotation).first()
        return earlier or _restore(sample, annotation, person)


def _restore(sample: Sample, annotation: Annotation, person: User | None) -> Annotation:
    standing = standing_annotations(sample)
    if not standing or standing[-1].pk != annotation.pk:
        raise Conflict("This sample has been labelled anew since, so there is nothing to undo.")
    before = standing[-2] if len(standing) > 1 else None
    labels = KnownLabels(sample.function_id)
    said = labels.of_history(before.label_id, before.tags) if before else Said()
    restoring = Annotation.objects.create(
        sample=sample,
        label_id=said.label_id,
        tags=labels.by_public_id(said.tags),
        person=person,
        picked_by=before.picked_by if before else annotation.picked_by,
        undoes=annotation,
    )
    Opinion.objects.filter(annotation=annotation).delete()  # it was one of two answers that crossed
    was_checked = Sample.objects.filter(pk=sample.pk, review=ReviewState.ACCEPTED).exists()
    settle(sample, labels)
    let_known_answers_follow([sample.pk], person)
    if was_checked:  # what a reviewer mended has to be looked at again
        Sample.objects.filter(pk=sample.pk, annotation__isnull=False).update(review=ReviewState.WANTED)
    return restoring
