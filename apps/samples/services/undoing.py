"""The work of taking an act back, in small transactions: the request begins, of a large act a worker does the rest.

How far it is stands in `Act.undoing`, written with each step under the function's lock: a step is done once, whoever
comes to it, and whoever finds another number of steps done than they were told stops. Acts of a function are taken back
one after another, in the order asked for: else the first of two might find on a sample what the second has yet to take.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace

from django.db import transaction
from django.db.models import Q, QuerySet

from apps.accounts.models import User
from apps.core.errors import NotFound
from apps.core.jobs import JobName, enqueue, enqueue_on_commit
from apps.events.kinds import Audit
from apps.events.services import record
from apps.functions.models import Act, ActKind
from apps.functions.services import note_data_change
from apps.samples.models import Annotation
from apps.samples.services import unsurgery
from apps.samples.services.annotations import lock_function, samples_per_transaction
from apps.samples.services.bin import stages_of_binning
from apps.samples.services.import_acts import stages_of_import
from apps.samples.services.saying import KnownLabels
from apps.samples.services.set_aside import stages_of_opinions
from apps.samples.services.stages import SLICE_KEYS, Done, Stage
from apps.samples.services.standing import RESTORED_AT_ONCE, take_back_chunk

SLICE_SECONDS = 0.3
IN_A_REQUEST = 1_000
"""An act of so many samples is undone in the request that asks for it, however long that takes."""
PROVISIONAL = "provisional"
"""The name in an act's facts for: what the machine had said provisionally was accepted, no grid was looked over."""
OUTCOME = "undone"
"""The name in an act's facts of what taking it back came to, in samples."""


@dataclass(frozen=True)
class Progress:
    """Who takes an act back and how far it is: in `stage`, past the key `after`, `n_steps` steps in all; in samples."""

    person: str = ""
    stage: int = 0
    after: int = 0
    n_steps: int = 0
    n_restored: int = 0
    n_left: int = 0
    n_binned: int = 0

    @property
    def n_done(self) -> int:
        """Samples seen to."""
        return self.n_restored + self.n_left + self.n_binned


def progress_of(act: Act) -> Progress | None:
    """Return how far taking an act back is; None where nobody is at it."""
    return None if act.undoing is None else _read(act.undoing)


def outcome_of(act: Act) -> Progress:
    """Return what taking an act back came to, in samples."""
    return _read(act.facts.get(OUTCOME, {}))


def _read(written: Mapping[str, object] | None) -> Progress:
    known = {field.name for field in fields(Progress)}
    return Progress(**{name: value for name, value in (written or {}).items() if name in known})  # type: ignore[arg-type]  # our own JSON


def kind_words(act: Act) -> str:
    """Return what kind of act it was, as what follows a person's name."""
    return "accepted provisional answers" if act.facts.get(PROVISIONAL) else act.get_kind_display()


def being_undone() -> QuerySet[Act]:
    """Acts that are being taken back, the one asked for first before the others."""
    return Act.objects.filter(undoing__isnull=False).order_by("undone_at", "pk")


def enqueue_unfinished() -> int:
    """Ask for what a process died at. Returns how many acts that are."""
    acts = being_undone().values_list("pk", "undoing")
    return sum(enqueue(JobName.UNDO_ACT, pk, _read(undoing).n_steps) for pk, undoing in acts)


def go_on_undoing(*, act_id: int, n_steps: int, at_least: int = 0, budget_seconds: float = SLICE_SECONDS) -> int | None:
    """Take some more back, `at_least` so many samples. Returns how many steps are done where there are more to do.

    Nothing happens where another number of steps is done by now, somebody else being at it, or where another act is to
    be taken back first: when that is done this one is asked for.
    """
    act = being_undone().filter(pk=act_id).select_related("function__workspace").first()
    progress = progress_of(act) if act else None
    if act is None or progress is None or progress.n_steps != n_steps:
        return None
    stages = _stages(act)
    if stages and _waits(act):
        return None
    try:
        return _go_on(act, stages, progress, at_least=at_least, until=time.monotonic() + budget_seconds)
    except NotFound:  # the function went meanwhile, and the act with it
        return None


def _waits(act: Act) -> bool:
    sooner = Q(undone_at__lt=act.undone_at) | Q(undone_at=act.undone_at, pk__lt=act.pk)
    return being_undone().filter(sooner, function=act.function_id).exists()


