"""What was planned to be asked next, in order, and why. Planning is done in a worker, see `planning`."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from django.db.models import QuerySet

from apps.functions.models import Function, Label, OutputKind
from apps.labeling import selectors
from apps.labeling.models import QueueEntry, Reason
from apps.samples.models import Sample
from apps.training.models import Prediction, PredictionKind
from apps.training.selectors import EVEN, tag_thresholds

TellLabels: TypeAlias = Callable[[Reason, Prediction], tuple[Label, ...]]


@dataclass(frozen=True)
class Planned:
    """A sample to ask about, why it is its turn, and what the published model says of it.

    `labels` are those the reason is about: the two it is torn between, the rare one it may be of, the tag that may or
    may not be there; empty where the reason is about none.
    """

    sample: Sample
    reason: Reason
    prediction: Prediction | None = None
    labels: tuple[Label, ...] = ()


def is_planned(function: Function) -> bool:
    """Whether anything is left to ask of what was planned."""
    return _waiting(function).exists()


def n_waiting(function: Function, *, at_most: int) -> int:
    """Count what is left to ask of what was planned, up to `at_most`."""
    return len(_waiting(function).values_list("pk")[:at_most])


def planned(function: Function, n: int, hidden: Collection[int] = ()) -> list[Planned]:
    """Return up to `n` samples to ask about: as planned, then the most doubtful. Fewer where neither has more.

    Three queries, two more for tags; none looks at more rows than were planned or are hidden.
    """
    if n < 1:
        return []
    entries = list(_waiting(function).exclude(sample_id__in=hidden).select_related("sample").order_by("place")[:n])
    taken = [entry.sample_id for entry in entries]
    said = {row.sample_id: row for row in _live_predictions(taken)}
    asked = [(entry.sample, Reason(entry.reason), said.get(entry.sample_id)) for entry in entries]
    if len(asked) < n:
        more = selectors.most_doubtful(function, n - len(asked), hidden={*hidden, *taken})
        asked += [(row.sample, Reason.TORN, row) for row in more]
    tell = _tag_in_doubt(function) if function.output_kind == OutputKind.TAGS else _labels_said
    return [Planned(sample, reason, row, tell(reason, row) if row else ()) for sample, reason, row in asked]


def _waiting(function: Function) -> QuerySet[QueueEntry]:
    """Entries whose samples nobody has answered or thrown away since."""
    rows = QueueEntry.objects.filter(function=function, sample__annotation=None, sample__deleted_at=None)
    return rows.filter(sample__n_opinions=0, sample__is_disputed=False, sample__sent_back_to=None)


def _live_predictions(sample_ids: Iterable[int]) -> QuerySet[Prediction]:
    rows = Prediction.objects.filter(sample__in=list(sample_ids), kind=PredictionKind.LIVE)
    return rows.select_related("sample", "label", "runner_up")


def _labels_said(reason: Reason, row: Prediction) -> tuple[Label, ...]:
    said = {Reason.TORN: (row.label, row.runner_up), Reason.RARE: (row.label,)}.get(reason, ())
    known = tuple(label for label in said if label is not None and _is_in_use(label))
    return known if len(known) == len(said) else ()


def _is_in_use(label: Label) -> bool:
    return label.deleted_at is None and label.merged_into_id is None


def _tag_in_doubt(function: Function) -> TellLabels:
    """Return what tells the tag nearest to its threshold, of a prediction of tags."""
    labels = {label.public_id: label for label in function.labels.in_use()}
    thresholds = tag_thresholds(selectors.live_model(function))

    def tell(reason: Reason, row: Prediction) -> tuple[Label, ...]:
        if reason == Reason.RARE:
            return _labels_said(reason, row)
        gaps = {tag: abs(prob - thresholds.get(tag, EVEN)) for tag, prob in (row.tags or {}).items() if tag in labels}
        return (labels[min(gaps, key=lambda tag: (gaps[tag], tag))],) if reason == Reason.TORN and gaps else ()

    return tell
