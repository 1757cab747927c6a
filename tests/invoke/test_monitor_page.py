"""What people see of the calls of their function."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from apps.accounts.models import User
from apps.core.errors import HundredfoldError
from apps.functions.models import Function, OutputKind
from apps.invoke.failures import WHY
from apps.invoke.models import DriftAlarm, DriftKind, Invocation
from apps.invoke.monitor_selectors import production_accuracy
from apps.invoke.usage import roll_up
from apps.samples.models import Annotation, Capture, CaptureReason, Origin, PickedBy, Sample, SampleTag
from apps.workspaces.models import ApiKey

pytestmark = pytest.mark.django_db


def call(function: Function, *, hours: float = 0.0, label: str | None = "Refund", **values: object) -> Invocation:
    given = {
        "label": function.labels.get(name=label) if label else None,
        "confidence": 0.92,
        "milliseconds": 14.0,
        **values,
    }
    return Invocation.objects.create(function=function, created_at=timezone.now() - timedelta(hours=hours), **given)


def kept(function: Function, n: int, *, said: str, is_so: str = "", is_random: bool = True) -> list[Sample]:
    """Calls kept by chance, answered so, and labelled so where that is given."""
    made = []
    for _ in range(n):
        count = Sample.objects.count()
        sample = Sample.objects.create(
            function=function, text=f"call {count}", content_hash=f"{count:064}", origin=Origin.CAPTURE
        )
        Capture.objects.create(
            sample=sample,
            function=function,
            reason=CaptureReason.RANDOM,
            is_random=is_random,
            model="model_1",
            label=function.labels.get(name=said),
            confidence=0.9,
        )
        if is_so:
            label = function.labels.get(name=is_so)
            annotation = Annotation.objects.create(sample=sample, label=label, picked_by=PickedBy.QUEUE)
            Sample.objects.filter(pk=sample.pk).update(label=label, annotation=annotation)
        made.append(sample)
    return made


def page(client: Client, function: Function, **asked: str) -> str:
    response = client.get(reverse("invoke:monitor_page", args=[function.public_id]), asked)
    assert response.status_code == 200
    return response.content.decode()


class Links(HTMLParser):
    """The addresses of the calls that a plot leads to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        href = dict(attrs).get("href") or ""
        if tag == "a" and "/calls/?from=" in href:
            self.found.append(href)


def test_without_calls_the_page_says_how_to_call(text_function: Function, owner_client: Client) -> None:
    html = page(owner_client, text_function)
    assert "Nobody has called it in the last 24 hours" in html
    assert "plot-drawing" not in html


@pytest.mark.parametrize("chosen", ["day", "week", "month", "nonsense"])
def test_calls_are_drawn_and_each_point_leads_to_its_calls(
    text_function: Function, owner_client: Client, chosen: str
) -> None:
    for hours in (0, 0.1, 2, 2, 5):
        call(text_function, hours=hours)
    call(text_function, hours=2, label="Shipping", confidence=0.4, is_for_review=True, milliseconds=180)
    call(text_function, hours=2, error="bad_input", label=None, confidence=None)
    html = page(owner_client, text_function, range=chosen)
    assert html.count('class="plot-drawing"') == 5
    assert "1 not answered" in html
    links = Links(html).found
    assert links
    shown = 0
    for href in {link for link in links if "only" not in link}:
        response = owner_client.get(href)
        assert response.status_code == 200
        shown += len(response.context["calls"])
    assert shown == 7


def test_the_numbers_are_the_same_once_hours_are_rolled_up(text_function: Function, owner_client: Client) -> None:
    for hours in (4, 5, 5):
        call(text_function, hours=hours)
    before = owner_client.get(reverse("invoke:monitor_page", args=[text_function.public_id])).context["whole"]
    roll_up()
    after = owner_client.get(reverse("invoke:monitor_page", args=[text_function.public_id])).context["whole"]
    assert before == after
    assert after.n_calls == 3