def _go_on(act: Act, stages: Sequence[Stage], progress: Progress, *, at_least: int, until: float) -> int | None:
    person = User.objects.filter(public_id=progress.person).first() if progress.person else None
    n_keys = 0
    while progress.stage < len(stages):
        stage = stages[progress.stage]
        keys = stage.left(act, progress.after)
        for start in range(0, len(keys), stage.n_at_once):
            if n_keys > at_least and time.monotonic() >= until:
                return progress.n_steps
            chunk = keys[start : start + stage.n_at_once]
            after = _step(act, progress, stage, person, chunk)
            if after is None:
                return None
            progress, n_keys = after, n_keys + len(chunk)
        if len(keys) < SLICE_KEYS:
            progress = replace(progress, stage=progress.stage + 1, after=0)
    _finish(act, progress, person)
    return None


def _stages(act: Act) -> list[Stage]:
    if act.kind in unsurgery.OF_A_LABEL:
        return unsurgery.stages_of(act)
    if act.kind == ActKind.DELETE_SAMPLES:
        return stages_of_binning()
    first = stages_of_import() if act.kind == ActKind.IMPORT else []
    n_at_once = samples_per_transaction(unsurgery.n_tags(act.function), RESTORED_AT_ONCE)
    then = stages_of_opinions() if act.kind == ActKind.SET_ASIDE else unsurgery.stages_of_split(act)
    return [*first, Stage(_said_by, _take_back, n_at_once), *then]


def _said_by(act: Act, after: int) -> list[int]:
    """What an act said of samples, as keys of annotations; not of those it brought itself."""
    said = Annotation.objects.filter(act=act, pk__gt=after)
    if act.kind == ActKind.IMPORT:
        said = said.exclude(sample__brought_by=act)
    return list(said.order_by("pk").values_list("pk", flat=True)[:SLICE_KEYS])


def _take_back(act: Act, person: User | None, keys: Sequence[int]) -> Done:
    touched = set(Annotation.objects.filter(pk__in=keys).values_list("sample_id", flat=True))
    # Of what an import said of a sample twice all is taken back with the first.
    sooner = Annotation.objects.filter(sample__in=touched, pk__lt=keys[0]).values_list("sample_id", "act_id")
    touched -= {sample_id for sample_id, act_id in sooner if act_id == act.pk}
    n_restored, n_left = take_back_chunk(
        act_id=act.pk,
        gives=lock_function(act.function_id),
        labels=KnownLabels(act.function_id),
        sample_ids=sorted(touched),
        person=person,
    )
    if n_restored:
        note_data_change(act.function_id)
    return Done(n_restored=n_restored, n_left=n_left)


@transaction.atomic
def _step(act: Act, progress: Progress, stage: Stage, person: User | None, keys: Sequence[int]) -> Progress | None:
    """Do one step. None where it was done meanwhile: somebody else is at it."""
    lock_function(act.function_id)
    if not _is_where_left(act, progress):
        return None
    done = stage.do(act, person, keys)
    progress = replace(
        progress,
        after=keys[-1],
        n_steps=progress.n_steps + 1,
        n_restored=progress.n_restored + done.n_restored,
        n_left=progress.n_left + done.n_left,
        n_binned=progress.n_binned + done.n_binned,
    )
    Act.objects.filter(pk=act.pk).update(undoing=asdict(progress))
    return progress


def _is_where_left(act: Act, progress: Progress) -> bool:
    written = Act.objects.filter(pk=act.pk).values_list("undoing", flat=True).first()
    return written is not None and _read(written).n_steps == progress.n_steps


@transaction.atomic
def _finish(act: Act, progress: Progress, person: User | None) -> None:
    lock_function(act.function_id)
    if not _is_where_left(act, progress):
        return
    if act.kind in unsurgery.OF_A_LABEL or act.kind == ActKind.DELETE_SAMPLES:
        progress = replace(progress, n_left=max(0, act.n_samples - progress.n_restored))
    came_to = {"n_restored": progress.n_restored, "n_left": progress.n_left, "n_binned": progress.n_binned}
    Act.objects.filter(pk=act.pk).update(undoing=None, facts=act.facts | {OUTCOME: came_to})
    record(
        workspace=act.function.workspace.public_id,
        kind=Audit.ACT_UNDONE,
        actor=person.public_id if person else "",
        subject=act.public_id,
        function=act.function.public_id,
        what=kind_words(act),
        n_samples=progress.n_restored + progress.n_binned,
    )
    following = being_undone().filter(function=act.function_id).exclude(pk=act.pk).first()
    if following is not None:
        enqueue_on_commit(JobName.UNDO_ACT, following.pk, _read(following.undoing).n_steps)
