"""Saying that an answer was right or wrong, and following what becomes of that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apps.accounts.models import User
from apps.functions.models import Function, InputKind, Label, OutputKind
from apps.functions.services import delete_label
from apps.samples.models import Annotation, Feedback, FeedbackState, Origin, Sample
from apps.samples.services.bin import bin_samples
from apps.samples.services.capture_policies import CaptureRules, set_capture
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace
from tests.api.conftest import KeyClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def sample(text_function: Function) -> Sample:
    item = NewText("where is my parcel", external_id="ticket-7")
    add_texts(function=text_function, items=[item], person=None, origin=Origin.CAPTURE)
    return Sample.objects.get()


def path_of(sample: Sample) -> str:
    return f"/v1/functions/{sample.function.public_id}/samples/{sample.public_id}/feedback"


def whole_path(function: Function) -> str:
    return f"/v1/functions/{function.public_id}/feedback"


def test_a_report_waits_and_changes_nothing(key_client: KeyClient, sample: Sample, shipping: Label) -> None:
    said = {"verdict": "wrong", "labelname": "shipping", "note": "Not money", "reporter": "desk-4", "other": 1}
    reply = key_client.post(path_of(sample), said)
    assert reply.status_code == 200
    body = reply.json()
    assert body.pop("createdAt").endswith("Z")
    assert body == {
        "id": Feedback.objects.get().public_id,
        "sampleId": sample.public_id,
        "externalId": "ticket-7",
        "verdict": "Wrong",
        "labelName": "Shipping",
        "labelId": shipping.public_id,
        "note": "Not money",
        "reporter": "desk-4",
        "state": "waiting",
    }
    sample.refresh_from_db()
    assert sample.label is None
    assert not Annotation.objects.exists()
    [listed] = key_client.get(path_of(sample)).json()
    assert listed["id"] == body["id"]


def test_ids_come_with_and_without_what_stands_in_front(key_client: KeyClient, sample: Sample, shipping: Label) -> None:
    bare = path_of(sample).replace("function_", "").replace("sample_", "")
    said = {"verdict": "Wrong", "labelId": shipping.public_id.removeprefix("label_")}
    assert key_client.post(bare, said).json()["labelName"] == "Shipping"


def test_the_id_that_was_sent_with_the_call_names_it_as_well(
    key_client: KeyClient, sample: Sample, text_function: Function
) -> None:
    by_own = key_client.post(whole_path(text_function), {"verdict": "Right", "externalId": "ticket-7"})
    by_ours = key_client.post(whole_path(text_function), {"verdict": "Right", "sampleId": sample.public_id})
    assert (by_own.status_code, by_ours.status_code) == (200, 200)
    assert by_own.json()["id"] == by_ours.json()["id"]
    assert key_client.post(whole_path(text_function), {"verdict": "Right", "externalId": "no"}).status_code == 404
    for said in ({}, {"externalId": "ticket-7", "sampleId": sample.public_id}):
        assert key_client.post(whole_path(text_function), {"verdict": "Right", **said}).status_code == 400


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"verdict": "maybe"},
        {"verdict": "Wrong", "labelName": "Nowhere"},
        {"verdict": "Wrong", "labelId": "label_0000000000000000"},
        {"verdict": "Wrong", "tags": [{"labelName": "Refund"}]},
        {"verdict": "Wrong", "note": "x" * 401},
        {"verdict": "Wrong", "note": "\x00"},
        {"verdict": "Wrong", "reporter": "\ud800"},
        {"verdict": "Wrong", "tags": "Refund"},
        "no JSON",
        [],
    ],
)
def test_what_does_not_fit_is_refused_with_a_sentence(key_client: KeyClient, sample: Sample, said: object) -> None:
    reply = key_client.post(path_of(sample), said)
    assert reply.status_code == 400
    assert reply.json()["message"]
    assert not Feedback.objects.exists()


def test_of_tags_those_are_named_that_would_be_right(key_client: KeyClient, workspace: Workspace) -> None:
    function = workspace.functions.create(name="Tags", input_kind=InputKind.TEXT, output_kind=OutputKind.TAGS)
    urgent, angry = (
        function.labels.create(name=name, position=n, colour=n) for n, name in enumerate(["Urgent", "Angry"])
    )
    add_texts(function=function, items=[NewText("help now")], person=None, origin=Origin.CAPTURE)
    sample = Sample.objects.get()
    tags = [{"labelName": "Angry"}, {"labelId": urgent.public_id}]
    body = key_client.post(path_of(sample), {"verdict": "Wrong", "tags": tags}).json()
    assert {tag["labelId"] for tag in body["tags"]} == {urgent.public_id, angry.public_id}
    assert key_client.post(path_of(sample), {"verdict": "Wrong", "tags": []}).json()["tags"] == []
    assert key_client.post(path_of(sample), {"verdict": "Wrong", "labelName": "Angry"}).status_code == 400
    delete_label(label=angry, actor=None)
    shown = key_client.get(path_of(sample)).json()
    assert [[tag["labelName"] for tag in each["tags"]] for each in shown] == [[], ["Urgent"]]


def test_the_list_is_paged_and_chosen_by_state(key_client: KeyClient, sample: Sample, text_function: Function) -> None:
    for number in range(3):
        key_client.post(path_of(sample), {"verdict": "Wrong", "note": f"note {number}"})
    Feedback.objects.filter(note="note 1").update(state=FeedbackState.LEARNED, learned_in="model_a")
    first = key_client.get(whole_path(text_function), {"count": 2})
    assert [each["note"] for each in first.json()] == ["note 2", "note 1"]
    assert "startIndex=2" in first["Link"]
    [learned] = key_client.get(whole_path(text_function), {"STATE": "Learned"}).json()
    assert (learned["note"], learned["learnedIn"]) == ("note 1", "model_a")
    assert key_client.get(whole_path(text_function), {"state": "lost"}).status_code == 400


def test_a_key_that_only_calls_reports_and_sees_its_own(
    client_with: Callable[..., KeyClient], key_client: KeyClient, sample: Sample, text_function: Function
) -> None:
    caller = client_with("invoke")
    key_client.post(path_of(sample), {"verdict": "Wrong", "note": "somebody else's"})
    assert caller.post(path_of(sample), {"verdict": "Right", "note": "mine"}).status_code == 200
    for path in (path_of(sample), whole_path(text_function)):
        assert [each["note"] for each in caller.get(path).json()] == ["mine"]
        assert len(key_client.get(path).json()) == 2
    assert client_with("read").post(path_of(sample), {"verdict": "Right"}).status_code == 403


def test_another_workspace_finds_no_sample_here(
    outsider_key_client: KeyClient, sample: Sample, text_function: Function
) -> None:
    for path in (path_of(sample), whole_path(text_function)):
        assert outsider_key_client.get(path).status_code == 404
        assert outsider_key_client.post(path, {"verdict": "Wrong", "externalId": "ticket-7"}).status_code == 404


def test_a_sample_is_reported_where_it_belongs(key_client: KeyClient, sample: Sample, workspace: Workspace) -> None:
    other = workspace.functions.create(name="Another", input_kind=InputKind.TEXT)
    path = path_of(sample).replace(sample.function.public_id, other.public_id)
    assert key_client.post(path, {"verdict": "Wrong"}).status_code == 404
    said = {"verdict": "Wrong", "sampleId": sample.public_id}
    assert key_client.post(whole_path(other), said).status_code == 404
    assert key_client.post(whole_path(other), {"verdict": "Wrong", "externalId": "ticket-7"}).status_code == 404


def test_what_was_thrown_away_is_not_reported(key_client: KeyClient, sample: Sample, owner: User) -> None:
    bin_samples(function=sample.function, sample_ids=[sample.public_id], person=owner)
    assert key_client.post(path_of(sample), {"verdict": "Wrong"}).status_code == 404


def test_a_note_is_blotted_as_texts_are(key_client: KeyClient, sample: Sample) -> None:
    set_capture(function=sample.function, rules=CaptureRules(redactions=("email",)), actor=None)
    body = key_client.post(path_of(sample), {"verdict": "Wrong", "note": "says olga@example.org"}).json()
    assert body["note"] == "says [email]"
    assert Feedback.objects.get().note == "says [email]"


def test_a_flood_of_reports_of_one_sample_ends(key_client: KeyClient, sample: Sample) -> None:
    codes = [key_client.post(path_of(sample), {"verdict": "Wrong", "note": str(n)}).status_code for n in range(21)]
    assert codes == [200] * 20 + [409]
