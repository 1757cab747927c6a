"""Taking an act back as a whole: whatever was done to many samples, or to a label, in one go.

What somebody changed since stays as they left it. An act is claimed before the first chunk is taken back, so that two
who undo it at once undo it once; the sweeper goes on where a process died half-way.
"""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Act, ActKind
from apps.functions.services import note_data_change
from apps.samples.models import Annotation
from apps.samples.services import import_acts, surgery
from apps.samples.services.annotations import lock_function, samples_per_transaction
from apps.samples.services.bin import undo_binning
from apps.samples.services.saying import KnownLabels
from apps.samples.services.set_aside import bring_opinions_back
from apps.samples.services.standing import RESTORED_AT_ONCE, take_back_chunk
from apps.workspaces.roles import Action

UNDOING = "undoing"
"""The name in an act's facts of who is taking it back, while that is under way."""
PROVISIONAL = "provisional"
"""The name in an act's facts for: what the machine had said provisionally was accepted, no grid was looked over."""
STUCK_SECONDS = 60


@dataclass(frozen=True)
class UndoOutcome:
    """How many samples are as they were, how many are in the bin now, and how many someone has changed since."""

    n_restored: int
    n_left: int
    is_first: bool = True
    n_binned: int = 0

    @property
    def words(self) -> str:
        """What to tell the person who asked for it."""
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


def kind_words(act: Act) -> str:
    """Return what kind of act it was, as what follows a person's name."""
    return "accepted provisional answers" if act.facts.get(PROVISIONAL) else act.get_kind_display()


def needed_to_undo(act: Act, person: User) -> frozenset[Action]:
    """What a person's role must include to take this act back: more for what somebody else did."""
    is_own = act.person_id == person.pk
    if act.kind in surgery.OF_A_LABEL or act.kind == ActKind.SPLIT_LABEL:
        return frozenset({Action.EDIT_LABELS})
    if act.kind == ActKind.DELETE_SAMPLES:
        return frozenset({Action.DELETE_SAMPLES})
    if act.kind == ActKind.IMPORT:
        return frozenset({Action.BRING_SAMPLES} if is_own else {Action.REVIEW, Action.DELETE_SAMPLES})
    return frozenset({Action.LABEL if is_own and act.kind != ActKind.SET_ASIDE else Action.REVIEW})


def undo_act(*, act: Act, person: User | None) -> UndoOutcome:
    """Take an act back, in transactions of a few hundred samples. Undoing twice undoes once.

    Raises Conflict where what is there now stands in the way.
    """
    with transaction.atomic():
        lock_function(act.function_id)
        if not _claim(act, person):
            return UndoOutcome(0, 0, is_first=False)
        if act.kind == ActKind.IMPORT:
            import_acts.require_over(act)
        surgery.begin_undoing(act=act, person=person)
    return _go_on(act, person)


def _claim(act: Act, person: User | None) -> bool:
    facts = {**act.facts, UNDOING: person.public_id if person else ""}
    now = timezone.now()
    if not Act.objects.filter(pk=act.pk, undone_at=None).update(undone_at=now, facts=facts):
        return False
    act.facts, act.undone_at = facts, now
    return True


def _go_on(act: Act, person: User | None) -> UndoOutcome:
    outcome = _take_back(act, person)
    with transaction.atomic():
        act.facts = {name: value for name, value in act.facts.items() if name != UNDOING}
        Act.objects.filter(pk=act.pk).update(facts=act.facts)
        record(
            workspace=act.function.workspace.public_id,
            kind=Audit.ACT_UNDONE,
            actor=person.public_id if person else "",
            subject=act.public_id,
            function=act.function.public_id,
            what=kind_words(act),
            n_samples=outcome.n_restored + outcome.n_binned,
        )
    return outcome


def _take_back(act: Act, person: User | None) -> UndoOutcome:
    """Whatever is left to do; doing it twice gives the same."""
    if act.kind in surgery.OF_A_LABEL:
        n_restored = surgery.go_on_undoing(act=act)
        return UndoOutcome(n_restored, max(0, act.n_samples - n_restored))
    if act.kind == ActKind.DELETE_SAMPLES:
        n_restored = undo_binning(act=act)
        return UndoOutcome(n_restored, max(0, act.n_samples - n_restored))
    if act.kind == ActKind.IMPORT:
        n_binned, n_stay = import_acts.undo_import(act=act)
        outcome = _take_back_labels(act, person)
        return UndoOutcome(outcome.n_restored, outcome.n_left + n_stay, n_binned=n_binned)
    outcome = _take_back_labels(act, person)
    if act.kind == ActKind.SPLIT_LABEL:
        surgery.drop_split_off(act=act, person=person)
    n_back = bring_opinions_back(act=act)
    return UndoOutcome(outcome.n_restored + n_back, outcome.n_left)


def finish_undoing() -> int:
    """Go on with what a process died at. Returns how many acts there were."""
    stuck = Act.objects.filter(undone_at__lt=timezone.now() - timedelta(seconds=STUCK_SECONDS), facts__has_key=UNDOING)
    acts = list(stuck.select_related("function__workspace"))
    for act in acts:
        _go_on(act, User.objects.filter(public_id=act.facts[UNDOING]).first())
    return len(acts)


def _take_back_labels(act: Act, person: User | None) -> UndoOutcome:
    """Restore what was said of each sample the act labelled; those it brought itself are none of these."""
    touched = Annotation.objects.filter(act=act).order_by("sample_id").values_list("sample_id", flat=True)
    if act.kind == ActKind.IMPORT:
        touched = touched.exclude(sample__brought_by=act)
    sample_ids = list(touched.distinct())
    n_at_once = samples_per_transaction(_n_tags(act), RESTORED_AT_ONCE)
    outcome = UndoOutcome(0, 0)
    for start in range(0, len(sample_ids), n_at_once):
        with transaction.atomic():
            gives = lock_function(act.function_id)
            n_restored, n_left = take_back_chunk(
                act_id=act.pk,
                gives=gives,
                labels=KnownLabels(act.function_id),
                sample_ids=sample_ids[start : start + n_at_once],
                person=person,
            )
            if n_restored:
                note_data_change(act.function_id)
        outcome = UndoOutcome(outcome.n_restored + n_restored, outcome.n_left + n_left)
    return outcome


def _n_tags(act: Act) -> int:
    return act.function.labels.in_use().count() if act.function.output_kind == "tags" else 0
