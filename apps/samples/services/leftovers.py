"""Clearing up what was left behind: files without a function, imports nobody checked, drops nobody closed."""

from contextlib import suppress
from datetime import timedelta

from django.core.files.storage import default_storage
from django.utils import timezone

from apps.functions.models import Function
from apps.samples.media import forget_files, forget_folder
from apps.samples.models import Import, ImportState
from apps.samples.services.dropping import end_drop

UNCHECKED_DAYS = 7
OPEN_DROP_DAYS = 1


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
