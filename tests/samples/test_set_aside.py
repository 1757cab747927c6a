"""Setting a person's answers aside, and bringing them back."""

import pytest

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.events.models import Event
from apps.functions.models import Function
from apps.samples.models import Annotation, Opinion, Origin, PickedBy, Sample
from apps.samples.services.acts import undo_act
from apps.samples.services.annotations import annotate_many, annotate_sample
from apps.samples.services.gold import make_gold
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.saying import KnownLabels
from apps.samples.services.set_aside import set_answers_aside
from apps.samples.services.settling import settle


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(5)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def labels_of(function: Function) -> list[str | None]:
    return list(Sample.objects.filter(function=function).order_by("pk").values_list("label__name", flat=True))


def test_their_samples_are_asked_anew_and_undoing_brings_the_answers_back(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = text_function.labels.in_use()[:2]
    annotate_sample(sample=samples[0], label=refund, person=owner, picked_by=PickedBy.QUEUE)
    annotate_sample(sample=samples[1], label=refund, person=member, picked_by=PickedBy.QUEUE)
    annotate_sample(sample=samples[2], label=shipping, person=member, picked_by=PickedBy.RANDOM)
    annotate_many(function=text_function, pairs=[(samples[3].pk, refund.pk)], person=member, picked_by=PickedBy.IMPORT)
    before = labels_of(text_function)
    act = set_answers_aside(function=text_function, person=member, actor=owner)
    assert act.n_samples == 2
    assert labels_of(text_function) == ["Refund", None, None, "Refund", None]
    assert Event.objects.filter(kind="samples.answers_set_aside", subject=member.public_id).count() == 1
    annotate_sample(sample=samples[1], label=shipping, person=owner, picked_by=PickedBy.QUEUE)
    outcome = undo_act(act=act, person=owner)
    assert (outcome.n_restored, outcome.n_left) == (1, 1)
    assert labels_of(text_function) == [before[0], "Shipping", "Shipping", "Refund", None]


def test_opinions_of_theirs_count_no_longer_until_that_is_undone(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund = text_function.labels.in_use()[0]
    sample = samples[0]
    Sample.objects.filter(pk=sample.pk).update(n_wanted=2)
    for person in (owner, member):
        annotation = Annotation.objects.create(
            sample=sample, label=refund, person=person, picked_by=PickedBy.QUEUE, is_opinion=True
        )
        Opinion.objects.create(sample=sample, person=person, annotation=annotation, label=refund)
    settle(sample, KnownLabels(text_function.pk))
    assert sample.label_id == refund.pk
    act = set_answers_aside(function=text_function, person=member, actor=owner)
    sample.refresh_from_db()
    assert (act.n_samples, sample.label_id, sample.n_opinions) == (1, None, 1)
    assert undo_act(act=act, person=owner).n_restored == 1
    sample.refresh_from_db()
    assert (sample.label_id, sample.n_opinions) == (refund.pk, 2)


def test_what_is_known_beforehand_stays_whoever_said_it(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund = text_function.labels.in_use()[0]
    make_gold(sample=samples[0], label=refund, person=member)
    annotate_sample(sample=samples[1], label=refund, person=member, picked_by=PickedBy.QUEUE)
    assert set_answers_aside(function=text_function, person=member, actor=owner).n_samples == 1
    assert labels_of(text_function)[:2] == ["Refund", None]


def test_who_answered_nothing_has_nothing_to_set_aside(text_function: Function, owner: User, member: User) -> None:
    with pytest.raises(InvalidInput, match="no answers"):
        set_answers_aside(function=text_function, person=member, actor=owner)
