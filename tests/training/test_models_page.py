"""The models page: every published model, what it learned from, and the way back with one click."""

import re

import pytest
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function
from apps.functions.services import add_label
from apps.samples.models import Sample
from apps.training import model_list
from apps.training.model_list import Accuracy, accuracy_of, change_words
from apps.training.models import TrainedModel
from apps.training.recipe_words import recipe_words
from apps.training.services import clearing, finish_work
from apps.training.services.choosing import pin_model
from tests.conftest import delete_for_good
from tests.training.conftest import label

Samples = dict[str, list[Sample]]


@pytest.fixture
def models(text_function: Function, samples: Samples) -> list[TrainedModel]:
    finish_work(function_id=text_function.pk)
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    return list(TrainedModel.objects.order_by("number"))


def page_of(client: Client, function: Function, **query: str) -> str:
    response = client.get(reverse("training:models_page", args=[function.public_id]), query)
    assert response.status_code == 200
    return response.content.decode()


def in_words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def row_of(page: str, model: TrainedModel) -> str:
    return in_words(page.split(f'<tr id="{model.public_id}">')[1].split("</tr>")[0])


def test_without_a_model_the_page_says_how_one_comes(text_function: Function, member_client: Client) -> None:
    assert "No model yet" in page_of(member_client, text_function)


def test_models_are_listed_newest_first_with_what_each_learned(
    text_function: Function, models: list[TrainedModel], member_client: Client
) -> None:
    page = page_of(member_client, text_function)
    assert page.index(models[1].public_id) < page.index(models[0].public_id)
    assert "answers now" in row_of(page, models[1])
    assert "13 labels" in row_of(page, models[1])
    assert "1 label added" in row_of(page, models[1])
    assert "12 labels" in row_of(page, models[0])
    assert "the first" in row_of(page, models[0])
    assert "Go back" not in row_of(page, models[0]), "a labeler may not"


def test_one_click_goes_back_and_one_click_lets_go(
    text_function: Function, models: list[TrainedModel], owner_client: Client
) -> None:
    url = reverse("training:pin_model", args=[models[0].public_id])
    assert url in page_of(owner_client, text_function)
    assert owner_client.post(url).status_code == 302
    page = page_of(owner_client, text_function)
    assert "Model 1 is pinned" in in_words(page)
    assert "1 newer model waits" in in_words(page)
    assert "pinned, answers now" in row_of(page, models[0])
    owner_client.post(reverse("training:unpin_model", args=[text_function.public_id]))
    assert "is pinned" not in page_of(owner_client, text_function)
    assert TrainedModel.objects.get(is_live=True) == models[1]


