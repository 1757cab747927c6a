"""Changing the backbone: which one reads from now on, and every sample read anew with it, a short chunk at a time.

Until the last sample of a function was read, the function goes on with the backbone of before in everything: calls,
rounds, predictions, new samples. Then the next round compares the two on the function's own labels (`changeover`):
where the other does worse the function goes on as before, and the operator is told; else a model is trained on the new
vectors, and until it is published the one in service answers by the old ones. Vectors that nothing reads any more are
cleared away by the sweeper.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from apps.core.errors import Conflict
from apps.core.jobs import JobName, enqueue, enqueue_on_commit
from apps.engine.backbones import for_modality
from apps.engine.backbones.registry import Manifest
from apps.engine.types import Modality
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Field, FieldType, Function, InputKind
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.training.models import (
    BackboneChoice,
    FunctionWork,
    ReadKind,
    Rereading,
    RereadingState,
    TrainedModel,
    WorkKind,
)
from apps.training.services import chosen
from apps.training.services.embedding import Pace, cost_of, cost_of_new, n_that_fit, within
from apps.training.services.encoders import backbone, base_of, names_with
from apps.training.services.encoding import Due, new_vectors
from apps.training.services.inputs import Layout, layout_of
from apps.training.services.vectors import write_vectors_of
from apps.training.services.work import (
    LeaseLost,
    Progress,
    claim_work,
    require_mine,
    want_index,
    want_plan,
    want_predictions,
    want_survey,
)
from apps.workspaces.models import Workspace

logger = structlog.get_logger(__name__)

ROWS_AT_ONCE = 500
pace = Pace()


@dataclass(frozen=True)
class Change:
    """What choosing a backbone sets going."""

    before: str
    after: str
    n_functions: int
    n_samples: int


@transaction.atomic
def use_backbone(*, modality: Modality, manifest: Manifest | None, is_anyway: bool = False) -> Change:
    """Read samples of a kind with a pulled backbone from now on, or, without one, with the built-in ones again.

    Every function that has such samples reads them anew in the background, and changes over unless that does worse on
    its own labels, or whatever it does if `is_anyway`. Where it was chosen already, functions that stayed as they were
    are asked again. Raises Conflict where the name stood for other files before.
    """
    known = {choice.name: choice for choice in BackboneChoice.objects.select_for_update().filter(kind=modality.value)}
    before = next((choice.name for choice in known.values() if choice.is_current), "")
    after = manifest.name if manifest else ""
    if manifest:
        _require_same(manifest, known.get(after))
    if before == after:
        function_ids = _ask_again(modality, is_anyway=is_anyway)
    else:
        BackboneChoice.objects.filter(kind=modality.value, is_current=True).update(is_current=False)
        if manifest:
            BackboneChoice.objects.update_or_create(name=after, defaults=_facts(manifest))
        function_ids = _begin_rereading(modality, before, after, is_anyway=is_anyway)
        _record(modality, before, after)
    transaction.on_commit(chosen.forget)
    n_samples = Sample.everywhere.filter(function__in=function_ids).count() if function_ids else 0
    return Change(before, after, len(function_ids), n_samples)


def reread_function(*, function_id: int) -> Progress:
    """Read one chunk of a function's samples with the chosen backbone, and ask for the next chunk.

    Raises `BackboneUnavailable` where this machine lacks the files: nothing is claimed, another machine may go on.
    """
    function = Function.objects.filter(pk=function_id).first()
    if function is None:
        return Progress.DONE
    if not Rereading.objects.filter(function=function_id, state=RereadingState.READING).exists():
        rows = FunctionWork.objects.filter(function=function_id, kind=WorkKind.REREAD)
        rows.update(done_revision=F("wanted_revision"))
        return Progress.DONE
    ahead = layout_of(function, is_ahead=True)
    names = [base_of(spec.name) for spec in ahead.specs]
    chosen.require_here(names, is_logged=True)
    for name in names:
        backbone(name)  # loading takes seconds, which say nothing about the pace
    with claim_work(function_id=function_id, kind=WorkKind.REREAD) as work:
        if work is None:
            return Progress.BUSY
        try:
            is_done = _read_chunk(function, ahead, work)
        except LeaseLost:
            return Progress.BUSY
    enqueue(JobName.TRAIN_FUNCTION if is_done else JobName.REREAD_FUNCTION, function_id)
    return Progress.DONE if is_done else Progress.MORE


def unread_backbones() -> list[str]:
    """Return the names of backbones whose vectors nothing reads any more; none where none was ever chosen."""
    found = chosen.read_now()
    if not found.choices:
        return []
    kinds = (Modality.TEXT, Modality.IMAGE)
    in_use = {name for kind in kinds for name in names_with(found.name_for(kind), kind)}
    of_before = Rereading.objects.exclude(state=RereadingState.TAKEN).values_list("kind", "name").distinct()
    in_use |= {name for kind, before in of_before for name in names_with(before, Modality(kind))}
    live = TrainedModel.objects.filter(is_live=True).values_list("backbone_versions", flat=True)
    in_use |= {base_of(name) for versions in live.iterator() for name in versions}
    known = {*found.choices, *(name for kind in kinds for name in for_modality(kind))}
    return sorted(known - in_use)


def _require_same(manifest: Manifest, known: BackboneChoice | None) -> None:
    if known is not None and known.version != manifest.version:
        raise Conflict(
            f"{manifest.name} was in use here with other files ({known.version}, now {manifest.version}). "
            "Pull these under another name, with --name, so that nothing already read is mixed up."
        )


def _facts(manifest: Manifest) -> dict[str, object]:
    spec = manifest.spec
    return {
        "kind": spec.modality.value,
        "version": spec.version,
        "dim": spec.dim,
        "is_pair": spec.is_pair,
        "temperature": spec.temperature,
        "source": manifest.source[:200],
        "revision": manifest.revision,
        "is_current": True,
    }


def _begin_rereading(modality: Modality, before: str, after: str, *, is_anyway: bool) -> list[int]:
    """Have every function that has such samples keep on reading as before until its samples were read anew.

    Where one reads with what is chosen now, because the change before this was not done or not taken, there is nothing
    to do.
    """
    rows = Rereading.objects.filter(kind=modality.value)
    rows.filter(state=RereadingState.TAKEN).delete()
    rows.filter(state=RereadingState.READ).update(name=before)  # it was to be compared, and reads with that by now
    known = set(rows.values_list("function_id", flat=True))
    rows.filter(name=after).delete()
    rows.update(state=RereadingState.READING, is_anyway=is_anyway)
    function_ids = _functions_reading(modality).values_list("pk", flat=True)
    Rereading.objects.bulk_create(
        Rereading(function_id=pk, kind=modality.value, name=before, is_anyway=is_anyway)
        for pk in function_ids
        if pk not in known
    )
    return _want_rereading(list(rows.values_list("function_id", flat=True)))


def _ask_again(modality: Modality, *, is_anyway: bool) -> list[int]:
    """Have functions that stayed as they were read what came since, and be asked again, or change over anyway."""
    rows = Rereading.objects.filter(kind=modality.value)
    if is_anyway:
        rows.filter(state=RereadingState.READ).delete()
        rows.filter(state=RereadingState.READING).update(is_anyway=True)
    kept = rows.filter(state=RereadingState.KEPT)
    function_ids = list(kept.values_list("function_id", flat=True))
    kept.update(state=RereadingState.READING, is_anyway=is_anyway)
    return _want_rereading(function_ids)


def _want_rereading(function_ids: list[int]) -> list[int]:
    """Ask for functions to be read from their first sample on. Returns them in their order."""
    for pk in sorted(function_ids):
        FunctionWork.objects.get_or_create(function_id=pk, kind=WorkKind.REREAD)
        work = FunctionWork.objects.filter(function=pk, kind=WorkKind.REREAD)
        work.update(wanted_revision=F("wanted_revision") + 1, cursor=0, n_failures=0, retry_at=None, message="")
        enqueue_on_commit(JobName.REREAD_FUNCTION, pk)
    return sorted(function_ids)


def _record(modality: Modality, before: str, after: str) -> None:
    """Note it in every workspace that has such samples: what answers there will be another model."""
    first = for_modality(modality)[0]
    workspaces = Workspace.objects.filter(functions__in=_functions_reading(modality)).distinct().order_by("pk")
    for public_id in workspaces.values_list("public_id", flat=True):
        record(
            workspace=public_id,
            kind=Audit.READING_CHANGED,
            samples=ReadKind(modality.value).label,
            before=before or first,
            after=after or first,
        )


def _functions_reading(modality: Modality) -> QuerySet[Function]:
    """Functions that have samples of a kind, or rows with such a column."""
    kinds = {Modality.TEXT: (InputKind.TEXT, FieldType.TEXT), Modality.IMAGE: (InputKind.IMAGE, FieldType.IMAGE)}
    input_kind, field_type = kinds[modality]
    columns = Field.objects.filter(function=OuterRef("pk"), type=field_type)
    is_of_kind = Q(input_kind=input_kind) | Q(Exists(columns), input_kind=InputKind.TABLE)
    return Function.objects.filter(is_of_kind, Exists(Sample.everywhere.filter(function=OuterRef("pk")))).order_by("pk")


def _read_chunk(function: Function, ahead: Layout, work: FunctionWork) -> bool:
    """Return whether nothing is left to be read. Raises `LeaseLost`."""
    started = time.monotonic()
    costs = _next_chunk(function, work.cursor)
    if not costs:
        return _finish(function, work)
    samples = list(Sample.everywhere.filter(pk__in=costs).order_by("pk"))
    vectors = new_vectors(function, [Due(spec, samples) for spec in ahead.specs])
    for start in range(0, len(samples), ROWS_AT_ONCE):
        own = samples[start : start + ROWS_AT_ONCE]
        with transaction.atomic():
            lock_function(function.pk)
            require_mine(work)
            hashes = [sample.content_hash for sample in own]
            write_vectors_of(workspace_id=function.workspace_id, hashes=hashes, vectors=vectors)
            mine = FunctionWork.objects.filter(pk=work.pk, wanted_revision=work.wanted_revision)
            mine.update(cursor=own[-1].pk)  # unless another backbone was chosen meanwhile: then from the beginning
    pace.learn(function.input_kind, cost_of_new(samples, costs, vectors), time.monotonic() - started)
    return False


def _next_chunk(function: Function, cursor: int) -> dict[int, int]:
    """Return keys and costs of the next samples, those in the bin too; others are read when they are embedded."""
    rows = Sample.everywhere.filter(function=function, is_embedded=True, pk__gt=cursor).order_by("pk")
    most = pace.cost_of_a_chunk(function.input_kind)
    return dict(within(most, rows.values_list("pk", cost_of(function.input_kind))[: n_that_fit(most)]))


@transaction.atomic
def _finish(function: Function, work: FunctionWork) -> bool:
    """Let the function read with the chosen backbone from now on, and have a round ask whether it does worse.

    Returns whether it reads with it. Where no model is in service there is nothing to compare it with.
    """
    lock_function(function.pk)
    # Before its work, as `use_backbone` goes: in another order the two could wait for each other.
    list(Rereading.objects.select_for_update().filter(function=function).values_list("pk"))
    require_mine(work)
    mine = FunctionWork.objects.filter(pk=work.pk, wanted_revision=work.wanted_revision)
    if _next_chunk(function, work.cursor) or not mine.update(done_revision=work.wanted_revision, cursor=0):
        return False  # more came, or another backbone was chosen
    rows = Rereading.objects.filter(function=function, state=RereadingState.READING)
    is_served = TrainedModel.objects.filter(function=function, is_live=True).exists()
    (rows.filter(is_anyway=True) if is_served else rows).delete()
    rows.update(state=RereadingState.READ)
    FunctionWork.objects.filter(function=function, kind=WorkKind.TRAIN).update(done_revision=0)
    if function.searches:
        want_index(function.pk)
        enqueue_on_commit(JobName.INDEX_FUNCTION, function.pk)
    else:
        want_predictions(function.pk)
        want_survey(function.pk)
        want_plan(function.pk)
    transaction.on_commit(chosen.forget)
    logger.info("samples_read_anew", function=function.public_id)
    return True
