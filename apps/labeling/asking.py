"""What a person is to be asked next, out of everything that waits. Reads only; `services.next_samples` hands it out.

First what a reviewer sent back to them. Then, mixed: every fifth at random from all that is left, every third place
a sample that others have answered and that waits for one more opinion, now and then one whose answer is known, and
everywhere else what was planned. Where one source is empty another takes its place.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from random import SystemRandom

from apps.accounts.models import User
from apps.functions.models import Function, OutputKind
from apps.labeling import selectors
from apps.labeling.items import QueueItem, Suggestion, Why
from apps.labeling.plan import Planned, is_planned, planned
from apps.samples.models import Capture, PickedBy, Sample
from apps.training.selectors import tag_thresholds, tags_said

# One sample in five is drawn at random, and figures are estimated on those.
RANDOM_EVERY = 5
# Others' samples are mixed in, so that a day's work of one person is not all that another is given.
OPINION_EVERY = 3
COMMENTS_SHOWN = 20

_rng = SystemRandom()


class _From(Enum):
    """Where a place of the queue is filled from."""

    RANDOM = auto()
    OPINIONS = auto()
    KNOWN = auto()
    PLAN = auto()


# What takes the place of a source that is empty; a known answer is never given for want of anything else.
_INSTEAD: Mapping[_From, Sequence[_From]] = {
    _From.RANDOM: (_From.RANDOM, _From.PLAN, _From.OPINIONS),
    _From.OPINIONS: (_From.OPINIONS, _From.PLAN, _From.RANDOM),
    _From.KNOWN: (_From.KNOWN, _From.PLAN, _From.RANDOM, _From.OPINIONS),
    _From.PLAN: (_From.PLAN, _From.RANDOM, _From.OPINIONS),
}


def choose(function: Function, person: User, n: int, *, hidden: set[int], n_given: int) -> list[QueueItem]:
    """Return up to `n` samples that this person may be asked about next, none of them hidden."""
    sent_back = selectors.sent_back_to(function, person, n, hidden=hidden)
    first = [_sent_back(sample) for sample in sent_back]
    n_left = n - len(first)
    if not n_left:
        return first
    has_queue = selectors.has_model(function) or is_planned(function)
    places = [_place(n_given + len(first) + i, function, has_queue=has_queue) for i in range(n_left)]
    sources = _sources(function, person, places, hidden | {sample.pk for sample in sent_back}, has_queue=has_queue)
    return first + list(_fill(places, sources))


def _place(number: int, function: Function, *, has_queue: bool) -> _From:
    if has_queue and number % RANDOM_EVERY == RANDOM_EVERY - 1:
        return _From.RANDOM
    if number % OPINION_EVERY == 1:
        return _From.OPINIONS
    if _rng.random() < function.gold_share:
        return _From.KNOWN
    return _From.PLAN if has_queue else _From.RANDOM


def _sources(
    function: Function, person: User, places: Sequence[_From], hidden: set[int], *, has_queue: bool
) -> dict[_From, Iterator[QueueItem]]:
    """What each source has, as far as it can be needed.

    Random ones are drawn first and from all that is left: the queue must not take its pick before them.
    """
    n = len(places)
    pool = selectors.askable(function)
    n_random = places.count(_From.RANDOM) if has_queue else n
    drawn = selectors.draw_at_random(selectors.fair(pool), n_random, hidden=hidden)
    hidden = hidden | {sample.pk for sample in drawn}
    n_asked = n - len(drawn)
    asked = planned(function, n_asked, hidden)
    hidden |= {each.sample.pk for each in asked}
    # Samples the model has not looked at yet, or sent here because it was unsure. They count as asked for: what is
    # left over is no fair draw.
    fresh = selectors.draw_at_random(pool, n_asked - len(asked), hidden=hidden)
    opinions = selectors.waiting_for_opinions(function, person, n, hidden=hidden)
    known = selectors.known_to_others(function, person, places.count(_From.KNOWN), hidden=hidden)
    say = _tag_teller(function) if function.output_kind == OutputKind.TAGS else _asked_for
    return {
        _From.RANDOM: map(_drawn, drawn),
        _From.OPINIONS: map(_one_more, opinions),
        _From.KNOWN: map(_drawn, known),  # nothing tells them apart
        _From.PLAN: iter([*map(say, asked), *(QueueItem(sample, PickedBy.QUEUE, Why.NEW) for sample in fresh)]),
    }


def _fill(places: Sequence[_From], sources: Mapping[_From, Iterator[QueueItem]]) -> Iterator[QueueItem]:
    """Yield from the source each place asks for, and from another once that one is empty."""
    for place in places:
        found = (item for source in _INSTEAD[place] if (item := next(sources[source], None)) is not None)
        item = next(found, None)
        if item is None:
            return
        yield item


def _drawn(sample: Sample) -> QueueItem:
    return QueueItem(sample, PickedBy.RANDOM, Why.RANDOM, may_not_suggest=True)


def _one_more(sample: Sample) -> QueueItem:
    return QueueItem(sample, PickedBy.QUEUE, Why.OPINION, may_not_suggest=True)


def _sent_back(sample: Sample) -> QueueItem:
    return QueueItem(sample, PickedBy.QUEUE, Why.SENT_BACK, may_not_suggest=True)


def _asked_for(asked: Planned) -> QueueItem:
    label = asked.prediction.label if asked.prediction else None
    confidence = asked.prediction.confidence if asked.prediction else 0.0
    suggestion = Suggestion(label, confidence) if label and not (label.deleted_at or label.merged_into_id) else None
    return QueueItem(asked.sample, PickedBy.QUEUE, Why(asked.reason), asked.labels, suggestion)


def _tag_teller(function: Function) -> Callable[[Planned], QueueItem]:
    """Return what makes queue items of predictions that hold tags."""
    labels = {label.public_id: label for label in function.labels.in_use()}
    thresholds = tag_thresholds(selectors.live_model(function))

    def say(asked: Planned) -> QueueItem:
        if asked.prediction is None:
            return QueueItem(asked.sample, PickedBy.QUEUE, Why(asked.reason))
        tags = asked.prediction.tags or {}
        there = [public_id for public_id in tags_said(tags, thresholds) if public_id in labels]
        suggestions = tuple(Suggestion(labels[public_id], tags[public_id]) for public_id in there)
        return QueueItem(asked.sample, PickedBy.QUEUE, Why(asked.reason), asked.labels, suggestions=suggestions)

    return say


def as_shown(items: Sequence[QueueItem], person: User) -> list[QueueItem]:
    """Put beside each item what travels with its sample; take away what must not sway the person.

    Of a sample that several people are asked about nothing is told but that it is one.
    """
    samples = [item.sample for item in items]
    if not samples:
        return []
    comments = selectors.readable_comments(samples, person)
    flagged = selectors.flagged_by(samples, person)
    sent_back = [item.sample for item in items if item.why is Why.SENT_BACK]
    reasons = selectors.reasons_of_sending_back(sent_back, person) if sent_back else {}
    calls = selectors.captures_of(samples)
    return [
        replace(
            _in_its_own_right(item, calls.get(item.sample.pk)),
            comments=tuple(comments.get(item.sample.pk, ())[-COMMENTS_SHOWN:]),
            is_flagged=item.sample.pk in flagged,
            sent_back=reasons.get(item.sample.pk),
            capture=calls.get(item.sample.pk),
        )
        for item in items
    ]


def _in_its_own_right(item: QueueItem, call: Capture | None) -> QueueItem:
    """Without what would sway: by calls drawn at random it is told how right the function is in production."""
    if item.sample.n_wanted > 1:
        return _unswayed(item)
    if call is not None and call.is_random and item.why is not Why.SENT_BACK:
        return replace(_unswayed(item), why=Why.RANDOM)
    return item


def _unswayed(item: QueueItem) -> QueueItem:
    return replace(item, labels=(), suggestion=None, suggestions=None, may_not_suggest=True)
