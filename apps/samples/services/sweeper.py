"""What keeps imports from being forgotten, and files from outliving what they belonged to. Run by every worker."""

import threading
import time

from apps.core.jobs import JobName, enqueue
from apps.core.leases import is_free
from apps.samples.models import Import, ImportState
from apps.samples.services import set_aside, undoing
from apps.samples.services.bin import purge_old
from apps.samples.services.capture_retention import forget_old_captures
from apps.samples.services.export_runs import clear_old_exports, enqueue_unfinished_exports
from apps.samples.services.leftovers import clear_leftovers
from apps.samples.services.resettling import release_overlap, release_unanswerable, settle_stranded
from apps.samples.services.surgery import finish_surgery

LEFTOVERS_SECONDS = 60.0


class _Progress:
    """When this process is to look for leftovers again."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.next_at = 0.0


_progress = _Progress()


def enqueue_unfinished_imports() -> int:
    """Ask for every started import nobody works on, and return how many; now and then see to what was left behind.

    A message names the cursor it goes on from, so one too many is dropped where it arrives.
    """
    if _is_time_for_leftovers():
        clear_leftovers()
        finish_surgery()
        settle_stranded()
        release_unanswerable()
        release_overlap()
        purge_old()
        clear_old_exports()
        forget_old_captures()
    set_aside.enqueue_unfinished()
    undoing.enqueue_unfinished()
    enqueue_unfinished_exports()
    waiting = Import.objects.filter(is_free(), state__in=[ImportState.QUEUED, ImportState.RUNNING])
    return sum(enqueue(JobName.RUN_IMPORT, pk, cursor) for pk, cursor in waiting.values_list("pk", "cursor"))


def _is_time_for_leftovers() -> bool:
    with _progress.lock:
        is_time = time.monotonic() >= _progress.next_at
        if is_time:
            _progress.next_at = time.monotonic() + LEFTOVERS_SECONDS
        return is_time
