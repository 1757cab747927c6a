"""Answers with tags: what was toggled, what the person saw, hints that are only hints, undo that gives it back."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, OutputKind
from apps.functions.services import add_label, create_function, delete_label
from apps.labeling.models import Skip
from apps.labeling.services import next_samples
from apps.samples.models import Annotation, PickedBy, Sample
from apps.training.models import Prediction, PredictionKind, TrainedModel
from apps.workspaces.models import Workspace

pytestmark = pytest.mark.django_db

Row = dict[str, object]


@pytest.fixture
def text_function(workspace: Workspace) -> Function:
    return create_function(
        workspace=workspace,
        name="What is it about?",
        input_kind=InputKind.TEXT,
        output_kind=OutputKind.TAGS,
        label_names=["Food", "Travel", "Money"],
        actor=None,
    )


@pytest.fixture
def ids(text_function: Function) -> dict[str, str]:
    return {label.name: label.public_id for label in text_function.labels.all()}


@pytest.fixture
def tagged(member: User, ids: dict[str, str], answer_row: Callable[..., Row]) -> Callable[..., Row]:
    """Make an answer as the page sends it: every tag it shows, true or false."""

    def make(sample: Sample, *present: str, **changes: object) -> Row:
        tags = {public_id: name in present for name, public_id in ids.items()}
        return answer_row(sample, None, member, tags=tags, **changes)

    return make


def send(client: Client, function: Function, rows: object) -> tuple[int, dict[str, list[Row]]]:
    response = client.post(
        reverse("labeling:answers", args=[function.public_id]),
        data=rows,
        content_type="application/json",
        headers={"accept": "application/json"},
    )
    return response.status_code, response.json()


def in_force(sample: Sample) -> dict[str, bool] | None:
    sample.refresh_from_db()
    if sample.annotation_id is None:
        return None
    return {row.label.name: row.is_present for row in sample.tags.select_related("label")}


def test_tags_are_saved_each_as_it_was_shown(
    member_client: Client, text_function: Function, samples: list[Sample], tagged: Callable[..., Row]
) -> None:
    status, body = send(member_client, text_function, [tagged(samples[0], "Food", "Money"), tagged(samples[1])])
    assert (status, body["refused"]) == (200, [])
    assert in_force(samples[0]) == {"Food": True, "Travel": False, "Money": True}
    assert in_force(samples[1]) == {"Food": False, "Travel": False, "Money": False}
    assert not Skip.objects.exists()


def test_a_tag_made_before_the_answer_arrived_stays_unknown_and_a_deleted_one_is_passed_over(
    member_client: Client, text_function: Function, samples: list[Sample], tagged: Callable[..., Row]
) -> None:
    kept_offline = tagged(samples[0], "Food", "Travel")
    add_label(function=text_function, name="Rome")
    delete_label(label=text_function.labels.get(name="Travel"))
    assert send(member_client, text_function, [kept_offline])[1]["refused"] == []
    assert in_force(samples[0]) == {"Food": True, "Money": False}


def test_the_same_answer_twice_counts_once(
    member_client: Client, text_function: Function, samples: list[Sample], tagged: Callable[..., Row]
) -> None:
    row = tagged(samples[0], "Food")
    for _ in range(2):
        assert send(member_client, text_function, [row, row])[1]["refused"] == []
    assert Annotation.objects.count() == 1


def test_neither_label_nor_tags_is_a_skip(
    member_client: Client, member: User, text_function: Function, samples: list[Sample], answer_row: Callable[..., Row]
) -> None:
    assert send(member_client, text_function, [answer_row(samples[0], None, member)])[1]["refused"] == []
    assert Skip.objects.get().sample == samples[0]
    assert in_force(samples[0]) is None


@pytest.mark.parametrize("tags", [["label_x"], {"label_x": 1}, "label_x", {"label_x": None}])
def test_tags_that_are_no_yes_or_no_are_refused(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    answer_row: Callable[..., Row],
    tags: object,
) -> None:
    status, _body = send(member_client, text_function, [answer_row(samples[0], None, member, tags=tags)])
    assert status == 400
    assert not Annotation.objects.exists()


def test_a_foreign_tag_and_a_single_label_are_refused_and_stop_no_other_answer(
    member_client: Client,
    member: User,
    text_function: Function,
    samples: list[Sample],
    ids: dict[str, str],
    tagged: Callable[..., Row],
    answer_row: Callable[..., Row],
) -> None:
    rows = [
        answer_row(samples[0], None, member, tags={"label_elsewhere": True}),
        answer_row(samples[1], ids["Food"], member),
        tagged(samples[2], "Food"),
    ]
    body = send(member_client, text_function, rows)[1]
    assert [refusal["token"] for refusal in body["refused"]] == [rows[0]["token"], rows[1]["token"]]
    assert in_force(samples[2]) == {"Food": True, "Travel": False, "Money": False}


def test_undo_takes_the_answer_back_and_says_what_it_was(
    member_client: Client,
    text_function: Function,
    samples: list[Sample],
    ids: dict[str, str],
    tagged: Callable[..., Row],
) -> None:
    send(member_client, text_function, [tagged(samples[0], "Travel", "Money")])
    url = reverse("labeling:undo", args=[text_function.public_id])
    item = member_client.post(url, data={}, content_type="application/json").json()["item"]
    assert item["sampleId"] == samples[0].public_id
    assert set(item["said"]) == {ids["Travel"], ids["Money"]}
    assert in_force(samples[0]) is None


@pytest.fixture
def tag_predictions(model: TrainedModel, samples: list[Sample], ids: dict[str, str]) -> list[Prediction]:
    """Of every sample the model says *Money* at 90 %, *Travel* at 45 %, and not *Food*: its own threshold is high."""
    TrainedModel.objects.filter(pk=model.pk).update(figures={"thresholds": {ids["Travel"]: 0.4, ids["Food"]: 0.7}})
    return Prediction.objects.bulk_create(
        Prediction(
            sample=sample,
            function=model.function,
            kind=PredictionKind.LIVE,
            model=model,
            label=None,
            tags={ids["Food"]: 0.6, ids["Travel"]: 0.45, ids["Money"]: 0.9},
            confidence=0.2,
            margin=0.05,
        )
        for sample in samples
    )


def test_tags_the_model_says_are_there_are_hints_and_drawn_ones_have_none(
    text_function: Function, member: User, tag_predictions: list[Prediction]
) -> None:
    items = next_samples(function=text_function, person=member, n=10)
    asked = [item for item in items if item.picked_by == PickedBy.QUEUE]
    assert [[each.label.name for each in item.suggestions or ()] for item in asked] == [["Money", "Travel"]] * 8
    drawn = [item for item in items if item.picked_by == PickedBy.RANDOM]
    assert [(item.suggestion, item.suggestions) for item in drawn] == [(None, None)] * 2


def test_a_hint_names_no_deleted_tag(text_function: Function, member: User, tag_predictions: list[Prediction]) -> None:
    delete_label(label=text_function.labels.get(name="Money"))
    item = next_samples(function=text_function, person=member, n=1)[0]
    assert [each.label.name for each in item.suggestions or ()] == ["Travel"]


def test_the_page_explains_what_keys_do_with_tags(
    member_client: Client, text_function: Function, samples: list[Sample]
) -> None:
    page = member_client.get(reverse("labeling:label_page", args=[text_function.public_id])).content.decode()
    assert 'data-gives="tags"' in page
    assert "None of these" in page
    assert "Take the suggested tags over" in page
    assert "Accept the suggestion" not in page
