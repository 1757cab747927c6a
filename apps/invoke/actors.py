"""The background door to files and to what changes in calls. What is not done in one go asks for the next, behind
whatever training waits."""

import dramatiq

from apps.core.jobs import JobName, enqueue
from apps.invoke.drift import watch_drift as watch_drift_of
from apps.invoke.file_predictions.runs import work_on_file

MINUTE_MS = 60_000


@dramatiq.actor(
    actor_name=JobName.PREDICT_FILE,
    queue_name=JobName.PREDICT_FILE.queue,
    priority=40,
    max_retries=0,  # the sweeper asks again, and the file counts its attempts
    time_limit=2 * MINUTE_MS,
)
def predict_file(prediction_id: int, n_slices: int) -> None:
    next_slice = work_on_file(prediction_id=prediction_id, n_slices=n_slices)
    if next_slice is not None:
        enqueue(JobName.PREDICT_FILE, prediction_id, next_slice)


@dramatiq.actor(
    actor_name=JobName.WATCH_DRIFT,
    queue_name=JobName.WATCH_DRIFT.queue,
    priority=60,
    max_retries=0,  # the next call has the function looked at again
    time_limit=MINUTE_MS,
)
def watch_drift(function_id: int) -> None:
    if watch_drift_of(function_id=function_id):
        enqueue(JobName.WATCH_DRIFT, function_id)
