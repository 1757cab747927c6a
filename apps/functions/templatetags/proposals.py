"""Labels that somebody asks for, on the pages of those who decide."""

from django import template

from apps.functions.models import Function, LabelProposal, ProposalState

register = template.Library()


@register.simple_tag
def open_proposals(function: Function) -> list[LabelProposal]:
    """Return those nobody has decided yet, the oldest first, with who asks."""
    return list(function.proposals.filter(state=ProposalState.OPEN).select_related("person").order_by("pk"))
