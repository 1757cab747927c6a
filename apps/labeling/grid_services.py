"""Handing out a grid, and one key for many of its samples: those accepted at once, those picked out as another."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Act, ActKind, Function, Label
from apps.labeling import handouts, selectors
from apps.labeling.grid_selectors import GridItem, Show, grid_items
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.bulk import label_selection, repeated_act
from apps.samples.services.reviews import ask_for_review_of_act

MOST_AT_ONCE = 500
"""Several grids' worth, and about what one transaction writes without keeping others waiting."""
PICKED_BY = {ActKind.GRID: PickedBy.GRID, ActKind.SELECTION: PickedBy.PERSON}


TRIES = 3
"""How often others are looked for in the place of samples that turn out to be for several people, or taken."""


@dataclass(frozen=True)
class Grid:
    """Samples in a person's hands; `is_last` where there are no more of the sort."""

    items: list[GridItem]
    is_last: bool


def hand_out_grid(
    *, function: Function, person: User, show: Show, label: Label | None, n: int, exclude: Sequence[str] = ()
) -> Grid:
    """Put up to `n` samples into a person's hands, so that nobody else looks over the same.

    Those that draw the lot of being asked of several people go back to the queue, where they are asked one by one.
    """
    hidden = {*selectors.hidden_from(person, exclude)}
    items: list[GridItem] = []
    is_last = False
    for _try in range(TRIES):
        found = grid_items(function, show=show, label=label, n=n - len(items), hidden=hidden)
        is_last = len(found) < n - len(items)
        got = handouts.take(function=function, person=person, samples=[item.sample for item in found])
        kept = [item for item in found if item.sample.pk in got and item.sample.n_wanted == 1]
        handouts.give_back(person=person, sample_ids=got - {item.sample.pk for item in kept})
        hidden |= {item.sample.pk for item in found}
        items += kept
        if is_last or len(items) == n:
            break
    return Grid(items, is_last)


@transaction.atomic
def label_from_grid(
    *,
    function: Function,
    person: User,
    sample_ids: Sequence[str],
    label: Label | None,
    kind: ActKind,
    token: str,
    may_correct: bool,
    active_ms: int | None = None,
) -> Act | None:
    """Label what is left of these samples for this person to label. Returns the act, None where nothing was changed.

    Accepted at once (`GRID`) are only samples that nobody has labelled meanwhile. Picked out (`SELECTION`) may be one's
    own, too, and with `may_correct` anybody's. Samples that several people are asked about, or whose answer is known,
    are passed over: one key for many would be an answer nobody weighed. The same `token` again changes nothing more.
    """
    if kind not in PICKED_BY or (label is None and kind is ActKind.GRID):
        raise InvalidInput("Accepting takes a label. Reload the page and try again.")
    if len(sample_ids) > MOST_AT_ONCE:
        raise InvalidInput(f"At most {MOST_AT_ONCE} samples are labelled at once here. Select fewer.")
    lock_function(function.pk)  # so that nobody labels one of them between this look and the writing
    earlier = repeated_act(function, person, token)
    if earlier is not None:
        return earlier
    # By public id alone: with the function beside it SQLite walks all of the function's samples.
    rows = Sample.objects.filter(_open_to(person, kind, may_correct), public_id__in=sample_ids)
    left = dict(rows.filter(n_wanted=1, gold=None, is_disputed=False, sent_back_to=None).values_list("public_id", "pk"))
    handouts.give_back(person=person, sample_ids=left.values())
    if not left:
        return None
    act = label_selection(
        function=function,
        sample_ids=[sample_id for sample_id in sample_ids if sample_id in left],
        label=label,
        person=person,
        kind=kind,
        picked_by=PICKED_BY[kind],
        token=token,
        active_ms=active_ms,
    )
    if not act.n_samples:
        return None
    ask_for_review_of_act(act=act)
    return act


def _open_to(person: User, kind: ActKind, may_correct: bool) -> Q:
    if kind is ActKind.GRID:
        return Q(annotation=None)
    return Q() if may_correct else Q(annotation=None) | Q(annotation__person=person)
