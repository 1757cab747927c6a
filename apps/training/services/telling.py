"""What other programs are told of models. All of it in the caller's transaction."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from apps.events.kinds import Notify
from apps.events.services import JsonValue, is_heard, notify
from apps.training.models import TrainedModel


class Because(StrEnum):
    """Why another model answers now."""

    TRAINED = "trained"
    PINNED = "pinned"
    UNPINNED = "unpinned"
    DAMAGED = "damaged"


def tell_trained(model: TrainedModel, *, is_last: bool) -> None:
    """Tell of a new model; of the last of its round also whether it is less often right than what was before."""
    if not is_heard(model.function.workspace.public_id):
        return
    _notify(model, Notify.MODEL_TRAINED, annotation_count=model.n_annotations, **_accuracy(model))
    if is_last and (before := _before(model)) is not None and is_drop(before, model):
        said: dict[str, JsonValue] = {"modelId": before.public_id, "number": before.number}
        said |= {f"accuracy{name}": value for name, value in _interval(before).items()}
        _notify(model, Notify.ACCURACY_DROPPED, before=said, **_accuracy(model))


def tell_answering(model: TrainedModel, because: Because) -> None:
    """Tell that another model answers now."""
    _notify(model, Notify.MODEL_PUBLISHED, because=because.value)


def is_drop(before: TrainedModel, model: TrainedModel) -> bool:
    """Whether the accuracy measured on held-out samples fell by more than chance: the intervals do not meet.

    With few labels an interval is wide and says nothing; such figures are not compared.
    """
    earlier, now = before.figures.get("accuracy"), model.figures.get("accuracy")
    if not earlier or not now or earlier["is_early"] or now["is_early"]:
        return False
    return bool(now["high"] < earlier["low"])


def _before(model: TrainedModel) -> TrainedModel | None:
    """Return the last model of what was labelled before: a round may make two, and the first of them is a draft."""
    rows = TrainedModel.objects.filter(function_id=model.function_id, data_revision__lt=model.data_revision)
    return rows.exclude(published_at=None).order_by("-number").first()


def _accuracy(model: TrainedModel) -> dict[str, JsonValue]:
    return {f"accuracy{name}": value for name, value in _interval(model).items()}


def _interval(model: TrainedModel) -> dict[str, float]:
    accuracy: dict[str, Any] = model.figures.get("accuracy") or {}
    names = {"value": "", "low": "Low", "high": "High"}
    return {wire: round(float(accuracy[name]), 4) for name, wire in names.items() if name in accuracy}


def _notify(model: TrainedModel, kind: Notify, **data: JsonValue) -> None:
    function = model.function
    notify(
        workspace=function.workspace.public_id,
        kind=kind,
        function=function.public_id,
        model_id=model.public_id,
        number=model.number,
        **data,
    )
