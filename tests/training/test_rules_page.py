"""The rules of a function, their figures, and the samples behind every figure."""

import pytest
from django.test import Client
from django.urls import reverse

from apps.functions.models import Function, InputKind, KeywordRule, OutputKind
from apps.functions.services import add_rule, delete_rule
from apps.samples.models import Origin, PickedBy, Sample, SampleTag
from apps.samples.services.annotations import annotate_sample
from apps.samples.services.intake import NewText, add_texts
from apps.training import rule_hits
from apps.training.rule_hits import Which, rule_lines, rule_samples

HTMX = {"HX-Request": "true"}


def bring(function: Function, *texts: str) -> list[Sample]:
    items = [NewText(text) for text in texts]
    return add_texts(function=function, items=items, person=None, origin=Origin.BROWSER).samples


def say(sample: Sample, label_name: str) -> None:
    label = sample.function.labels.get(name=label_name)
    annotate_sample(sample=sample, label=label, person=None, picked_by=PickedBy.PERSON)


def rule(function: Function, words: str, label_name: str = "Refund") -> KeywordRule:
    return add_rule(label=function.labels.get(name=label_name), words=words)


def figures(function: Function) -> list[tuple[str, int, int, int]]:
    return [(line.rule.words, line.n_hits, line.n_labelled, line.n_agreed) for line in rule_lines(function)]


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    return bring(text_function, "a refund please", "Refund now", "where is my parcel", "no refund: a parcel")


def test_each_rule_says_where_it_is_found_and_how_often_people_agreed(
    text_function: Function, samples: list[Sample]
) -> None:
    rule(text_function, "refund")
    rule(text_function, "parcel", "Shipping")
    assert figures(text_function) == [("refund", 3, 0, 0), ("parcel", 2, 0, 0)]
    say(samples[0], "Refund")
    say(samples[3], "Shipping")
    assert figures(text_function) == [("refund", 3, 2, 1), ("parcel", 2, 1, 1)]


def test_samples_and_rules_that_come_and_go_are_counted(text_function: Function, samples: list[Sample]) -> None:
    first = rule(text_function, "refund")
    assert figures(text_function) == [("refund", 3, 0, 0)]
    bring(text_function, "refund refund", "nothing of it")
    assert figures(text_function) == [("refund", 4, 0, 0)]
    samples[1].delete()
    rule(text_function, "nothing")
    assert figures(text_function) == [("refund", 3, 0, 0), ("nothing", 1, 0, 0)]
    delete_rule(rule=first)
    bring(text_function, "a refund once more")
    rule(text_function, "refund")
    assert figures(text_function) == [("nothing", 1, 0, 0), ("refund", 4, 0, 0)]


def test_a_page_read_again_reads_no_text(
    text_function: Function, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rule(text_function, "refund")
    rule_lines(text_function)
    monkeypatch.setattr(rule_hits, "words_of", lambda *_args: pytest.fail("a text was read again"))
    assert figures(text_function) == [("refund", 3, 0, 0)]
    assert rule_samples(made, which=Which.HITS, page_number=1).line.n_hits == 3


def test_more_than_a_process_should_remember_is_found_again(
    text_function: Function, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_hits, "MAX_KEYS_KEPT", 2)
    rule(text_function, "refund")
    assert figures(text_function) == figures(text_function) == [("refund", 3, 0, 0)]
    assert not rule_hits._cache._found


def test_what_cells_are_called_is_not_what_they_say(text_function: Function) -> None:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.TABLE)
    text_function.refresh_from_db()
    Sample.objects.create(
        function=text_function,
        text="Status: open · Price: 3",
        row={"field_a": "open", "field_b": 3.0, "field_c": {"file": "x", "width": 1, "height": 1}},
        content_hash="1",
        origin=Origin.IMPORT,
    )
    for words in ("open", "status"):
        rule(text_function, words)
    assert figures(text_function) == [("open", 1, 0, 0), ("status", 0, 0, 0)]


