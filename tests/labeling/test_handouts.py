"""Leases: what one person is asked nobody else is asked, until it is answered, passed over, or two minutes are over."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling import handouts, selectors
from apps.labeling.models import Handout
from apps.labeling.services import hold_samples, next_samples, save_answers, undo_answer
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.workspaces.models import Workspace
from tests.conftest import make_user
from tests.labeling.rows import answer_of, make_samples

pytestmark = pytest.mark.django_db


def keys(function: Function, person: User, n: int = 8) -> set[int]:
    return {item.sample.pk for item in next_samples(function=function, person=person, n=n)}


def run_out(*samples: int) -> None:
    past = timezone.now() - timedelta(seconds=1)
    rows = Handout.objects.filter(sample__in=samples) if samples else Handout.objects.all()
    rows.update(expires_at=past)


@pytest.mark.usefixtures("predictions")
def test_no_sample_is_in_two_hands(text_function: Function, owner: User, member: User, samples: list[Sample]) -> None:
    theirs = keys(text_function, member, 20)
    mine = keys(text_function, owner, 20)
    assert (len(theirs), len(mine), theirs & mine) == (20, 20, set())
    assert keys(text_function, make_user("late@example.com", "Late"), 20) == set()
    assert theirs | mine == {sample.pk for sample in samples}


def test_a_page_loaded_anew_may_show_what_its_person_already_holds(
    text_function: Function, owner: User, samples: list[Sample]
) -> None:
    assert keys(text_function, owner, len(samples)) == keys(text_function, owner, len(samples))


def test_what_is_answered_or_passed_over_leaves_the_hand(
    text_function: Function, member: User, samples: list[Sample]
) -> None:
    next_samples(function=text_function, person=member, n=len(samples))
    answers = [answer_of(samples[0], member, "Refund"), answer_of(samples[1], member, None)]
    save_answers(function=text_function, person=member, answers=answers)
    assert not Handout.objects.filter(sample__in=[samples[0], samples[1]]).exists()
    assert Handout.objects.count() == len(samples) - 2


def test_a_skipped_sample_is_free_for_others(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    next_samples(function=text_function, person=member, n=len(samples))
    save_answers(function=text_function, person=member, answers=[answer_of(samples[5], member, None)])
    assert keys(text_function, owner) == {samples[5].pk}


def test_what_runs_out_is_asked_of_others_and_swept_later(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    held = keys(text_function, member, len(samples))
    run_out(*list(held)[:3])
    assert keys(text_function, owner) == set(list(held)[:3])

    long_ago = timezone.now() - handouts.KEPT_FOR - timedelta(seconds=1)
    Handout.objects.filter(person=member).update(expires_at=long_ago)
    next_samples(function=text_function, person=owner, n=1)
    assert not Handout.objects.filter(person=member).exists()


def test_every_request_of_a_page_at_work_renews_what_it_holds(
    text_function: Function, member: User, samples: list[Sample]
) -> None:
    items = next_samples(function=text_function, person=member, n=4)
    soon = timezone.now() + timedelta(seconds=5)

    Handout.objects.update(expires_at=soon)
    held = [item.sample.public_id for item in items[:3]]
    next_samples(function=text_function, person=member, n=1, exclude=held)
    renewed = set(Handout.objects.filter(expires_at__gt=soon).values_list("sample", flat=True))
    assert renewed >= {item.sample.pk for item in items[:3]}
    assert len(renewed) == 4  # and the one that was fetched

    Handout.objects.update(expires_at=soon)
    save_answers(function=text_function, person=member, answers=[answer_of(items[0].sample, member, "Refund")])
    assert not Handout.objects.filter(expires_at__lte=soon).exists()


def test_a_page_that_slept_gets_back_what_nobody_took(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    held = [item.sample for item in next_samples(function=text_function, person=member, n=4)]
    run_out()
    Handout.objects.create(sample=held[0], person=owner, expires_at=timezone.now() + handouts.HOLDS_FOR)
    label = text_function.labels.get(name="Refund")
    annotate_sample(sample=held[1], label=label, person=owner, picked_by=PickedBy.PERSON)

    ids = [sample.public_id for sample in held]
    assert hold_samples(function=text_function, person=member, held=ids) == ids[2:]


def test_the_page_says_what_it_holds_and_lets_go_of(
    member_client: Client, outsider_client: Client, text_function: Function, owner: User, samples: list[Sample]
) -> None:
    url = reverse("labeling:holding", args=[text_function.public_id])
    ids = [sample.public_id for sample in samples]

    response = member_client.post(url, {"held": ids[:3]}, content_type="application/json")
    assert (response.status_code, response.json()) == (200, {"kept": ids[:3]})
    assert keys(text_function, owner, 40).isdisjoint({sample.pk for sample in samples[:3]})

    member_client.post(url, {"released": ids[:3]}, content_type="application/json")
    assert keys(text_function, owner, 40) == {sample.pk for sample in samples}
    assert outsider_client.post(url, {"held": ids}, content_type="application/json").status_code == 404


@pytest.mark.parametrize("body", [[], {"held": "x"}, {"held": [1]}, {"released": ["x"] * 201}])
def test_what_is_no_list_of_samples_is_told_in_a_sentence(
    member_client: Client, text_function: Function, body: object
) -> None:
    url = reverse("labeling:holding", args=[text_function.public_id])
    response = member_client.post(url, body, content_type="application/json", headers={"accept": "application/json"})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_input")


def test_an_undone_answer_comes_back_into_the_same_hand(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    answer = answer_of(samples[0], member, "Refund")
    save_answers(function=text_function, person=member, answers=[answer])
    undo_answer(function=text_function, person=member)
    assert samples[0].pk not in keys(text_function, owner, len(samples))


def test_several_hands_where_several_people_are_wanted_and_not_one_more(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    Sample.objects.exclude(pk=samples[0].pk).delete()
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=2)
    third = make_user("third@example.com", "Third")
    assert keys(text_function, member) == {samples[0].pk}
    assert keys(text_function, owner) == {samples[0].pk}
    assert keys(text_function, third) == set()


def test_what_was_answered_while_somebody_chose_is_not_handed_to_them(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    """Between choosing and taking others may answer: enough of them, alike or not, or the person from another page."""
    third = make_user("third@example.com", "Third")
    Sample.objects.filter(pk__in=[sample.pk for sample in samples[:3]]).update(n_wanted=2)
    chosen = list(Sample.objects.filter(pk__in=[sample.pk for sample in samples[:4]]).order_by("pk"))
    for place, person, label in [
        (0, owner, "Refund"),
        (0, member, "Shipping"),
        (1, owner, "Refund"),
        (1, member, "Refund"),
        (2, third, "Refund"),
        (3, owner, "Refund"),
    ]:
        answer = answer_of(samples[place], person, label)
        assert save_answers(function=text_function, person=person, answers=[answer]).refused == []

    assert handouts.take(function=text_function, person=third, samples=chosen) == set()
    assert handouts.take(function=text_function, person=member, samples=chosen) == {samples[2].pk}


def test_hands_are_counted_at_the_same_cost_however_many_samples_there_are(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    next_samples(function=text_function, person=member, n=20)
    with CaptureQueriesContext(connection) as queries:
        selectors.hidden_from(owner)
    plans = []
    for query in queries.captured_queries:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
                plans += [str(row[-1]) for row in cursor.fetchall()]
    assert not [plan for plan in plans if plan.startswith("SCAN samples_sample")]
    assert len(queries) <= 3


@pytest.mark.django_db(transaction=True)
def test_people_who_ask_in_the_same_moment_get_different_samples(workspace: Workspace, text_function: Function) -> None:
    make_samples(text_function, 200)
    people = [make_user(f"racer{place}@example.com", f"Racer {place}") for place in range(4)]
    start = threading.Barrier(len(people))
    got: list[set[int]] = []

    def ask(person: User) -> None:
        try:
            start.wait()
            mine: set[int] = set()
            for _ in range(4):
                mine |= keys(text_function, person, 6)
            got.append(mine)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(got) == len(people)
    assert sum(map(len, got)) == len(set().union(*got))
    assert all(len(mine) >= 6 for mine in got)


def test_an_answer_counts_though_its_time_ran_out(text_function: Function, member: User, samples: list[Sample]) -> None:
    next_samples(function=text_function, person=member, n=len(samples))
    run_out()
    answer = answer_of(samples[0], member, "Refund")
    assert save_answers(function=text_function, person=member, answers=[answer]).refused == []
    samples[0].refresh_from_db()
    assert samples[0].label is not None
