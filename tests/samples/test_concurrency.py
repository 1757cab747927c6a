"""Several people and imports at one function: nobody waits for ever, and samples repeat what their history says."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection

from apps.core.errors import Conflict
from apps.functions.models import Function, Label
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_many, annotate_sample, undo_annotation
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import give_opinion, undo_opinion
from tests.conftest import make_user

pytestmark = pytest.mark.django_db(transaction=True)
N_SAMPLES = 20
N_ROUNDS = 15


def side_by_side(*calls: Callable[[], object]) -> None:
    """Run calls at the same time, each on a connection of its own; a failure of one, or a wait for ever, is raised."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            barrier.wait()
            call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        for future in [pool.submit(run, call) for call in calls]:
            future.result(60)


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"text {n}") for n in range(N_SAMPLES)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.API).samples


def test_labelling_undoing_correcting_and_importing_at_once_stay_true(
    text_function: Function, samples: list[Sample]
) -> None:
    refund, shipping = text_function.labels.order_by("id")

    def label_and_undo() -> None:
        for n in range(N_ROUNDS):
            given = annotate_sample(sample=samples[n % N_SAMPLES], label=refund, person=None, picked_by=PickedBy.QUEUE)
            if n % 3 == 0:
                try:
                    undo_annotation(annotation=given, person=None)
                except Conflict:
                    continue  # somebody was quicker to label it anew

    def correct() -> None:
        for n in range(N_ROUNDS):
            pairs: list[tuple[int, int | None]] = [
                (sample.pk, shipping.pk if (index + n) % 3 else None) for index, sample in enumerate(samples)
            ]
            annotate_many(function=text_function, pairs=pairs, person=None, picked_by=PickedBy.PERSON)

    def bring() -> None:
        for n in range(N_ROUNDS):
            items = [NewText(f"text {m}", "Refund", f"id-{m}") for m in range(n, N_SAMPLES + n)]
            add_texts(function=text_function, items=items, person=None, origin=Origin.IMPORT)

    side_by_side(label_and_undo, correct, bring, label_and_undo)
    for sample in text_function.samples.all():
        newest = Annotation.objects.filter(sample=sample).order_by("-id").first()
        assert sample.label_id == (newest.label_id if newest else None)
        assert (sample.annotation_id is None) == (sample.label_id is None)
        assert (sample.labelled_at is None) == (sample.label_id is None)
        if sample.annotation is not None:
            assert sample.annotation.label_id == sample.label_id


def test_one_answer_sent_many_times_at_once_is_kept_once(text_function: Function, samples: list[Sample]) -> None:
    refund, token = text_function.labels.order_by("id")[0], uuid4()
    found: set[int] = set()

    def answer() -> None:
        given = annotate_sample(
            sample=samples[0], label=refund, person=None, picked_by=PickedBy.QUEUE, client_token=token
        )
        found.add(given.pk)

    side_by_side(*[answer] * 5)
    assert Annotation.objects.count() == len(found) == 1


def test_one_undo_sent_many_times_at_once_undoes_once(text_function: Function, samples: list[Sample]) -> None:
    refund, shipping = text_function.labels.order_by("id")
    annotate_sample(sample=samples[0], label=refund, person=None, picked_by=PickedBy.QUEUE)
    second = annotate_sample(sample=samples[0], label=shipping, person=None, picked_by=PickedBy.QUEUE)
    side_by_side(*[lambda: undo_annotation(annotation=second, person=None)] * 4)
    samples[0].refresh_from_db()
    assert (samples[0].label, Annotation.objects.count()) == (refund, 3)


def test_opinions_given_and_taken_back_at_once_come_to_what_most_still_say(
    text_function: Function, samples: list[Sample]
) -> None:
    """Five people answer, change their minds and take answers back, in any order; then everybody's last word counts."""
    refund, shipping = text_function.labels.order_by("id")
    Sample.objects.update(n_wanted=5)
    people = [make_user(f"person{n}@example.com", f"Person {n}") for n in range(5)]

    def answer(place: int) -> Callable[[], None]:
        def give() -> None:
            for sample in samples[:8]:
                first = opinion(sample, place, shipping)
                if place % 2:
                    undo_opinion(annotation=first, person=people[place])
                opinion(sample, place, refund if place < 3 else shipping)

        return give

    def opinion(sample: Sample, place: int, label: Label) -> Annotation:
        return give_opinion(sample=sample, person=people[place], label=label, picked_by=PickedBy.QUEUE)

    side_by_side(*map(answer, range(5)))
    for sample in Sample.objects.filter(pk__in=[sample.pk for sample in samples[:8]]).select_related("annotation"):
        assert (sample.n_opinions, sample.is_disputed, sample.label_id) == (5, False, refund.pk)
        assert sample.annotation is not None
        assert sample.annotation.label_id == refund.pk
        assert sample.opinions.count() == 5
