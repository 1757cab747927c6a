"""An import as an act: what it brought and labelled is undone as one, also of one that was stopped half-way.

The act is made with the first chunk and counted in the transaction of each; `options` of the import names it.
"""

from collections.abc import Sequence

from django.db.models import F, Q

from apps.accounts.models import User
from apps.core.errors import Conflict
from apps.functions.models import Act, ActKind
from apps.functions.services import begin_act, count_act
from apps.samples.models import Annotation, Import, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.bin import BINNED_AT_ONCE, put_into_bin
from apps.samples.services.bring_notes import samples_noted, take_notes_back
from apps.samples.services.intake import IntakeResult
from apps.samples.services.stages import SLICE_KEYS, Done, Stage, single

ACT = "act"
RESTORED = "n_restored"
UNDONE = "is_undone"
"""The names in an import's options: of its act, how many samples came out of the bin, and whether it was undone."""


def act_of(import_job: Import) -> Act:
    """Return the act of an import, made now where there is none yet. In the caller's transaction.

    Read anew under the lock: two chunks of a drop may come at once, and both are the first.
    """
    lock_function(import_job.function_id)
    import_job.refresh_from_db(fields=["options"])
    known = import_job.options.get(ACT)
    act = Act.objects.filter(public_id=known).first() if known else None
    if act is None:
        facts = {"import": import_job.public_id, "file": import_job.original_name}
        act = begin_act(function=import_job.function, kind=ActKind.IMPORT, person=import_job.person, facts=facts)
        _note(import_job, ACT, act.public_id)
    return act


def count_in(import_job: Import, result: IntakeResult) -> None:
    """Count a chunk: samples that came in or back, and those that were here and got a label."""
    n_changed = max(result.n_added + result.n_restored, result.n_labelled)
    if n_changed:
        Act.objects.filter(public_id=import_job.options[ACT]).update(n_samples=F("n_samples") + n_changed)
    if result.n_restored:
        _note(import_job, RESTORED, int(import_job.options.get(RESTORED, 0)) + result.n_restored)


def close_act(import_job: Import) -> None:
    """Count for good what an import changed; one that changed nothing is nothing to undo, and not kept."""
    act = Act.objects.filter(public_id=import_job.options.get(ACT, "")).first()
    if act is None:
        return
    labelled = Annotation.objects.filter(act=act).exclude(sample__brought_by=act)
    changed = samples_noted(act).union(labelled.order_by().values_list("sample", flat=True).distinct())
    n_samples = Sample.objects.filter(brought_by=act).count() + len(changed)
    count_act(act=act, n_samples=n_samples)
    if not n_samples:
        _note(import_job, ACT, "")


def stages_of_import() -> list[Stage]:
    """Putting what an import brought into the bin, but for what somebody has answered since, and taking its notes back.

    Labels it gave to samples that were here are not its business.
    """
    return [single(_take_notes_back), Stage(_brought_by, _put_away, BINNED_AT_ONCE)]


def _take_notes_back(act: Act, _person: User | None) -> None:
    job = Import.objects.filter(public_id=act.facts.get("import", ""), function=act.function_id).first()
    if job is not None:
        _note(job, UNDONE, True)
    take_notes_back(act)


def _brought_by(act: Act, after: int) -> list[int]:
    rows = Sample.objects.filter(brought_by=act, pk__gt=after).order_by("pk")
    return list(rows.values_list("pk", flat=True)[:SLICE_KEYS])


def _put_away(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    of_the_import = Q(annotation=None) | Q(annotation__act=act) | Q(annotation__created_at__lt=act.created_at)
    only = of_the_import & Q(n_opinions=0)
    n_binned = put_into_bin(function=act.function, sample_keys=keys, act=act, only=only)
    return Done(n_binned=n_binned, n_left=Sample.objects.filter(pk__in=keys).count())


def require_over(act: Act) -> None:
    """Raises Conflict while the import is still bringing samples in."""
    job = Import.objects.filter(public_id=act.facts.get("import", ""), function=act.function_id).first()
    if job is not None and job.is_under_way:
        raise Conflict("These samples are still coming in. Stop the import first, then undo it.")


def _note(import_job: Import, name: str, value: str | int) -> None:
    import_job.options = {**import_job.options, name: value}
    Import.objects.filter(pk=import_job.pk).update(options=import_job.options)
