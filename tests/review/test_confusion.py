"""Where it goes wrong: the sentences, the table, and the samples behind every number."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import create_function
from apps.review.filters import SampleFilter
from apps.review.selectors import samples_page
from apps.review.selectors.confusion import confusion
from apps.samples.models import Origin, PickedBy, Sample
from apps.samples.services.annotations import tag_sample
from apps.training.models import Prediction, PredictionKind
from apps.workspaces.models import Workspace
from tests.review.conftest import Add, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def judged(add: Add) -> None:
    for _ in range(7):
        add("Refund", "Refund")
    for _ in range(3):
        add("Refund", "Shipping")
    add("Shipping", "Refund")
    add("Shipping", "Shipping")
    add("Shipping")
    add("Refund", "Shipping", picked_by=PickedBy.GRID)


def n_listed(function: Function, chosen: SampleFilter) -> int:
    page = samples_page(function, list(function.labels.in_use()), chosen)
    assert page.n_total == len(page.rows)
    return page.n_total


def test_mistakes_are_counted_the_commonest_first(text_function: Function, judged: None) -> None:
    shown = confusion(text_function, list(text_function.labels.in_use()))
    assert (shown.n_judged, shown.n_wrong) == (12, 4)
    assert [(each.n, each.label.name, each.taken_for.name) for each in shown.mistakes] == [
        (3, "Refund", "Shipping"),
        (1, "Shipping", "Refund"),
    ]
    assert [(line.label.name, line.n, [square.n for square in line.squares]) for line in shown.lines] == [
        ("Refund", 10, [7, 3]),
        ("Shipping", 2, [1, 1]),
    ]


def test_every_number_opens_exactly_its_samples(text_function: Function, judged: None) -> None:
    shown = confusion(text_function, list(text_function.labels.in_use()))
    for line in shown.lines:
        assert n_listed(text_function, line.filter) == line.n
        for square in line.squares:
            assert n_listed(text_function, square.filter) == square.n
    for mistake in shown.mistakes:
        assert n_listed(text_function, mistake.filter) == mistake.n


def test_the_page_says_it_in_words_and_links(
    text_function: Function, judged: None, owner_client: Client, member_client: Client
) -> None:
    path = f"/functions/{text_function.public_id}/mistakes/"
    html = owner_client.get(path).content.decode()
    assert 'aria-label="3 Refund taken for Shipping"' in html
    for query in re.findall(r'\?([^"#]+)#list', unescape(html)):
        assert owner_client.get(f"/functions/{text_function.public_id}/samples/?{query}").status_code == 200
    assert member_client.get(path).status_code == 403


def test_without_a_mistake_or_a_verdict_it_says_so(text_function: Function, add: Add, owner_client: Client) -> None:
    path = f"/functions/{text_function.public_id}/mistakes/"
    assert "Nothing has been judged yet" in owner_client.get(path).content.decode()
    add("Refund", "Refund")
    text_function.data_revision += 1
    text_function.save()
    assert "All 1 right" in owner_client.get(path).content.decode()


def test_of_many_labels_the_table_shows_those_with_mistakes(text_function: Function, add: Add) -> None:
    for position in range(2, 40):
        text_function.labels.create(name=f"Label {position}", position=position, colour=position % 12)
    add("Refund", "Shipping")
    shown = confusion(text_function, list(text_function.labels.in_use()))
    assert shown.is_part
    assert [label.name for label in shown.columns] == ["Refund", "Shipping"]


def test_of_tags_it_says_which_are_missed_and_which_are_wrongly_given(workspace: Workspace, owner: User) -> None:
    function = create_function(
        workspace=workspace,
        name="Topics",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Food", "Rome"],
        actor=owner,
    )
    food, rome = function.labels.all()
    model = publish(function)
    said_of = [({food: True, rome: False}, 0.1, 0.2), ({food: True, rome: False}, 0.9, 0.9), ({food: False}, 0.8, 0.9)]
    for n, (tags, prob_food, prob_rome) in enumerate(said_of):
        sample = Sample.objects.create(function=function, text=str(n), content_hash=str(n), origin=Origin.BROWSER)
        tag_sample(sample=sample, tags=tags, person=None, picked_by=PickedBy.PERSON, is_whole=False)
        Prediction.objects.create(
            sample=sample,
            function=function,
            kind=PredictionKind.OUT_OF_FOLD,
            model=model,
            tags={food.public_id: prob_food, rome.public_id: prob_rome},
            confidence=0.8,
            margin=0.3,
        )
    function.refresh_from_db()
    shown = confusion(function, list(function.labels.in_use()))
    found = {tag.label.name: (tag.n_missed, tag.n_there, tag.n_wrongly_given, tag.n_given) for tag in shown.tags}
    # Of the third nobody was asked whether it is of Rome: saying so is no mistake.
    assert found == {"Food": (1, 2, 1, 2), "Rome": (0, 0, 1, 2)}
    for tag in shown.tags:
        assert n_listed(function, tag.missed_filter) == tag.n_missed
        assert n_listed(function, tag.wrongly_given_filter) == tag.n_wrongly_given