@pytest.mark.parametrize(("who", "status"), [("member_client", 403), ("outsider_client", 404), ("client", 302)])
def test_who_may_not_changes_nothing(
    who: str, status: int, models: list[TrainedModel], request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.post(reverse("training:pin_model", args=[models[0].public_id])).status_code == status
    pin_model(model=models[0])
    assert client.post(reverse("training:unpin_model", args=[models[0].function.public_id])).status_code == status
    assert TrainedModel.objects.get(is_live=True) == models[0]


def test_the_page_says_which_labels_the_pinned_model_has_never_seen(
    text_function: Function, models: list[TrainedModel], owner_client: Client
) -> None:
    pin_model(model=models[0])
    add_label(function=text_function, name="Hello <there>")
    page = page_of(owner_client, text_function)
    assert "<em>Hello &lt;there&gt;</em>" in page
    assert "It has never seen" in page


def test_a_model_without_its_file_is_history_and_says_why(
    text_function: Function, models: list[TrainedModel], owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    TrainedModel.objects.update(recipe=models[1].recipe)
    monkeypatch.setattr(clearing, "KEPT", 1)
    clearing.clear_old_artifacts()
    row = row_of(page_of(owner_client, text_function), models[0])
    assert "cleared away to save room" in row
    assert "Go back" not in row
    assert owner_client.post(reverse("training:pin_model", args=[models[0].public_id])).status_code == 409
    learned = owner_client.get(reverse("training:learned_page", args=[models[0].public_id])).content.decode()
    assert "cleared away" in learned


def test_a_damaged_model_says_so(text_function: Function, models: list[TrainedModel], owner_client: Client) -> None:
    TrainedModel.objects.filter(pk=models[0].pk).update(is_damaged=True)
    assert "damaged" in row_of(page_of(owner_client, text_function), models[0])


def test_long_lists_are_paged(
    text_function: Function, models: list[TrainedModel], owner_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_list, "PER_PAGE", 1)
    assert models[0].public_id not in page_of(owner_client, text_function)
    assert models[0].public_id in page_of(owner_client, text_function, page="2")


def test_a_newer_model_appears_by_itself(
    text_function: Function, models: list[TrainedModel], owner_client: Client
) -> None:
    url = reverse("training:models_page", args=[text_function.public_id])
    response = owner_client.get(url, headers={"HX-Request": "true"})
    assert "<html" not in response.content.decode()
    assert models[1].public_id in response.content.decode()
    assert "HX-Request" in response["Vary"]


def test_what_a_model_learned_from_is_shown_as_it_was(
    text_function: Function, samples: Samples, models: list[TrainedModel], member_client: Client
) -> None:
    label(text_function, samples["Refund"][:1], "Shipping")
    delete_for_good(samples["Refund"][1])
    url = reverse("training:learned_page", args=[models[0].public_id])
    page = member_client.get(url).content.decode()
    rows = [in_words(row) for row in page.split('<li class="sample-row">')[1:]]
    assert len(rows) == 12
    changed = next(row for row in rows if samples["Refund"][0].text in row)
    assert "Refund" in changed
    assert "changed since" in changed
    assert sum("has been deleted since" in row for row in rows) == 1
    assert samples["Refund"][1].text not in page


@pytest.mark.parametrize("figures", [{}, {"accuracy": None}, {"accuracy": {"value": 0.8}}, {"accuracy": "0.8"}])
def test_missing_figures_are_not_made_up(
    figures: dict[str, object], text_function: Function, models: list[TrainedModel], owner_client: Client
) -> None:
    TrainedModel.objects.update(figures=figures)
    assert "not estimated" in row_of(page_of(owner_client, text_function), models[1])


def test_accuracy_is_shown_with_its_interval(
    text_function: Function, models: list[TrainedModel], owner_client: Client
) -> None:
    TrainedModel.objects.update(figures={"accuracy": {"value": 0.84, "low": 0.78, "high": 0.89, "n": 13}})
    assert accuracy_of(TrainedModel.objects.first() or models[0]) == Accuracy(0.84, 0.78, 0.89)
    assert "84% 78% to 89%" in row_of(page_of(owner_client, text_function), models[1])
    TrainedModel.objects.update(figures={"accuracy": {"value": 0.84, "low": 0.2, "high": 0.89, "is_early": True}})
    assert "too early to say 1" in row_of(page_of(owner_client, text_function), models[1])


def test_changes_are_said_in_words() -> None:
    assert change_words({}) == ()
    assert change_words({"added": 1, "corrected": 0}) == ("1 label added",)
    assert change_words(
        {
            "added": 1200,
            "corrected": 2,
            "removed": 1,
            "labels_added": ["Spam"],
            "labels_removed": ["a", "b", "c", "d", "e", "f", "g"],
            "recipe": True,
        }
    ) == (
        "1,200 labels added",
        "2 corrected",
        "1 taken away",
        "new: “Spam”",
        "no longer there: “a”, “b”, “c”, “d”, “e” and 2 more",
        "it learns another way",
    )


def test_a_model_that_learned_longer_says_so_and_what_that_brought() -> None:
    more = {"better": {"before": 84, "after": 91, "of": 100}}
    assert change_words({"recipe": True, **more}) == ("it learned longer: 7 more right (84 to 91 of 100)",)
    fewer = {"better": {"before": 66, "after": 57, "of": 104}}
    assert change_words({"added": 0, "recipe": False, **fewer}) == ("it learned longer",)


def test_recipes_are_said_in_words_the_heaviest_first() -> None:
    one = {"recipe": {"backbone": "minilm", "head": "logistic", "settings": {"C": 1.0}}, "weight": 1.0}
    assert recipe_words({"members": [one]}) == [
        "what the text means (MiniLM), decided by logistic regression (C = 1.0)"
    ]
    two = {"recipe": {"backbone": "minilm+lexical", "head": "new-head", "settings": {}}, "weight": 0.75}
    assert recipe_words({"members": [one | {"weight": 0.25}, two]})[0] == (
        "75%: what the text means (MiniLM) and words and pieces of words, decided by new-head"
    )
    names = {"recipe": {"backbone": "names:minilm", "head": "as_read", "settings": {}}, "weight": 1.0}
    assert recipe_words({"members": [names]}) == ["likeness to the labels’ names, decided by the nearest one"]
    assert recipe_words({}) == []
