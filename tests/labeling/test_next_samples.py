"""The queue: what it asks, why, and at what cost."""

from collections import Counter
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function
from apps.labeling import handouts, selectors
from apps.labeling.models import Skip
from apps.labeling.services import RANDOM_EVERY, next_samples, show_skipped_again
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.training.models import Prediction, TrainedModel
from tests.labeling.rows import make_samples

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("samples")
def test_before_a_model_everything_is_drawn_at_random(text_function: Function, owner: User) -> None:
    items = next_samples(function=text_function, person=owner, n=12)

    assert len({item.sample.pk for item in items}) == 12
    assert {item.picked_by for item in items} == {PickedBy.RANDOM}
    assert all(item.suggestion is None for item in items)


@pytest.mark.usefixtures("predictions")
def test_every_fifth_is_drawn_at_random_and_shows_no_suggestion(text_function: Function, owner: User) -> None:
    items = next_samples(function=text_function, person=owner, n=20)

    places = [place for place, item in enumerate(items) if item.picked_by == PickedBy.RANDOM]
    assert places == [4, 9, 14, 19]
    for place, item in enumerate(items):
        assert (item.suggestion is None) == (place in places)


@pytest.mark.usefixtures("predictions")
def test_fetching_one_at_a_time_keeps_the_fifth_the_fifth(text_function: Function, owner: User) -> None:
    kinds, seen = [], []
    for n_given in range(15):
        item = next_samples(function=text_function, person=owner, n=1, exclude=seen, n_given=n_given)[0]
        kinds.append(item.picked_by)
        seen.append(item.sample.public_id)

    assert [place for place, kind in enumerate(kinds) if kind == PickedBy.RANDOM] == [4, 9, 14]
    assert len(set(seen)) == 15


def test_the_most_doubtful_come_first(
    text_function: Function, owner: User, samples: list[Sample], predictions: list[Prediction]
) -> None:
    items = next_samples(function=text_function, person=owner, n=4)

    assert [item.sample.pk for item in items] == [sample.pk for sample in samples[:-5:-1]]
    assert items[0].suggestion is not None
    assert items[0].suggestion.label == predictions[0].label
    assert items[0].suggestion.confidence == pytest.approx(predictions[-1].confidence)


def test_labelled_excluded_and_skipped_samples_are_left_out(
    text_function: Function, owner: User, samples: list[Sample]
) -> None:
    label = text_function.labels.get(name="Refund")
    for sample in samples[:10]:
        annotate_sample(sample=sample, label=label, person=None, picked_by=PickedBy.PERSON)
    Skip.objects.create(sample=samples[10], person=owner, skipped_at=timezone.now())
    exclude = [sample.public_id for sample in samples[11:20]]

    items = next_samples(function=text_function, person=owner, n=40, exclude=exclude)

    assert {item.sample.pk for item in items} == {sample.pk for sample in samples[20:]}


def test_a_skip_hides_a_sample_from_one_person_and_for_half_a_day(
    text_function: Function, owner: User, member: User, samples: list[Sample]
) -> None:
    Sample.objects.exclude(pk=samples[0].pk).delete()
    skip = Skip.objects.create(sample=samples[0], person=owner, skipped_at=timezone.now())

    assert next_samples(function=text_function, person=owner, n=3) == []
    assert len(next_samples(function=text_function, person=member, n=3)) == 1
    handouts.give_back(person=member, sample_ids=[samples[0].pk])

    Skip.objects.filter(pk=skip.pk).update(skipped_at=timezone.now() - selectors.SKIP_HOLDS - timedelta(minutes=1))
    assert len(next_samples(function=text_function, person=owner, n=3)) == 1


def test_skipped_samples_come_back_on_request(text_function: Function, owner: User, samples: list[Sample]) -> None:
    for sample in samples:
        Skip.objects.create(sample=sample, person=owner, skipped_at=timezone.now())
    assert next_samples(function=text_function, person=owner, n=3) == []

    assert show_skipped_again(function=text_function, person=owner) == len(samples)

    assert len(next_samples(function=text_function, person=owner, n=3)) == 3


