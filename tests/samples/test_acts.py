"""Taking back as a whole what was done in one go."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.events.models import Event
from apps.functions.models import Act, ActKind, Function, Label, OutputKind
from apps.samples.models import Annotation, Origin, PickedBy, Sample, SampleTag
from apps.samples.services import acts
from apps.samples.services.acts import UndoOutcome, undo_act
from apps.samples.services.annotations import annotate_sample, tag_sample, undo_annotation
from apps.samples.services.bulk import label_selection
from apps.samples.services.intake import NewText, add_texts
from apps.workspaces.models import Workspace
from apps.workspaces.roles import Role
from tests.conftest import client_of, make_user


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message {i}") for i in range(4)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.BROWSER).samples


def label_all(samples: list[Sample], label: Label | None, person: User) -> Act:
    ids = [sample.public_id for sample in samples]
    return label_selection(function=samples[0].function, sample_ids=ids, label=label, person=person)


def labels_of(samples: list[Sample]) -> list[str | None]:
    rows = Sample.objects.filter(pk__in=[sample.pk for sample in samples])
    return list(rows.order_by("pk").values_list("label__name", flat=True))


def test_undoing_a_selection_restores_what_each_sample_had(
    samples: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    first = annotate_sample(sample=samples[0], label=shipping, person=None, picked_by=PickedBy.RANDOM)
    act = label_all(samples, refund, member)
    assert undo_act(act=act, person=member) == UndoOutcome(4, 0)
    assert labels_of(samples) == ["Shipping", None, None, None]
    samples[0].refresh_from_db()
    assert samples[0].annotation_id == first.pk
    assert samples[0].labelled_at == first.created_at
    restoring = Annotation.objects.filter(undoes__act=act)
    assert restoring.count() == 4
    assert restoring.get(sample=samples[0]).picked_by == "random"


def test_what_someone_changed_since_stays_and_is_said(
    samples: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    act = label_all(samples, refund, member)
    annotate_sample(sample=samples[1], label=shipping, person=None, picked_by=PickedBy.PERSON)
    outcome = undo_act(act=act, person=member)
    assert outcome == UndoOutcome(3, 1)
    assert outcome.words == "Undone: 3 samples as before. 1 was changed since and stays as it is."
    assert labels_of(samples) == [None, "Shipping", None, None]


def test_undoing_twice_undoes_once(samples: list[Sample], refund: Label, member: User) -> None:
    act = label_all(samples, refund, member)
    again = Act.objects.get(pk=act.pk)
    undo_act(act=act, person=member)
    n = Annotation.objects.count()
    assert undo_act(act=again, person=member).words == "This was undone already."
    assert Annotation.objects.count() == n


def test_labels_taken_away_in_one_go_come_back(samples: list[Sample], refund: Label, member: User) -> None:
    label_all(samples, refund, member)
    taken = label_all(samples, None, member)
    assert labels_of(samples) == [None] * 4
    undo_act(act=taken, person=member)
    assert labels_of(samples) == ["Refund"] * 4


def test_acts_are_undone_in_any_order_and_each_only_once(
    samples: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    earlier = label_all(samples, refund, member)
    later = label_all(samples[:2], shipping, member)
    assert undo_act(act=earlier, person=member) == UndoOutcome(2, 2)
    assert undo_act(act=later, person=member) == UndoOutcome(2, 0)
    assert labels_of(samples) == ["Refund", "Refund", None, None]


def test_a_label_of_the_act_that_was_undone_by_hand_stays_undone(
    samples: list[Sample], refund: Label, member: User
) -> None:
    act = label_all(samples, refund, member)
    undo_annotation(annotation=Annotation.objects.get(sample=samples[0]), person=member)
    assert undo_act(act=act, person=member) == UndoOutcome(3, 1)
    assert labels_of(samples) == [None] * 4


def test_what_was_said_under_a_label_deleted_since_is_nothing(
    samples: list[Sample], refund: Label, shipping: Label, member: User
) -> None:
    annotate_sample(sample=samples[0], label=shipping, person=None, picked_by=PickedBy.PERSON)
    act = label_all(samples, refund, member)
    Label.objects.filter(pk=shipping.pk).update(deleted_at=timezone.now())
    undo_act(act=act, person=member)
    assert labels_of(samples) == [None] * 4
    assert not Sample.objects.exclude(annotation=None).exists()


def test_tags_put_on_in_one_go_are_taken_off(text_function: Function, samples: list[Sample], member: User) -> None:
    Function.objects.filter(pk=text_function.pk).update(output_kind=OutputKind.TAGS)
    text_function.refresh_from_db()
    refund, shipping = text_function.labels.order_by("position")
    samples = list(text_function.samples.select_related("function"))
    tag_sample(sample=samples[0], tags={shipping: True}, person=None, picked_by=PickedBy.PERSON)
    act = label_all(samples, refund, member)
    assert SampleTag.objects.filter(label=refund, is_present=True).count() == 4
    undo_act(act=act, person=member)
    said = set(SampleTag.objects.values_list("sample", "label__name", "is_present"))
    assert said == {(samples[0].pk, "Refund", False), (samples[0].pk, "Shipping", True)}
    assert Sample.objects.filter(annotation=None).count() == 3


def test_a_round_is_asked_for_and_the_log_says_what_was_undone(
    samples: list[Sample], refund: Label, member: User, text_function: Function
) -> None:
    act = label_all(samples, refund, member)
    text_function.refresh_from_db()
    before = text_function.data_revision
    undo_act(act=act, person=member)
    text_function.refresh_from_db()
    assert text_function.data_revision > before
    event = Event.objects.get(kind="act.undone")
    assert event.actor == member.public_id
    assert event.data["n_samples"] == 4


def undo(client: Client, act: Act, **headers: str) -> dict[str, object]:
    url = reverse("samples:undo_act", args=[act.function.public_id, act.public_id])
    response = client.post(url, headers={"Accept": "application/json", **headers})
    return {"status": response.status_code, **response.json()}


def test_the_door_answers_with_the_words_for_the_toast(
    samples: list[Sample], refund: Label, member: User, member_client: Client
) -> None:
    act = label_all(samples, refund, member)
    assert undo(member_client, act) == {
        "status": 200,
        "words": "Undone: 4 samples as before.",
        "nRestored": 4,
        "nLeft": 0,
    }


def test_the_door_tells_htmx_what_happened_and_a_form_comes_back_to_the_page(
    samples: list[Sample], refund: Label, member: User, member_client: Client
) -> None:
    act = label_all(samples, refund, member)
    url = reverse("samples:undo_act", args=[act.function.public_id, act.public_id])
    response = member_client.post(url, headers={"HX-Request": "true"})
    assert response.status_code == 204
    assert "4 samples as before" in response.headers["HX-Trigger"]
    assert "act:undone" in response.headers["HX-Trigger"]
    assert member_client.post(url).status_code == 302


def test_a_labeler_cannot_undo_what_another_did_but_a_reviewer_can(
    samples: list[Sample], refund: Label, owner: User, member_client: Client, workspace: Workspace
) -> None:
    act = label_all(samples, refund, owner)
    assert undo(member_client, act)["status"] == 403
    assert labels_of(samples) == ["Refund"] * 4
    rita = make_user("rita@example.com", "Rita Reviewer")
    workspace.memberships.create(user=rita, role=Role.REVIEWER)
    assert undo(client_of(rita), act)["status"] == 200


def test_an_act_of_another_function_is_not_there(
    samples: list[Sample], refund: Label, member: User, member_client: Client, workspace: Workspace
) -> None:
    act = label_all(samples, refund, member)
    other = workspace.functions.create(name="other", input_kind="text")
    url = reverse("samples:undo_act", args=[other.public_id, act.public_id])
    assert member_client.post(url).status_code == 404


def test_an_outsider_finds_no_act(samples: list[Sample], refund: Label, member: User, outsider_client: Client) -> None:
    assert undo(outsider_client, label_all(samples, refund, member))["status"] == 404


def test_answers_are_put_aside_by_reviewers_and_taken_back_by_reviewers(member: User, text_function: Function) -> None:
    act = Act(function=text_function, kind=ActKind.SET_ASIDE, person=member)
    assert acts.needed_to_undo(act, member) == {"review"}
