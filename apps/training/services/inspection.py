"""Looking for what a person should look at again: likely wrong labels, kinds without a label, near-duplicates.

Done after rounds, once it is quiet, from what the newest round held out and the survey of all samples. Nothing waits
for it: what people do meanwhile takes findings away at once (`apps.training.findings`), the next inspection adds some.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from django.db import transaction

from apps.engine.runtime import one_thread
from apps.events.kinds import Live
from apps.events.services import announce
from apps.functions.models import Function
from apps.samples.models import Annotation, Sample
from apps.samples.services.annotations import lock_function
from apps.training.findings import KEPT
from apps.training.models import Finding, FindingKind, FunctionWork, WorkKind
from apps.training.selectors import judging_model
from apps.training.services import held_out
from apps.training.services.doubts import wrong_labels
from apps.training.services.strangers import near_duplicate_findings, new_kind_findings
from apps.training.services.survey import read_survey
from apps.training.services.work import Progress, do_wanted_work, require_mine

MOST = 1_000
"""Findings of each kind that are kept; more than a person goes through before the next inspection."""
ROWS_AT_ONCE = 500
REST_SECONDS = 3.0


def inspect_function(*, function_id: int) -> Progress:
    """Write a function's findings anew. Put off while there is something to learn: the sweeper asks again."""
    function = Function.objects.select_related("workspace").filter(pk=function_id).first()
    if function is None or not _is_quiet(function):
        return Progress.DONE
    return do_wanted_work(
        function_id=function_id,
        kind=WorkKind.INSPECT,
        do=lambda work: _inspect(function, work),
        rest_seconds=REST_SECONDS,
    )


def _is_quiet(function: Function) -> bool:
    """Whether the newest round has learned all there is: what it held out is then of the labels in force."""
    done = FunctionWork.objects.filter(function=function, kind=WorkKind.TRAIN)
    return (done.values_list("done_revision", flat=True).first() or 0) >= function.data_revision


def _inspect(function: Function, work: FunctionWork) -> None:
    model = judging_model(function)
    kept = held_out.read(model) if model else None
    view = read_survey(function)
    is_news = False
    with one_thread():
        if model is not None and kept is not None:
            doubts, found = wrong_labels(function, model, kept, view, most=MOST)
            is_news |= _replace(function, work, FindingKind.WRONG_LABEL, found)
        else:
            doubts = {}
        for kind, rows in (
            (FindingKind.NEW_KIND, new_kind_findings(function, view, most=MOST)),
            (FindingKind.NEAR_DUPLICATE, near_duplicate_findings(function, view, doubts, most=MOST)),
        ):
            is_news |= _replace(function, work, kind, rows)
    with transaction.atomic():
        require_mine(work)
        FunctionWork.objects.filter(pk=work.pk).update(done_revision=work.wanted_revision)
        if is_news:
            workspace = function.workspace.public_id
            announce(workspace=workspace, kind=Live.ANNOTATIONS_CHANGED, subject=function.public_id, findings=True)


def _replace(function: Function, work: FunctionWork, kind: FindingKind, found: Sequence[Finding]) -> bool:
    """Let the rows of one kind be those found. Returns whether they were others before."""
    before = Finding.objects.filter(function=function, kind=kind)
    if {_key(row) for row in before} == {_key(row) for row in found}:
        return False
    with transaction.atomic():
        require_mine(work)
        lock_function(function.pk)  # so that nobody deletes what they refer to
        _carry_over(before, found)
        before.delete()
        Finding.objects.bulk_create(_still_there(found), batch_size=ROWS_AT_ONCE)
    return True


def _carry_over(before: Iterable[Finding], found: Sequence[Finding]) -> None:
    """Leave pairs alone that somebody let stand, while the same is said of them."""
    kept = {_pair(row) for row in before if KEPT in row.facts}
    for row in found:
        if _pair(row) in kept:
            row.facts[KEPT] = True


def _pair(row: Finding) -> tuple[object, ...]:
    return frozenset((row.sample_id, row.other_id)), row.annotation_id, row.label_id


def _key(row: Finding) -> tuple[object, ...]:
    facts = row.facts.get("neighbours"), row.facts.get("is_there")
    return row.sample_id, row.other_id, row.annotation_id, row.label_id, round(row.score, 6), str(facts)


def _still_there(found: Sequence[Finding]) -> list[Finding]:
    samples = set(_existing(Sample, (pk for row in found for pk in (row.sample_id, row.other_id) if pk)))
    annotations = set(_existing(Annotation, (row.annotation_id for row in found if row.annotation_id)))
    return [
        row
        for row in found
        if row.sample_id in samples
        and (row.other_id is None or row.other_id in samples)
        and (row.annotation_id is None or row.annotation_id in annotations)
    ]


def _existing(model: type[Sample] | type[Annotation], keys: Iterable[int]) -> Iterator[int]:
    wanted = list(dict.fromkeys(keys))
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        yield from model.objects.filter(pk__in=wanted[start : start + ROWS_AT_ONCE]).values_list("pk", flat=True)
