"""Keeping a label that was doubted: nobody is asked about it again until somebody gives another."""

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.events.kinds import Live
from apps.events.services import announce
from apps.samples.models import Annotation, Confirmation, Sample
from apps.samples.services.annotations import lock_function


@transaction.atomic
def confirm_annotation(*, sample: Sample, person: User | None) -> Confirmation:
    """Say of the annotation in force that it was looked at again and is right. Saying so twice says it once.

    Raises Conflict where nothing is in force: the label was taken away meanwhile, or the sample deleted.
    """
    lock_function(sample.function_id)
    annotation = _in_force(sample)
    if annotation is None:
        raise Conflict("Nothing is said of this sample any more. Reload the page.")
    confirmation, is_new = Confirmation.objects.get_or_create(annotation=annotation, defaults={"person": person})
    if is_new:
        _announce(sample)
    return confirmation


@transaction.atomic
def withdraw_confirmation(*, sample: Sample) -> bool:
    """Take back that the annotation in force was kept. Returns whether it had been."""
    lock_function(sample.function_id)
    annotation = _in_force(sample)
    was_kept = annotation is not None and Confirmation.objects.filter(annotation=annotation).delete()[0] > 0
    if was_kept:
        _announce(sample)
    return was_kept


def _in_force(sample: Sample) -> Annotation | None:
    row = Sample.objects.filter(pk=sample.pk).select_related("annotation").first()
    return row.annotation if row else None


def _announce(sample: Sample) -> None:
    function = sample.function
    announce(workspace=function.workspace.public_id, kind=Live.ANNOTATIONS_CHANGED, subject=function.public_id)
