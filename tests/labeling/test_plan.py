"""What was planned to be asked: in order, without what has been answered meanwhile, and with its reason."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function, Label, OutputKind
from apps.labeling.items import Why
from apps.labeling.models import QueueEntry, Reason
from apps.labeling.plan import is_planned, planned
from apps.labeling.services import next_samples
from apps.samples.models import PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.training.models import Prediction, TrainedModel
from tests.labeling.rows import make_samples

pytestmark = pytest.mark.django_db


def plan(function: Function, samples: list[Sample], reason: Reason = Reason.TYPICAL) -> None:
    QueueEntry.objects.bulk_create(
        QueueEntry(function=function, sample=sample, place=place, reason=reason) for place, sample in enumerate(samples)
    )


def test_samples_come_in_the_order_planned(text_function: Function, samples: list[Sample]) -> None:
    wanted = [samples[7], samples[3], samples[30]]
    plan(text_function, wanted)

    assert [each.sample for each in planned(text_function, 2)] == wanted[:2]
    assert [each.sample for each in planned(text_function, 9, hidden={wanted[0].pk})] == wanted[1:]


def test_what_was_labelled_or_binned_meanwhile_is_left_out(text_function: Function, samples: list[Sample]) -> None:
    plan(text_function, samples[:3])
    label = text_function.labels.get(name="Refund")
    annotate_sample(sample=samples[0], label=label, person=None, picked_by=PickedBy.PERSON)
    Sample.objects.filter(pk=samples[1].pk).update(deleted_at=timezone.now())

    assert [each.sample for each in planned(text_function, 9)] == [samples[2]]

    Sample.objects.filter(pk=samples[2].pk).update(deleted_at=timezone.now())
    assert not is_planned(text_function)


def test_where_nothing_is_planned_the_most_doubtful_come(
    text_function: Function, samples: list[Sample], predictions: list[Prediction]
) -> None:
    other = text_function.labels.get(name="Shipping")
    Prediction.objects.update(runner_up=other)
    plan(text_function, [samples[-1]])

    first, second = planned(text_function, 2)

    assert (first.sample, first.reason) == (samples[-1], Reason.TYPICAL)
    assert first.prediction is not None
    assert first.labels == ()
    assert (second.sample, second.reason) == (samples[-2], Reason.TORN)
    assert second.labels == (predictions[0].label, other)


def test_the_reason_names_no_label_that_is_gone(
    text_function: Function, samples: list[Sample], predictions: list[Prediction]
) -> None:
    other = text_function.labels.get(name="Shipping")
    Prediction.objects.update(runner_up=other)
    plan(text_function, samples[:1], Reason.TORN)
    assert planned(text_function, 1)[0].labels == (predictions[0].label, other)

    Label.objects.filter(pk=other.pk).update(deleted_at=timezone.now())

    assert planned(text_function, 1)[0].labels == ()


def test_of_a_rare_label_the_reason_names_it(
    text_function: Function, samples: list[Sample], predictions: list[Prediction]
) -> None:
    plan(text_function, samples[:1], Reason.RARE)

    assert planned(text_function, 1)[0].labels == (predictions[0].label,)


def test_of_tags_the_reason_names_the_one_in_doubt(
    text_function: Function, model: TrainedModel, samples: list[Sample]
) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    sure, doubtful = text_function.labels.order_by("pk")[:2]
    TrainedModel.objects.update(figures={"thresholds": {doubtful.public_id: 0.3}})
    Prediction.objects.create(
        sample=samples[0],
        function=text_function,
        kind="live",
        model=model,
        label=sure,
        tags={sure.public_id: 0.6, doubtful.public_id: 0.31},
        confidence=0.4,
        margin=0.01,
    )
    plan(text_function, samples[:1], Reason.TORN)

    assert planned(text_function, 1)[0].labels == (doubtful,)


def test_before_a_model_every_fifth_is_still_drawn_at_random(
    text_function: Function, owner: User, samples: list[Sample]
) -> None:
    plan(text_function, samples[:20])

    items = next_samples(function=text_function, person=owner, n=10)

    at_random = [place for place, item in enumerate(items) if item.picked_by == PickedBy.RANDOM]
    assert at_random == [4, 9]
    asked = [item for item in items if item.picked_by == PickedBy.QUEUE]
    assert all(item.why == Why.TYPICAL and item.suggestion is None for item in asked)


def test_reading_the_plan_costs_the_same_among_many_samples(text_function: Function, samples: list[Sample]) -> None:
    plan(text_function, samples[:5])

    def n_queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            planned(text_function, 4)
        return len(queries)

    few = n_queries()
    make_samples(text_function, 2000, prefix="more")
    assert n_queries() == few == 2