def test_of_tags_only_the_asked_ones_count(text_function: Function, samples: list[Sample]) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    refund, shipping = text_function.labels.all()
    for sample, state in zip(samples, ({refund: True}, {refund: False}, {shipping: True}), strict=False):
        annotation = sample.annotations.create(tags={}, picked_by=PickedBy.PERSON)
        Sample.objects.filter(pk=sample.pk).update(annotation=annotation)
        for label, is_present in state.items():
            SampleTag.objects.create(sample=sample, label=label, is_present=is_present)
    rule(text_function, "refund")
    rule(text_function, "parcel", "Shipping")
    assert figures(text_function) == [("refund", 3, 2, 1), ("parcel", 2, 1, 1)]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("hits", ["no refund: a parcel", "Refund now", "a refund please"]),
        ("labelled", ["no refund: a parcel", "a refund please"]),
        ("agreed", ["a refund please"]),
        ("disagreed", ["no refund: a parcel"]),
    ],
)
def test_every_number_leads_to_its_samples(
    which: str, expected: list[str], text_function: Function, samples: list[Sample], member_client: Client
) -> None:
    made = rule(text_function, "refund")
    say(samples[0], "Refund")
    say(samples[3], "Shipping")
    rules_page = member_client.get(reverse("training:rules_page", args=[text_function.public_id]))
    url = reverse("training:rule_page", args=[made.public_id])
    assert f'href="{url}' in rules_page.content.decode()
    page = member_client.get(url, {"which": which}).content.decode()
    assert [text for text in expected if text in page] == expected
    assert page.count("sample-row") == len(expected)


def test_a_list_there_is_not_is_refused(text_function: Function, owner_client: Client) -> None:
    made = rule(text_function, "refund")
    url = reverse("training:rule_page", args=[made.public_id])
    assert owner_client.get(url, {"which": "all"}).status_code == 400


def test_rules_are_made_and_deleted_on_the_page(text_function: Function, owner_client: Client) -> None:
    url = reverse("training:add_rule", args=[text_function.public_id])
    label = text_function.labels.get(name="Refund").public_id
    response = owner_client.post(url, {"words": "money back", "label": label}, headers=HTMX)
    assert response.content.decode().strip().startswith('<div id="rules"')
    assert "money back" in response.content.decode()
    assert "toast:show" in response["HX-Trigger"]
    assert owner_client.post(url, {"words": "Money Back", "label": label}, headers=HTMX).status_code == 409
    assert owner_client.post(url, {"words": "  ", "label": label}, headers=HTMX).status_code == 400
    assert owner_client.post(url, {"words": "x", "label": "label_none"}, headers=HTMX).status_code == 400
    made = KeywordRule.objects.get()
    assert owner_client.post(reverse("training:delete_rule", args=[made.public_id])).status_code == 302
    assert not KeywordRule.objects.exists()


def test_a_label_of_another_function_is_no_choice(text_function: Function, owner_client: Client) -> None:
    other = text_function.workspace.functions.create(name="Other", input_kind=InputKind.TEXT)
    label = other.labels.create(name="Theirs", position=0, colour=0)
    url = reverse("training:add_rule", args=[text_function.public_id])
    assert owner_client.post(url, {"words": "refund", "label": label.public_id}).status_code == 400
    assert not KeywordRule.objects.exists()


def test_a_labeler_reads_the_rules_and_is_offered_no_change(text_function: Function, member_client: Client) -> None:
    made = rule(text_function, "refund")
    page = member_client.get(reverse("training:rules_page", args=[text_function.public_id])).content.decode()
    assert "refund" in page
    assert "Add the rule" not in page
    assert member_client.post(reverse("training:delete_rule", args=[made.public_id])).status_code == 403
    assert KeywordRule.objects.exists()


def test_pictures_are_told_why_not(text_function: Function, owner_client: Client) -> None:
    Function.objects.filter(pk=text_function.pk).update(input_kind=InputKind.IMAGE)
    page = owner_client.get(reverse("training:rules_page", args=[text_function.public_id])).content.decode()
    assert "Pictures have no words" in page
    assert ">Rules</a>" not in page
