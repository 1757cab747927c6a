"""Which model answers: the newest whole one, unless a person pinned another.

Who changes it holds the function's lock, as publishing does, so that one model is live at any time.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.core.jobs import JobName, enqueue_on_commit
from apps.engine.types import Blend
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.functions.models import Function, Label, OutputKind
from apps.functions.selectors import standing_labels
from apps.samples.services.annotations import lock_function
from apps.samples.services.feedback import note_learned
from apps.training.models import FunctionWork, TrainedModel, WorkKind
from apps.training.services.serving import is_current
from apps.training.services.telling import Because, tell_answering
from apps.training.services.work import want_predictions

DAMAGED = "The file of this model is damaged, so it cannot answer."
CLEARED = "The file of this model was cleared away to save room, so it cannot answer any more."
OUTDATED = "This model reads samples in a way that is no longer in use, so it cannot answer."
TOO_FEW_LABELS = "Too many of the labels this model knows have been deleted, so it cannot answer."
NOT_PUBLISHED = "This model was never published."


@transaction.atomic
def pin_model(*, model: TrainedModel, actor: User | None = None) -> TrainedModel:
    """Have a model answer until it is unpinned, whatever is learned meanwhile. Raises Conflict where it cannot."""
    lock_function(model.function_id)
    model.refresh_from_db(fields=["is_live", "is_pinned", "is_damaged", "sha256"])
    if reason := why_not(model):
        raise Conflict(reason)
    if model.is_pinned:
        return model
    _make_live(model, is_pinned=True)
    _record(Audit.MODEL_PINNED, model, actor, number=model.number)
    return model


@transaction.atomic
def unpin_model(*, function: Function, actor: User | None = None) -> TrainedModel:
    """Have the newest whole model answer again, at once. Raises Conflict where nothing is pinned."""
    lock_function(function.pk)
    pinned = pinned_model(function)
    if pinned is None:
        raise Conflict("No model is pinned any more. Reload the page.")
    newest = newest_whole(function) or pinned
    _make_live(newest, is_pinned=False)
    _record(Audit.MODEL_UNPINNED, pinned, actor, number=pinned.number, live=newest.number)
    return newest


@transaction.atomic
def roll_back(*, function: Function, actor: User | None = None) -> TrainedModel:
    """Have the model before the one that answers do so until it is unpinned. Raises Conflict where none can."""
    lock_function(function.pk)
    live = TrainedModel.objects.filter(function=function, is_live=True).first()
    if live is None:
        raise Conflict("No model answers yet, so there is none to go back to.")
    earlier = newest_whole(function, before=live.number)
    if earlier is None:
        raise Conflict("There is no earlier model that can still answer.")
    return pin_model(model=earlier, actor=actor)


def pinned_model(function: Function) -> TrainedModel | None:
    """Return the model a person pinned, if there is one."""
    return TrainedModel.objects.filter(function=function, is_pinned=True).select_related("function").first()


def newest_whole(function: Function, *, before: int | None = None) -> TrainedModel | None:
    """Return the newest model that can answer, of those with a smaller number than `before` where that is given."""
    rows = TrainedModel.objects.filter(function=function, is_damaged=False).exclude(published_at=None)
    if before is not None:
        rows = rows.filter(number__lt=before)
    newest_first = rows.exclude(sha256="").select_related("function", "adaptation").order_by("-number")
    return next((model for model in newest_first.iterator(chunk_size=20) if not why_not(model)), None)


def blend_of(model: TrainedModel | None) -> Blend | None:
    """Return a model's recipes; None without one, or of an earlier version, whose recipe has no rights now."""
    try:
        return Blend.from_json(model.recipe) if model else None
    except ValueError:
        return None


def why_not(model: TrainedModel, *, standing: Mapping[str, Label] | None = None) -> str:
    """Say why a model cannot answer; empty when it can. `standing` are its function's `serving.standing_labels`."""
    if model.published_at is None:
        return NOT_PUBLISHED
    if model.is_damaged:
        return DAMAGED
    if not model.sha256:
        return CLEARED
    if not is_current(model):
        return OUTDATED
    standing = standing_labels(model.function_id) if standing is None else standing
    known = {standing[public_id] for public_id in model.label_ids if public_id in standing}
    least = 1 if model.function.output_kind == OutputKind.TAGS else 2
    return TOO_FEW_LABELS if len(known) < least else ""


def _make_live(model: TrainedModel, *, is_pinned: bool) -> None:
    was_live = model.is_live
    TrainedModel.objects.filter(function=model.function_id, is_live=True).update(is_live=False, is_pinned=False)
    TrainedModel.objects.filter(pk=model.pk).update(is_live=True, is_pinned=is_pinned)
    model.is_live, model.is_pinned = True, is_pinned
    if not was_live:
        tell_answering(model, Because.PINNED if is_pinned else Because.UNPINNED)
    note_reports_learned(model)
    FunctionWork.objects.get_or_create(function_id=model.function_id, kind=WorkKind.PREDICT)
    want_predictions(model.function_id)
    enqueue_on_commit(JobName.PREDICT_FUNCTION, model.function_id)


def note_reports_learned(model: TrainedModel) -> None:
    """Tell those who reported what this model learned that it answers now. In the caller's transaction."""
    note_learned(function_id=model.function_id, model_id=model.public_id, up_to_annotation_id=model.last_annotation_id)


def _record(kind: Audit, model: TrainedModel, actor: User | None, **data: int) -> None:
    function = model.function
    workspace = function.workspace.public_id
    record(
        workspace=workspace,
        kind=kind,
        actor=actor.public_id if actor else "",
        subject=model.public_id,
        function=function.public_id,
        **data,
    )
    announce(workspace=workspace, kind=Live.PREDICTIONS_CHANGED, subject=function.public_id)
