"""Taking samples away for good, and clearing up what others left behind."""

from contextlib import suppress
from datetime import timedelta

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.events.kinds import Audit, Live
from apps.events.services import announce, record
from apps.functions.models import Function
from apps.functions.services import note_data_change
from apps.samples.media import forget_files, forget_folder
from apps.samples.models import Import, ImportState, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.bin import purge_now
from apps.samples.services.dropping import end_drop

UNCHECKED_DAYS = 7
OPEN_DROP_DAYS = 1


def delete_sample(*, sample: Sample, person: User | None) -> None:
    """Delete a sample for good, past the bin, with its history, predictions and files."""
    function = sample.function
    with transaction.atomic():
        lock_function(function.pk)
        was_labelled = Sample.objects.filter(pk=sample.pk, annotation__isnull=False).exists()
        if not purge_now(function_id=function.pk, sample_keys=[sample.pk]):
            return
        record(
            workspace=function.workspace.public_id,
            kind=Audit.SAMPLE_DELETED,
            actor=person.public_id if person else "",
            subject=sample.public_id,
            function=function.public_id,
        )
        announce(workspace=function.workspace.public_id, kind=Live.SAMPLES_CHANGED, subject=function.public_id)
        if was_labelled:
            note_data_change(function.pk)


def clear_leftovers() -> None:
    """Remove the files of functions that are gone, imports nobody checked, and close drops whose page was closed."""
    # Another worker may be at the same: what is gone, or not yet empty, is seen to at the next sweep.
    with suppress(OSError):
        _clear_files_of_deleted_functions()
    now = timezone.now()
    unchecked = Import.objects.filter(state=ImportState.PREVIEW, created_at__lt=now - timedelta(days=UNCHECKED_DAYS))
    for job in unchecked:
        if Import.objects.filter(pk=job.pk, state=ImportState.PREVIEW).delete()[0]:
            forget_files(job.file_keys)
    open_drops = Import.objects.filter(state=ImportState.UPLOADING, created_at__lt=now - timedelta(days=OPEN_DROP_DAYS))
    for drop in open_drops.select_related("function__workspace", "person"):
        end_drop(import_job=drop)


def _clear_files_of_deleted_functions() -> None:
    for workspace in _folders(""):
        # Folders before rows: a function is committed before its first file is written.
        there = [name for name in _folders(workspace) if name.startswith("function_")]
        kept = set(Function.objects.filter(public_id__in=there).values_list("public_id", flat=True))
        for function in set(there) - kept:
            forget_folder(f"{workspace}/{function}")


def _folders(path: str) -> list[str]:
    return default_storage.listdir(path)[0] if default_storage.exists(path) else []
