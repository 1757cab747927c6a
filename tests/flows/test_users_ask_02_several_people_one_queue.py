"""Users ask, row 2: several people, one queue. Nobody is given what another has, and nobody's queue is empty meanwhile.

Two people, each with a page that holds a few samples and fetches more while it answers, label two hundred each.
"""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function
from apps.labeling.models import Handout
from apps.samples.models import Annotation, Opinion, Sample
from tests.labeling.rows import make_samples

pytestmark = pytest.mark.django_db

N_EACH = 200
HELD = 6


class Page:
    """The label page of one person: what it shows, what it has fetched, and what was given to it in all."""

    def __init__(self, client: Client, function: Function, label: str) -> None:
        self.client, self.function, self.label = client, function, label
        self.held: list[dict[str, str]] = []
        self.given: list[str] = []

    def fetch(self, n: int = HELD) -> int:
        held = ",".join(item["sampleId"] for item in self.held)
        url = reverse("labeling:queue", args=[self.function.public_id])
        found = self.client.get(url, {"n": n, "exclude": held, "given": len(self.given)}).json()["items"]
        self.held += found
        self.given += [item["sampleId"] for item in found]
        return len(found)

    def answer(self) -> None:
        item = self.held.pop(0)
        row = {"token": str(uuid4()), "sampleId": item["sampleId"], "labelId": self.label, "proof": item["proof"]}
        url = reverse("labeling:answers", args=[self.function.public_id])
        reply = self.client.post(url, [row], content_type="application/json")
        assert reply.json() == {"saved": [row["token"]], "refused": []}


@pytest.fixture
def pages(member_client: Client, owner_client: Client, text_function: Function) -> tuple[Page, Page]:
    make_samples(text_function, 2 * N_EACH)
    refund = text_function.labels.get(name="Refund").public_id
    return Page(member_client, text_function, refund), Page(owner_client, text_function, refund)


def test_two_browsers_and_two_hundred_samples_each_give_no_collision(pages: tuple[Page, Page]) -> None:
    for page in pages:
        assert page.fetch() == HELD
    for turn in range(N_EACH):
        for page in pages:
            page.answer()
            if turn % 3 == 0 and turn < N_EACH - HELD:
                assert page.fetch(min(3, N_EACH - len(page.given))) > 0, "a queue ran dry"
    one, other = (set(page.given) for page in pages)
    assert (len(one), len(other), one & other) == (N_EACH, N_EACH, set())
    assert Sample.objects.filter(annotation__isnull=True).count() == 0
    assert (Annotation.objects.count(), Opinion.objects.count()) == (2 * N_EACH, 0)


def test_what_a_closed_browser_held_comes_to_the_other_after_two_minutes(pages: tuple[Page, Page]) -> None:
    closed, other = pages
    closed.fetch()
    Sample.objects.exclude(public_id__in=closed.given).delete()
    assert other.fetch() == 0
    for handout in Handout.objects.all():
        Handout.objects.filter(pk=handout.pk).update(expires_at=handout.expires_at - timedelta(minutes=2))
    assert other.fetch() == HELD
    assert other.given != []
    assert set(other.given) == set(closed.given)


def test_where_two_are_to_answer_the_same_neither_sees_what_the_other_said(
    pages: tuple[Page, Page], text_function: Function
) -> None:
    Function.objects.filter(pk=text_function.pk).update(overlap_share=1.0, overlap_people=2)
    first, second = pages
    first.fetch()
    while first.held:
        first.answer()
    second.fetch(20)
    shared = [item for item in second.held if item["sampleId"] in first.given]
    assert len(shared) == HELD
    for item in shared:
        assert (item["suggestion"], item["comments"], item["said"]) == (None, [], [])
        assert item["mayNotSuggest"]
