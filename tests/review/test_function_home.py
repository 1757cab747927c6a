"""The function home: who may open it, what its list shows, and what its address may ask for."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.functions.models import Function
from apps.samples.models import Annotation, PickedBy, Sample
from apps.training.models import PredictionKind, TrainedModel
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user
from tests.review.conftest import Add, say

pytestmark = pytest.mark.django_db


def home_of(function: Function, query: str = "") -> str:
    return f"/functions/{function.public_id}/{query}"


def list_of(function: Function, query: str = "") -> str:
    return f"/functions/{function.public_id}/samples/{query}"


def shown(client: Client, function: Function, query: str = "") -> list[str]:
    """Return the texts in the list, in order."""
    response = client.get(list_of(function, query))
    assert response.status_code == 200, response.content
    return re.findall(r"data-specimen hx-disable>(.*?)</p>", response.content.decode())


@pytest.fixture
def viewer_client(workspace: Workspace) -> Client:
    user = make_user("vera@example.com", "Vera Viewer")
    workspace.memberships.create(user=user, role=Role.VIEWER)
    return client_of(user)


@pytest.fixture
def reviewer(workspace: Workspace) -> User:
    user = make_user("rita@example.com", "Rita Reviewer")
    workspace.memberships.create(user=user, role=Role.REVIEWER)
    return user


class TestAccess:
    @pytest.mark.parametrize("path", ["", "figures/", "samples/"])
    def test_members_see_it_and_strangers_do_not(
        self, text_function: Function, path: str, viewer_client: Client, outsider_client: Client
    ) -> None:
        url = home_of(text_function) + path
        assert viewer_client.get(url).status_code == 200
        assert outsider_client.get(url).status_code == 404
        anonymous = Client().get(url)
        assert anonymous.status_code == 302
        assert anonymous.headers["Location"].startswith("/sign-in/")

    def test_a_former_member_sees_nothing(self, text_function: Function, member: User, member_client: Client) -> None:
        assert member_client.get(home_of(text_function)).status_code == 200
        member.memberships.all().delete()
        assert member_client.get(home_of(text_function)).status_code == 404

    @pytest.mark.parametrize("path", ["", "figures/", "samples/"])
    def test_they_are_read_with_get_only(self, text_function: Function, owner_client: Client, path: str) -> None:
        assert owner_client.post(home_of(text_function) + path).status_code == 405

    def test_reviewers_fix_labels_and_labelers_do_not(
        self, text_function: Function, add: Add, reviewer: User, member_client: Client, outsider_client: Client
    ) -> None:
        sample = add("Refund", "Shipping")
        shipping = text_function.labels.get(name="Shipping")
        url = f"/samples/{sample.public_id}/fix/"
        assert member_client.post(url, {"label": shipping.public_id}).status_code == 403
        assert outsider_client.post(url, {"label": shipping.public_id}).status_code == 404
        assert Client().post(url, {"label": shipping.public_id}).status_code == 302
        sample.refresh_from_db()
        assert sample.label == text_function.labels.get(name="Refund")
        assert client_of(reviewer).post(url, {"label": shipping.public_id}).status_code == 200
        sample.refresh_from_db()
        assert sample.label == shipping

    def test_only_those_who_may_fix_see_the_buttons(
        self, text_function: Function, add: Add, member_client: Client, owner_client: Client
    ) -> None:
        add("Refund", "Shipping")
        assert b"data-fix=" in owner_client.get(home_of(text_function)).content
        assert b"data-fix=" not in member_client.get(home_of(text_function)).content

    def test_only_those_who_may_delete_are_offered_it(
        self, text_function: Function, add: Add, reviewer: User, owner_client: Client
    ) -> None:
        sample = add("Refund", "Shipping")
        offer = f'data-delete="/samples/{sample.public_id}/delete/"'.encode()
        assert offer in owner_client.get(home_of(text_function)).content
        page = client_of(reviewer).get(home_of(text_function)).content
        assert b"data-fix=" in page
        assert b"data-delete=" not in page
        assert b"data-fix-delete" not in page


class TestList:
    def test_verdicts_choose_their_samples(self, text_function: Function, add: Add, owner_client: Client) -> None:
        add("Refund", "Refund", text="right")
        add("Refund", "Refund", margin=0.1, text="right unsure")
        add("Refund", "Shipping", text="wrong")
        add("Refund", "Shipping", margin=0.1, text="wrong unsure")
        add("Refund", text="waiting")
        assert shown(owner_client, text_function, "?verdict=right") == ["right unsure", "right"]
        assert shown(owner_client, text_function, "?verdict=wrong") == ["wrong", "wrong unsure"]
        assert shown(owner_client, text_function, "?verdict=unsure") == ["right unsure", "wrong unsure"]
        assert shown(owner_client, text_function, "?verdict=waiting") == ["waiting"]
        assert set(shown(owner_client, text_function, "?verdict=judged")) == {
            "right",
            "right unsure",
            "wrong",
            "wrong unsure",
        }
        assert len(shown(owner_client, text_function)) == 5

    def test_the_surest_mistakes_come_first(self, text_function: Function, add: Add, owner_client: Client) -> None:
        for margin, text in [(0.3, "c"), (0.9, "a"), (0.5, "b")]:
            add("Refund", "Shipping", margin=margin, text=text)
        assert shown(owner_client, text_function, "?verdict=wrong") == ["a", "b", "c"]

    def test_labels_given_and_said_choose_too(self, text_function: Function, add: Add, owner_client: Client) -> None:
        refund, shipping = (text_function.labels.get(name=name).public_id for name in ("Refund", "Shipping"))
        add("Refund", "Shipping", text="a")
        add("Shipping", "Shipping", text="b")
        add("Refund", "Refund", text="c")
        assert shown(owner_client, text_function, f"?label={refund}") == ["c", "a"]
        assert set(shown(owner_client, text_function, f"?predicted={shipping}")) == {"a", "b"}
        assert shown(owner_client, text_function, f"?predicted={shipping}&verdict=wrong") == ["a"]
        assert shown(owner_client, text_function, f"?label={refund}&predicted={refund}") == ["c"]

    def test_kinds_of_prediction_never_mix(
        self, text_function: Function, add: Add, model: TrainedModel, owner_client: Client
    ) -> None:
        labelled = add("Refund", "Refund", text="labelled")
        say(labelled, text_function.labels.get(name="Shipping"), model, 0.9, PredictionKind.LIVE)
        unlabelled = add(None, "Shipping", text="unlabelled")
        say(unlabelled, text_function.labels.get(name="Refund"), model, 0.9, PredictionKind.OUT_OF_FOLD)
        refund, shipping = (text_function.labels.get(name=name).public_id for name in ("Refund", "Shipping"))
        assert shown(owner_client, text_function) == ["labelled"]
        assert shown(owner_client, text_function, "?verdict=wrong") == []
        assert shown(owner_client, text_function, f"?predicted={shipping}") == []
        assert shown(owner_client, text_function, "?tab=unlabelled") == ["unlabelled"]
        assert shown(owner_client, text_function, f"?tab=unlabelled&predicted={refund}") == []
        page = owner_client.get(list_of(text_function, "?tab=unlabelled")).content.decode()
        assert "looks like" in page
        assert "verdict-" not in page

    def test_search_finds_text_name_and_id_and_reads_signs_as_they_are(
        self, text_function: Function, add: Add, owner_client: Client
    ) -> None:
        add("Refund", "Refund", text="100% of my Money")
        named = add("Refund", "Refund", text="other")
        Sample.objects.filter(pk=named.pk).update(original_name="money.txt", external_id="T-7_x")
        assert len(shown(owner_client, text_function, "?q=money")) == 2
        assert len(shown(owner_client, text_function, "?q=T-7_x")) == 1
        assert shown(owner_client, text_function, "?q=100%25") == ["100% of my Money"]
        assert shown(owner_client, text_function, "?q=1_0") == []
        assert len(shown(owner_client, text_function, "?q=MONEY&verdict=right")) == 2

    def test_fifty_a_page(self, text_function: Function, add: Add, owner_client: Client) -> None:
        for i in range(101):
            add("Refund", "Refund", text=f"text {i}")
        assert len(shown(owner_client, text_function)) == 50
        assert shown(owner_client, text_function, "?page=3") == ["text 0"]
        assert shown(owner_client, text_function, "?page=99") == ["text 0"]
        assert len(shown(owner_client, text_function, "?verdict=right&page=2")) == 50
        page = owner_client.get(list_of(text_function, "?verdict=right&page=2")).content.decode()
        assert "51–100 of 101" in page
        assert 'href="?verdict=right&amp;page=3#list"' in page

    @pytest.mark.parametrize(
        "query",
        [
            "?ordering=owner__password",
            "?verdict=excellent",
            "?verdict=right&verdict=wrong",
            "?tab=secret",
            "?label=label_0000000000000000",
            "?label__name=Refund",
            "?_connector=OR",
            "?page=0",
            "?page=-1",
            "?page=x",
            "?page=99999999",
            "?q=%00",
            "?q=" + "a" * 201,
            "?tab=unlabelled&verdict=right",
        ],
    )
    def test_anything_but_the_filters_there_are_is_refused(
        self, text_function: Function, add: Add, owner_client: Client, query: str
    ) -> None:
        assert owner_client.get(home_of(text_function, query)).status_code == 400
        assert owner_client.get(list_of(text_function, query)).status_code == 400

    def test_another_functions_label_is_no_filter(
        self, text_function: Function, owner_client: Client, outsider: User
    ) -> None:
        elsewhere = Workspace.objects.get(memberships__user=outsider)
        other = elsewhere.functions.create(name="Theirs", input_kind="text")
        label = other.labels.create(name="Secret", position=0, colour=0)
        assert owner_client.get(home_of(text_function, f"?label={label.public_id}")).status_code == 400

    def test_user_text_stays_text(self, text_function: Function, add: Add, owner_client: Client) -> None:
        add("Refund", "Shipping", text="<img src=x onerror=alert(1)> <b hx-get='/'>x</b>")
        text_function.labels.filter(name="Shipping").update(name='"><script>alert(1)</script>')
        page = owner_client.get(home_of(text_function)).content.decode()
        assert "<img src=x" not in page
        assert "<b hx-get" not in page
        assert "<script>alert" not in page

    def test_the_number_of_queries_does_not_grow_with_the_page(
        self,
        text_function: Function,
        add: Add,
        owner_client: Client,
        django_assert_max_num_queries: Callable[..., object],
    ) -> None:
        for i in range(60):
            add("Refund", "Shipping" if i % 2 else "Refund")
        with django_assert_max_num_queries(30):
            owner_client.get(home_of(text_function))


class TestFiltersFollowTheAddress:
    def test_the_forms_answer_moves_the_address_and_a_refresh_does_not(
        self, text_function: Function, add: Add, owner_client: Client
    ) -> None:
        add("Refund", "Shipping")
        headers = {"HX-Request": "true", "HX-Trigger": "filters"}
        response = owner_client.get(list_of(text_function, "?verdict=wrong&label=&predicted=&q="), headers=headers)
        assert response.headers["HX-Replace-Url"] == home_of(text_function, "?verdict=wrong")
        headers["HX-Trigger"] = "samples"
        assert "HX-Replace-Url" not in owner_client.get(list_of(text_function), headers=headers).headers

    def test_the_list_asks_for_itself_again_with_its_filter(
        self, text_function: Function, add: Add, owner_client: Client
    ) -> None:
        add("Refund", "Shipping")
        page = owner_client.get(list_of(text_function, "?verdict=wrong")).content.decode()
        assert f'hx-get="{list_of(text_function)}?verdict=wrong"' in page


class TestFigures:
    def test_the_bar_says_how_many_are_right(self, text_function: Function, add: Add, owner_client: Client) -> None:
        for i in range(24):
            add("Refund", "Refund" if i < 18 else "Shipping", picked_by=PickedBy.RANDOM)
        page = owner_client.get(home_of(text_function)).content.decode()
        assert 'data-n-right="18" data-n-judged="24"' in page
        assert "data-majority>100%" in page
        for name in ("Refund", "Shipping"):
            assert f"all-{text_function.labels.get(name='Refund').public_id}" in page, name
        assert 'style="' not in page

    def test_before_training_it_says_what_is_missing_and_where_to_go(
        self, text_function: Function, owner_client: Client
    ) -> None:
        page = owner_client.get(home_of(text_function)).content.decode()
        assert "Bring some samples first" in page
        assert "/bring/" in page
        text_function.samples.create(text="a", content_hash="0", origin="browser")
        page = owner_client.get(home_of(text_function)).content.decode()
        assert "Label 2 more Refund and 2 more Shipping to see the first predictions." in page
        assert f"/functions/{text_function.public_id}/label/" in page

    def test_it_follows_live_events(self, text_function: Function, owner_client: Client) -> None:
        page = owner_client.get(home_of(text_function)).content.decode()
        assert "live:predictions from:body" in page
        assert "live:reopened from:body" in page

    def test_nothing_speaks_of_statistics(self, text_function: Function, add: Add, owner_client: Client) -> None:
        add("Refund", "Shipping")
        page = owner_client.get(home_of(text_function)).content.decode()
        words = re.sub(r"<[^>]+>", " ", page)
        assert not re.search(r"epoch|\bF1\b|\bROC\b|embedding|precision|recall|hyperparameter", words, re.IGNORECASE)


class TestFix:
    def test_a_fix_is_an_annotation_by_that_person(
        self, text_function: Function, add: Add, owner: User, owner_client: Client
    ) -> None:
        sample = add("Refund", "Shipping", picked_by=PickedBy.QUEUE)
        shipping = text_function.labels.get(name="Shipping")
        response = owner_client.post(f"/samples/{sample.public_id}/fix/", {"label": shipping.public_id})
        page = response.content.decode()
        assert 'data-verdict="right"' in page
        assert "Saved" in page
        annotation = Annotation.objects.latest("id")
        assert (annotation.sample, annotation.label, annotation.person) == (sample, shipping, owner)
        text_function.refresh_from_db()
        assert text_function.data_revision == 1

    def test_an_unlabelled_sample_can_be_labelled_here(
        self, text_function: Function, add: Add, owner_client: Client
    ) -> None:
        sample = add(None, "Shipping")
        refund = text_function.labels.get(name="Refund")
        page = owner_client.post(f"/samples/{sample.public_id}/fix/", {"label": refund.public_id}).content.decode()
        assert 'data-verdict="waiting"' in page
        assert "looks like" not in page  # the published model's word is no verdict
        assert Annotation.objects.get().picked_by == PickedBy.PERSON

    def test_choosing_the_same_label_adds_nothing(
        self, text_function: Function, add: Add, owner_client: Client
    ) -> None:
        sample = add("Refund", "Shipping")
        refund = text_function.labels.get(name="Refund")
        assert owner_client.post(f"/samples/{sample.public_id}/fix/", {"label": refund.public_id}).status_code == 200
        assert Annotation.objects.count() == 1

    @pytest.mark.parametrize("label", ["", "label_0000000000000000", "theirs"])
    def test_a_label_of_elsewhere_is_refused(
        self, text_function: Function, add: Add, owner_client: Client, outsider: User, label: str
    ) -> None:
        elsewhere = Workspace.objects.get(memberships__user=outsider)
        theirs = elsewhere.functions.create(name="Theirs", input_kind="text").labels.create(
            name="Secret", position=0, colour=0
        )
        sample = add("Refund", "Shipping")
        value = theirs.public_id if label == "theirs" else label
        assert owner_client.post(f"/samples/{sample.public_id}/fix/", {"label": value}).status_code == 400
        assert Annotation.objects.count() == 1
