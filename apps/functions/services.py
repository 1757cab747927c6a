"""Every write to functions and labels.

Whoever changes labels or samples of a function locks the function's row first (`_lock`, as the services of samples do),
so that two of them never wait on each other in a circle.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.jobs import JobName, enqueue_on_commit
from apps.events.kinds import Audit, Live
from apps.events.services import JsonValue, announce, record
from apps.functions.models import Function, InputKind, Label
from apps.functions.names import distinct, function_name, label_name
from apps.workspaces.models import Workspace

ROWS_PER_TRANSACTION = 500
LEAST_LABELS = 2


@transaction.atomic
def create_function(
    *,
    workspace: Workspace,
    name: str,
    input_kind: str,
    label_names: Sequence[str],
    actor: User | None,
    allow_no_labels: bool = False,
) -> Function:
    """Make a function with its first labels. Imports bring their labels later and set `allow_no_labels`."""
    if input_kind not in InputKind.values:
        raise InvalidInput("Choose what comes in: text or pictures.")
    clean_name = function_name(name)
    clean_labels = distinct(label_name(text) for text in label_names)
    if len(clean_labels) < LEAST_LABELS and not (allow_no_labels and not clean_labels):
        raise InvalidInput("A function needs at least two different labels to choose between.")
    function = Function.objects.create(workspace=workspace, name=clean_name, input_kind=input_kind)
    Label.objects.bulk_create(
        Label(function=function, name=label, position=position, colour=position % Label.N_COLOURS)
        for position, label in enumerate(clean_labels)
    )
    record(
        workspace=workspace.public_id,
        kind=Audit.FUNCTION_CREATED,
        actor=_actor(actor),
        subject=function.public_id,
        name=clean_name,
        input_kind=input_kind,
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
        actor=_actor(actor),
        subject=function.public_id,
        name=clean_name,
        old_name=old_name,
    )
    return function


def delete_function(*, function: Function, actor: User | None = None) -> None:
    """Delete a function with all that belongs to it.

    Samples go first, in short transactions; interrupted halfway, the rest is still there to be deleted again. Pictures
    and models on disk are swept by the worker, which looks for folders without a function.
    """
    n_samples = function.samples.count()
    while pks := list(function.samples.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            _lock(function.pk)
            function.samples.filter(pk__in=pks).delete()
    workspace = function.workspace.public_id
    with transaction.atomic():
        # Not even rows that merely refer to it may come now: a call recorded meanwhile would fail the commit.
        Function.objects.select_for_update().filter(pk=function.pk).values_list("pk").first()
        record(
            workspace=workspace,
            kind=Audit.FUNCTION_DELETED,
            actor=_actor(actor),
            subject=function.public_id,
            name=function.name,
            n_samples=n_samples,
        )
        function.delete()


@transaction.atomic
def add_label(*, function: Function, name: str, actor: User | None = None) -> Label:
    """Add a label at the end. Raises Conflict when one of that name is there, whatever its upper and lower case."""
    clean_name = label_name(name)
    _lock(function.pk)
    _refuse_taken(function, clean_name)
    label = _new_labels(function, [clean_name])[0]
    _record_label(Audit.LABEL_CREATED, label, actor, labels=[clean_name])
    return label


@transaction.atomic
def get_or_create_labels(*, function: Function, names: Iterable[str], actor: User | None = None) -> dict[str, Label]:
    """Return the label of each name as it was given, making those that are missing, in the order given.

    For imports: names are tidied but their upper and lower case kept apart, since data may mean it so.
    """
    clean_names = {name: label_name(name) for name in dict.fromkeys(names)}
    _lock(function.pk)
    known = {label.name: label for label in function.labels.in_use()}
    missing = [name for name in dict.fromkeys(clean_names.values()) if name not in known]
    known |= {label.name: label for label in _new_labels(function, missing)}
    if missing:
        record(
            workspace=function.workspace.public_id,
            kind=Audit.LABEL_CREATED,
            actor=_actor(actor),
            subject=function.public_id,
            labels=missing,
        )
    return {name: known[clean] for name, clean in clean_names.items()}


@transaction.atomic
def rename_label(*, label: Label, name: str, actor: User | None = None) -> Label:
    """Change how a label is displayed; what was labelled with it stays so, and nothing needs training anew."""
    clean_name, old_name = label_name(name), label.name
    _lock(label.function_id)
    _require_in_use(label)
    if clean_name == old_name:
        return label
    _refuse_taken(label.function, clean_name, but=label)
    Label.objects.filter(pk=label.pk).update(name=clean_name)
    label.name = clean_name
    _record_label(Audit.LABEL_RENAMED, label, actor, name=clean_name, old_name=old_name)
    _announce_change(label.function)
    return label


def delete_label(*, label: Label, actor: User | None = None) -> int:
    """Take a label out of use; its samples become unlabelled, their history stays. Returns how many there were."""
    n_freed = 0
    while pks := list(label.samples.values_list("pk", flat=True)[:ROWS_PER_TRANSACTION]):
        with transaction.atomic():
            _lock(label.function_id)
            n_freed += _free_samples(label, pks)
    with transaction.atomic():
        _lock(label.function_id)
        _require_in_use(label)
        n_freed += _free_samples(label, None)  # those labelled since
        label.deleted_at = timezone.now()
        Label.objects.filter(pk=label.pk).update(deleted_at=label.deleted_at)
        _record_label(Audit.LABEL_DELETED, label, actor, name=label.name, n_samples=n_freed)
        note_data_change(label.function_id)
    return n_freed


def note_data_change(function_id: int) -> None:
    """Say that a model should learn anew: once per transaction that changed annotations or labels. Needs one."""
    Function.objects.filter(pk=function_id).update(data_revision=F("data_revision") + 1)
    enqueue_on_commit(JobName.TRAIN_FUNCTION, function_id)
    workspace, function = Function.objects.values_list("workspace__public_id", "public_id").get(pk=function_id)
    announce(workspace=workspace, kind=Live.ANNOTATIONS_CHANGED, subject=function)


def _lock(function_id: int) -> None:
    Function.objects.select_for_update(no_key=True).filter(pk=function_id).values_list("pk").first()


def _refuse_taken(function: Function, name: str, but: Label | None = None) -> None:
    """Compare in Python: SQLite knows upper and lower case of ASCII only."""
    for other in function.labels.in_use():
        if other != but and other.name.casefold() == name.casefold():
            raise Conflict(f"There is already a label “{other.name}”.")


def _require_in_use(label: Label) -> None:
    if not Label.objects.in_use().filter(pk=label.pk).exists():
        raise Conflict("This label has been deleted meanwhile. Reload the page.")


def _new_labels(function: Function, label_names: Sequence[str]) -> list[Label]:
    """Append labels, each in the colour seen least so far. The caller holds the function's lock."""
    last = function.labels.aggregate(last=Max("position"))["last"]
    position = 0 if last is None else last + 1
    n_uses = Counter(function.labels.in_use().values_list("colour", flat=True))
    rows = []
    for offset, name in enumerate(label_names):
        colour = min(range(Label.N_COLOURS), key=lambda candidate: (n_uses[candidate], candidate))
        n_uses[colour] += 1
        rows.append(Label(function=function, name=name, position=position + offset, colour=colour))
    return Label.objects.bulk_create(rows)


def _free_samples(label: Label, pks: list[int] | None) -> int:
    samples = label.samples.all() if pks is None else label.samples.filter(pk__in=pks)
    return samples.update(label=None, annotation=None, labelled_at=None)


def _record_label(kind: Audit, label: Label, actor: User | None, **data: JsonValue) -> None:
    record(
        workspace=label.function.workspace.public_id,
        kind=kind,
        actor=_actor(actor),
        subject=label.public_id,
        function=label.function.public_id,
        **data,
    )


def _announce_change(function: Function) -> None:
    announce(workspace=function.workspace.public_id, kind=Live.ANNOTATIONS_CHANGED, subject=function.public_id)


def _actor(actor: User | None) -> str:
    return actor.public_id if actor else ""
