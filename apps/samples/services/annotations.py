"""People's labels on samples: append-only history, with the label in force repeated on the sample.

Every function here locks the function's row before a sample's: intake does the same, so the two never wait on each
other in a circle, and a sample's newest annotation is always the one its columns repeat.
"""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.functions.models import Function, Label
from apps.functions.services import note_data_change
from apps.samples.models import Annotation, PickedBy, Sample

ROWS_PER_TRANSACTION = 500


def lock_function(function_id: int) -> None:
    """Let nobody else annotate or take in for this function until the transaction ends. Needs a transaction.

    `no_key` leaves room for rows elsewhere that merely refer to the function. SQLite has one writer anyway. Raises
    NotFound when the function has been deleted.
    """
    if not Function.objects.select_for_update(no_key=True).filter(pk=function_id).values_list("pk").first():
        raise NotFound("This function has been deleted.")


def annotate_sample(
    *,
    sample: Sample,
    label: Label | None,
    person: User | None,
    picked_by: PickedBy,
    client_token: UUID | None = None,
) -> Annotation:
    """Give a sample a label, or take it away (`label=None`). The same `client_token` again returns the first answer."""
    try:
        with transaction.atomic():
            lock_function(sample.function_id)
            return _repeated(sample, client_token) or _append(sample, label, person, picked_by, client_token)
    except IntegrityError:
        # The token's first use was for a sample of another function, hence behind another lock.
        repeated = _repeated(sample, client_token)
        if repeated is None:
            raise
        return repeated


def _repeated(sample: Sample, client_token: UUID | None) -> Annotation | None:
    if client_token is None:
        return None
    earlier = Annotation.objects.filter(client_token=client_token).select_related("label").first()
    if earlier is not None and earlier.sample_id != sample.pk:
        raise Conflict("This answer was already given for another sample.")
    return earlier


def _append(
    sample: Sample, label: Label | None, person: User | None, picked_by: PickedBy, client_token: UUID | None
) -> Annotation:
    # Asked anew, under the lock: the label in hand may have been deleted since it was read.
    if label is not None and label.pk not in _labels_in_use(sample.function_id):
        raise InvalidInput("This label does not belong to the function. Reload the page and choose again.")
    before = Sample.objects.filter(pk=sample.pk).values("annotation__picked_by").first()
    if before is None:
        raise Conflict("This sample has been deleted.")
    annotation = Annotation.objects.create(
        sample=sample,
        label=label,
        person=person,
        picked_by=_kept_reason(before["annotation__picked_by"], picked_by),
        client_token=client_token,
    )
    _put_in_force(sample, annotation if label is not None else None)
    note_data_change(sample.function_id)
    return annotation


def _kept_reason(earlier: str | None, picked_by: PickedBy) -> str:
    """A correction keeps why the sample came to be looked at: else the random stream would lose its errors."""
    return earlier or picked_by


def _put_in_force(sample: Sample, annotation: Annotation | None) -> None:
    sample.annotation = annotation
    sample.label = annotation.label if annotation else None
    sample.labelled_at = annotation.created_at if annotation else None
    Sample.objects.filter(pk=sample.pk).update(
        annotation=sample.annotation, label=sample.label, labelled_at=sample.labelled_at
    )


def _labels_in_use(function_id: int) -> set[int]:
    return set(Label.objects.in_use().filter(function=function_id).values_list("pk", flat=True))


def annotate_many(
    *, function: Function, pairs: Sequence[tuple[int, int | None]], person: User | None, picked_by: PickedBy
) -> int:
    """Label many samples of one function: pairs of sample and label keys, None takes the label away.

    Pairs that would change nothing are passed over. Returns how many annotations were appended. Works in transactions
    of `ROWS_PER_TRANSACTION`, or inside the caller's.
    """
    known = _labels_in_use(function.pk)
    if any(label_id is not None and label_id not in known for _sample_id, label_id in pairs):
        raise InvalidInput("One of the labels does not belong to the function. Reload the page and choose again.")
    newest = dict(pairs)
    return sum(_annotate_chunk(function, chunk, person, picked_by) for chunk in _chunks(list(newest.items())))


def _chunks(pairs: list[tuple[int, int | None]]) -> Iterator[list[tuple[int, int | None]]]:
    for start in range(0, len(pairs), ROWS_PER_TRANSACTION):
        yield pairs[start : start + ROWS_PER_TRANSACTION]


@transaction.atomic
def _annotate_chunk(
    function: Function, pairs: list[tuple[int, int | None]], person: User | None, picked_by: PickedBy
) -> int:
    lock_function(function.pk)
    rows = Sample.objects.filter(function=function, pk__in=[sample_id for sample_id, _label in pairs])
    before = {pk: (label, reason) for pk, label, reason in rows.values_list("pk", "label_id", "annotation__picked_by")}
    possible = {None, *_labels_in_use(function.pk)}  # one may have been deleted between two chunks
    changes = [
        (sample_id, label_id, before[sample_id][1])
        for sample_id, label_id in pairs
        if sample_id in before and before[sample_id][0] != label_id and label_id in possible
    ]
    if not changes:
        return 0
    Annotation.objects.bulk_create(
        Annotation(sample_id=pk, label_id=label_id, person=person, picked_by=_kept_reason(reason, picked_by))
        for pk, label_id, reason in changes
    )
    _repeat_newest([pk for pk, label_id, _reason in changes if label_id is not None])
    Sample.objects.filter(pk__in=[pk for pk, label_id, _reason in changes if label_id is None]).update(
        label=None, annotation=None, labelled_at=None
    )
    note_data_change(function.pk)
    return len(changes)


def _repeat_newest(sample_ids: list[int]) -> None:
    newest = Annotation.objects.filter(sample=OuterRef("pk")).order_by("-id")
    Sample.objects.filter(pk__in=sample_ids).update(
        annotation_id=Subquery(newest.values("pk")[:1]),
        label_id=Subquery(newest.values("label_id")[:1]),
        labelled_at=timezone.now(),
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
    if before is not None and before.label is not None and before.label.deleted_at is not None:
        before = None
    restoring = Annotation.objects.create(
        sample=sample,
        label=before.label if before else None,
        person=person,
        picked_by=before.picked_by if before else annotation.picked_by,
        undoes=annotation,
    )
    _put_in_force(sample, before if before and before.label else None)
    note_data_change(sample.function_id)
    return restoring


def standing_annotations(sample: Sample) -> list[Annotation]:
    """The sample's annotations that no undo took back, oldest first; the last one is in force."""
    standing: list[Annotation] = []
    for annotation in sample.annotations.select_related("label").order_by("id"):
        if annotation.undoes_id is None:
            standing.append(annotation)
        elif standing and standing[-1].pk == annotation.undoes_id:
            standing.pop()
    return standing
