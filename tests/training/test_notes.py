"""What the home says of who answers: nothing learned yet, a language it does not read, a pinned model."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.engine import languages
from apps.functions.models import Function, InputKind
from apps.functions.services import add_rule, describe_label
from apps.samples.models import Sample
from apps.training.models import TrainedModel
from apps.training.notes import guessing_sentence, language_sentence, notes
from apps.training.services import finish_work
from apps.training.services.choosing import pin_model, unpin_model
from tests.training.conftest import bring, label

Samples = dict[str, list[Sample]]


def home(client: Client, function: Function) -> str:
    return client.get(reverse("review:function_home", args=[function.public_id])).content.decode()


def test_an_untrained_function_says_by_what_it_guesses(text_function: Function, member_client: Client) -> None:
    sentence = "Not trained yet: it guesses from the labels’ names."
    assert guessing_sentence(text_function) == sentence
    assert sentence in home(member_client, text_function)
    refund = text_function.labels.get(name="Refund")
    add_rule(label=refund, words="refund")
    assert guessing_sentence(text_function) == "Not trained yet: it guesses from the labels’ names and your rules."
    describe_label(label=refund, description="money back")
    assert "the labels’ names and descriptions and your rules." in guessing_sentence(text_function)


def test_rows_are_answered_by_rules_alone_and_pictures_not_at_all(text_function: Function) -> None:
    add_rule(label=text_function.labels.get(name="Refund"), words="refund")
    for kind, sentence in ((InputKind.TABLE, "it answers by your rules"), (InputKind.IMAGE, "")):
        Function.objects.filter(pk=text_function.pk).update(input_kind=kind)
        text_function.refresh_from_db()
        assert sentence in guessing_sentence(text_function)
    assert guessing_sentence(text_function) == ""


def test_once_trained_nothing_is_guessed(text_function: Function, samples: Samples) -> None:
    assert notes(text_function).guessing
    finish_work(function_id=text_function.pk)
    assert notes(text_function).guessing == ""


@pytest.fixture
def only_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(languages._READ_BY, "tiny-text", frozenset({"en"}))


def write(function: Function, *told: str) -> None:
    for sample, language in zip(bring(function, [f"text {i}" for i in range(len(told))]), told, strict=True):
        Sample.objects.filter(pk=sample.pk).update(language=language)


@pytest.mark.usefixtures("only_english")
class TestLanguages:
    """The home says so where most texts are in a language that is not read."""

    def test_most_of_them_are(self, text_function: Function, member_client: Client) -> None:
        write(text_function, *["de"] * 7, *["en"] * 3)
        assert language_sentence(text_function).startswith("Most of your texts are German. The built-in reader knows")
        assert 'data-note="language"' in home(member_client, text_function)

    def test_several_are_named_the_commonest_first(self, text_function: Function) -> None:
        write(text_function, *["fr"] * 4, *["de"] * 5, "pl", "und")
        assert "Most of your texts are German or French." in language_sentence(text_function)

    @pytest.mark.parametrize("told", [["de"] * 5 + ["en"] * 5, ["und"] * 20, ["de"] * 9, ["de"] * 6 + ["und"] * 6, []])
    def test_few_of_them_are_or_nobody_can_tell(self, told: list[str], text_function: Function) -> None:
        write(text_function, *told)
        assert language_sentence(text_function) == ""


def test_a_backbone_that_reads_all_needs_no_word_about_it(text_function: Function) -> None:
    write(text_function, *["de"] * 20)
    assert language_sentence(text_function) == ""


def test_the_home_says_what_is_pinned_and_whose_figures_these_are(
    text_function: Function, samples: Samples, member_client: Client
) -> None:
    finish_work(function_id=text_function.pk)
    assert "is pinned" not in home(member_client, text_function)
    pin_model(model=TrainedModel.objects.get())
    page = home(member_client, text_function)
    assert "Model 1 is pinned" in page
    assert "the newest" not in page
    label(text_function, samples[""][:1], "Refund")
    finish_work(function_id=text_function.pk)
    assert "is judged by model 2, the newest" in home(member_client, text_function)
    unpin_model(function=text_function)
    assert "is pinned" not in home(member_client, text_function)


def test_figures_follow_the_newest_model_while_another_is_pinned(
    text_function: Function, samples: Samples, member_client: Client
) -> None:
    finish_work(function_id=text_function.pk)
    pin_model(model=TrainedModel.objects.get())
    assert 'data-n-judged="12"' in home(member_client, text_function)
    label(text_function, samples[""][:1], "Refund")
    home(member_client, text_function)  # counted now, between the label and the round
    finish_work(function_id=text_function.pk)
    assert 'data-n-judged="13"' in home(member_client, text_function)
