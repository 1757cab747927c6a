"""Deciding on labels that people ask for."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from apps.functions.models import LabelProposal
from apps.functions.services.proposals import accept_proposal, decline_proposal
from apps.workspaces.access import AppHttpRequest, requires
from apps.workspaces.roles import Action


@require_POST
@requires(Action.EDIT_LABELS)
def accept(request: AppHttpRequest, proposal_id: str) -> HttpResponse:
    proposal = request.access.fetch(LabelProposal, proposal_id, related=("function",))
    label = accept_proposal(proposal=proposal, actor=request.user)
    messages.success(request, f"“{label.name}” is a label now.")
    return redirect("functions:settings_page", proposal.function.public_id)


@require_POST
@requires(Action.EDIT_LABELS)
def decline(request: AppHttpRequest, proposal_id: str) -> HttpResponse:
    proposal = request.access.fetch(LabelProposal, proposal_id, related=("function",))
    decline_proposal(proposal=proposal, actor=request.user)
    messages.success(request, f"“{proposal.name}” is not taken up.")
    return redirect("functions:settings_page", proposal.function.public_id)
