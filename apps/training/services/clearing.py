"""Keeps the folder of models bounded: a day of labeling makes hundreds, and hardly anybody goes back to them."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.utils import timezone

from apps.functions.models import Function
from apps.samples.services.annotations import lock_function
from apps.training.models import Adaptation, AdaptationQuerySet, FunctionWork, TrainedModel, WorkKind
from apps.training.services import files, towers
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
    _clear_adaptations()


def unread_adaptations(public_ids: Collection[str]) -> tuple[list[str], list[str]]:
    """Return whose vectors nobody reads, of these adaptations, and of the others those whose folds no round reads.

    Read are those of live models and of the newest ones, and of the adaptation that a function's rounds read.
    A model somebody goes back to has the vectors made again. While any adaptation is being made, those without a row
    may be of that one.
    """
    models = TrainedModel.objects.filter(function=OuterRef("function")).exclude(published_at=None)
    is_newest = Q(pk=Subquery(models.order_by("-number").values("adaptation")[:1]))
    is_live = Exists(models.filter(is_live=True, adaptation=OuterRef("pk")))
    rows = Adaptation.objects.filter(public_id__in=public_ids).exclude(sha256="")
    in_rounds = set(_in_rounds(rows).values_list("public_id", flat=True))
    served = set(rows.filter(is_newest | is_live).values_list("public_id", flat=True))
    unread = set(public_ids) - in_rounds - served
    making = FunctionWork.objects.filter(kind=WorkKind.ADAPT, lease_expires_at__gt=timezone.now())
    if making.exists():
        unread &= set(Adaptation.objects.filter(public_id__in=unread).values_list("public_id", flat=True))
    return sorted(unread), sorted(served - in_rounds)


def _in_rounds(rows: AdaptationQuerySet) -> AdaptationQuerySet:
    """Return those that rounds read."""
    newer = Adaptation.objects.in_use().filter(function=OuterRef("function"), pk__gt=OuterRef("pk"))
    return rows.in_use().exclude(Exists(newer))


def _clear_adaptations() -> None:
    """Remove the layers that no model reads which can still answer, but for those that rounds read."""
    in_use = TrainedModel.objects.filter(adaptation=OuterRef("pk"), is_damaged=False).exclude(sha256="")
    with_files = Adaptation.objects.exclude(sha256="").exclude(Exists(in_use))
    unused = with_files.exclude(pk__in=_in_rounds(Adaptation.objects.all()).values("pk"))
    for adaptation in unused.select_related("function"):
        with transaction.atomic():
            lock_function(adaptation.function_id)
            is_cleared = unused.filter(pk=adaptation.pk).update(sha256="")
        if is_cleared:
            files.drop(towers.folder_of(adaptation))


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
