"""The background door to planning."""

import dramatiq

from apps.core.jobs import JobName
from apps.labeling.planning import plan_queue as plan

MINUTE_MS = 60_000


@dramatiq.actor(
    actor_name=JobName.PLAN_QUEUE,
    queue_name=JobName.PLAN_QUEUE.queue,
    priority=15,  # behind what it reads, before more samples are read
    max_retries=0,  # the sweeper asks again
    time_limit=2 * MINUTE_MS,
)
def plan_queue(function_id: int) -> None:
    plan(function_id=function_id)
