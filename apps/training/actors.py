"""Background doors to the services. The database is the queue of record: a failed message is not retried by the
broker, the sweeper asks again after a pause that grows, so both would only double each other."""

import dramatiq

from apps.core.jobs import JobName
from apps.engine.errors import BackboneUnavailable
from apps.training import services

MINUTE_MS = 60_000


@dramatiq.actor(
    actor_name=JobName.TRAIN_FUNCTION,
    queue_name=JobName.TRAIN_FUNCTION.queue,
    priority=0,
    max_retries=0,
    time_limit=10 * MINUTE_MS,
)
def train_function(function_id: int) -> None:
    services.train_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.RUN_PART,
    queue_name=JobName.RUN_PART.queue,
    priority=0,
    max_retries=0,
    time_limit=10 * MINUTE_MS,
)
def run_part(part_id: int) -> None:
    services.run_part(part_id=part_id)


@dramatiq.actor(
    actor_name=JobName.PREDICT_FUNCTION,
    queue_name=JobName.PREDICT_FUNCTION.queue,
    priority=10,
    max_retries=0,
    time_limit=2 * MINUTE_MS,
)
def predict_function(function_id: int) -> None:
    services.predict_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.EMBED_FUNCTION,
    queue_name=JobName.EMBED_FUNCTION.queue,
    priority=20,
    max_retries=0,
    time_limit=2 * MINUTE_MS,
)
def embed_function(function_id: int) -> None:
    services.embed_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.REREAD_FUNCTION,
    queue_name=JobName.REREAD_FUNCTION.queue,
    priority=30,
    max_retries=0,
    time_limit=2 * MINUTE_MS,
    throws=BackboneUnavailable,
)
def reread_function(function_id: int) -> None:
    services.reread_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.ADAPT_FUNCTION,
    queue_name=JobName.ADAPT_FUNCTION.queue,
    priority=30,
    max_retries=0,
    time_limit=30 * MINUTE_MS,
)
def adapt_function(function_id: int) -> None:
    services.adapt_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.FIT_TOWERS,
    queue_name=JobName.FIT_TOWERS.queue,
    priority=60,
    max_retries=0,
    time_limit=16 * MINUTE_MS,
)
def fit_towers(part_id: int) -> None:
    services.fit_towers(part_id=part_id)


@dramatiq.actor(
    actor_name=JobName.SURVEY_FUNCTION,
    queue_name=JobName.SURVEY_FUNCTION.queue,
    priority=40,
    max_retries=0,
    time_limit=10 * MINUTE_MS,
)
def survey_function(function_id: int) -> None:
    services.survey_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.INSPECT_FUNCTION,
    queue_name=JobName.INSPECT_FUNCTION.queue,
    priority=50,
    max_retries=0,
    time_limit=5 * MINUTE_MS,
)
def inspect_function(function_id: int) -> None:
    services.inspect_function(function_id=function_id)


@dramatiq.actor(
    actor_name=JobName.INDEX_FUNCTION,
    queue_name=JobName.INDEX_FUNCTION.queue,
    priority=40,
    max_retries=0,
    time_limit=10 * MINUTE_MS,
)
def index_function(function_id: int) -> None:
    services.index_function(function_id=function_id)
