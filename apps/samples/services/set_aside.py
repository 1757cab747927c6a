"""Setting aside what one person answered: their samples are asked about anew. One act, undone as one.

It may be 100,000 answers, so the request does the first slice and a worker the others. What is left to do is read from
the samples themselves; a message names how many were done when it was sent, so that one too many is dropped. Undone
half-way, whatever was set aside by then comes back.
"""

import time
from collections.abc import Iterator, Sequence

from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.core.jobs import JobName, enqueue, enqueue_on_commit
from apps.events.kinds import Audit
from apps.events.services import JsonValue, record
from apps.functions.models import Act, ActKind, Function
from apps.functions.services import begin_act
from apps.samples.models import Annotation, Opinion, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, lock_function
from apps.samples.services.saying import KnownLabels
from apps.samples.services.settling import settle
from apps.samples.services.stages import SLICE_KEYS, Done, Stage

OPINIONS = "opinions"
"""The name in an act's facts of the annotations that count as opinions no longer."""
UNDER_WAY = "n_in_all"
"""The name in an act's facts of how many answers there were to set aside, until all of them are."""
UP_TO = "up_to"
"""The name in an act's facts of the newest annotation it concerns: what the person says afterwards stays."""
SAMPLES_PER_TRANSACTION = 200
"""Of 500 the write lock was held for 63 ms (two cores, SQLite, others at work)."""
OPINIONS_PER_TRANSACTION = 25
"""Settling one takes about 2 ms of a transaction (two cores, SQLite)."""
SLICE_SECONDS = 0.3
SLICE_SAMPLES = 5_000


def set_answers_aside(*, function: Function, person: User, actor: User) -> Act:
    """Begin to take away what this person's answers say, as far as they are in force or one of several opinions.

    What was brought with its label stays, and so do the answers to samples whose answer is known: they are how it was
    found out. Few are set aside at once; of many a worker does the rest (`is_under_way`). Raises InvalidInput where
    there is nothing to set aside, Conflict while it is being done already.
    """
    with transaction.atomic():
        lock_function(function.pk)
        if any(act.facts.get("person") == person.public_id for act in acts_under_way(function)):
            raise Conflict("The answers of this person are being set aside already.")
        up_to = Annotation.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        opinions = list(_opinions(function, person).order_by("annotation").values_list("annotation", flat=True))
        n = _answered(function, person, up_to).count() + len(opinions)
        if not n:
            raise InvalidInput("This person has no answers here that could be set aside.")
        facts: dict[str, JsonValue] = {"person": person.public_id, OPINIONS: opinions, UNDER_WAY: n, UP_TO: up_to}
        act = begin_act(function=function, kind=ActKind.SET_ASIDE, person=actor, facts=facts)
        record(
            workspace=function.workspace.public_id,
            kind=Audit.ANSWERS_SET_ASIDE,
            actor=actor.public_id,
            subject=person.public_id,
            function=function.public_id,
            email=person.email,
            n_samples=n,
        )
    n_done = go_on_setting_aside(act_id=act.pk, n_done=0)
    if n_done is not None:
        enqueue_on_commit(JobName.SET_ASIDE, act.pk, n_done)
    act.refresh_from_db()
    return act


def acts_under_way(function: Function | None = None) -> QuerySet[Act]:
    """Acts of this kind that are not done yet, of all functions or one."""
    acts = Act.objects.filter(kind=ActKind.SET_ASIDE, undone_at=None, facts__has_key=UNDER_WAY)
    return acts if function is None else acts.filter(function=function)


def is_under_way(act: Act) -> bool:
    return act.kind == ActKind.SET_ASIDE and act.undone_at is None and UNDER_WAY in act.facts


def enqueue_unfinished() -> int:
    """Ask for what a process died at. Returns how many acts that are."""
    return sum(enqueue(JobName.SET_ASIDE, pk, n) for pk, n in acts_under_way().values_list("pk", "n_samples"))


def go_on_setting_aside(*, act_id: int, n_done: int, budget_seconds: float = SLICE_SECONDS) -> int | None:
    """Set aside some more, in transactions of their own. Returns how many are done where there is more to do.

    Nothing happens where another number is done by now: somebody else is at it.
    """
    act = acts_under_way().filter(pk=act_id, n_samples=n_done).select_related("function__workspace", "person").first()
    if act is None:
        return None
    until, n_seen = time.monotonic() + budget_seconds, 0
    for samples, opinions in _chunks_of(act):
        if n_seen and time.monotonic() >= until:
            return act.n_samples
        if not _set_aside(act, samples, opinions):
            return None
        n_seen += len(samples) + len(opinions)
    if n_seen >= SLICE_SAMPLES and act.n_samples > n_done:
        return act.n_samples
    _finish(act)
    return None


