"""The door through which many samples get one label: whose they may be, what counts, what arrives twice."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.functions.models import Act, ActKind, Function, InputKind, Label, OutputKind
from apps.functions.services import create_function
from apps.samples.models import Annotation, GoldSample, PickedBy, Sample, SampleTag
from apps.samples.services.annotations import annotate_sample
from apps.workspaces.models import Workspace
from tests.labeling.rows import make_samples

pytestmark = pytest.mark.django_db

Row = dict[str, object]


def send(client: Client, function: Function, **body: object) -> tuple[int, Row]:
    response = client.post(
        reverse("labeling:label_selection", args=[function.public_id]),
        data=body,
        content_type="application/json",
        headers={"accept": "application/json"},
    )
    return response.status_code, response.json()


def ids_of(samples: list[Sample]) -> list[str]:
    return [sample.public_id for sample in samples]


def labels_of(samples: list[Sample]) -> list[str | None]:
    names = dict(Sample.objects.filter(pk__in=[sample.pk for sample in samples]).values_list("pk", "label__name"))
    return [names[sample.pk] for sample in samples]


def test_what_was_accepted_is_one_act_and_remembered_as_accepted(
    member_client: Client, member: User, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    ids = ids_of(samples[:3])
    status, body = send(member_client, text_function, samples=ids, label=refund.public_id, kind="grid")
    assert (status, body["n"], body["words"]) == (200, 3, "3 labelled Refund")
    assert labels_of(samples[:4]) == ["Refund"] * 3 + [None]
    act = Act.objects.get()
    assert (act.kind, act.n_samples, act.person) == (ActKind.GRID, 3, member)
    assert {(row.picked_by, row.act_id) for row in Annotation.objects.all()} == {(PickedBy.GRID, act.pk)}


def test_what_was_picked_out_counts_as_chosen_by_a_person(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    ids = ids_of(samples[:2])
    _status, body = send(member_client, text_function, samples=ids, label=refund.public_id, kind="selection")
    assert body["n"] == 2
    assert set(Annotation.objects.values_list("picked_by", "act__kind")) == {(PickedBy.PERSON, ActKind.SELECTION)}


def test_what_somebody_labelled_meanwhile_is_not_accepted_over(
    member_client: Client, owner: User, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    shipping = text_function.labels.get(name="Shipping")
    annotate_sample(sample=samples[0], label=shipping, person=owner, picked_by=PickedBy.RANDOM)
    ids = ids_of(samples[:3])
    _status, body = send(member_client, text_function, samples=ids, label=refund.public_id, kind="grid")
    assert body["words"] == "2 labelled Refund; 1 stays as it is"
    assert labels_of(samples[:3]) == ["Shipping", "Refund", "Refund"]


@pytest.mark.parametrize(("who", "expected"), [("member_client", "Shipping"), ("owner_client", "Refund")])
def test_only_who_may_correct_others_relabels_their_samples(
    request: pytest.FixtureRequest,
    owner: User,
    text_function: Function,
    samples: list[Sample],
    refund: Label,
    who: str,
    expected: str,
) -> None:
    client: Client = request.getfixturevalue(who)
    somebody = User.objects.create_user(email="somebody@example.com", name="Somebody", password=None)
    shipping = text_function.labels.get(name="Shipping")
    annotate_sample(sample=samples[0], label=shipping, person=somebody, picked_by=PickedBy.RANDOM)
    send(client, text_function, samples=ids_of(samples[:1]), label=refund.public_id, kind="selection")
    assert labels_of(samples[:1]) == [expected]


def test_ones_own_labels_can_be_changed_and_taken_away(
    member_client: Client, member: User, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    shipping = text_function.labels.get(name="Shipping")
    for sample in samples[:2]:
        annotate_sample(sample=sample, label=shipping, person=member, picked_by=PickedBy.RANDOM)
    send(member_client, text_function, samples=ids_of(samples[:1]), label=refund.public_id, kind="selection")
    _status, body = send(member_client, text_function, samples=ids_of(samples[1:2]), label=None, kind="selection")
    assert labels_of(samples[:2]) == ["Refund", None]
    assert body["words"] == "1 without a label again"
    assert Annotation.objects.get(label=refund).picked_by == PickedBy.RANDOM  # corrected, it stays in its stream


@pytest.mark.parametrize("kind", ["grid", "selection"])
def test_what_several_are_asked_about_or_has_a_known_answer_is_not_labelled_with_many(
    owner_client: Client, text_function: Function, samples: list[Sample], refund: Label, kind: str
) -> None:
    Sample.objects.filter(pk=samples[0].pk).update(n_wanted=2)
    GoldSample.objects.create(sample=samples[1], label=refund)
    ids = ids_of(samples[:3])
    _status, body = send(owner_client, text_function, samples=ids, label=refund.public_id, kind=kind)
    assert body["n"] == 1
    assert labels_of(samples[:3]) == [None, None, "Refund"]


def test_the_same_request_again_changes_nothing_and_says_the_same(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    body: Row = {"samples": ids_of(samples[:3]), "label": refund.public_id, "kind": "grid", "token": "once"}
    first = send(member_client, text_function, **body)
    assert send(member_client, text_function, **body) == first
    assert Annotation.objects.count() == 3


def test_the_time_it_took_is_shared_among_them(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    send(member_client, text_function, samples=ids_of(samples[:4]), label=refund.public_id, kind="grid", ms=6_000)
    assert set(Annotation.objects.values_list("active_ms", flat=True)) == {1_500}


def test_accepting_a_tag_says_that_it_is_there_and_nothing_of_the_others(
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
    ids = ids_of(make_samples(function, 3))
    _status, body = send(member_client, function, samples=ids, label=food.public_id, kind="grid")
    assert body["words"] == "3 tagged Food"
    assert set(SampleTag.objects.values_list("label__name", "is_present")) == {("Food", True)}
    send(member_client, function, samples=ids[:1], label=travel.public_id, kind="selection")
    said = SampleTag.objects.filter(sample__public_id=ids[0]).values_list("label__name", "is_present")
    assert set(said) == {("Food", True), ("Travel", True)}


def test_nothing_left_to_label_is_no_act(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    body: Row = {"samples": ids_of(samples[:2]), "label": refund.public_id, "kind": "grid"}
    send(member_client, text_function, **body)
    status, again = send(member_client, text_function, **body)
    assert (status, again) == (200, {"n": 0, "words": "0 labelled Refund; 2 stay as they are", "undoUrl": None})
    assert Act.objects.count() == 1


def test_samples_of_another_function_are_passed_over(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    other = Function.objects.create(workspace=text_function.workspace, name="other", input_kind="text")
    foreign = Sample.objects.create(function=other, text="hello", content_hash="h", origin="import")
    ids = [foreign.public_id, samples[0].public_id]
    _status, body = send(member_client, text_function, samples=ids, label=refund.public_id, kind="grid")
    assert body["n"] == 1
    assert labels_of([foreign, samples[0]]) == [None, "Refund"]


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": []},
        {"samples": "sample_1"},
        {"samples": [7]},
        {"samples": ["sample_1"] * 501},
        {"kind": "import"},
        {"kind": None},
        {"label": 3},
        {"label": None},
        {"token": "x" * 65},
        {"ms": -1},
        {"ms": "long"},
    ],
)
def test_what_makes_no_sense_is_refused(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label, changes: Row
) -> None:
    body: Row = {"samples": ids_of(samples[:1]), "label": refund.public_id, "kind": "grid", **changes}
    assert send(member_client, text_function, **body)[0] == 400
    assert not Annotation.objects.exists()


def test_a_label_that_is_gone_is_said_to_be(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    Label.objects.filter(pk=refund.pk).update(deleted_at=timezone.now())
    status, body = send(
        member_client, text_function, samples=ids_of(samples[:1]), label=refund.public_id, kind="selection"
    )
    assert (status, body["message"]) == (409, "The label was deleted meanwhile. Choose another one.")


def test_a_label_merged_meanwhile_counts_as_the_other(
    member_client: Client, text_function: Function, samples: list[Sample], refund: Label
) -> None:
    Label.objects.filter(pk=refund.pk).update(merged_into=text_function.labels.get(name="Shipping"))
    ids = ids_of(samples[:1])
    status, _body = send(member_client, text_function, samples=ids, label=refund.public_id, kind="grid")
    assert (status, labels_of(samples[:1])) == (200, ["Shipping"])
