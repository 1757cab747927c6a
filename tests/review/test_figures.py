"""Every figure on the function home, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.functions.models import Function
from apps.review.filters import Verdict
from apps.review.selectors import Basis, figures
from apps.samples.models import PickedBy
from apps.samples.services.annotations import annotate_sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from tests.review.conftest import Add, publish, say

pytestmark = pytest.mark.django_db


def test_a_function_without_predictions_has_no_figures(text_function: Function, add: Add) -> None:
    add("Refund")
    add(None)
    shown = figures(text_function)
    assert (shown.n_labelled, shown.n_judged, shown.n_right, shown.n_waiting) == (1, 0, 0, 1)
    assert shown.majority_label is None


def test_right_wrong_and_unsure_are_counted_as_defined(text_function: Function, add: Add) -> None:
    for _ in range(5):
        add("Refund", "Refund")
    add("Refund", "Refund", margin=0.19)
    add("Refund", "Shipping", margin=0.1)
    add("Shipping", "Shipping", margin=0.2)  # exactly at the limit is sure enough
    add("Shipping", "Refund")
    add("Shipping", "Refund")
    add("Shipping")
    shown = figures(text_function)
    assert (shown.n_labelled, shown.n_judged, shown.n_waiting) == (11, 10, 1)
    assert (shown.n_right, shown.n_wrong, shown.n_unsure) == (7, 3, 2)
    assert (shown.n_right_unsure, shown.n_wrong_unsure) == (1, 1)
    parts = [(part.name, part.n, part.start, part.width) for part in shown.segments]
    assert parts == [
        ("right", 6, 0.0, 60.0),
        ("right-unsure", 1, 60.0, 10.0),
        ("wrong-unsure", 1, 70.0, 10.0),
        ("wrong", 2, 80.0, 20.0),
    ]


def test_each_label_says_what_it_caught_and_its_false_alarms(text_function: Function, add: Add) -> None:
    for _ in range(7):
        add("Refund", "Refund")
    for _ in range(5):
        add("Refund", "Shipping")
    for _ in range(3):
        add("Shipping", "Shipping")
    for _ in range(2):
        add("Shipping", "Refund")
    lines = {line.label.name: line for line in figures(text_function).lines}
    refund, shipping = lines["Refund"], lines["Shipping"]
    assert (refund.n, refund.n_caught, refund.n_false_alarms) == (12, 7, 2)
    assert (shipping.n, shipping.n_caught, shipping.n_false_alarms) == (5, 3, 5)


def test_with_twenty_random_samples_the_commonest_label_is_theirs_alone(text_function: Function, add: Add) -> None:
    for i in range(12):
        add("Refund", "Refund", picked_by=PickedBy.RANDOM if i % 2 else PickedBy.IMPORT)
    for _ in range(8):
        add("Shipping", "Refund" if _ < 2 else "Shipping", picked_by=PickedBy.RANDOM)
    for _ in range(30):
        add("Shipping", "Refund", picked_by=PickedBy.QUEUE)
    shown = figures(text_function)
    assert (shown.n_judged, shown.n_right) == (50, 18)
    assert (shown.basis, shown.n_basis, shown.n_basis_right, shown.n_random) == (Basis.RANDOM, 20, 18, 20)
    assert shown.majority_label is not None
    assert (shown.majority_label.name, shown.majority_share) == ("Refund", 0.6)


def test_with_fewer_random_samples_everything_counts_and_it_says_so(text_function: Function, add: Add) -> None:
    for _ in range(19):
        add("Refund", "Refund", picked_by=PickedBy.RANDOM)
    for _ in range(21):
        add("Shipping", "Refund", picked_by=PickedBy.QUEUE)
    shown = figures(text_function)
    assert (shown.basis, shown.n_basis, shown.n_basis_right, shown.n_random) == (Basis.EVERYTHING, 40, 19, 19)
    assert shown.majority_label is not None
    assert (shown.majority_label.name, shown.majority_share) == ("Shipping", 21 / 40)


def test_correcting_a_random_sample_does_not_take_it_out_of_the_estimate(
    text_function: Function, add: Add, owner: object
) -> None:
    samples = [add("Refund", "Refund", picked_by=PickedBy.RANDOM) for _ in range(20)]
    shipping = text_function.labels.get(name="Shipping")
    annotate_sample(sample=samples[0], label=shipping, person=None, picked_by=PickedBy.PERSON)
    text_function.refresh_from_db()
    shown = figures(text_function)
    assert (shown.basis, shown.n_basis, shown.n_basis_right) == (Basis.RANDOM, 20, 19)


def test_what_the_published_model_says_is_never_counted(text_function: Function, add: Add) -> None:
    add("Refund", "Refund", kind=PredictionKind.LIVE)
    add(None, "Refund")
    add(None, "Refund", kind=PredictionKind.OUT_OF_FOLD)
    shown = figures(text_function)
    assert (shown.n_labelled, shown.n_judged) == (1, 0)


def test_both_kinds_on_one_sample_count_once(text_function: Function, add: Add, model: TrainedModel) -> None:
    sample = add("Refund", "Refund")
    say(sample, text_function.labels.get(name="Shipping"), model, 0.9, PredictionKind.LIVE)
    shown = figures(text_function)
    assert (shown.n_labelled, shown.n_judged, shown.n_right) == (1, 1, 1)


def test_a_deleted_label_is_neither_shown_nor_counted(
    text_function: Function, add: Add, forget: Callable[[Function], None]
) -> None:
    from django.utils import timezone

    add("Refund", "Shipping")
    add("Refund", "Refund")
    text_function.labels.filter(name="Shipping").update(deleted_at=timezone.now())
    shown = figures(text_function)
    assert [line.label.name for line in shown.lines] == ["Refund"]
    assert (shown.n_labelled, shown.n_judged, shown.n_right) == (2, 1, 1)


def test_figures_are_counted_once_until_data_or_model_change(
    text_function: Function,
    add: Add,
    forget: Callable[[Function], None],
    django_assert_num_queries: Callable[[int], object],
) -> None:
    add("Refund", "Refund")
    figures(text_function)
    labels = list(text_function.labels.in_use())
    with django_assert_num_queries(1):  # which model is live
        assert figures(text_function, labels).n_right == 1
    add("Refund", "Refund")
    forget(text_function)
    assert figures(text_function).n_right == 2
    Prediction.objects.update(label=text_function.labels.get(name="Shipping"))
    publish(text_function)
    assert figures(text_function).n_right == 0


def test_another_functions_samples_stay_out(text_function: Function, add: Add) -> None:
    add("Refund", "Refund")
    other = text_function.workspace.functions.create(name="Other", input_kind="text")
    for position, name in enumerate(["Refund", "Shipping"]):
        other.labels.create(name=name, position=position, colour=position)
    assert figures(other).n_labelled == 0


def test_each_number_leads_to_exactly_its_samples(text_function: Function, add: Add) -> None:
    from apps.review.selectors import samples_page

    for said in ["Refund", "Refund", "Shipping"]:
        add("Refund", said)
    add("Shipping", "Refund")
    add("Refund")
    labels = list(text_function.labels.in_use())
    for line in figures(text_function, labels).lines:
        for number, chosen in [
            (line.n, line.all_filter),
            (line.n_caught, line.caught_filter),
            (line.n_false_alarms, line.false_alarms_filter),
        ]:
            page = samples_page(text_function, labels, chosen)
            assert (page.n_total, len(page.rows)) == (number, number)
            assert all(row.verdict in {Verdict.RIGHT, Verdict.WRONG} for row in page.rows)