def _answered(function: Function, person: User, up_to: int) -> QuerySet[Sample]:
    rows = Sample.objects.filter(function=function, annotation__person=person, annotation__is_opinion=False)
    rows = rows.filter(annotation__lte=up_to, gold__isnull=True)
    return rows.exclude(annotation__picked_by=PickedBy.IMPORT).order_by()


def _opinions(function: Function, person: User) -> QuerySet[Opinion]:
    rows = Opinion.objects.filter(sample__function=function, sample__deleted_at=None, sample__gold__isnull=True)
    return rows.filter(person=person)


def _chunks_of(act: Act) -> Iterator[tuple[Sequence[int], Sequence[int]]]:
    """What is left of an act, as far as one slice may come: keys of samples, then of annotations that are opinions."""
    person = User.objects.filter(public_id=act.facts["person"]).first()
    if person is None:
        return
    answered = _answered(act.function, person, act.facts[UP_TO])
    keys = list(answered.values_list("pk", flat=True)[:SLICE_SAMPLES])
    for start in range(0, len(keys), SAMPLES_PER_TRANSACTION):
        yield keys[start : start + SAMPLES_PER_TRANSACTION], ()
    if len(keys) == SLICE_SAMPLES:
        return
    left = _opinions(act.function, person).filter(annotation__lte=act.facts[UP_TO]).order_by("annotation")
    annotations = list(left.values_list("annotation", flat=True)[:SLICE_SAMPLES])
    for start in range(0, len(annotations), OPINIONS_PER_TRANSACTION):
        yield (), annotations[start : start + OPINIONS_PER_TRANSACTION]


@transaction.atomic
def _set_aside(act: Act, samples: Sequence[int], opinions: Sequence[int]) -> bool:
    """Set these aside. False where the act was undone meanwhile, or somebody else is at it."""
    lock_function(act.function_id)
    if not acts_under_way().filter(pk=act.pk, n_samples=act.n_samples).exists():
        return False
    n = 0
    if samples:
        pairs = [(key, None) for key in _still_answered(act, samples)]
        n = annotate_many(function=act.function, pairs=pairs, person=act.person, picked_by=PickedBy.PERSON, act=act)
    n += _silence(act.function_id, opinions)
    Act.objects.filter(pk=act.pk).update(n_samples=F("n_samples") + n)
    act.n_samples += n
    return True


def _still_answered(act: Act, samples: Sequence[int]) -> list[int]:
    """Asked again under the lock: somebody may have answered anew.

    Compared here and not by the database: asked for the person, SQLite walks all they ever said.
    """
    rows = Sample.objects.filter(pk__in=samples).order_by()
    now = rows.values_list("pk", "annotation", "annotation__person__public_id", "gold")
    up_to, person = act.facts[UP_TO], act.facts["person"]
    return [pk for pk, said, who, known in now if said and said <= up_to and who == person and known is None]


@transaction.atomic
def _finish(act: Act) -> None:
    lock_function(act.function_id)
    now = acts_under_way().filter(pk=act.pk, n_samples=act.n_samples).first()
    if now is not None:
        now.facts = {name: value for name, value in now.facts.items() if name != UNDER_WAY}
        now.save(update_fields=["facts"])


def stages_of_opinions() -> list[Stage]:
    """Letting the opinions that an act set aside count again, where the person has not given a newer one."""
    return [Stage(_silenced, _let_count, OPINIONS_PER_TRANSACTION)]


def _silenced(act: Act, after: int) -> list[int]:
    annotations: Sequence[int] = act.facts.get(OPINIONS, ())
    return sorted(key for key in annotations if key > after)[:SLICE_KEYS]


def _let_count(act: Act, _person: User | None, keys: Sequence[int]) -> Done:
    return Done(n_restored=_bring_back(act.function_id, keys))


def _silence(function_id: int, annotations: Sequence[int]) -> int:
    rows = Opinion.objects.filter(annotation__in=annotations)
    samples = list(Sample.objects.filter(pk__in=rows.values("sample")))
    n_silenced: int = rows.delete()[0]
    _settle(function_id, samples)
    return n_silenced


def _bring_back(function_id: int, annotations: Sequence[int]) -> int:
    newer = Opinion.objects.filter(sample=OuterRef("sample"), person=OuterRef("person"))
    rows = Annotation.objects.filter(pk__in=annotations, person__isnull=False, undone_by=None).exclude(Exists(newer))
    back = [
        Opinion(sample_id=row.sample_id, person_id=row.person_id, annotation=row, label_id=row.label_id)
        for row in rows
        if row.person_id is not None
    ]
    Opinion.objects.bulk_create(back)
    _settle(function_id, list(Sample.objects.filter(pk__in=[row.sample_id for row in back])))
    return len(back)


def _settle(function_id: int, samples: Sequence[Sample]) -> None:
    labels = KnownLabels(function_id)
    for sample in samples:
        settle(sample, labels)
