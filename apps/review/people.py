"""What each person did in a function: how much, in which time, how often right where the answer is known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, Sum

from apps.accounts.models import User
from apps.functions.models import Function, Label
from apps.samples.agreement import PairAgreement, agreement_of, opinions_of, pairs
from apps.samples.gold_selectors import gold_of
from apps.samples.models import Annotation, GoldSample, Opinion, PickedBy, Sample
from apps.samples.services.saying import KnownLabels
from apps.samples.services.set_aside import UNDER_WAY, acts_under_way
from apps.samples.services.settling import Meant, meant

MS_PER_MINUTE = 60_000
FEWEST_KNOWN = 5
"""Known answers below which nobody is told that they get too few right: one slip would do it."""
MOST_DISPUTES = 200
MOST_KNOWN = 300
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Work:
    """How many answers a person gave that nobody took back, and how long they were at those that were timed."""

    n_answers: int = 0
    active_ms: int = 0
    n_timed: int = 0
    last_at: datetime | None = None

    @property
    def minutes(self) -> int:
        return round(self.active_ms / MS_PER_MINUTE)

    @property
    def seconds_each(self) -> float | None:
        """Seconds a sample, of those that were timed."""
        return self.active_ms / 1000 / self.n_timed if self.n_timed else None


def work_by_person(function: Function, person: User | None = None) -> Mapping[int, Work]:
    """Return what each person did, by key; what was brought with its label is nobody's work. One query."""
    rows = Annotation.objects.filter(sample__function=function, undoes=None, undone_by=None, person__isnull=False)
    if person is not None:
        rows = rows.filter(person=person)
    rows = rows.filter(Q(label__isnull=False) | Q(tags__isnull=False)).exclude(picked_by=PickedBy.IMPORT)
    figures = (
        rows.order_by()
        .values("person")
        .annotate(n=Count("pk"), ms=Sum("active_ms"), n_timed=Count("active_ms"), last_at=Max("created_at"))
    )
    return {row["person"]: Work(row["n"], row["ms"] or 0, row["n_timed"], row["last_at"]) for row in figures}


def people_of(function: Function, keys: Sequence[int]) -> list[User]:
    """Return the members of the workspace, and whoever did something here and has left since."""
    members = Q(memberships__workspace=function.workspace_id)
    return list(User.objects.filter(members | Q(pk__in=keys)).distinct().order_by("name", "email"))


def person_here(function: Function, public_id: str) -> User | None:
    """Return a member of the workspace, or somebody who answered here and has left since; nobody else exists here."""
    person = User.objects.filter(public_id=public_id).first()
    if person is None or person.memberships.filter(workspace=function.workspace_id).exists():
        return person
    return person if Annotation.objects.filter(person=person, sample__function=function).exists() else None


@dataclass(frozen=True)
class BeingSetAside:
    """How many of a person's answers are set aside so far."""

    person: User | None
    n_done: int
    n_in_all: int


def being_set_aside(function: Function) -> list[BeingSetAside]:
    """Return whose answers a worker is setting aside now, and how far it is."""
    acts = list(acts_under_way(function).order_by("pk"))
    people = {user.public_id: user for user in User.objects.filter(public_id__in=[act.facts["person"] for act in acts])}
    return [BeingSetAside(people.get(act.facts["person"]), act.n_samples, act.facts[UNDER_WAY]) for act in acts]


@dataclass(frozen=True)
class Known:
    """How many samples with a known answer a person met, and how many of those they got right."""

    n: int = 0
    n_right: int = 0

    @property
    def share(self) -> float | None:
        return self.n_right / self.n if self.n else None


@dataclass(frozen=True)
class PersonLine:
    """One person's line; `n_shared` answers were compared with those of others, `agreement` is the share the same."""

    person: User
    work: Work
    known: Known
    n_shared: int
    agreement: float | None
    is_below_bar: bool


@dataclass(frozen=True)
class Pair:
    """Two people, and how far they agree."""

    first: User
    second: User
    found: PairAgreement

    @property
    def n_disputed(self) -> int:
        return len(self.found.disputed)


@dataclass(frozen=True)
class PeopleTable:
    """What the page shows: a line a person, the busiest first, and every two who were asked the same."""

    lines: Sequence[PersonLine]
    pairs: Sequence[Pair]
    bar: float


def people_table(function: Function, person: User | None = None) -> PeopleTable:
    """Return everybody's lines and pairs, or with a `person` their line alone."""
    work = work_by_person(function, person)
    known = known_by_person(function)
    found = pairs(opinions_of(function))
    asked = {key for pair in found for key in (pair.first, pair.second)}
    everybody = [person] if person else people_of(function, [*work, *known, *asked])
    lines = [_line(function, each, work, known, found) for each in everybody]
    lines.sort(key=lambda line: -line.work.n_answers)
    by_key = {each.pk: each for each in everybody}
    shown = [] if person else [Pair(by_key[pair.first], by_key[pair.second], pair) for pair in found]
    return PeopleTable(lines, shown, function.gold_bar)


