"""Row 19: progress, time and figures per labeler: time without pauses, throughput, agreement, known answers right."""

import re

import pytest
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.gold import make_gold
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import give_opinion
from tests.conftest import client_of


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(10)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def cells(page: str) -> dict[str, str]:
    """The cells of the only line of the table, by their column."""
    found = re.findall(r'data-label="([^"]+)">(.*?)</t[dh]>', page, re.DOTALL)
    return {name: " ".join(re.sub(r"<[^>]+>", " ", cell).split()) for name, cell in found}


def test_each_labeler_sees_their_own_figures(
    samples: list[Sample], text_function: Function, owner: User, member: User
) -> None:
    refund, shipping = text_function.labels.in_use()[:2]
    for sample in samples[:6]:
        annotate_sample(sample=sample, label=refund, person=member, picked_by=PickedBy.QUEUE, active_ms=20_000)
    Sample.objects.filter(pk=samples[6].pk).update(n_wanted=2)
    shared, known = Sample.objects.get(pk=samples[6].pk), samples[7]
    for person, label in ((owner, refund), (member, shipping)):
        give_opinion(sample=shared, person=person, label=label, picked_by=PickedBy.QUEUE, active_ms=60_000)
        shared.refresh_from_db()
    make_gold(sample=known, label=refund, person=owner)
    give_opinion(sample=known, person=member, label=refund, picked_by=PickedBy.QUEUE, active_ms=60_000)
    page = client_of(member).get(reverse("review:people_page", args=[text_function.public_id])).content.decode()
    assert cells(page) == {
        "Person": "Mika Member",
        "Labelled": "8",
        "Time at work": "4 min 30.0 s each",
        "Agreement": "0% of 1",
        "Known right": "1 of 1",
    }
