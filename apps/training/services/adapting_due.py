"""When the top of a backbone is to learn from a function's samples: once there is something new, and it is quiet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q
from django.utils import timezone

from apps.engine import adapt, backbones
from apps.functions.models import Function, InputKind, OutputKind
from apps.samples.models import Sample
from apps.training.models import Adaptation, AdaptationState, FunctionWork, WorkKind
from apps.training.services import towers
from apps.training.services.adapting_views import MOST_READ
from apps.training.services.inputs import layout_of
from apps.training.services.learned import from_ranges

LOOK_AGAIN_SECONDS = 5.0
QUIET_SECONDS, LONG_QUIET_SECONDS = 5.0, 60.0
MUCH, LITTLE = 0.2, 0.05
"""Parts of the labels learned from. That many new ones are not waited for to end; so few wait for a longer quiet."""
GROWN = 1.5
"""After one that was no better than without, there must be this many times as many labels."""
REST_PER_SECOND = 2.0


@dataclass(frozen=True)
class _Labelled:
    """The labelled samples of a function: how many, how many are new, how many are not embedded, and the newest's time.

    `n_gone` of those an adaptation learned from have another label by now, or none.
    """

    n: int
    n_new: int
    n_gone: int
    n_unread: int
    newest_at: datetime | None

    @property
    def n_changed(self) -> int:
        return max(self.n_new, self.n_gone)


def adaptable_base(function: Function) -> str | None:
    """Return the backbone of a function whose top can learn; None for tables, and where none of its backbones can."""
    if function.input_kind == InputKind.TABLE:
        return None
    return next((spec.name for spec in layout_of(function).specs if backbones.adapted(spec.name)), None)


def seconds_until_due(function: Function) -> float | None:
    """Return in how many seconds to look again, 0 if it is time now; None where nothing is due before data moves."""
    if adaptable_base(function) is None:
        return None
    newest = Adaptation.objects.filter(function=function).order_by("-pk").first()
    if newest is not None and not towers.is_current(newest):
        newest = None
    labels = set(function.labels.in_use().values_list("public_id", flat=True))
    now = _labelled(function, newest)
    if not adapt.FEWEST_SAMPLES <= now.n <= MOST_READ:
        return None
    if now.n_unread or _is_at_work(function):
        return LOOK_AGAIN_SECONDS
    if newest is None:
        return 0.0
    if newest.state == AdaptationState.TRYING:
        return LOOK_AGAIN_SECONDS  # the round that judges it is due
    if not now.n_changed and labels >= set(newest.label_ids):
        return None
    if newest.state == AdaptationState.REJECTED and labels == set(newest.label_ids) and now.n < _enough(newest):
        return None
    rest = REST_PER_SECOND * newest.seconds - _seconds_since(newest.created_at)
    return max(0.0, rest, _quiet_seconds(newest, now) - _seconds_since(now.newest_at))


def _enough(rejected: Adaptation) -> float:
    return GROWN * rejected.n_annotations


def _quiet_seconds(newest: Adaptation, now: _Labelled) -> float:
    part = now.n_changed / max(newest.n_annotations, 1)
    if part >= MUCH:
        return 0.0
    return LONG_QUIET_SECONDS if part < LITTLE else QUIET_SECONDS


def _seconds_since(moment: datetime | None) -> float:
    return (timezone.now() - moment).total_seconds() if moment else float("inf")


def _labelled(function: Function, newest: Adaptation | None) -> _Labelled:
    rows = Sample.objects.filter(function=function, annotation__isnull=False)
    if function.output_kind == OutputKind.LABEL:
        rows = rows.filter(label__in=function.labels.in_use())
    last = max(from_ranges(",".join(newest.learned_from)), default=0) if newest else 0
    found = rows.aggregate(
        n=Count("pk"),
        n_new=Count("pk", filter=Q(annotation__gt=last)),
        n_unread=Count("pk", filter=Q(is_embedded=False)),
        newest_at=Max("labelled_at"),
    )
    n_gone = newest.n_annotations - (found["n"] - found["n_new"]) if newest else 0
    return _Labelled(**found, n_gone=max(0, n_gone))


def _is_at_work(function: Function) -> bool:
    """Whether a model has yet to say what it makes of all samples: the vectors of one adaptation before the next."""
    rows = FunctionWork.objects.filter(function=function, kind=WorkKind.PREDICT)
    wanted, done = rows.values_list("wanted_revision", "done_revision").first() or (0, 0)
    return wanted > done
