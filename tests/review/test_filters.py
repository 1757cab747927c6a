"""Filters and orders of the list of samples: a fixed list, each of them showing exactly what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.http import QueryDict
from django.test import Client

from apps.accounts.models import User
from apps.core.errors import InvalidInput
from apps.functions.models import Act, ActKind, Function
from apps.review.filters import Noted, Picked, SampleFilter, Sort, Tab, Verdict, read_filter
from apps.review.selectors import SamplesPage, samples_page
from apps.review.selectors import samples as samples_selectors
from apps.review.selectors.slices import slice_figures
from apps.samples.models import Annotation, Comment, Mark, MarkKind, PickedBy, Sample
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db


def listed(function: Function, chosen: SampleFilter) -> list[str]:
    page = samples_page(function, list(function.labels.in_use()), chosen)
    assert page.n_total == len(page.rows)
    return [row.excerpt for row in page.rows]


@pytest.fixture
def samples(add: Add) -> dict[str, Sample]:
    return {
        "sure": add("Refund", "Refund", margin=0.9, text="sure"),
        "torn": add("Refund", "Shipping", margin=0.1, text="torn", picked_by=PickedBy.RANDOM),
        "fair": add("Shipping", "Shipping", margin=0.5, text="fair", picked_by=PickedBy.IMPORT),
        "waiting": add("Refund", text="waiting"),
        "grid": add("Refund", "Shipping", margin=0.3, text="grid", picked_by=PickedBy.GRID),
    }


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (SampleFilter(sort=Sort.NEWEST), ["grid", "waiting", "fair", "torn", "sure"]),
        (SampleFilter(sort=Sort.OLDEST), ["sure", "torn", "fair", "waiting", "grid"]),
        (SampleFilter(sort=Sort.LEAST_SURE), ["torn", "grid", "fair", "sure"]),
        (SampleFilter(sort=Sort.SUREST), ["sure", "fair", "grid", "torn"]),
        (SampleFilter(verdict=Verdict.JUDGED, sort=Sort.OLDEST), ["sure", "torn", "fair"]),
        (SampleFilter(verdict=Verdict.RIGHT, sort=Sort.NEWEST), ["fair", "sure"]),
        (SampleFilter(verdict=Verdict.WAITING, sort=Sort.SUREST), ["waiting"]),
        (SampleFilter(picked=Picked.RANDOM), ["torn"]),
        (SampleFilter(picked=Picked.GRID), ["grid"]),
        (SampleFilter(picked=Picked.QUEUE, verdict=Verdict.RIGHT), ["sure"]),
        (SampleFilter(search="or", sort=Sort.OLDEST), ["torn"]),
    ],
)
def test_orders_and_ways_of_picking(
    text_function: Function, samples: dict[str, Sample], chosen: SampleFilter, expected: list[str]
) -> None:
    assert listed(text_function, chosen) == expected


def test_what_was_not_said_of_a_label(text_function: Function, samples: dict[str, Sample]) -> None:
    refund = text_function.labels.get(name="Refund")
    assert listed(text_function, SampleFilter(label=refund, unsaid=refund)) == ["torn"]


def test_what_people_left_beside_samples(
    text_function: Function, samples: dict[str, Sample], owner: User, member: User
) -> None:
    Mark.objects.create(sample=samples["torn"], person=owner, kind=MarkKind.FLAG)
    Mark.objects.create(sample=samples["torn"], person=member, kind=MarkKind.FLAG)
    Mark.objects.create(sample=samples["fair"], person=member, kind=MarkKind.UNSURE)
    Comment.objects.create(sample=samples["waiting"], person=member, text="Hm.")
    Sample.objects.filter(pk=samples["sure"].pk).update(is_disputed=True)
    assert listed(text_function, SampleFilter(noted=Noted.FLAGGED)) == ["torn"]
    assert listed(text_function, SampleFilter(noted=Noted.UNSURE)) == ["fair"]
    assert listed(text_function, SampleFilter(noted=Noted.COMMENTED)) == ["waiting"]
    assert listed(text_function, SampleFilter(noted=Noted.DISPUTED)) == ["sure"]
    assert listed(text_function, SampleFilter(noted=Noted.FLAGGED, verdict=Verdict.RIGHT)) == []


def test_by_person_language_and_import(
    text_function: Function, samples: dict[str, Sample], owner: User, member: User
) -> None:
    Annotation.objects.filter(pk=samples["fair"].annotation_id).update(person=member)
    act = Act.objects.create(function=text_function, kind=ActKind.IMPORT, person=owner, n_samples=1)
    Sample.objects.filter(pk=samples["sure"].pk).update(brought_by=act)
    Sample.objects.filter(pk=samples["torn"].pk).update(language="de")
    assert listed(text_function, SampleFilter(person=member.public_id)) == ["fair"]
    assert listed(text_function, SampleFilter(person=owner.public_id)) == []
    assert listed(text_function, SampleFilter(brought=act.public_id)) == ["sure"]
    assert listed(text_function, SampleFilter(language="de", verdict=Verdict.WRONG)) == ["torn"]


def test_without_a_label_the_order_is_by_what_the_published_model_says(text_function: Function, add: Add) -> None:
    add(None, "Refund", margin=0.9, text="sure")
    add(None, "Refund", margin=0.1, text="torn")
    add(None, text="not read yet")
    tab = Tab.UNLABELLED
    assert listed(text_function, SampleFilter(tab=tab)) == ["not read yet", "torn", "sure"]
    assert listed(text_function, SampleFilter(tab=tab, sort=Sort.LEAST_SURE)) == ["torn", "sure"]
    assert listed(text_function, SampleFilter(tab=tab, sort=Sort.OLDEST)) == ["sure", "torn", "not read yet"]


def test_what_is_in_the_bin_is_nowhere(text_function: Function, samples: dict[str, Sample]) -> None:
    from django.utils import timezone

    Sample.objects.filter(pk=samples["torn"].pk).update(deleted_at=timezone.now())
    text_function.data_revision += 1
    text_function.save()
    for chosen in (SampleFilter(), SampleFilter(sort=Sort.LEAST_SURE), SampleFilter(verdict=Verdict.WRONG)):
        assert "torn" not in listed(text_function, chosen)


def test_the_address_says_all_of_it(text_function: Function, owner: User) -> None:
    labels = {label.public_id: label for label in text_function.labels.all()}
    refund = text_function.labels.get(name="Refund")
    chosen = SampleFilter(
        verdict=Verdict.WRONG,
        unsaid=refund,
        search="a&b=c",
        sort=Sort.SUREST,
        noted=Noted.FLAGGED,
        picked=Picked.QUEUE,
        person=owner.public_id,
        brought="act_0123456789abcdef",
        language="de",
        page=3,
    )
    assert read_filter(QueryDict(chosen.query), labels) == chosen


@pytest.mark.parametrize(
    "query",
    [
        "sort=margin",
        "sort=-id",
        "noted=1",
        "picked=API",
        "person=1",
        "person=user_%27",
        "person=label_0123456789abcdef",
        "brought=act_0123456789ABCDEF",
        "language=de-AT",
        "language=d",
        "annotation__person__email=x",
        "sort=newest&sort=oldest",
        "tab=unlabelled&person=user_0123456789abcdef",
        "tab=unlabelled&picked=random",
        "tab=unlabelled&unsaid=x",
        "unsaid=label_0123456789abcdef",
        "page=٣",
        "page=0",
        "page=" + "9" * 5000,
    ],
)
def test_anything_else_in_the_address_is_refused(text_function: Function, owner_client: Client, query: str) -> None:
    assert owner_client.get(f"/functions/{text_function.public_id}/?{query}").status_code == 400
    with pytest.raises(InvalidInput):
        read_filter(QueryDict(query), {})


def test_the_page_offers_what_there_is_and_shows_what_is_chosen(
    text_function: Function, samples: dict[str, Sample], owner: User, member: User, owner_client: Client
) -> None:
    html = owner_client.get(f"/functions/{text_function.public_id}/?sort=oldest").content.decode()
    assert '<option value="oldest" selected>' in html
    assert f'<option value="{member.public_id}">Mika Member</option>' in html
    assert 'name="language"' not in html
    assert 'name="brought"' not in html


class TestLongLists:
    """A list whose length no index knows is read to a limit, and says so."""

    @pytest.fixture
    def many(self, add: Add, owner: User, monkeypatch: pytest.MonkeyPatch) -> SampleFilter:
        monkeypatch.setattr(samples_selectors, "MOST_LISTED", 4)
        monkeypatch.setattr(samples_selectors, "PER_PAGE", 3)
        for number in range(6):
            add("Refund", "Refund", margin=0.1 * number, text=f"sample {number}")
        Annotation.objects.update(person=owner)
        return SampleFilter(person=owner.public_id, sort=Sort.OLDEST)

    def page(self, function: Function, chosen: SampleFilter) -> SamplesPage:
        return samples_page(function, list(function.labels.in_use()), chosen)

    def test_it_ends_at_the_limit_and_says_that_there_are_more(
        self, text_function: Function, many: SampleFilter, owner_client: Client
    ) -> None:
        last = self.page(text_function, many.at_page(9))
        assert [row.excerpt for row in last.rows] == ["sample 3"]
        assert (last.n_total, last.n_pages, last.filter.page, last.is_cut, last.next) == (4, 2, 2, True, None)
        for path in ("", "samples/select/"):
            html = owner_client.get(
                f"/functions/{text_function.public_id}/{path}?{many.at_page(2).query}"
            ).content.decode()
            assert "4–4 of more than 4 samples" in html
            assert "There are more: choose more narrowly" in html

    def test_the_other_end_is_reached_by_turning_the_order_round(
        self, text_function: Function, many: SampleFilter
    ) -> None:
        first = self.page(text_function, replace(many, sort=Sort.NEWEST))
        assert [row.excerpt for row in first.rows] == ["sample 5", "sample 4", "sample 3"]

    def test_as_many_as_the_limit_are_all_there_are(self, text_function: Function, many: SampleFilter) -> None:
        Sample.objects.filter(text__in=["sample 0", "sample 1"]).delete()
        page = self.page(text_function, many)
        assert (page.n_total, page.is_cut) == (4, False)

    def test_a_slice_counts_them_all(self, text_function: Function, many: SampleFilter) -> None:
        assert slice_figures(text_function, list(text_function.labels.in_use()), many).n == 6

    def test_a_list_whose_length_is_known_is_not_cut(self, text_function: Function, many: SampleFilter) -> None:
        page = self.page(text_function, SampleFilter(verdict=Verdict.RIGHT))
        assert (page.n_total, page.is_cut) == (6, False)
