"""What every write to a function's data needs: its lock, the call for training, and the record of what happened."""

from django.db.models import F

from apps.accounts.models import User
from apps.core.errors import Conflict, NotFound
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Audit, Live
from apps.events.services import JsonValue, announce, record
from apps.functions.models import Function, Label, OutputKind

ROWS_PER_TRANSACTION = 500


class NameTaken(Conflict):
    """Another one is called so already: `existing_id` is its public id."""

    code = "duplicate"

    def __init__(self, message: str, *, existing_id: str) -> None:
        super().__init__(message)
        self.existing_id = existing_id


def note_data_change(function_id: int) -> None:
    """Say that a model should learn anew: once per transaction that changed annotations or labels. Needs one.

    Where the function searches there is no model, and nothing to learn.
    """
    learning = Function.objects.filter(pk=function_id).exclude(output_kind=OutputKind.SEARCH)
    if learning.update(data_revision=F("data_revision") + 1):
        enqueue_on_commit(JobName.TRAIN_FUNCTION, function_id)
    workspace, function = Function.objects.values_list("workspace__public_id", "public_id").get(pk=function_id)
    announce(workspace=workspace, kind=Live.ANNOTATIONS_CHANGED, subject=function)


def lock(function_id: int) -> None:
    Function.objects.select_for_update(no_key=True).filter(pk=function_id).values_list("pk").first()


def lock_standing(function_id: int) -> None:
    """Lock as above. Raises NotFound where the function has been deleted meanwhile."""
    there = Function.objects.select_for_update(no_key=True).filter(pk=function_id).values_list("pk").first()
    if there is None:
        raise NotFound("This function has been deleted.")


def record_label(kind: Audit, label: Label, actor: User | None, **data: JsonValue) -> None:
    record(
        workspace=label.function.workspace.public_id,
        kind=kind,
        actor=actor_id(actor),
        subject=label.public_id,
        function=label.function.public_id,
        **data,
    )


def announce_change(function: Function) -> None:
    announce(workspace=function.workspace.public_id, kind=Live.ANNOTATIONS_CHANGED, subject=function.public_id)


def actor_id(actor: User | None) -> str:
    return actor.public_id if actor else ""