def test_samples_the_model_has_not_read_yet_are_asked_but_not_called_random(
    text_function: Function, owner: User, samples: list[Sample], model: TrainedModel
) -> None:
    items = next_samples(function=text_function, person=owner, n=RANDOM_EVERY)

    assert [item.picked_by for item in items] == [PickedBy.QUEUE] * 4 + [PickedBy.RANDOM]
    assert len({item.sample.pk for item in items}) == RANDOM_EVERY


def test_a_deleted_label_is_never_suggested(
    text_function: Function, owner: User, predictions: list[Prediction]
) -> None:
    text_function.labels.filter(pk=predictions[0].label_id).update(deleted_at=timezone.now())

    items = next_samples(function=text_function, person=owner, n=4)

    assert [item.suggestion for item in items] == [None] * 4


def test_another_functions_samples_never_come(
    text_function: Function, owner: User, samples: list[Sample], predictions: list[Prediction]
) -> None:
    other = text_function.workspace.functions.create(name="Other", input_kind="text")
    make_samples(other, 30, prefix="other")

    items = next_samples(function=text_function, person=owner, n=100)

    assert {item.sample.function_id for item in items} == {text_function.pk}
    assert len(items) == len(samples)


def test_the_draw_favours_nobody_despite_gaps(text_function: Function) -> None:
    """A chi-square of 29 degrees of freedom passes 66 once in ten thousand draws of the test."""
    other = text_function.workspace.functions.create(name="Other", input_kind="text")
    mine = make_samples(text_function, 10, "a")
    make_samples(other, 200, "gap")
    mine += make_samples(text_function, 20, "b")
    pool = selectors.unlabelled(text_function)

    n_draws = 1500
    counts = Counter(selectors.draw_at_random(pool, 1)[0].pk for _ in range(n_draws))

    expected = n_draws / len(mine)
    assert sum((counts[sample.pk] - expected) ** 2 / expected for sample in mine) < 66


def test_rows_are_counted_out_where_guesses_miss(text_function: Function, monkeypatch: pytest.MonkeyPatch) -> None:
    other = text_function.workspace.functions.create(name="Other", input_kind="text")
    for i in range(6):
        make_samples(text_function, 1, f"mine-{i}")
        make_samples(other, 300, f"gap-{i}")
    monkeypatch.setattr(selectors, "N_GUESSES", 3)
    pool = selectors.unlabelled(text_function)

    assert len({sample.pk for sample in selectors.draw_at_random(pool, 5)}) == 5
    monkeypatch.setattr(selectors, "FEW_ROWS", 5)
    assert len({sample.pk for sample in selectors.draw_at_random(pool, 5)}) == 5
    monkeypatch.undo()
    assert len(selectors.draw_at_random(pool, 50)) == 6


@pytest.mark.usefixtures("predictions")
def test_the_number_of_queries_does_not_grow(text_function: Function, owner: User) -> None:
    with CaptureQueriesContext(
        connection,
    ) as few:
        next_samples(function=text_function, person=owner, n=5)
    make_samples(text_function, 1000, "more")
    with CaptureQueriesContext(connection) as many:
        next_samples(function=text_function, person=owner, n=20)

    assert len(many) <= len(few) + 1


def test_what_was_sent_here_for_being_doubtful_is_never_called_random(
    text_function: Function, owner: User, samples: list[Sample]
) -> None:
    sent = {sample.pk for sample in samples[:30]}
    Sample.objects.filter(pk__in=sent).update(origin=Origin.CAPTURE)

    items = next_samples(function=text_function, person=owner, n=len(samples))

    assert len(items) == len(samples)
    assert {item.sample.pk for item in items if item.picked_by == PickedBy.QUEUE} == sent
