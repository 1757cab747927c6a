"""Samples in people's hands: what one person is asked about nobody else is asked, until it is answered.

A page that is at work renews what it holds with every request; what a closed one held is free again after two minutes.
An answer counts whether or not its sample is still in the person's hands: see `services.save_answers`.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, Q
from django.utils import timezone

from apps.accounts.models import User
from apps.core.lots import falls_in
from apps.functions.models import Function
from apps.labeling.models import Handout
from apps.samples.models import Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.opinions import OVERLAP
from apps.samples.services.resettling import counting_opinions
from apps.workspaces.roles import Action
from apps.workspaces.selectors import people_who_may

HOLDS_FOR = timedelta(minutes=2)
KEPT_FOR = timedelta(minutes=10)
"""Rows that ran out are swept this much later, by whoever takes something next."""


def held_elsewhere(person: User) -> set[int]:
    """Return the keys of samples, of any function, that are in as many other hands as people are wanted.

    As many rows as all pages hold at this moment. A sample whose answer is known is put to everybody by itself.
    """
    rows = Handout.objects.filter(expires_at__gt=timezone.now(), sample__gold=None).exclude(person=person)
    wanted: dict[int, int] = {}
    hands: Counter[int] = Counter()
    for sample_id, n_wanted, n_opinions in rows.values_list("sample_id", "sample__n_wanted", "sample__n_opinions"):
        wanted[sample_id] = n_wanted - n_opinions
        hands[sample_id] += 1
    return {sample_id for sample_id, n in hands.items() if n >= wanted[sample_id]}


@transaction.atomic
def take(*, function: Function, person: User, samples: Sequence[Sample], renew: Collection[int] = ()) -> set[int]:
    """Put samples into a person's hands, and renew those already there. Returns the keys of those they got.

    What somebody else took meanwhile, or was answered, they do not get: two who ask at once wait for each other here,
    so that none goes to both. Samples that are handed out for the first time draw lots whether several people are asked
    about them; `n_wanted` of those given is set accordingly.
    """
    lock_function(function.pk)
    now = timezone.now()
    Handout.objects.filter(expires_at__lt=now - KEPT_FOR).delete()
    mine = Handout.objects.filter(person=person, sample__in=list(renew), expires_at__gt=now)
    mine.update(expires_at=now + HOLDS_FOR)
    held = held_elsewhere(person)
    waiting = _as_they_are_now([sample for sample in samples if sample.pk not in held], person)
    got = [sample for sample in samples if sample.pk in waiting]
    for sample in got:
        sample.n_wanted, sample.n_opinions = waiting[sample.pk]
    _draw_lots(function, got)
    Handout.objects.bulk_create(
        (Handout(sample=sample, person=person, expires_at=now + HOLDS_FOR) for sample in got),
        update_conflicts=True,
        unique_fields=["sample", "person"],
        update_fields=["expires_at"],
    )
    return {sample.pk for sample in got}


def _as_they_are_now(samples: Sequence[Sample], person: User) -> dict[int, tuple[int, int]]:
    """How many people are asked and have answered, of those samples that this person may still be asked about.

    While somebody chose, another may have answered: then there may be enough answers, or this person's own.
    """
    is_missing = Q(n_opinions__lt=F("n_wanted")) | Q(sent_back_to=person)
    is_open = Q(annotation=None, is_disputed=False) & is_missing
    rows = Sample.objects.filter(Q(gold__isnull=False) | is_open, pk__in=[sample.pk for sample in samples])
    rows = rows.exclude(Exists(counting_opinions(person)))
    return {pk: (n_wanted, n_opinions) for pk, n_wanted, n_opinions in rows.values_list("pk", "n_wanted", "n_opinions")}


def _draw_lots(function: Function, samples: Sequence[Sample]) -> None:
    if not function.overlap_share or function.overlap_people < 2:
        return
    fresh = [sample for sample in samples if sample.n_wanted == 1 and sample.annotation_id is None]
    drawn = [each for each in fresh if falls_in(function.overlap_share, each.public_id, purpose=OVERLAP)]
    n_people = min(function.overlap_people, n_labelers(function)) if drawn else 1
    if n_people < 2:
        return
    Sample.objects.filter(pk__in=[sample.pk for sample in drawn]).update(n_wanted=n_people)
    for sample in drawn:
        sample.n_wanted = n_people


def n_labelers(function: Function) -> int:
    """Count the people who may label here: more are never waited for."""
    return len(people_who_may(function.workspace, Action.LABEL))


def renew_all(*, person: User) -> None:
    """Renew whatever is in the person's hands: they are at work."""
    # In any function: a join would tempt SQLite to walk all samples of this one.
    now = timezone.now()
    Handout.objects.filter(person=person, expires_at__gt=now).update(expires_at=now + HOLDS_FOR)


def hold(*, function: Function, person: User, samples: Sequence[Sample]) -> set[int]:
    """Renew what a page says it holds, and take anew what ran out meanwhile. Returns the keys of what it may keep."""
    return take(function=function, person=person, samples=samples, renew=[sample.pk for sample in samples])


def give_back(*, person: User, sample_ids: Collection[int]) -> None:
    """Take samples out of a person's hands: answered, passed over, or the page was closed."""
    Handout.objects.filter(person=person, sample__in=list(sample_ids)).delete()
