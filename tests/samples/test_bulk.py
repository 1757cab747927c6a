"""One key for many samples."""

import pytest

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Act, ActKind, Function
from apps.samples.models import Annotation, Origin, PickedBy, Sample
from apps.samples.services.bulk import MOST_AT_ONCE, label_selection
from apps.samples.services.intake import NewText, add_texts


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(4)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def test_a_selection_gets_one_label_as_one_act(samples: list[Sample], text_function: Function, member: User) -> None:
    refund = text_function.labels.get(name="Refund")
    act = label_selection(
        function=text_function,
        sample_ids=[sample.public_id for sample in samples[:3]],
        label=refund,
        person=member,
        kind=ActKind.GRID,
        picked_by=PickedBy.GRID,
    )
    assert act.n_samples == 3
    assert Sample.objects.filter(label=refund).count() == 3
    assert {(row.act_id, row.picked_by) for row in Annotation.objects.all()} == {(act.pk, "grid")}


def test_an_act_that_changed_nothing_is_not_kept(samples: list[Sample], text_function: Function, member: User) -> None:
    refund, ids = text_function.labels.get(name="Refund"), [sample.public_id for sample in samples]
    label_selection(function=text_function, sample_ids=ids, label=refund, person=member)
    assert label_selection(function=text_function, sample_ids=ids, label=refund, person=member).n_samples == 0
    assert Act.objects.count() == 1


def test_samples_of_another_function_are_passed_over(
    samples: list[Sample], text_function: Function, member: User
) -> None:
    other = Function.objects.create(workspace=text_function.workspace, name="other", input_kind="text")
    foreign = add_texts(function=other, items=[NewText("hello")], person=None, origin=Origin.BROWSER).samples[0]
    ids = [foreign.public_id, samples[0].public_id]
    refund = text_function.labels.get(name="Refund")
    assert label_selection(function=text_function, sample_ids=ids, label=refund, person=member).n_samples == 1
    foreign.refresh_from_db()
    assert foreign.label_id is None


@pytest.mark.parametrize("ids", [[], ["sample_x"] * (MOST_AT_ONCE + 1)])
def test_none_and_too_many_are_refused(text_function: Function, member: User, ids: list[str]) -> None:
    with pytest.raises(InvalidInput):
        label_selection(function=text_function, sample_ids=ids, label=None, person=member)
