"""The worker process: one Dramatiq worker, and beside it what keeps work from being lost or forgotten.

Messages only wake it: the database says what is to be done. A sweeper looks there every few seconds, so a broker that
lost everything costs seconds and no work. Leases are renewed while this process lives and expire when it does not.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import dramatiq
import redis
import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils.module_loading import autodiscover_modules

from apps.core import heartbeat, leases
from apps.core.heartbeat import BEAT_SECONDS
from apps.core.jobs import Queue
from apps.core.leases import RENEW_SECONDS, Leased
from apps.engine.errors import BackboneUnavailable, DeviceUnavailable
from apps.engine.runtime import describe_device
from apps.engine.types import Modality
from apps.invoke.drift import enqueue_drift_watches
from apps.invoke.file_predictions.clearing import enqueue_unfinished_files
from apps.invoke.models import FilePrediction
from apps.invoke.usage import keep_usage
from apps.ops.metrics import PUBLISH_SECONDS, publish
from apps.ops.routines import Routine
from apps.ops.signals import Signals
from apps.samples.models import Export, Import
from apps.samples.services.sweeper import enqueue_unfinished_imports
from apps.training.models import FunctionWork, RoundPart
from apps.training.services import encoders, stop_adapting
from apps.training.services import enqueue_unfinished_work as enqueue_unfinished_training
from apps.workspaces.models import Delivery
from apps.workspaces.services.deliveries import enqueue_unfinished_deliveries
from apps.workspaces.services.idempotency import clear_old_replies

logger = structlog.get_logger(__name__)

# Chosen by measurement: message to result on an idle queue takes 403 ms with Dramatiq's default of 1000, 11 ms with 20.
POLL_MS = 20
SLOW_POLL_MS = 100
N_THREADS = 2
ONE_AT_A_TIME = (Queue.PARTS, Queue.ADAPT)
SWEEP_SECONDS = 5.0
STOP_MS = 4_000
# Numpy gives up the interpreter at every product of a round, and a busy second thread keeps it for a whole interval
# each time. A round of 35 ms beside one took 120 ms, at worst 3.4 s, with the default of 5 ms; 73 to 102 ms with this.
SWITCH_SECONDS = 0.0005
LEASED: tuple[type[Leased], ...] = (FunctionWork, RoundPart, Import, Export, FilePrediction, Delivery)


def run_worker() -> None:
    """Work until SIGINT or SIGTERM."""
    signals = Signals()
    sys.setswitchinterval(SWITCH_SECONDS)
    autodiscover_modules("actors")
    queues = tuple(settings.WORKER_QUEUES)
    workers = workers_for(queues)
    beats = heartbeat.connect()
    must_end = threading.Event()
    routines = [
        Routine("heartbeat", BEAT_SECONDS, lambda: heartbeat.beat(beats, queues), must_end),
        Routine("leases", RENEW_SECONDS, renew_leases, must_end),
        Routine("metrics", PUBLISH_SECONDS, lambda: publish(beats), must_end),
        Routine("sweeper", SWEEP_SECONDS, enqueue_unfinished_work, must_end),
    ]
    for worker in workers:
        worker.start()
    for routine in routines:
        routine.start()
    threading.Thread(target=warm_up, name="warm_up", daemon=True).start()
    while not signals.must_stop:
        signals.wait(3600)
    must_end.set()
    with suppress(redis.RedisError):
        heartbeat.fall_silent(beats)
    stop_adapting()
    with ThreadPoolExecutor() as aside:
        list(aside.map(lambda worker: worker.stop(timeout=STOP_MS), workers))
    for model in LEASED:  # so that the next worker need not wait for them to expire
        leases.release_all(model)


def workers_for(queues: Sequence[Queue]) -> list[dramatiq.Worker]:
    """Return what takes these queues: work of minutes one at a time each, beside the threads for everything else.

    So a round of a moment never waits behind a part of a large one, nor has one thread less while a backbone is being
    adapted. Such work is taken when it can be begun and no sooner: another machine may have time for it.
    """
    broker, workers = dramatiq.get_broker(), []
    if others := {queue.value for queue in queues if queue not in ONE_AT_A_TIME}:
        workers.append(dramatiq.Worker(broker, queues=others, worker_timeout=POLL_MS, worker_threads=N_THREADS))
    for queue in sorted(set(queues).intersection(ONE_AT_A_TIME)):
        helper = dramatiq.Worker(broker, queues={queue.value}, worker_timeout=SLOW_POLL_MS, worker_threads=1)
        helper.queue_prefetch = 1
        workers.append(helper)
    return workers


def renew_leases() -> None:
    """Keep what this process is at work on, as long as it lives."""
    for model in LEASED:
        leases.renew_all(model)


def enqueue_unfinished_work() -> None:
    """Ask for everything the database says is not done."""
    enqueue_unfinished_training()
    enqueue_unfinished_imports()
    enqueue_unfinished_files()
    enqueue_drift_watches()
    keep_usage()
    enqueue_unfinished_deliveries()
    clear_old_replies()


def warm_up() -> None:
    """Load the backbones before the first sample needs them: seconds that nobody then waits for."""
    try:
        logger.info("computing", device=describe_device(encoders.device()))
    except DeviceUnavailable as error:
        logger.error("device_unavailable", error=str(error))
    try:
        names = [name for modality in (Modality.TEXT, Modality.IMAGE) for name in encoders.backbone_names(modality)]
    except DatabaseError as error:  # nothing is lost but time: they are loaded when they are needed
        logger.warning("backbones_not_warmed", error=repr(error))
        return
    finally:
        close_old_connections()
    for name in names:
        try:
            encoders.backbone(name)
        except BackboneUnavailable as error:
            logger.error("backbone_unavailable", backbone=name, error=str(error))
