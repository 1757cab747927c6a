"""Correcting labels and tags from the function home, and saying which label is worse to miss."""

from collections.abc import Sequence

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Label
from apps.functions.selectors import standing_labels
from apps.functions.services import weigh_label as set_weight
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample, tag_sample
from apps.training.services import decide_anew


def fix_label(*, sample: Sample, label_id: str, person: User) -> Sample:
    """Give the sample the label with that public id; a choice that changes nothing adds nothing to the history."""
    label = standing_labels(sample.function_id).get(label_id)
    if label is None:
        raise InvalidInput("This function has no such label any more. Reload the page and choose again.")
    if sample.label_id != label.pk:
        annotate_sample(sample=sample, label=label, person=person, picked_by=PickedBy.PERSON)
    return sample


def weigh_label(*, label: Label, weight: int, person: User) -> Label:
    """Say how much worse missing this label is, and have everything said of samples so far decided anew."""
    if label.weight != weight:
        set_weight(label=label, weight=weight, actor=person)
        decide_anew(function=label.function)
    return label


def fix_tags(*, sample: Sample, there: Sequence[str], asked: Sequence[str], person: User) -> Sample:
    """Say of the labels `asked` about, by public id, that those `there` are on the sample and the others are not.

    A choice that changes nothing adds nothing to the history. Labels deleted meanwhile are passed over.
    """
    standing = standing_labels(sample.function_id)
    if not asked or not set(there) <= set(asked):
        raise InvalidInput("It was not said which tags were to choose from. Reload the page and choose again.")
    before = {row.label: row.is_present for row in sample.tags.select_related("label")}
    said: dict[Label, bool] = {}
    for public_id in asked:
        if label := standing.get(public_id):  # of two that are one by now, being there wins
            said[label] = said.get(label, False) or public_id in there
    tags = before | said
    if tags != before or not sample.annotation_id:
        tag_sample(sample=sample, tags=tags, person=person, picked_by=PickedBy.PERSON, is_whole=False)
    return sample
