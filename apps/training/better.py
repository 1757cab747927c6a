"""What people are told of the better model: that one is on its way, and what it changed once it took over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.db.models import F
from django.utils import timezone

from apps.functions.models import Function
from apps.training.models import Adaptation, AdaptationState, FunctionWork, TrainedModel, WorkKind

BETTER = "better"
"""Under this name `TrainedModel.changes` has how many of the same samples were right before and after a better model
took over: `{"before": 84, "after": 91, "of": 100}`."""
ON_ITS_WAY = "A better model is on its way."
MADE_ANEW = "The better model learns your new labels."
"""What is made anew with more labels is no promise: it may get fewer of the same samples right, by chance."""
TOLD_FOR, JUDGED_WITHIN = timedelta(days=1), timedelta(minutes=10)
WORTH_SAYING_SECONDS, MINUTE_SECONDS = 20, 60


def better_sentence(function: Function, work: FunctionWork | None) -> str:
    """Return what there is to say of a better model now; empty where there is nothing.

    `work` is the function's row of `WorkKind.ADAPT`, as `training_state` has read it: without one nobody ever looked
    for a better model, and nothing more is read. With it that is two small queries at most.
    """
    if work is None:
        return ""
    newest = Adaptation.objects.in_use().filter(function=function).order_by("-pk").first()
    if _is_being_made(work):
        return f"{_on_its_way(function)}{_usual_time(newest)}"
    if _waits_for_a_round(newest):
        return _on_its_way(function)
    if newest is None or newest.state != AdaptationState.USED:
        return ""
    told = TrainedModel.objects.filter(adaptation=newest, published_at__gt=timezone.now() - TOLD_FOR)
    changes = told.filter(changes__has_key=BETTER).order_by("number").values_list("changes", flat=True).first()
    words = gain_words(changes or {})
    return f"A better model: {words}." if words else ""


def gain_words(changes: Mapping[str, object]) -> str:
    """Say how many more a better model got right: "7 more right (84 to 91 of 100)"; empty where it is not more."""
    found = changes.get(BETTER)
    if not isinstance(found, Mapping):
        return ""
    before, after, n = (int(found[name]) for name in ("before", "after", "of"))
    return f"{after - before:,} more right ({before:,} to {after:,} of {n:,})" if after > before else ""


def _on_its_way(function: Function) -> str:
    live = TrainedModel.objects.filter(function=function, is_live=True)
    return MADE_ANEW if live.exclude(adaptation=None).exists() else ON_ITS_WAY


def _is_being_made(work: FunctionWork) -> bool:
    """While it is at work the row wants more than is done; merely looking whether it is time does not change that."""
    return work.is_held and work.wanted_revision > work.done_revision


def _waits_for_a_round(newest: Adaptation | None) -> bool:
    """That takes a second; what nobody judges, after an upgrade say, or with too few labels left, goes nowhere."""
    if newest is None or newest.state != AdaptationState.TRYING:
        return False
    rounds = FunctionWork.objects.filter(function=newest.function_id, kind=WorkKind.TRAIN)
    seen_all = rounds.filter(done_revision__gte=F("function__data_revision"))
    return newest.created_at > timezone.now() - JUDGED_WITHIN and not seen_all.exists()


def _usual_time(newest: Adaptation | None) -> str:
    """Nothing where it is short: it takes longer than last time while somebody labels, and gives way to them."""
    if newest is None or newest.seconds < WORTH_SAYING_SECONDS:
        return ""
    tens = round(newest.seconds / 10) * 10
    if tens < MINUTE_SECONDS:
        return f" Last time that took about {tens} seconds."
    minutes = round(newest.seconds / MINUTE_SECONDS)
    return f" Last time that took about {'a minute' if minutes == 1 else f'{minutes} minutes'}."
