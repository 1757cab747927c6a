"""The background door to files. A slice that is not the last asks for the next, behind whatever training waits."""

import dramatiq

from apps.core.jobs import JobName, enqueue
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
