"""Correcting labels from the function home."""

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Label
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample


def fix_label(*, sample: Sample, label_id: str, person: User) -> Sample:
    """Give the sample the label with that public id; a choice that changes nothing adds nothing to the history."""
    label = Label.objects.in_use().filter(function=sample.function, public_id=label_id).first()
    if label is None:
        raise InvalidInput("This function has no such label any more. Reload the page and choose again.")
    if sample.label_id != label.pk:
        annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.PERSON)
    return sample
