"""What several people say of the same sample, none of them knowing of the others; `settling` makes one answer of it.

An opinion is an annotation that is by itself not in force, and the row that names it as this person's newest. Nothing
said is refused for coming late: it is kept, and where it contradicts what stands the sample waits for a reviewer.
"""

from collections.abc import Mapping
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from apps.functions.models import Label
from apps.functions.services.changes import announce_change
from apps.samples.models import Annotation, GoldSample, Opinion, PickedBy, Sample
from apps.samples.services.annotations import answer_with_token, lock_function
from apps.samples.services.saying import KnownLabels, Said
from apps.samples.services.settling import kept_reason, settle, standing_annotations, standing_opinions

MAX_PEOPLE = 20
"""More people than this are never asked about one sample."""
ASKED_WHERE_MACHINE_DIFFERS = 3
"""People asked in all where the first one contradicts what stood provisionally."""
OVERLAP = "overlap"
"""The purpose of the lots that say which samples go to several people."""


def give_opinion(
    *,
    sample: Sample,
    person: User,
    picked_by: PickedBy,
    label: Label | None = None,
    tags: Mapping[Label, bool] | None = None,
    client_token: UUID | None = None,
    active_ms: int | None = None,
) -> Annotation:
    """Keep what one of several people says, a label or tags; once enough have spoken it may come to be in force.

    A second opinion of the same person takes the place of the first. The same `client_token` again returns the first
    answer. A sample in the bin keeps it for the day it is restored.
    """
    said = Said(label_id=label.pk) if label else Said(tags={one.pk: is_on for one, is_on in (tags or {}).items()})
    if label is None and tags is None:
        raise InvalidInput("Choose a label first.")
    try:
        with transaction.atomic():
            gives = lock_function(sample.function_id)
            earlier = answer_with_token(sample, client_token)
            if earlier is not None:
                return earlier
            labels = KnownLabels(sample.function_id)
            opinion = Annotation(person=person, picked_by=picked_by, client_token=client_token, active_ms=active_ms)
            return _append(sample, opinion, labels.checked(said, gives), labels)
    except IntegrityError:
        # The token's first use was for a sample of another function, hence behind another lock.
        repeated = answer_with_token(sample, client_token)
        if repeated is None:
            raise
        return repeated


def _append(sample: Sample, opinion: Annotation, said: Said, labels: KnownLabels) -> Annotation:
    now = Sample.everywhere.filter(pk=sample.pk).select_related("annotation", "function").first()
    if now is None:
        raise NotFound("The sample was deleted meanwhile, so this answer has nowhere to go.")
    is_known = GoldSample.objects.filter(sample=now).exists()
    if not is_known:
        _count_who_was_first(now)
        opinion.picked_by = kept_reason(now, PickedBy(opinion.picked_by))
    opinion.sample, opinion.is_opinion = now, True
    opinion.label_id, opinion.tags = said.label_id, labels.by_public_id(said.tags)
    opinion.save(force_insert=True)
    hold(opinion)
    settle(now, labels)
    announce_change(now.function)
    return opinion


def _count_who_was_first(sample: Sample) -> None:
    """Two answers crossed where one person was to be asked: whoever was first has an opinion, too; theirs stands."""
    first = sample.annotation
    if first is None or first.is_opinion or first.person_id is None:
        return
    if sample.n_wanted == 1:
        hold(first)


def hold(annotation: Annotation) -> None:
    """Let this annotation be its person's opinion on its sample."""
    Opinion.objects.update_or_create(
        sample_id=annotation.sample_id,
        person_id=annotation.person_id,
        defaults={"annotation": annotation, "label_id": annotation.label_id},
    )


def undo_opinion(*, annotation: Annotation, person: User) -> Annotation:
    """Take an opinion back; what the person said before it, if anything, counts again. Undoing twice undoes once.

    Raises NotAllowed for somebody else's, Conflict for one that the person has replaced since.
    """
    if annotation.person_id != person.pk:
        raise NotAllowed("You can only undo your own labels.")
    with transaction.atomic():
        lock_function(_function_of(annotation))
        earlier = Annotation.objects.filter(undoes=annotation).first()
        return earlier or _take_back(annotation, person)


def _function_of(annotation: Annotation) -> int:
    return Sample.everywhere.values_list("function_id", flat=True).get(pk=annotation.sample_id)


def _take_back(annotation: Annotation, person: User) -> Annotation:
    sample = Sample.everywhere.select_related("function").get(pk=annotation.sample_id)
    standing = standing_opinions(sample, person.pk)
    if not standing or standing[-1].pk != annotation.pk:
        raise Conflict("You have answered this sample anew since, so there is nothing to undo.")
    before = standing[-2] if len(standing) > 1 else None
    undoing = Annotation.objects.create(
        sample=sample,
        label_id=before.label_id if before else None,
        tags=before.tags if before else None,
        person=person,
        picked_by=annotation.picked_by,
        undoes=annotation,
        is_opinion=True,
    )
    if before is None:
        Opinion.objects.filter(sample=sample, person=person).delete()
    else:
        hold(before)
    settle(sample)
    announce_change(sample.function)
    return undoing


@transaction.atomic
def ask_more(*, sample: Sample, n: int) -> None:
    """Ask `n` people in all about a sample; an answer in force becomes its giver's opinion until they have spoken.

    Asking as many as before, or fewer, changes nothing.
    """
    lock_function(sample.function_id)
    now = Sample.objects.filter(pk=sample.pk).select_related("annotation").first()
    wanted = min(n, MAX_PEOPLE)
    if now is None or wanted <= now.n_wanted:
        return
    if now.annotation is not None and not now.annotation.is_opinion:
        _take_out_of_force(now, now.annotation)
    Sample.objects.filter(pk=sample.pk).update(n_wanted=wanted)
    sample.n_wanted = wanted
    settle(sample)


def _take_out_of_force(sample: Sample, annotation: Annotation) -> None:
    if annotation.person_id is not None:
        Annotation.objects.filter(pk=annotation.pk).update(is_opinion=True)
        hold(annotation)
    if standing_annotations(sample):  # what it had replaced would be in force again
        Annotation.objects.create(sample=sample, picked_by=annotation.picked_by)
