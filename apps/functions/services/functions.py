"""Making, naming and deleting functions."""

from collections.abc import Sequence

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.names import distinct, function_name, label_name
from apps.functions.services.changes import ROWS_PER_TRANSACTION, actor_id, lock
from apps.workspaces.models import Workspace
from apps.workspaces.services.quotas import require_function

TOO_FEW_LABELS = {
    OutputKind.LABEL: "A function needs at least two different labels to choose between.",
    OutputKind.TAGS: "A function needs at least one tag that may be there or not.",
}

LEAST_TARGET, MOST_TARGET = 0.5, 0.999


def least_labels(output_kind: str) -> int:
    """How many labels a function begins with: a choice takes two, a tag is there or not by itself, a search none."""
    return {OutputKind.TAGS.value: 1, OutputKind.SEARCH.value: 0}.get(output_kind, 2)


@transaction.atomic
def create_function(
    *,
    workspace: Workspace,
    name: str,
    input_kind: str,
    output_kind: str = OutputKind.LABEL,
    label_names: Sequence[str],
    actor: User | None,
    allow_no_labels: bool = False,
) -> Function:
    """Make a function with its first labels. Imports bring their labels later and set `allow_no_labels`."""
    if output_kind not in OutputKind.values:
        raise InvalidInput("Choose what comes out: one label, any number of tags, or the samples most like it.")
    if input_kind not in InputKind.values:
        raise InvalidInput("Choose what comes in: text, pictures or table rows.")
    clean_name = function_name(name)
    clean_labels = distinct(label_name(text) for text in label_names)
    if clean_labels and output_kind == OutputKind.SEARCH:
        raise InvalidInput("A function that finds samples has no labels. Leave them out.")
    if len(clean_labels) < least_labels(output_kind) and not (allow_no_labels and not clean_labels):
        raise InvalidInput(TOO_FEW_LABELS[OutputKind(output_kind)])
    require_function(workspace)
    function = Function.objects.create(
        workspace=workspace, name=clean_name, input_kind=input_kind, output_kind=output_kind
    )
    Label.objects.bulk_create(
        Label(function=function, name=label, position=position, colour=position % Label.N_COLOURS)
        for position, label in enumerate(clean_labels)
    )
    record(
        workspace=workspace.public_id,
        kind=Audit.FUNCTION_CREATED,
        actor=actor_id(actor),
        subject=function.public_id,
        name=clean_name,
        input_kind=input_kind,
        output_kind=output_kind,
        labels=clean_labels,
    )
    return function


@transaction.atomic
def rename_function(*, function: Function, name: str, actor: User | None = None) -> Function:
    clean_name, old_name = function_name(name), function.name
    if clean_name == old_name:
        return function
    Function.objects.filter(pk=function.pk).update(name=clean_name)
    function.name = clean_name
    record(
        workspace=function.workspace.public_id,
        kind=Audit.FUNCTION_RENAMED,
        actor=actor_id(actor),
        subject=function.public_id,
        name=clean_name,
        old_name=old_name,
    )
    return function


@transaction.atomic
def set_automation_target(*, function: Function, target: float, actor: User | None = None) -> Function:
    """Say which share of the answers that no person looks at must be right, from a half to all but 1 in 1,000."""
    if not LEAST_TARGET <= target <= MOST_TARGET:
        raise InvalidInput("Choose between 50 and 99.9 % right.")
    old_target = function.automation_target
    if target == old_target:
        return function
    Function.objects.filter(pk=function.pk).update(automation_target=target)
    function.automation_target = target
    record(
        workspace=function.workspace.public_id,
        kind=Audit.AUTOMATION_CHANGED,
        actor=actor_id(actor),
        subject=function.public_id,
        name=function.name,
        target=f"{100 * target:g}",
        old_target=f"{100 * old_target:g}",
    )
    return function


def delete_function(*, function: Function, actor: User | None = None) -> None:
    """Delete a function with all that belongs to it.

    Samples go first, in short transactions; interrupted halfway, the rest is still there to be deleted again. Pictures
    and models on disk are swept by the worker, which looks for folders without a function.
    """
    n_samples = function.samples.count()
    everywhere = function.samples(manager="everywhere")  # the bin goes with it
    while pks := list(everywhere.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            lock(function.pk)
            everywhere.filter(pk__in=pks).delete()
    workspace = function.workspace.public_id
    with transaction.atomic():
        # Not even rows that merely refer to it may come now: a call recorded meanwhile would fail the commit.
        Function.objects.select_for_update().filter(pk=function.pk).values_list("pk").first()
        record(
            workspace=workspace,
            kind=Audit.FUNCTION_DELETED,
            actor=actor_id(actor),
            subject=function.public_id,
            name=function.name,
            n_samples=n_samples,
        )
        function.delete()
