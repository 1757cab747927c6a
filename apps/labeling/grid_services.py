"""One key for many samples of the grid: those accepted at once, and those picked out to be something else."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Act, ActKind, Function, Label
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.bulk import label_selection, repeated_act

MOST_AT_ONCE = 500
"""Several grids' worth, and about what one transaction writes without keeping others waiting."""
PICKED_BY = {ActKind.GRID: PickedBy.GRID, ActKind.SELECTION: PickedBy.PERSON}


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
    rows = Sample.objects.filter(public_id__in=sample_ids).filter(_open_to(person, kind, may_correct))
    left = set(_of_one_person(rows).values_list("public_id", flat=True))
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
    )
    return act if act.n_samples else None


def _open_to(person: User, kind: ActKind, may_correct: bool) -> Q:
    if kind is ActKind.GRID:
        return Q(annotation=None)
    return Q() if may_correct else Q(annotation=None) | Q(annotation__person=person)


def _of_one_person(rows: QuerySet[Sample]) -> QuerySet[Sample]:
    return rows.filter(n_wanted=1, gold=None)
