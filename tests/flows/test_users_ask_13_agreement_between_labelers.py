"""Row 13: agreement between labelers, in the tool and not in a notebook; a click on a pair shows what they dispute."""

import re

import pytest
from django.test import Client
from django.urls import reverse
from sklearn.metrics import cohen_kappa_score

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.intake import NewText, add_texts
from apps.samples.services.opinions import give_opinion

OLGA = [0, 0, 0, 1, 1, 1, 0, 1, 0, 0]
MIKA = [0, 0, 1, 1, 1, 0, 0, 1, 0, 1]


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(len(OLGA))]
    samples = add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples
    Sample.objects.update(n_wanted=2)
    return samples


def test_the_people_page_says_how_far_two_agree_and_leads_to_what_they_dispute(
    samples: list[Sample], text_function: Function, owner: User, member: User, owner_client: Client
) -> None:
    labels = list(text_function.labels.in_use())
    for person, said in ((owner, OLGA), (member, MIKA)):
        for sample, place in zip(samples, said, strict=True):
            fresh = Sample.objects.get(pk=sample.pk)
            give_opinion(sample=fresh, person=person, label=labels[place], picked_by=PickedBy.QUEUE)
    page = owner_client.get(reverse("review:people_page", args=[text_function.public_id])).content.decode()
    assert f"{cohen_kappa_score(OLGA, MIKA):.2f}" in page
    assert "70%" in page
    link = re.search(r'href="([^"]+/people/pair/[^"]+)">3 samples</a>', page)
    assert link is not None
    disputed = owner_client.get(link[1].replace("&amp;", "&")).content.decode()
    differ = [place for place, (one, other) in enumerate(zip(OLGA, MIKA, strict=True)) if one != other]
    assert re.findall(r"message (\d)", disputed) == [str(place) for place in reversed(differ)]
