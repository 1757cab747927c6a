"""What becomes of one answer: a label in force, one opinion of several, or a try at a known answer; and its way back.

An answer counts even if its sample is no longer in the person's hands. Where somebody else was faster theirs stands;
this one is kept as an opinion, and where the two differ a reviewer decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, NotFound
from apps.functions.models import Function, Label
from apps.functions.services.changes import announce_change
from apps.labeling import handouts
from apps.labeling.items import Answer
from apps.labeling.models import Skip
from apps.samples.models import Annotation, GoldSample, MarkKind, PickedBy, ReviewState, Sample
from apps.samples.services.annotations import annotate_sample, lock_function, tag_sample, undo_annotation
from apps.samples.services.marks import set_mark
from apps.samples.services.opinions import ASKED_WHERE_MACHINE_DIFFERS, ask_more, give_opinion, undo_opinion
from apps.samples.services.reviews import ask_for_review
from apps.training.models import Prediction, PredictionKind
from apps.training.selectors import tag_thresholds, tags_said
from apps.training.services.figures import threshold_for

LONGEST_MS = 10 * 60_000
"""Nobody is at one sample for longer: whoever says so left the page open."""


@dataclass(frozen=True)
class _Given:
    """An answer read: the label, or the tags, in terms of rows."""

    answer: Answer
    person: User
    picked_by: PickedBy
    label: Label | None
    tags: Mapping[Label, bool] | None

    @property
    def active_ms(self) -> int | None:
        ms = self.answer.active_ms
        return None if ms is None else max(0, min(ms, LONGEST_MS))


@transaction.atomic
def save_answer(
    answer: Answer,
    *,
    function: Function,
    sample: Sample,
    person: User,
    picked_by: PickedBy,
    labels: Mapping[str, Label],
) -> None:
    """Save one answer, and take its sample out of the person's hands. `labels` are all of the function, by public id.

    Raises NotFound where the sample or the label is gone, Conflict where the answer's token is somebody else's.
    """
    lock_function(function.pk)
    handouts.give_back(person=person, sample_ids=[sample.pk])
    if answer.is_skip:
        Skip.objects.update_or_create(sample=sample, person=person, defaults={"skipped_at": timezone.now()})
        return
    given = _read(answer, person, picked_by, labels)
    now = Sample.objects.filter(pk=sample.pk).select_related("annotation").first()
    if now is None:
        raise NotFound("The sample was deleted meanwhile, so this answer has nowhere to go.")
    was_sent_back = now.review == ReviewState.SENT_BACK
    is_contradiction = function.is_machine_first and _contradicts_machine(function, now, given)
    if _is_one_of_several(now, person):
        annotation = _give_opinion(now, given)
    else:
        annotation = _annotate(now, given)
        if is_contradiction:
            _let_others_look(function, now)
    if annotation.person_id != person.pk:
        raise Conflict("This answer was already given by someone else.")
    set_mark(sample=now, person=person, kind=MarkKind.UNSURE, is_on=answer.is_unsure)
    ask_for_review(sample=now, was_sent_back=was_sent_back)


def _read(answer: Answer, person: User, picked_by: PickedBy, labels: Mapping[str, Label]) -> _Given:
    if answer.tags is None:
        label = labels.get(answer.label_id or "")
        if label is None or label.deleted_at:
            raise NotFound("The label was deleted meanwhile. The sample will be asked again.")
        return _Given(answer, person, picked_by, label, None)
    if not labels.keys() >= answer.tags.keys():
        raise NotFound("One of the tags is not of this function. The sample will be asked again.")
    tags = {labels[public_id]: is_present for public_id, is_present in answer.tags.items()}
    return _Given(answer, person, picked_by, None, tags)


def _is_one_of_several(sample: Sample, person: User) -> bool:
    """Whether several people are asked, the answer is known, or somebody else was faster."""
    if sample.n_wanted > 1:
        return True
    if sample.annotation is None:
        return False
    if sample.annotation.is_opinion or sample.annotation.person_id != person.pk:
        return True
    return GoldSample.objects.filter(sample=sample).exists()


def _give_opinion(sample: Sample, given: _Given) -> Annotation:
    return give_opinion(
        sample=sample,
        person=given.person,
        picked_by=given.picked_by,
        label=given.label,
        tags=given.tags,
        client_token=given.answer.token,
        active_ms=given.active_ms,
    )


def _annotate(sample: Sample, given: _Given) -> Annotation:
    if given.tags is None:
        return annotate_sample(
            sample=sample,
            label=given.label,
            person=given.person,
            picked_by=given.picked_by,
            client_token=given.answer.token,
            active_ms=given.active_ms,
        )
    return tag_sample(
        sample=sample,
        tags=given.tags,
        person=given.person,
        picked_by=given.picked_by,
        client_token=given.answer.token,
        active_ms=given.active_ms,
        is_whole=False,  # a tag made since the person looked is neither there nor not
    )


def _contradicts_machine(function: Function, sample: Sample, given: _Given) -> bool:
    """Whether the live model was so sure of something else that its word stood provisionally."""
    said = Prediction.objects.filter(sample=sample, kind=PredictionKind.LIVE, model__is_live=True)
    prediction = said.select_related("model").first()
    if prediction is None or sample.annotation_id is not None:
        return False
    threshold = threshold_for(prediction.model, function.automation_target)
    if threshold is None or prediction.confidence < threshold:
        return False
    if given.tags is None:
        label = given.label
        return label is not None and prediction.label_id not in {label.pk, label.merged_into_id}
    there = {label.public_id for label, is_present in given.tags.items() if is_present}
    shown = {label.public_id for label in given.tags}
    return set(tags_said(prediction.tags, tag_thresholds(prediction.model))) & shown != there


def _let_others_look(function: Function, sample: Sample) -> None:
    """Ask more people where there are any; where not, a reviewer, while the answer stands."""
    n_people = min(ASKED_WHERE_MACHINE_DIFFERS, handouts.n_labelers(function))
    if n_people > 1:
        ask_more(sample=sample, n=n_people)
        return
    Sample.objects.filter(pk=sample.pk).update(is_disputed=True)
    announce_change(function)


def take_back(annotation: Annotation, *, person: User) -> None:
    """Undo an answer, whatever became of it. Raises Conflict where it was replaced since, NotAllowed for another's."""
    with transaction.atomic():
        if annotation.is_opinion:
            undo_opinion(annotation=annotation, person=person)
        else:
            undo_annotation(annotation=annotation, person=person)
        set_mark(sample=annotation.sample, person=person, kind=MarkKind.UNSURE, is_on=False)
