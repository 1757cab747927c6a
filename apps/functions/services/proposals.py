"""Labels that people ask for who may not make them, and what becomes of that."""

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Function, Label, LabelProposal, ProposalState
from apps.functions.names import label_name, sound, tidy
from apps.functions.services.changes import actor_id, announce_change, lock
from apps.functions.services.labels import add_label

MOST_OPEN = 50
NOTE_MAX = 400


@transaction.atomic
def propose_label(*, function: Function, name: str, person: User, note: str = "") -> LabelProposal:
    """Ask for a label. Asking for one that is asked for already is asking once; raises Conflict for one there is."""
    clean_name = label_name(name)
    lock(function.pk)
    there = _label_called(function, clean_name)
    if there is not None:
        raise Conflict(f"There is already a label “{there.name}”.")
    waiting = list(function.proposals.filter(state=ProposalState.OPEN))
    for earlier in waiting:
        if sound(earlier.name) == sound(clean_name):
            return earlier
    if len(waiting) >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} suggested labels wait to be decided already. Ask for these to be looked at first.")
    proposal = function.proposals.create(name=clean_name, note=tidy(note)[:NOTE_MAX], person=person)
    _record(Audit.LABEL_PROPOSED, proposal, person)
    announce_change(function)
    return proposal


@transaction.atomic
def accept_proposal(*, proposal: LabelProposal, actor: User | None) -> Label:
    """Make the label that was asked for, or take the one of that name that somebody made meanwhile."""
    _decide(proposal, ProposalState.ACCEPTED)
    function = proposal.function
    label = _label_called(function, proposal.name) or add_label(function=function, name=proposal.name, actor=actor)
    LabelProposal.objects.filter(pk=proposal.pk).update(label=label)
    _record(Audit.PROPOSAL_ACCEPTED, proposal, actor)
    announce_change(function)
    return label


@transaction.atomic
def decline_proposal(*, proposal: LabelProposal, actor: User | None) -> None:
    _decide(proposal, ProposalState.DECLINED)
    _record(Audit.PROPOSAL_DECLINED, proposal, actor)
    announce_change(proposal.function)


def _decide(proposal: LabelProposal, state: ProposalState) -> None:
    """Claim it by update, so that of two people who decide at once only one does."""
    lock(proposal.function_id)
    is_mine = LabelProposal.objects.filter(pk=proposal.pk, state=ProposalState.OPEN).update(state=state)
    if not is_mine:
        raise Conflict("This suggestion has been decided already. Reload the page.")


def _label_called(function: Function, name: str) -> Label | None:
    """Compare in Python: SQLite knows upper and lower case of ASCII only."""
    labels = function.labels.in_use()
    return next((label for label in labels if sound(label.name) == sound(name)), None)


def _record(kind: Audit, proposal: LabelProposal, actor: User | None) -> None:
    function = proposal.function
    record(
        workspace=function.workspace.public_id,
        kind=kind,
        actor=actor_id(actor),
        subject=function.public_id,
        name=proposal.name,
    )
