"""Tags on their way in with their samples: names checked, repeated rows added up, people's answers left alone."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Act, Function, Label
from apps.functions.services import get_or_create_labels
from apps.samples.checks import checked_label
from apps.samples.models import PickedBy, Sample, SampleTag
from apps.samples.reading.tag_cells import RowTags
from apps.samples.services.annotations import tag_many

LABELS_MAX = 1_000


def checked_tags(tags: RowTags) -> RowTags:
    """Return the tags with names as they will be compared. Raises InvalidInput for one that cannot be a label's."""
    there = tuple(dict.fromkeys(filter(None, map(checked_label, tags.there))))
    absent = dict.fromkeys(filter(None, map(checked_label, tags.absent)))
    return replace(tags, there=there, absent=tuple(name for name in absent if name not in there))


def make_tags(*, function: Function, names: Iterable[str], person: User | None) -> None:
    """Make the tags of these names that are not there yet.

    Names that no label can have, and those past the cap, are left out: whoever brings them is told row by row.
    """
    known = set(function.labels.in_use().values_list("name", flat=True))
    new = [name for name in dict.fromkeys(_fit_to_be_labels(names)) if name not in known]
    if new:
        get_or_create_labels(function=function, names=new[: max(0, LABELS_MAX - len(known))], actor=person)


def _fit_to_be_labels(names: Iterable[str]) -> Iterator[str]:
    for name in names:
        with suppress(InvalidInput):
            if fit := checked_label(name):
                yield fit


def tag_new_samples(
    *,
    function: Function,
    tags_of: Mapping[int, RowTags],
    labels: Mapping[str, Label],
    person: User | None,
    began_at: datetime | None,
    act: Act | None = None,
) -> int:
    """Say of samples, by key, which tags they have; `labels` are those named. Needs the function's lock.

    A sample that has an answer keeps it, unless the answer came with an import since `began_at`: then a later row adds
    its tags, as tables with a row per sample and tag mean it. Returns how many samples had no answer before.
    """
    answered = Sample.objects.filter(pk__in=list(tags_of), annotation__isnull=False)
    had_answer = set(answered.values_list("pk", flat=True))
    growing = _just_tagged(answered, began_at)
    in_use = list(function.labels.in_use().values_list("pk", flat=True))
    said = {
        pk: _added_up(growing.get(pk, {}), _by_key(tags, labels, in_use))
        for pk, tags in tags_of.items()
        if pk in growing or pk not in had_answer
    }
    tag_many(function=function, tags_of=said, person=person, picked_by=PickedBy.IMPORT, act=act)
    return len(said.keys() - had_answer)


def _just_tagged(answered: QuerySet[Sample], began_at: datetime | None) -> dict[int, dict[int, bool]]:
    """What this very import has said so far, by sample key."""
    if began_at is None:
        return {}
    just_come = answered.filter(annotation__picked_by=PickedBy.IMPORT, annotation__created_at__gte=began_at)
    said: dict[int, dict[int, bool]] = {pk: {} for pk in just_come.values_list("pk", flat=True)}
    rows = SampleTag.objects.filter(sample__in=list(said)).values_list("sample_id", "label_id", "is_present")
    for pk, label_id, is_present in rows:
        said[pk][label_id] = is_present
    return said


def _added_up(earlier: dict[int, bool], later: dict[int, bool]) -> dict[int, bool]:
    return earlier | later | {label_id: True for label_id, is_present in earlier.items() if is_present}


def _by_key(tags: RowTags, labels: Mapping[str, Label], in_use: list[int]) -> dict[int, bool]:
    # Two names may be one label by now: then being there wins.
    said = {labels[name].pk: False for name in tags.absent} | {labels[name].pk: True for name in tags.there}
    return said | {label_id: False for label_id in in_use if label_id not in said} if tags.is_whole else said
