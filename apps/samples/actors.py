"""The background doors to what takes long. A slice that is not the last asks for the next, behind waiting training."""

import dramatiq

from apps.core.jobs import JobName, enqueue
from apps.samples.services.import_runs import run_import as run_slice
from apps.samples.services.set_aside import go_on_setting_aside

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


@dramatiq.actor(
    actor_name=JobName.SET_ASIDE,
    queue_name=JobName.SET_ASIDE.queue,
    priority=30,
    max_retries=0,  # the sweeper asks again
    time_limit=2 * MINUTE_MS,
)
def set_aside(act_id: int, n_done: int) -> None:
    n_done_now = go_on_setting_aside(act_id=act_id, n_done=n_done)
    if n_done_now is not None:
        enqueue(JobName.SET_ASIDE, act_id, n_done_now)
