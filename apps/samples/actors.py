"""The background doors to what takes long. A slice that is not the last asks for the next, behind waiting training."""

import dramatiq

from apps.core.jobs import JobName, enqueue
from apps.samples.services.export_runs import write_export as write_slice
from apps.samples.services.import_runs import run_import as run_slice
from apps.samples.services.set_aside import go_on_setting_aside
from apps.samples.services.undoing import go_on_undoing

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


@dramatiq.actor(
    actor_name=JobName.UNDO_ACT,
    queue_name=JobName.UNDO_ACT.queue,
    priority=30,
    max_retries=0,  # the sweeper asks again
    time_limit=2 * MINUTE_MS,
)
def undo_act(act_id: int, n_steps: int) -> None:
    n_steps_now = go_on_undoing(act_id=act_id, n_steps=n_steps)
    if n_steps_now is not None:
        enqueue(JobName.UNDO_ACT, act_id, n_steps_now)


@dramatiq.actor(
    actor_name=JobName.WRITE_EXPORT,
    queue_name=JobName.WRITE_EXPORT.queue,
    priority=30,
    max_retries=0,  # the sweeper asks again, and the export counts its attempts
    time_limit=2 * MINUTE_MS,
)
def write_export(export_id: int, n_parts: int) -> None:
    n_parts_now = write_slice(export_id=export_id, n_parts=n_parts)
    if n_parts_now is not None:
        enqueue(JobName.WRITE_EXPORT, export_id, n_parts_now)