def test_a_busy_function_takes_no_more_queries(
    text_function: Function, owner_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for i in range(60):
        call(text_function, hours=i / 2)
    roll_up()
    page(owner_client, text_function)
    with django_assert_max_num_queries(36):
        page(owner_client, text_function, range="month")


def test_accuracy_in_production_counts_calls_drawn_at_random_that_a_person_labelled(
    text_function: Function, owner_client: Client
) -> None:
    kept(text_function, 8, said="Refund", is_so="Refund")
    kept(text_function, 2, said="Refund", is_so="Shipping")
    kept(text_function, 5, said="Refund")
    kept(text_function, 5, said="Refund", is_so="Shipping", is_random=False)
    found = production_accuracy(text_function, timezone.now() - timedelta(days=1))
    assert (found.n, found.n_right) == (10, 8)
    assert found.low < 0.8 < found.high
    call(text_function)
    html = page(owner_client, text_function)
    assert "8 of 10 calls drawn at random" in html


def test_an_answer_of_a_label_merged_since_counts_for_the_label_it_became(text_function: Function) -> None:
    kept(text_function, 3, said="Refund", is_so="Shipping")
    shipping = text_function.labels.get(name="Shipping")
    text_function.labels.filter(name="Refund").update(merged_into=shipping)
    assert production_accuracy(text_function, timezone.now() - timedelta(days=1)).n_right == 3


def test_tags_are_right_where_all_of_them_are(text_function: Function) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    refund, shipping = text_function.labels.order_by("position")
    for sample, there in zip(kept(text_function, 2, said="Refund", is_so="Refund"), [[refund], []], strict=True):
        Capture.objects.filter(sample=sample).update(tags=[refund.public_id])
        for label in there:
            SampleTag.objects.create(sample=sample, label=label, is_present=True)
        SampleTag.objects.create(sample=sample, label=shipping, is_present=False)
    found = production_accuracy(text_function, timezone.now() - timedelta(days=1))
    assert (found.n, found.n_right) == (2, 1)


@pytest.fixture
def alarm(text_function: Function) -> DriftAlarm:
    facts = {
        "watched": "novelty",
        "is_more": True,
        "now": 0.41,
        "usual": 0.05,
        "n_calls": 120,
        "calls": [{"at": "2026-03-01T10:00:00", "label_name": "Refund", "confidence": 0.4, "novelty": 0.99}],
    }
    return DriftAlarm.objects.create(
        function=text_function, kind=DriftKind.INPUT, facts=facts, began_at=timezone.now() - timedelta(hours=1)
    )


def test_an_alarm_is_shown_until_somebody_has_seen_it(
    text_function: Function, owner_client: Client, owner: User, alarm: DriftAlarm
) -> None:
    html = page(owner_client, text_function)
    assert "What is sent in has changed" in html
    assert "41% of them" in html
    assert "I have seen it" in html
    response = owner_client.post(reverse("invoke:see_drift", args=[alarm.public_id]))
    assert response.status_code == 302
    alarm.refresh_from_db()
    assert alarm.seen_by == owner
    assert "I have seen it" not in page(owner_client, text_function)


def test_who_may_only_look_cannot_put_an_alarm_away(member_client: Client, alarm: DriftAlarm) -> None:
    assert member_client.post(reverse("invoke:see_drift", args=[alarm.public_id])).status_code in {302, 403}


@pytest.mark.parametrize(
    "facts",
    [
        {"watched": "confidence", "is_more": False, "now": 0.5, "usual": 0.8, "n_calls": 9},
        {"watched": "label", "is_more": True, "now": 0.5, "usual": 0.1, "n_calls": 9, "label_name": ""},
        {},
    ],
)
def test_every_kind_of_alarm_reads_as_a_sentence(
    text_function: Function, owner_client: Client, alarm: DriftAlarm, facts: dict[str, object]
) -> None:
    DriftAlarm.objects.update(facts=facts)
    assert "Since about" in page(owner_client, text_function)


def test_calls_are_listed_by_label_and_by_what_became_of_them(
    text_function: Function, owner_client: Client, key: tuple[ApiKey, str]
) -> None:
    sample = kept(text_function, 1, said="Refund")[0]
    call(text_function, key=key[0], sample=sample)
    call(text_function, label="Shipping", is_for_review=True)
    call(text_function, error="invalid_input", label=None, confidence=None)
    path = reverse("invoke:calls_page", args=[text_function.public_id])
    html = owner_client.get(path).content.decode()
    why = "what was sent could not be used"
    assert all(word in html for word in (sample.text, "not answered", why, "Website", "Shipping"))
    shipping = text_function.labels.get(name="Shipping").public_id
    assert len(owner_client.get(path, {"label": shipping}).context["calls"]) == 1
    assert len(owner_client.get(path, {"only": "review"}).context["calls"]) == 1
    assert len(owner_client.get(path, {"only": "errors"}).context["calls"]) == 1


def test_every_code_of_a_call_that_was_not_answered_has_words() -> None:
    def codes(error: type[HundredfoldError]) -> set[str]:
        is_of_calls = error.__module__.startswith(("apps.core", "apps.invoke", "apps.workspaces"))
        return {error.code if is_of_calls else "error"}.union(*map(codes, error.__subclasses__()))

    assert {"no_model", "too_slow", "still_at_work"} <= codes(HundredfoldError)
    assert codes(HundredfoldError) <= set(WHY)


def test_more_calls_than_a_page_holds_are_on_the_next(text_function: Function, owner_client: Client) -> None:
    for i in range(55):
        call(text_function, hours=i / 60)
    path = reverse("invoke:calls_page", args=[text_function.public_id])
    first = owner_client.get(path)
    assert (len(first.context["calls"]), first.context["earlier"]) == (50, 2)
    second = owner_client.get(path, {"page": "2"})
    assert (len(second.context["calls"]), second.context["earlier"], second.context["later"]) == (5, 0, 1)


@pytest.mark.parametrize("asked", [{"from": "yesterday"}, {"to": "2026-13-45"}, {"from": "0001-01-01T00:00:00Z"}])
def test_a_time_that_is_none_is_refused(text_function: Function, owner_client: Client, asked: dict[str, str]) -> None:
    path = reverse("invoke:calls_page", args=[text_function.public_id])
    assert owner_client.get(path, asked).status_code == 400


def test_the_addresses_of_points_name_their_stretch_of_time(text_function: Function, owner_client: Client) -> None:
    call(text_function)
    query = parse_qs(urlsplit(Links(page(owner_client, text_function)).found[-1]).query)
    assert set(query) >= {"from", "to"}
