"""Keeps the folder of models bounded: a day of labeling makes hundreds, and hardly anybody goes back to them."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Count

from apps.functions.models import Function
from apps.samples.services.annotations import lock_function
from apps.training.models import TrainedModel
from apps.training.services import files
from apps.training.services.serving import artifact_folder

KEPT = 50


def clear_old_artifacts() -> None:
    """Remove the files of old models: kept are the newest `KEPT`, the live or pinned one, the last of each sort.

    Their rows stay as history, without a checksum. The row goes first: a file whose row says it is gone is removed by
    the sweeper, whereas a row whose file is gone would count as damaged.
    """
    with_files = TrainedModel.objects.exclude(published_at=None).exclude(sha256="").order_by()
    crowded = (
        with_files.values("function").annotate(n=Count("pk")).filter(n__gt=KEPT).values_list("function", flat=True)
    )
    for function in Function.objects.filter(pk__in=list(crowded)):
        for public_id in _forget(function):
            files.drop(artifact_folder(function, public_id))


@transaction.atomic
def _forget(function: Function) -> list[str]:
    lock_function(function.pk)  # so that none of them is pinned meanwhile
    models = TrainedModel.objects.filter(function=function).exclude(published_at=None).exclude(sha256="")
    seen: set[tuple[str, ...]] = set()
    forgotten: list[str] = []
    for position, model in enumerate(models.order_by("-number")):
        sort = sort_of(model)
        if position >= KEPT and not model.is_live and sort in seen:
            forgotten.append(model.public_id)
        seen.add(sort)
    models.filter(public_id__in=forgotten).update(sha256="")
    return forgotten


def sort_of(model: TrainedModel) -> tuple[str, ...]:
    """Return by what a model reads and decides, its settings left aside: of those there are few, whatever is tried."""
    members = model.recipe.get("members", [{"recipe": model.recipe}])
    recipes = [member.get("recipe", {}) for member in members]
    return tuple(sorted(f"{recipe.get('backbone')} {recipe.get('head')}" for recipe in recipes))
