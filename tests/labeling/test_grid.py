"""The grid: what it shows, in which order, what it never shows, and what that costs among very many samples."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import create_function
from apps.labeling.models import Handout, Skip
from apps.samples.models import GoldSample, PickedBy, Sample
from apps.samples.services.annotations import annotate_sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.workspaces.models import Workspace
from tests.labeling.rows import make_samples

pytestmark = pytest.mark.django_db

Row = dict[str, object]


def ask(client: Client, function: Function, **query: str | int) -> Row:
    response = client.get(
        reverse("labeling:grid_samples", args=[function.public_id]), query, headers={"accept": "application/json"}
    )
    assert response.status_code == 200, response.content
    body: Row = response.json()
    return body


def texts(grid: Row) -> list[str]:
    items = grid["items"]
    assert isinstance(items, list)
    return [str(item["text"]) for item in items]


def messages(*places: int) -> list[str]:
    return [f"message {place}" for place in places]


def test_without_a_wish_it_shows_the_label_most_are_taken_for_surest_first(
    member_client: Client, text_function: Function, predictions: list[Prediction], refund: Label
) -> None:
    grid = ask(member_client, text_function, n=3)
    assert (grid["show"], grid["labelId"], texts(grid)) == ("alike", refund.public_id, messages(0, 1, 2))
    shipping = text_function.labels.get(name="Shipping")
    assert grid["counts"] == {refund.public_id: 40, shipping.public_id: 0}


def test_each_card_says_how_sure_the_model_is(
    member_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    items = ask(member_client, text_function, n=40)["items"]
    assert isinstance(items, list)
    words = [item["word"] for item in items]
    assert (words[0], words[10], words[-1]) == ("sure", "fairly sure", "only guessing")


def test_another_label_can_be_looked_for_and_has_none(
    member_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    shipping = text_function.labels.get(name="Shipping")
    grid = ask(member_client, text_function, label=shipping.public_id)
    assert (grid["show"], grid["labelId"], texts(grid)) == ("alike", shipping.public_id, [])


def test_before_there_is_a_model_it_shows_any(
    member_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    grid = ask(member_client, text_function, n=12)
    assert (grid["show"], grid["labelId"], grid["hasModel"]) == ("any", None, False)
    assert len(set(texts(grid))) == 12


def test_what_is_excluded_skipped_or_labelled_does_not_come(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    predictions: list[Prediction],
    refund: Label,
) -> None:
    Skip.objects.create(sample=samples[1], person=member, skipped_at=timezone.now())
    annotate_sample(sample=samples[2], label=refund, person=member, picked_by=PickedBy.PERSON)
    grid = ask(member_client, text_function, n=2, exclude=samples[0].public_id)
    assert texts(grid) == messages(3, 4)
    assert isinstance(grid["counts"], dict)
    assert grid["counts"][refund.public_id] == 39


@pytest.mark.parametrize("show", ["alike", "any", "hunt"])
def test_what_several_are_asked_about_or_has_a_known_answer_never_comes(
    member_client: Client,
    text_function: Function,
    samples: list[Sample],
    predictions: list[Prediction],
    refund: Label,
    show: str,
) -> None:
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=2)
    GoldSample.objects.create(sample=samples[1], label=refund)
    came = texts(ask(member_client, text_function, n=40, show=show, label=refund.public_id))
    assert len(came) == 38
    assert not {*messages(0, 1)} & {*came}


def test_two_people_never_look_over_the_same(
    member_client: Client, owner_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    first = texts(ask(member_client, text_function, n=10))
    second = texts(ask(owner_client, text_function, n=10))
    assert (first, second) == (messages(*range(10)), messages(*range(10, 20)))


def test_what_was_accepted_is_out_of_ones_hands(
    member_client: Client, text_function: Function, predictions: list[Prediction], refund: Label
) -> None:
    items = ask(member_client, text_function, n=10)["items"]
    assert isinstance(items, list)
    assert Handout.objects.count() == 10
    member_client.post(
        reverse("labeling:label_selection", args=[text_function.public_id]),
        {"samples": [item["sampleId"] for item in items[:7]], "label": refund.public_id, "kind": "grid"},
        content_type="application/json",
    )
    assert Handout.objects.count() == 3


def test_samples_that_several_people_are_to_be_asked_about_go_back_to_the_queue(
    member_client: Client, owner: User, text_function: Function, predictions: list[Prediction]
) -> None:
    Function.objects.filter(pk=text_function.pk).update(overlap_share=0.5, overlap_people=2)
    came = texts(ask(member_client, text_function, n=10))
    for_several = set(Sample.objects.filter(n_wanted=2).values_list("text", flat=True))
    assert for_several
    assert not {*came} & for_several
    assert set(Handout.objects.values_list("sample__text", flat=True)) == {*came}


def test_no_more_come_than_fit_and_long_texts_are_cut(
    member_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    Sample.objects.filter(text="message 0").update(text="long " * 2_000)
    make_samples(text_function, 80, prefix="more")
    items = ask(member_client, text_function, n=500, show="any")["items"]
    assert isinstance(items, list)
    assert len(items) == 60
    cut = ask(member_client, text_function, n=1)["items"]
    assert isinstance(cut, list)
    assert (len(cut[0]["text"]), cut[0]["isCut"]) == (4_000, True)


def test_a_tag_is_shown_where_it_is_the_likeliest_said_to_be_there(
    member_client: Client, workspace: Workspace, owner: User
) -> None:
    function = create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Food", "Travel"],
        actor=owner,
    )
    food, travel = function.labels.order_by("position")
    model = TrainedModel.objects.create(
        function=function, number=1, data_revision=1, recipe={}, label_ids=[], sha256="", last_annotation_id=0,
        n_annotations=1, n_right=1, log_loss=0.1, is_live=True, published_at=timezone.now(),
    )  # fmt: skip
    probs = [(0.7, 0.1), (0.9, 0.2), (0.2, 0.8)]
    for sample, (of_food, of_travel) in zip(make_samples(function, 3), probs, strict=True):
        Prediction.objects.create(
            sample=sample, function=function, kind=PredictionKind.LIVE, model=model, confidence=0.6, margin=0.2,
            label=food if of_food > of_travel else travel,
            tags={food.public_id: of_food, travel.public_id: of_travel},
        )  # fmt: skip
    assert texts(ask(member_client, function, label=food.public_id)) == messages(1, 0)


@pytest.mark.parametrize("query", [{"show": "best"}, {"n": "many"}])
def test_an_odd_wish_is_refused(member_client: Client, text_function: Function, query: dict[str, str]) -> None:
    address = reverse("labeling:grid_samples", args=[text_function.public_id])
    assert member_client.get(address, query, headers={"accept": "application/json"}).status_code == 400


def test_a_label_that_is_gone_is_as_none_named(
    member_client: Client, text_function: Function, predictions: list[Prediction], refund: Label
) -> None:
    assert ask(member_client, text_function, label="label_gone")["labelId"] == refund.public_id


def test_the_page_carries_its_first_grid(
    member_client: Client, text_function: Function, predictions: list[Prediction]
) -> None:
    response = member_client.get(reverse("labeling:grid_page", args=[text_function.public_id]))
    assert response.status_code == 200
    assert texts(response.context["grid"]) == messages(*range(40))


def test_looking_at_it_needs_the_right_to_label(
    outsider_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    for name in ("grid_page", "grid_samples"):
        assert outsider_client.get(reverse(f"labeling:{name}", args=[text_function.public_id])).status_code == 404


def plan_of(query: dict[str, str]) -> list[str]:
    """What SQLite would do for a query, step by step."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
        return [str(row[3]) for row in cursor.fetchall()]


def test_a_grid_costs_as_many_queries_however_many_it_shows_and_sorts_nothing(
    member_client: Client, text_function: Function, predictions: list[Prediction], refund: Label
) -> None:
    counts = []
    for n in (1, 40):
        with CaptureQueriesContext(
            connection,
        ) as context:
            ask(member_client, text_function, n=n, label=refund.public_id)
        counts.append(len(context))
    assert counts[0] == counts[1] <= 24
    if connection.vendor != "sqlite":
        return
    queries = context.captured_queries
    plan = plan_of(next(query for query in queries if "confidence" in query["sql"] and "LIMIT" in query["sql"]))
    assert any("prediction_surest_first" in step for step in plan), plan
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in plan), plan
