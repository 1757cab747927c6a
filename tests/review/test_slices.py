"""Slices: any filter kept by name, with how well the function does on it."""

from __future__ import annotations

import re

import pytest
from django.http import QueryDict
from django.test import Client

from apps.accounts.models import User
from apps.core.errors import Conflict, InvalidInput
from apps.functions.models import Function
from apps.review.filters import SampleFilter, Sort, Tab, Verdict, read_filter
from apps.review.models import Slice
from apps.review.selectors import samples_page
from apps.review.selectors.slices import ENOUGH, SliceFigures, slice_figures
from apps.review.slices import MOST_SLICES, filter_of, rename_slice, save_slice
from apps.samples.models import PickedBy
from tests.review.conftest import Add

pytestmark = pytest.mark.django_db


@pytest.fixture
def judged(add: Add) -> None:
    for n in range(ENOUGH):
        said = "Refund" if n % 4 else "Shipping"
        add("Refund", said, text=f"order {n}", picked_by=PickedBy.RANDOM if n % 2 else PickedBy.QUEUE)
    add("Shipping", "Shipping", text="parcel")
    add(None, "Refund", text="order without a label")


def figures(function: Function, chosen: SampleFilter) -> SliceFigures:
    return slice_figures(function, list(function.labels.in_use()), chosen)


def test_it_keeps_what_was_asked_for_without_order_and_page(text_function: Function, owner: User) -> None:
    chosen = SampleFilter(verdict=Verdict.WRONG, search="order", sort=Sort.OLDEST, page=3)
    kept = save_slice(function=text_function, name="  Wrong   orders ", chosen=chosen, person=owner)
    assert (kept.name, kept.person) == ("Wrong orders", owner)
    assert filter_of(kept, {}) == SampleFilter(verdict=Verdict.WRONG, search="order")
    assert read_filter(QueryDict(kept.query), {}) == filter_of(kept, {})


def test_it_says_how_many_of_its_samples_are_right(text_function: Function, judged: None) -> None:
    shown = figures(text_function, SampleFilter(search="order"))
    assert (shown.n, shown.n_judged, shown.n_right) == (ENOUGH, ENOUGH, 15)
    assert shown.low is not None
    assert shown.high is not None
    assert 0 < shown.low < shown.high <= 1
    few = figures(text_function, SampleFilter(search="parcel"))
    assert (few.n, few.n_judged, few.n_right, few.low) == (1, 1, 1, None)


def test_its_numbers_open_exactly_its_samples(text_function: Function, judged: None) -> None:
    labels = list(text_function.labels.in_use())
    shown = figures(text_function, SampleFilter(search="order", picked=None))
    for chosen, n in (
        (shown.filter, shown.n),
        (shown.judged_filter, shown.n_judged),
        (shown.right_filter, shown.n_right),
    ):
        assert samples_page(text_function, labels, chosen).n_total == n


def test_one_that_asks_for_a_verdict_has_no_accuracy(text_function: Function, judged: None) -> None:
    wrong = figures(text_function, SampleFilter(verdict=Verdict.WRONG))
    assert (wrong.n, wrong.n_judged) == (5, 0)
    unlabelled = figures(text_function, SampleFilter(tab=Tab.UNLABELLED))
    assert (unlabelled.n, unlabelled.n_judged) == (1, 0)


def test_names_are_there_once_and_never_empty(text_function: Function, owner: User) -> None:
    first = save_slice(function=text_function, name="Orders", chosen=SampleFilter(), person=owner)
    second = save_slice(function=text_function, name="Parcels", chosen=SampleFilter(), person=owner)
    with pytest.raises(Conflict):
        save_slice(function=text_function, name="Orders", chosen=SampleFilter(), person=owner)
    with pytest.raises(Conflict):
        rename_slice(kept=second, name=" Orders")
    for name in ("", "  ", "x" * 121):
        with pytest.raises(InvalidInput):
            rename_slice(kept=first, name=name)
    assert sorted(Slice.objects.values_list("name", flat=True)) == ["Orders", "Parcels"]


def test_there_is_an_end_to_them(text_function: Function, owner: User) -> None:
    Slice.objects.bulk_create(Slice(function=text_function, name=str(n)) for n in range(MOST_SLICES))
    with pytest.raises(InvalidInput):
        save_slice(function=text_function, name="One more", chosen=SampleFilter(), person=owner)


def test_one_whose_label_is_gone_says_so(text_function: Function, owner: User, owner_client: Client) -> None:
    label = text_function.labels.get(name="Refund")
    kept = save_slice(function=text_function, name="Refunds", chosen=SampleFilter(label=label), person=owner)
    Slice.objects.filter(pk=kept.pk).update(query="label=label_0000000000000000")
    html = owner_client.get(f"/slices/{kept.public_id}/figures/").content.decode()
    assert "a label that is gone" in html


class TestPages:
    def test_a_slice_is_kept_named_anew_and_forgotten(
        self, text_function: Function, judged: None, owner_client: Client
    ) -> None:
        home = f"/functions/{text_function.public_id}/"
        page = owner_client.get(f"{home}?q=order&sort=oldest").content.decode()
        query = re.search(r'data-slice-query="([^"]*)"', page)
        assert query is not None
        assert query[1] == "q=order"
        saved = owner_client.post(f"{home}slices/new/", {"name": "Orders", "query": query[1]}, follow=True)
        assert "Orders" in saved.content.decode()
        kept = Slice.objects.get()
        line = owner_client.get(f"/slices/{kept.public_id}/figures/").content.decode()
        assert re.sub(r"<[^>]+>", "", line).strip().startswith("15 of 20 right")
        owner_client.post(f"/slices/{kept.public_id}/rename/", {"name": "All orders"})
        assert Slice.objects.get().name == "All orders"
        owner_client.post(f"/slices/{kept.public_id}/delete/")
        assert not Slice.objects.exists()

    def test_only_what_is_a_filter_is_kept(self, text_function: Function, owner_client: Client) -> None:
        path = f"/functions/{text_function.public_id}/slices/new/"
        assert owner_client.post(path, {"name": "x", "query": "annotation__person__password=x"}).status_code == 400
        assert not Slice.objects.exists()

    def test_labelers_and_strangers_do_not_get_there(
        self, text_function: Function, owner: User, member_client: Client, outsider_client: Client
    ) -> None:
        kept = save_slice(function=text_function, name="Orders", chosen=SampleFilter(), person=owner)
        for path in (f"/functions/{text_function.public_id}/slices/", f"/slices/{kept.public_id}/figures/"):
            assert member_client.get(path).status_code == 403
            assert outsider_client.get(path).status_code == 404
        assert outsider_client.post(f"/slices/{kept.public_id}/delete/").status_code == 404
        assert Slice.objects.exists()
