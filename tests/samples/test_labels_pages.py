"""Merging and splitting labels on their pages, and the history in which they are undone."""

import json

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Act, ActKind, Function, Label
from apps.functions.services import rename_label
from apps.samples.models import Origin, Sample
from apps.samples.services.bulk import label_selection
from apps.samples.services.intake import NewText, add_texts
from tests.conftest import client_of, make_user

HTMX = {"HX-Request": "true"}
JSON = {"Accept": "application/json"}


@pytest.fixture
def samples(text_function: Function) -> list[Sample]:
    items = [NewText(f"message <{i}>", label_name="Refund" if i < 3 else "Shipping") for i in range(4)]
    return add_texts(function=text_function, items=items, person=None, origin=Origin.IMPORT).samples


def names() -> list[str | None]:
    return list(Sample.objects.order_by("pk").values_list("label__name", flat=True))


def test_the_dialog_says_what_merging_does_and_the_door_does_it(
    owner_client: Client, samples: list[Sample], refund: Label, shipping: Label
) -> None:
    url = reverse("samples:merge_label", args=[refund.public_id])
    dialog = owner_client.get(url, headers=HTMX).content.decode()
    assert "3 samples labelled" in dialog
    assert "Shipping (1 sample)" in dialog
    assert "Only one label will be left" in dialog
    assert "<html" in owner_client.get(url).content.decode()
    response = owner_client.post(url, {"into": shipping.public_id}, headers=HTMX)
    assert names() == ["Shipping"] * 4
    shown = json.loads(response["HX-Trigger"])["toast:show"]
    assert shown["message"] == "3 samples labelled “Refund” now count as “Shipping”."
    words = owner_client.post(shown["undoUrl"], headers=JSON).json()["words"]
    assert words == "Undone: 3 samples as before."
    assert names() == ["Refund"] * 3 + ["Shipping"]


def test_a_label_of_another_workspace_cannot_be_merged_into(
    owner_client: Client, outsider: User, samples: list[Sample], refund: Label
) -> None:
    workspace = outsider.memberships.get().workspace
    foreign = workspace.functions.create(name="x", input_kind="text").labels.create(name="y", position=0, colour=0)
    url = reverse("samples:merge_label", args=[refund.public_id])
    assert owner_client.post(url, {"into": foreign.public_id}).status_code == 404
    assert owner_client.post(url, {"into": ""}).status_code == 400
    assert names() == ["Refund"] * 3 + ["Shipping"]


def test_samples_are_found_on_the_split_page_and_go_to_a_label_of_their_own(
    owner_client: Client, samples: list[Sample], refund: Label
) -> None:
    page = owner_client.get(reverse("samples:split_page", args=[refund.public_id])).content.decode()
    assert "message &lt;0&gt;" in page
    assert "message &lt;3&gt;" not in page
    found = owner_client.get(reverse("samples:split_page", args=[refund.public_id]), {"q": "<1>"}, headers=HTMX)
    assert found.content.decode().count("data-sample=") == 1
    door = reverse("samples:split_label", args=[refund.public_id])
    chosen = f"{samples[0].public_id},{samples[2].public_id}"
    answer = owner_client.post(door, {"name": "Partial", "samples": chosen}, headers=JSON).json()
    assert answer["n"] == 2
    assert names() == ["Partial", "Refund", "Partial", "Shipping"]
    owner_client.post(answer["undoUrl"], headers=JSON)
    assert names() == ["Refund"] * 3 + ["Shipping"]
    assert owner_client.post(door, {"name": "Shipping", "samples": chosen}, headers=JSON).status_code == 409
    assert owner_client.post(door, {"name": "", "samples": chosen}, headers=JSON).status_code == 400
    assert owner_client.post(door, {"name": "New", "samples": ""}, headers=JSON).status_code == 400


def test_older_samples_of_a_label_are_a_page_further(
    owner_client: Client, text_function: Function, refund: Label, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.samples.label_selectors.SPLIT_PER_PAGE", 2)
    items = [NewText(f"number {i}", label_name="Refund") for i in range(5)]
    samples = add_texts(function=text_function, items=items, person=None, origin=Origin.IMPORT).samples
    url = reverse("samples:split_page", args=[refund.public_id])
    first = owner_client.get(url).content.decode()
    assert "number 4" in first
    assert f"after={samples[3].public_id}" in first
    last = owner_client.get(url, {"after": samples[1].public_id}).content.decode()
    assert "number 0" in last
    assert "after=" not in last


def test_the_history_says_who_did_what_and_undoes_it(
    owner: User, owner_client: Client, text_function: Function, samples: list[Sample], refund: Label, shipping: Label
) -> None:
    rename_label(label=refund, name="Money back", actor=owner)
    ids = [sample.public_id for sample in samples[:2]]
    label_selection(function=text_function, sample_ids=ids, label=shipping, person=owner)
    url = reverse("samples:history_page", args=[text_function.public_id])
    page = owner_client.get(url).content.decode()
    assert "renamed the label “Refund” to “Money back”" in page
    assert "labelled a selection as “Shipping”" in page
    assert page.count(">Undo</button>") == 2
    undo = reverse("samples:undo_act", args=[text_function.public_id, Act.objects.latest("id").public_id])
    assert owner_client.post(undo, follow=True).redirect_chain[-1][0] == url
    assert owner_client.get(url).content.decode().count(">Undo</button>") == 1
    fragment = owner_client.get(url, headers=HTMX).content.decode()
    assert fragment.strip().startswith('<section id="acts"')


def test_nobody_is_offered_what_they_may_not_undo(
    owner: User, member: User, member_client: Client, text_function: Function, samples: list[Sample], shipping: Label
) -> None:
    ids = [sample.public_id for sample in samples]
    for person, chosen in ((owner, ids[:1]), (member, ids[1:2])):
        label_selection(function=text_function, sample_ids=chosen, label=shipping, person=person)
    page = member_client.get(reverse("samples:history_page", args=[text_function.public_id])).content.decode()
    assert page.count(">Undo</button>") == 1
    assert "Undo: Mika Member" in page


def test_an_act_of_another_version_reads_as_its_kind(owner_client: Client, text_function: Function) -> None:
    text_function.acts.create(kind=ActKind.MERGE_LABELS, facts={}, n_samples=3)
    page = owner_client.get(reverse("samples:history_page", args=[text_function.public_id])).content.decode()
    assert "merged two labels" in page
    assert "Someone who has left" in page


def test_outsiders_and_labelers_change_no_labels(
    member_client: Client, outsider_client: Client, samples: list[Sample], refund: Label, shipping: Label
) -> None:
    viewer = make_user("vera@example.com", "Vera Viewer")
    refund.function.workspace.memberships.create(user=viewer, role="viewer")
    for client, status in ((member_client, 403), (client_of(viewer), 403), (outsider_client, 404)):
        merge = reverse("samples:merge_label", args=[refund.public_id])
        assert client.post(merge, {"into": shipping.public_id}).status_code == status
        assert client.get(reverse("samples:split_page", args=[refund.public_id])).status_code == status
        split = reverse("samples:split_label", args=[refund.public_id])
        assert client.post(split, {"name": "x", "samples": samples[0].public_id}).status_code == status
    assert names() == ["Refund"] * 3 + ["Shipping"]


def test_words_no_database_holds_find_nothing_to_split_off(owner_client: Client, text_function: Function) -> None:
    label = text_function.labels.first()
    assert label is not None
    path = reverse("samples:split_page", args=[label.public_id])
    assert owner_client.get(path, {"q": "a\x00b", "after": "\x00"}).status_code == 200
