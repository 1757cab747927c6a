"""The instruments of this process: any floor counts into them, `ops.metrics` shows them to a scraper.

Labels have few values each: routes, statuses, kinds of work. Never an id, a name or anything that somebody sent.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it so

REGISTRY = CollectorRegistry(auto_describe=True)
"""Our own: the default one belongs to whatever else is in the process."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_LONG_SECONDS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

REQUESTS = Counter(
    "hundredfold_requests", "Requests answered, by route and status.", ["route", "status"], registry=REGISTRY
)
INVOKE_SECONDS = Histogram(
    "hundredfold_invoke_seconds",
    "From a call's body being there to its answer, by kind of input (text, image, table).",
    ["input"],
    buckets=_SECONDS,
    registry=REGISTRY,
)
BATCH_SIZES = Histogram(
    "hundredfold_invoke_batch_size",
    "Inputs that shared one pass of the model, by kind of input.",
    ["input"],
    buckets=_SIZES,
    registry=REGISTRY,
)
REFUSED = Counter(
    "hundredfold_invoke_refused",
    "Calls told to come back later, by status: 503 at capacity, 429 by a throttle.",
    ["status"],
    registry=REGISTRY,
)
ROUND_SECONDS = Histogram(
    "hundredfold_round_seconds",
    "Rounds of training that published a model.",
    buckets=_LONG_SECONDS,
    registry=REGISTRY,
)
EMBEDDINGS = Counter("hundredfold_embeddings", "Vectors made by backbones.", registry=REGISTRY)
EMBEDDING_SECONDS = Counter("hundredfold_embedding_seconds", "Seconds spent making them.", registry=REGISTRY)
