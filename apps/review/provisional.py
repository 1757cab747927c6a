"""Accepting what the machine said provisionally: what people take over becomes an ordinary answer."""

from __future__ import annotations

from collections.abc import Sequence

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import Act, ActKind, Function, OutputKind
from apps.functions.services import begin_act, count_act
from apps.review.queues import QueueName
from apps.review.selectors.queues import standing_in
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_many, tag_many
from apps.samples.services.bulk import keys_of
from apps.samples.services.undoing import PROVISIONAL
from apps.training.models import Prediction, PredictionKind
from apps.training.selectors import tag_thresholds, tags_said

MOST_AT_ONCE = 500


def accept_provisional(*, function: Function, sample_ids: Sequence[str], person: User) -> Act:
    """Take over what is provisionally said of these samples, as one act. Those that no longer stand are passed over.

    One alone was looked at for itself; of many that is not sure, so they are remembered as accepted among others.
    """
    if not sample_ids or len(sample_ids) > MOST_AT_ONCE:
        raise InvalidInput(f"Accept between 1 and {MOST_AT_ONCE} at a time.")
    standing = standing_in(function, QueueName.PROVISIONAL, keys_of(function, sample_ids))
    if not standing:
        raise Conflict("These do not stand provisionally any more. Reload the page.")
    picked_by = PickedBy.GRID if len(sample_ids) > 1 else PickedBy.QUEUE
    said = Prediction.objects.filter(sample__in=standing, kind=PredictionKind.LIVE).select_related("model")
    act = begin_act(function=function, kind=ActKind.GRID, person=person, facts={"label": "", PROVISIONAL: True})
    if function.output_kind == OutputKind.TAGS:
        tags = _tags_by_key(function, list(said))
        n = tag_many(function=function, tags_of=tags, person=person, picked_by=picked_by, act=act)
    else:
        pairs = [(each.sample_id, each.label_id) for each in said if each.label_id]
        n = annotate_many(function=function, pairs=pairs, person=person, picked_by=picked_by, act=act)
    return count_act(act=act, n_samples=n)


def _tags_by_key(function: Function, said: Sequence[Prediction]) -> dict[int, dict[int, bool]]:
    """Whether each tag the model told of is on each sample."""
    keys = dict(function.labels.in_use().values_list("public_id", "pk"))
    tags = {}
    for each in said:
        there = set(tags_said(each.tags, tag_thresholds(each.model)))
        tags[each.sample_id] = {keys[one]: one in there for one in each.tags or {} if one in keys}
    return tags
