"""What keeps files from being forgotten, and from outliving their use. Run by every worker."""

import threading
import time
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from apps.core.jobs import JobName, enqueue
from apps.core.leases import is_free
from apps.invoke.file_predictions.storage import forget_on_commit
from apps.invoke.models import FilePrediction, FileState

KEPT_DAYS = 7
OPEN_DROP_DAYS = 1
CLEAR_SECONDS = 60.0
AT_WORK = (FileState.QUEUED, FileState.RUNNING, FileState.SENDING)


class _Progress:
    """When this process is to look for old results again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next_at = 0.0


_progress = _Progress()


def enqueue_unfinished_files() -> int:
    """Ask for every started file nobody works on; now and then delete old ones. Returns how many were asked for."""
    if _is_time_to_clear():
        clear_old_files()
    waiting = FilePrediction.objects.filter(is_free(), state__in=AT_WORK)
    return sum(enqueue(JobName.PREDICT_FILE, pk, n_slices) for pk, n_slices in waiting.values_list("pk", "n_slices"))


def clear_old_files() -> None:
    """Delete results after `KEPT_DAYS`, files nobody started, and drops whose page was closed."""
    now = timezone.now()
    old = Q(created_at__lt=now - timedelta(days=KEPT_DAYS)) & (
        Q(finished_at=None) | Q(finished_at__lt=now - timedelta(days=KEPT_DAYS))
    )
    left_open = Q(state=FileState.UPLOADING, created_at__lt=now - timedelta(days=OPEN_DROP_DAYS))
    idle = FilePrediction.objects.filter(old | left_open).exclude(state__in=AT_WORK)
    for prediction in idle.select_related("function__workspace"):
        with transaction.atomic():
            if FilePrediction.objects.filter(pk=prediction.pk).exclude(state__in=AT_WORK).delete()[0]:
                forget_on_commit(prediction)


def _is_time_to_clear() -> bool:
    with _progress.lock:
        is_time = time.monotonic() >= _progress.next_at
        if is_time:
            _progress.next_at = time.monotonic() + CLEAR_SECONDS
        return is_time
