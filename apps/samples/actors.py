"""The background door to imports. A slice that is not the last asks for the next, behind whatever training waits."""

import dramatiq

from apps.core.jobs import JobName, enqueue
from apps.samples.services.import_runs import run_import as run_slice

MINUTE_MS = 60_000


@dramatiq.actor(
    actor_name=JobName.RUN_IMPORT,
    queue_name=JobName.RUN_IMPORT.queue,
    priority=30,
    max_retries=0,  # the sweeper asks again, and the import counts its attempts
    time_limit=2 * MINUTE_MS,
)
def run_import(import_id: int, cursor: int) -> None:
    next_cursor = run_slice(import_id=import_id, cursor=cursor)
    if next_cursor is not None:
        enqueue(JobName.RUN_IMPORT, import_id, next_cursor)
