"""What several people said, looked at again after labels were merged, parted or deleted, or fewer people are asked.

Of the samples that many people were asked about only those are settled anew where it can make a difference: there are
few, and each takes about 2 ms of a transaction (two cores, SQLite).
"""

from collections.abc import Collection, Iterable, Mapping

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from apps.accounts.models import User
from apps.core.lots import falls_in
from apps.functions.models import Function
from apps.samples.models import Opinion, Sample
from apps.samples.services.annotations import lock_function
from apps.samples.services.opinions import ASKED_WHERE_MACHINE_DIFFERS, OVERLAP
from apps.samples.services.reviews import ask_for_review
from apps.samples.services.saying import KnownLabels
from apps.samples.services.settling import settle, settle_many
from apps.workspaces.roles import Action
from apps.workspaces.selectors import people_who_may

SETTLED_AT_ONCE = 25
STRANDED_AT_ONCE = 500


def counting_opinions(person: User, sample: str = "pk") -> "QuerySet[Opinion]":
    """What this person says of the sample of an outer query, unless the label has been deleted since."""
    return Opinion.objects.filter(sample=OuterRef(sample), person=person, label__deleted_at=None)


def settle_disputed(function: Function) -> None:
    """After a merge: what people disagreed on may have become the same."""
    disputed = Sample.objects.filter(function=function, is_disputed=True, n_opinions__gt=1)
    _settle_all(function, disputed.values_list("pk", flat=True))


def agreed_on_one_of(function: Function, labels: Collection[int]) -> "QuerySet[Sample]":
    """Samples to settle after labels were parted from others again: people may have meant different ones of them."""
    one_of_them = Opinion.objects.filter(sample=OuterRef("pk"), label__in=labels)
    another = Opinion.objects.filter(sample=OuterRef("pk")).exclude(label__in=labels)
    agreed = Sample.objects.filter(function=function, annotation__is_opinion=True, n_opinions__gt=1)
    return agreed.filter(Exists(one_of_them), Exists(another))


def spoken_of(labels: Collection[int]) -> "QuerySet[Opinion]":
    """What says labels that were brought back, of samples to settle: whoever gave them is heard again."""
    return Opinion.objects.filter(label__in=labels, sample__deleted_at=None)


def settle_stranded() -> int:
    """After a label was deleted: samples whose answer went with it wait for answers again. Returns how many there were.

    They have had as many answers as were wanted, nothing is in force, and nobody is asked to decide.
    """
    n_stranded = 0
    for function in _where_samples_wait():
        stranded = _waiting(function).filter(n_opinions__gte=F("n_wanted"))
        keys = list(stranded.values_list("pk", flat=True)[:STRANDED_AT_ONCE])
        _settle_all(function, keys)
        n_stranded += len(keys)
    return n_stranded


def _where_samples_wait() -> "QuerySet[Function]":
    """Functions in which a sample was handed out to several people and is not decided."""
    waiting = Sample.objects.filter(annotation=None, is_disputed=False, n_wanted__gt=1)
    # With the function and the opinions in the condition, SQLite looks into the narrow index that has just these.
    return Function.objects.filter(Exists(waiting.filter(function=OuterRef("pk"), n_opinions__gte=0))).order_by("pk")


def _waiting(function: Function) -> "QuerySet[Sample]":
    rows = Sample.objects.filter(function=function, annotation=None, is_disputed=False, n_wanted__gt=1)
    return rows.filter(n_opinions__gte=0, sent_back_to=None).order_by()


def release_unanswerable() -> int:
    """Ask fewer people where so many are not left, since some have gone who had not answered. Returns how many samples.

    Whatever those that are there have said is then enough.
    """
    functions = _where_samples_wait().select_related("workspace")
    return sum(_release(function, _waiting(function).filter(n_opinions__gte=1)) for function in functions)


def _release(function: Function, waiting: "QuerySet[Sample]") -> int:
    people = people_who_may(function.workspace, Action.LABEL)
    theirs = Opinion.objects.filter(sample=OuterRef("pk"), person__in=people).order_by().values("sample")
    n_theirs = Coalesce(Subquery(theirs.annotate(n=Count("pk")).values("n")), 0)
    reachable = waiting.annotate(n_reachable=F("n_opinions") + len(people) - n_theirs)
    rows = reachable.filter(n_wanted__gt=F("n_reachable")).values_list("pk", "n_reachable")
    return _ask_fewer(function, dict(rows[:STRANDED_AT_ONCE]))


def release_overlap() -> int:
    """Ask fewer people where the function now asks for fewer than when samples were handed out. Returns how many.

    What people have said of them by then decides, as it would have if no more had been asked from the start.
    """
    return sum(_ask_fewer(each, _wanted_too_many(each, _waiting(each))) for each in _where_samples_wait())


def _wanted_too_many(function: Function, waiting: "QuerySet[Sample]") -> dict[int, int]:
    """Of how many people each of the samples should wait for, those that wait for more."""
    found: dict[int, int] = {}
    rows = waiting.values_list("pk", "public_id", "n_wanted", "n_opinions")
    for pk, public_id, n_wanted, n_opinions in rows:
        is_drawn = falls_in(function.overlap_share, public_id, purpose=OVERLAP)
        n = function.overlap_people if is_drawn else 1
        if function.is_machine_first and n_opinions:  # the machine may have differed from whoever was first
            n = max(n, ASKED_WHERE_MACHINE_DIFFERS)
        if n < n_wanted:
            found[pk] = n
        if len(found) >= STRANDED_AT_ONCE:
            break
    return found


def _ask_fewer(function: Function, n_of: Mapping[int, int]) -> int:
    """Let these samples (by key) wait for so many people at most, at least one. Returns how many samples those are."""
    keys = sorted(n_of)
    for start in range(0, len(keys), SETTLED_AT_ONCE):
        chunk = keys[start : start + SETTLED_AT_ONCE]
        with transaction.atomic():
            lock_function(function.pk)
            for pk in chunk:
                n = max(1, n_of[pk])
                Sample.objects.filter(pk=pk, n_wanted__gt=n, annotation=None).update(n_wanted=n)
            settle_many(chunk, KnownLabels(function.pk))
            for sample in Sample.objects.filter(pk__in=chunk, annotation__is_opinion=True):
                ask_for_review(sample=sample)
    return len(keys)


def _settle_all(function: Function, sample_ids: Iterable[int]) -> None:
    keys = sorted(sample_ids)
    for start in range(0, len(keys), SETTLED_AT_ONCE):
        with transaction.atomic():
            lock_function(function.pk)
            settle_chosen(function, keys[start : start + SETTLED_AT_ONCE])


def settle_chosen(function: Function, sample_keys: Collection[int]) -> None:
    """Settle at most `SETTLED_AT_ONCE` samples (by key), in the caller's transaction under the function's lock."""
    labels = KnownLabels(function.pk)
    for sample in Sample.objects.filter(pk__in=sample_keys):
        settle(sample, labels)
