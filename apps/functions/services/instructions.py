"""What people are told about how to label."""

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Function
from apps.functions.services.changes import actor_id

INSTRUCTIONS_MAX = 20_000


@transaction.atomic
def set_instructions(*, function: Function, text: str, actor: User | None) -> Function:
    """Keep a function's instructions, in Markdown. Empty ones are none."""
    clean = text.replace("\x00", "").replace("\r\n", "\n").strip()
    if len(clean) > INSTRUCTIONS_MAX:
        raise InvalidInput(
            f"Instructions have at most {INSTRUCTIONS_MAX:,} characters; these have {len(clean):,}. Shorten them."
        )
    if clean == function.instructions:
        return function
    Function.objects.filter(pk=function.pk).update(instructions=clean)
    function.instructions = clean
    record(
        workspace=function.workspace.public_id,
        kind=Audit.INSTRUCTIONS_CHANGED,
        actor=actor_id(actor),
        subject=function.public_id,
        name=function.name,
    )
    return function
