"""What keeps work from being forgotten: it looks at the rows, not at messages, and asks for what is not done.

Called every few seconds by each worker. When nothing is to be done that is a handful of indexed reads.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.utils import timezone

from apps.core.database_storage import clear_unfinished_files
from apps.core.jobs import JobName, enqueue
from apps.core.leases import is_free
from apps.engine.types import ADAPTED, cell_key
from apps.functions.models import Function, InputKind
from apps.samples.models import Sample
from apps.training.models import (
    Adaptation,
    Embedding,
    FunctionWork,
    RoundPart,
    SearchIndex,
    Survey,
    TrainedModel,
    WorkKind,
)
from apps.training.services import fan_out, fan_out_towers, files
from apps.training.services.clearing import clear_old_artifacts, unread_adaptations
from apps.training.services.rereading import unread_backbones
from apps.training.services.search_index_file import forget_other_indexes_here
from apps.training.services.search_index_making import forget_searched
from apps.training.services.serving import is_current
from apps.training.services.survey_file import forget_other_surveys_here
from apps.training.services.surveying import forget_deleted, want_missing_surveys

EMBEDDINGS_PER_SWEEP = 1000
ROWS_AT_ONCE = 500
THOROUGH_SECONDS = 3600.0
JOBS = {
    WorkKind.PREDICT: JobName.PREDICT_FUNCTION,
    WorkKind.PLAN: JobName.PLAN_QUEUE,
    WorkKind.REREAD: JobName.REREAD_FUNCTION,
    WorkKind.SURVEY: JobName.SURVEY_FUNCTION,
    WorkKind.INSPECT: JobName.INSPECT_FUNCTION,
    WorkKind.INDEX: JobName.INDEX_FUNCTION,
}
LEFTOVER_SECONDS = 1800.0
"""A round at work has a folder without a row too, but never for so long."""


class _Progress:
    """Where the sweeps of this process are with the checks that are too slow to be done whole each time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.embedding_cursor = 0
        self.next_thorough_at = 0.0


_progress = _Progress()


def enqueue_unfinished_work() -> None:
    """Ask for every round, embedding and prediction that is due and that nobody is at, and clear away leftovers."""
    with _progress.lock:
        if time.monotonic() >= _progress.next_thorough_at:
            train_for_current_backbones()
            clear_old_artifacts()
            drop_unpublished_artifacts()
            clear_unfinished_files()
            want_missing_surveys()
            forget_searched()
            _progress.next_thorough_at = time.monotonic() + THOROUGH_SECONDS
        _progress.embedding_cursor = drop_orphan_embeddings(after=_progress.embedding_cursor)
        drop_artifacts_of_deleted_functions()
    fan_out.forget_finished()
    if RoundPart.objects.exists():
        fan_out.drop_finished()
        fan_out_towers.drop_abandoned()
    for job, function_id in due_jobs():
        enqueue(JobName(job), function_id)
    for kind, function_id in wanted_work():
        enqueue(JOBS[WorkKind(kind)], function_id)


def due_jobs() -> QuerySet[Function, tuple[str, int]]:
    """Jobs that the data themselves ask for, and of which function, in one query."""
    due = {
        JobName.TRAIN_FUNCTION: functions_to_train(),
        JobName.EMBED_FUNCTION: functions_to_embed(),
        JobName.ADAPT_FUNCTION: functions_to_adapt(),
    }
    first, *others = (rows.order_by().annotate(job=Value(job)).values_list("job", "pk") for job, rows in due.items())
    return first.union(*others, all=True)


def functions_to_train() -> QuerySet[Function]:
    """Functions whose data moved since the last round, and that nobody is at."""
    done = FunctionWork.objects.filter(
        function=OuterRef("pk"), kind=WorkKind.TRAIN, done_revision__gte=OuterRef("data_revision")
    )
    return Function.objects.filter(data_revision__gt=0).exclude(Exists(done)).exclude(_held(WorkKind.TRAIN))


def functions_to_embed() -> QuerySet[Function]:
    """Functions with samples that have no vectors yet; reads nothing but an index of those samples."""
    waiting = Sample.objects.filter(is_embedded=False).order_by().values("function").distinct()
    return Function.objects.filter(pk__in=waiting).exclude(_held(WorkKind.EMBED))


def functions_to_adapt() -> QuerySet[Function]:
    """Functions whose data moved since it was last looked whether a backbone should learn from it."""
    done = FunctionWork.objects.filter(
        function=OuterRef("pk"), kind=WorkKind.ADAPT, done_revision__gte=OuterRef("data_revision")
    )
    rows = Function.objects.filter(data_revision__gt=0).exclude(input_kind=InputKind.TABLE)
    return rows.exclude(Exists(done)).exclude(_held(WorkKind.ADAPT)) if settings.ADAPT == "on" else rows.none()


def wanted_work() -> QuerySet[FunctionWork, tuple[str, int]]:
    """Work that was asked for in its own row: live predictions not of the published model, old surveys and findings."""
    rows = FunctionWork.objects.filter(kind__in=JOBS, wanted_revision__gt=F("done_revision"))
    return rows.filter(is_free(), _is_due()).values_list("kind", "function_id")