def _line(
    function: Function,
    person: User,
    work: Mapping[int, Work],
    known: Mapping[int, Known],
    found: Sequence[PairAgreement],
) -> PersonLine:
    answers = known.get(person.pk, Known())
    n_shared, agreement = agreement_of(found, person.pk)
    is_below = answers.n >= FEWEST_KNOWN and (answers.share or 0.0) < function.gold_bar
    return PersonLine(person, work.get(person.pk, Work()), answers, n_shared, agreement, is_below)


def known_by_person(function: Function) -> Mapping[int, Known]:
    """Return how each person did on the samples whose answer is known, by key."""
    labels = KnownLabels(function.pk)
    right_of = {gold.sample_id: meant(labels.of_history(gold.label_id, gold.tags)) for gold in gold_of(function)}
    counts: dict[int, list[bool]] = defaultdict(list)
    for sample_id, person_id, answer in _answers(labels, list(right_of)):
        right = right_of[sample_id]
        if right is not None:
            counts[person_id].append(answer == right)
    return {person_id: Known(len(verdicts), sum(verdicts)) for person_id, verdicts in counts.items()}


def _answers(labels: KnownLabels, samples: Sequence[int]) -> Iterator[tuple[int, int, Meant | None]]:
    """What people answered on these samples (by key): sample, person, and what it comes to today."""
    columns = ("sample_id", "person_id", "annotation__label_id", "annotation__tags")
    for start in range(0, len(samples), ROWS_AT_ONCE):
        rows = Opinion.objects.filter(sample__in=samples[start : start + ROWS_AT_ONCE])
        for sample_id, person_id, label_id, tags in rows.values_list(*columns):
            yield sample_id, person_id, meant(labels.of_history(label_id, tags))


@dataclass(frozen=True)
class Dispute:
    """A sample that two people see differently: what each says, as labels, and what is in force."""

    sample: Sample
    first: Sequence[Label]
    second: Sequence[Label]


def pair_by_public_ids(function: Function, first: str, second: str) -> Pair | None:
    """Return these two people's agreement here; None where they were never asked the same."""
    users = {user.public_id: user for user in User.objects.filter(public_id__in=[first, second])}
    if len(users) < 2:
        return None
    keys = {users[first].pk: users[first], users[second].pk: users[second]}
    for pair in pairs(opinions_of(function)):
        if {pair.first, pair.second} == set(keys):
            return Pair(keys[pair.first], keys[pair.second], pair)
    return None


def disputes(function: Function, pair: Pair) -> Sequence[Dispute]:
    """Return the newest samples that the two see differently, at most `MOST_DISPUTES`."""
    newest = sorted(pair.found.disputed, reverse=True)[:MOST_DISPUTES]
    samples = Sample.objects.filter(pk__in=newest).select_related("label").order_by("-pk")
    known, labels = KnownLabels(function.pk), {label.pk: label for label in function.labels.in_use()}
    said: dict[tuple[int, int], Sequence[Label]] = {}
    rows = Opinion.objects.filter(sample__in=newest, person__in=[pair.first, pair.second])
    for sample_id, person_id, label_id, tags in rows.values_list(
        "sample_id", "person_id", "annotation__label_id", "annotation__tags"
    ):
        keys = meant(known.of_history(label_id, tags))
        there = keys if isinstance(keys, frozenset) else [keys]
        said[sample_id, person_id] = sorted(
            (labels[key] for key in there if key in labels), key=lambda row: row.position
        )
    return [
        Dispute(sample, said.get((sample.pk, pair.first.pk), ()), said.get((sample.pk, pair.second.pk), ()))
        for sample in samples
    ]


@dataclass(frozen=True)
class KnownAnswer:
    """A sample whose answer is known, how many were asked about it, and how many of those were right."""

    gold: GoldSample
    labels: Sequence[Label]
    n: int
    n_right: int


def known_answers(function: Function) -> Sequence[KnownAnswer]:
    """Return the newest samples with a known answer, at most `MOST_KNOWN`."""
    known, labels = KnownLabels(function.pk), {label.pk: label for label in function.labels.in_use()}
    rows = list(gold_of(function).select_related("sample").order_by("-pk")[:MOST_KNOWN])
    given: dict[int, list[Meant | None]] = defaultdict(list)
    for sample_id, _person_id, answer in _answers(known, [gold.sample_id for gold in rows]):
        given[sample_id].append(answer)
    found = []
    for gold in rows:
        right = meant(known.of_history(gold.label_id, gold.tags))
        there = right if isinstance(right, frozenset) else [right]
        shown = sorted((labels[key] for key in there if key in labels), key=lambda row: row.position)
        said = given[gold.sample_id]
        found.append(KnownAnswer(gold, shown, len(said), sum(answer == right for answer in said)))
    return found
