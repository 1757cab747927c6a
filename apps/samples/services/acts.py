"""Taking an act back as a whole: whatever was done to many samples, or to a label, in one go.

What somebody changed since stays as they left it. An act is claimed before the first step is taken back, so that two
who undo it at once undo it once. A small one is undone at once; of a large one a worker does the rest (`undoing`).
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.core.jobs import JobName, enqueue_on_commit
from apps.functions.models import Act, ActKind
from apps.samples.services import import_acts, unsurgery
from apps.samples.services.annotations import lock_function
from apps.samples.services.undoing import IN_A_REQUEST, go_on_undoing, outcome_of, progress_of
from apps.workspaces.roles import Action


@dataclass(frozen=True)
class UndoOutcome:
    """How many samples are as they were, how many are in the bin now, and how many someone has changed since.

    While that is under way `n_in_all` is about how many it will be.
    """

    n_restored: int
    n_left: int
    is_first: bool = True
    n_binned: int = 0
    n_in_all: int | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a worker is still at it."""
        return self.n_in_all is not None

    @property
    def words(self) -> str:
        """What to tell the person who asked for it."""
        if self.n_in_all is not None:
            n_done = self.n_restored + self.n_left + self.n_binned
            began = "Undoing" if self.is_first else "This is being undone already"
            so_far = f"{min(n_done, self.n_in_all):,} of {_samples(self.n_in_all)} so far"
            return f"{began}: {so_far}. You can go on working; the History page shows how far it is."
        if not self.is_first:
            return "This was undone already."
        done = [f"{_samples(self.n_binned)} in the bin"] if self.n_binned else []
        if self.n_restored or (self.n_left and not done):
            done.append(f"{_samples(self.n_restored)} as before")
        said = f"Undone: {', '.join(done)}." if done else "Undone."
        if not self.n_left:
            return said
        stay = "was changed since and stays as it is" if self.n_left == 1 else "were changed since and stay as they are"
        return f"{said} {self.n_left:,} {stay}."


def _samples(n: int) -> str:
    return f"{n:,} sample{'' if n == 1 else 's'}"


def needed_to_undo(act: Act, person: User) -> frozenset[Action]:
    """What a person's role must include to take this act back: more for what somebody else did."""
    is_own = act.person_id == person.pk
    if act.kind in unsurgery.OF_A_LABEL or act.kind == ActKind.SPLIT_LABEL:
        return frozenset({Action.EDIT_LABELS})
    if act.kind == ActKind.DELETE_SAMPLES:
        return frozenset({Action.DELETE_SAMPLES})
    if act.kind == ActKind.IMPORT:
        return frozenset({Action.BRING_SAMPLES} if is_own else {Action.REVIEW, Action.DELETE_SAMPLES})
    return frozenset({Action.LABEL if is_own and act.kind != ActKind.SET_ASIDE else Action.REVIEW})


def undo_act(*, act: Act, person: User | None) -> UndoOutcome:
    """Take an act back, in short transactions. Undoing twice undoes once.

    Of an act of more than `IN_A_REQUEST` samples a worker does what takes longer than a moment, and of any act that
    comes while another is being taken back. Raises Conflict where what is there now stands in the way.
    """
    with transaction.atomic():
        lock_function(act.function_id)
        is_first = _claim(act, person)
        if is_first and act.kind == ActKind.IMPORT:
            import_acts.require_over(act)
        if is_first:
            unsurgery.begin_undoing(act=act, person=person)
    if is_first:
        n_steps = go_on_undoing(act_id=act.pk, n_steps=0, at_least=IN_A_REQUEST)
        if n_steps is not None:
            enqueue_on_commit(JobName.UNDO_ACT, act.pk, n_steps)
    act.refresh_from_db(fields=["facts", "undoing", "undone_at"])
    return _outcome(act, is_first=is_first)


def _claim(act: Act, person: User | None) -> bool:
    undoing = {"person": person.public_id if person else ""}
    now = timezone.now()
    return bool(Act.objects.filter(pk=act.pk, undone_at=None).update(undone_at=now, undoing=undoing))


def _outcome(act: Act, *, is_first: bool) -> UndoOutcome:
    progress = progress_of(act)
    so_far = progress or outcome_of(act)
    if progress is None and not is_first:
        return UndoOutcome(0, 0, is_first=False)
    return UndoOutcome(
        so_far.n_restored,
        so_far.n_left,
        is_first=is_first,
        n_binned=so_far.n_binned,
        n_in_all=None if progress is None else act.n_samples,
    )