def train_for_current_backbones() -> None:
    """After an upgrade that reads samples in a new way, have every model made for the old way trained again."""
    live = TrainedModel.objects.filter(is_live=True).select_related("adaptation")
    few_columns = live.only("function_id", "backbone_versions", "adaptation")
    outdated = [model.function_id for model in few_columns.iterator() if not is_current(model)]
    FunctionWork.objects.filter(function__in=outdated, kind=WorkKind.TRAIN).update(done_revision=0)


def drop_orphan_embeddings(*, after: int = 0) -> int:
    """Delete vectors whose last sample in the workspace is gone, or that no backbone or layers in use made.

    Looks at the next `EMBEDDINGS_PER_SWEEP`. Returns the key to go on behind, 0 at the end of the table.
    """
    next_rows = Embedding.objects.filter(pk__gt=after).order_by("pk")[:EMBEDDINGS_PER_SWEEP]
    rows = list(next_rows.values_list("pk", "backbone", "version"))
    pks = [pk for pk, _name, _version in rows]
    if not pks:
        return 0
    in_use = Sample.everywhere.filter(function__workspace=OuterRef("workspace"), content_hash=OuterRef("content_hash"))
    chunk = Embedding.objects.filter(pk__gte=pks[0], pk__lte=pks[-1])
    orphans = list(chunk.exclude(Exists(in_use)).values_list("pk", flat=True))
    if orphans:
        workspaces = list(Embedding.objects.filter(pk__in=orphans).values_list("workspace", flat=True).distinct())
        forget_deleted(workspaces)
        forget_searched(workspaces)
    for name in unread_backbones():
        of_name = Q(backbone=name) | Q(backbone__startswith=cell_key(name, ""))
        orphans += chunk.filter(of_name).values_list("pk", flat=True)
    adapted = {version for _pk, name, version in rows if name.startswith(ADAPTED)}
    orphans += _unread_adapted(chunk, adapted) if adapted else []
    for start in range(0, len(orphans), ROWS_AT_ONCE):
        Embedding.objects.filter(pk__in=orphans[start : start + ROWS_AT_ONCE]).delete()
    return pks[-1] if len(pks) == EMBEDDINGS_PER_SWEEP else 0


def _unread_adapted(chunk: QuerySet[Embedding], versions: set[str]) -> list[int]:
    """Return the vectors among these that were made by layers which nothing reads any more."""
    unread, without_folds = unread_adaptations(versions)
    of_folds = Q(version__in=without_folds, backbone__contains="@")
    rows = chunk.filter(Q(version__in=unread) | of_folds, backbone__startswith=ADAPTED)
    return list(rows.values_list("pk", flat=True))


def drop_artifacts_of_deleted_functions() -> None:
    """Remove the model folders of functions that are no longer there."""
    parent = Path(settings.ARTIFACTS_DIR)
    there = {folder.name for folder in _folders(parent)} | set(files.listing(parent)[0])
    known = set(Function.objects.values_list("public_id", flat=True)) if there else set()
    for name in there - known:
        files.drop(parent / name)


def drop_unpublished_artifacts() -> None:
    """Remove folders of rounds that died between writing the model and its row, and of models cleared away."""
    forget_leftover_copies()
    parent = Path(settings.ARTIFACTS_DIR)
    for function_id in files.listing(parent)[0]:
        kept = set(files.listing(parent / function_id)[0])
        for name in kept - _known_folders(function_id):
            if files.is_older(parent / function_id / name, LEFTOVER_SECONDS):
                files.drop(parent / function_id / name)


def forget_leftover_copies() -> None:
    """Remove what is on this machine's disk and in no row: what died here, and copies of what others dropped."""
    for function_folder in _folders(Path(settings.ARTIFACTS_DIR)):
        if not Function.objects.filter(public_id=function_folder.name).exists():
            files.forget_here(function_folder)
            continue
        known = _known_folders(function_folder.name)
        for folder in _folders(function_folder):
            if folder.name not in known and _age_seconds(folder) > LEFTOVER_SECONDS:
                files.forget_here(folder)
        survey = Survey.objects.filter(function__public_id=function_folder.name).values_list("sha256", flat=True)
        if files.are_apart():
            forget_other_surveys_here(function_folder, survey.first() or "")
            index = SearchIndex.objects.filter(function__public_id=function_folder.name)
            forget_other_indexes_here(function_folder, index.values_list("sha256", flat=True).first() or "")


def _known_folders(function_id: str) -> set[str]:
    """Return the models and adaptations of a function whose files are wanted."""
    known: set[str] = set()
    for model in (TrainedModel, Adaptation):
        rows = model.objects.filter(function__public_id=function_id).exclude(sha256="")
        known |= set(rows.values_list("public_id", flat=True))
    return known


def _folders(parent: Path) -> list[Path]:
    try:
        return [path for path in parent.iterdir() if path.is_dir()]
    except FileNotFoundError:  # nothing was trained yet, or another worker cleared it away just now
        return []


def _age_seconds(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _held(kind: WorkKind) -> Exists:
    """Somebody is at it, or it failed a moment ago."""
    rows = FunctionWork.objects.filter(function=OuterRef("pk"), kind=kind)
    return Exists(rows.exclude(is_free() & _is_due()))


def _is_due() -> Q:
    return Q(retry_at=None) | Q(retry_at__lte=timezone.now())
