"""The background door to what webhooks are told. It waits for no receiver: threads of their own do."""

import dramatiq

from apps.core.jobs import JobName
from apps.workspaces.services.deliveries import hand_out

MINUTE_MS = 60_000


@dramatiq.actor(
    actor_name=JobName.DELIVER,
    queue_name=JobName.DELIVER.queue,
    priority=20,
    max_retries=0,  # the sweeper asks again
    time_limit=MINUTE_MS,
)
def deliver() -> None:
    hand_out()
