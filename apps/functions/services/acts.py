"""The beginning of whatever is undone as one; who did it appends to it and says in the end how much it was."""

from collections.abc import Mapping

from apps.accounts.models import User
from apps.events.services import JsonValue
from apps.functions.models import Act, ActKind, Function


def begin_act(
    *, function: Function, kind: ActKind, person: User | None, facts: Mapping[str, JsonValue] | None = None
) -> Act:
    """Make the row that annotations and samples of one act point at."""
    return Act.objects.create(function=function, kind=kind, person=person, facts=dict(facts or {}))


def is_undone(act: Act) -> bool:
    """Whether somebody has taken it back, asked anew: what is not done yet by then is not done at all.

    Under the function's lock. Who sees an act in the history need not wait until whoever does it is done.
    """
    return Act.objects.filter(pk=act.pk, undone_at__isnull=False).exists()


def count_act(*, act: Act, n_samples: int) -> Act:
    """Say how many samples it changed; one that changed none is nothing to undo, and not kept."""
    act.n_samples = n_samples
    if n_samples:
        act.save(update_fields=["n_samples"])
    else:
        act.delete()
    return act
