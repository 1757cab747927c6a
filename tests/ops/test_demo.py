from collections import Counter

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.functions.models import Function
from apps.ops import demo
from apps.samples.models import Annotation, Sample
from apps.workspaces.models import Workspace


def counts() -> tuple[int, int, int, int]:
    return Workspace.objects.count(), Function.objects.count(), Sample.objects.count(), Annotation.objects.count()


def test_the_files_hold_what_the_demo_promises() -> None:
    texts, pictures = demo.demo_messages(), demo.demo_pictures()
    assert 140 <= len(texts) == len({item.text for item in texts})
    assert 75 <= len(pictures) == len({item.content for item in pictures}) == len({p.original_name for p in pictures})
    assert {item.label_name for item in texts} == {"", *demo.MESSAGE_LABELS}
    assert {item.label_name for item in pictures} == {"", *demo.LEAF_LABELS}
    for items, labels in ((texts, demo.MESSAGE_LABELS), (pictures, demo.LEAF_LABELS)):
        n_labelled = Counter(item.label_name for item in items if item.label_name)
        assert 0.4 < n_labelled.total() / len(items) < 0.6
        assert all(n_labelled[label] >= 10 for label in labels)


def test_a_second_load_adds_nothing(workspace: Workspace, owner: User) -> None:
    assert demo.load_demo(workspace=workspace, person=owner) == workspace
    before = counts()
    demo.load_demo(workspace=workspace, person=owner)
    assert counts() == before
    messages, leaves = workspace.functions.order_by("id")
    assert messages.samples.count() == len(demo.demo_messages())
    assert leaves.samples.exclude(file_key="").count() == len(demo.demo_pictures())
    assert messages.data_revision > 0
    assert leaves.data_revision > 0


def test_a_load_that_was_cut_short_is_completed(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "add_images", lambda **_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        demo.load_demo(workspace=workspace)
    monkeypatch.undo()
    demo.load_demo(workspace=workspace)
    assert workspace.functions.count() == 2
    assert Sample.objects.count() == len(demo.demo_messages()) + len(demo.demo_pictures())


def test_without_a_workspace_one_is_made_that_waits_for_its_owner(db: None) -> None:
    made = demo.load_demo()
    assert made.name == "Demo"
    assert not made.memberships.exists()
    before = counts()
    assert demo.load_demo() == made
    assert counts() == before


def test_an_installation_with_an_owner_gets_it_where_the_owner_sees_it(workspace: Workspace, owner: User) -> None:
    assert demo.load_demo() == workspace


@pytest.mark.parametrize(("who", "status", "n_functions"), [("owner_client", 302, 2), ("member_client", 403, 0)])
def test_the_button_loads_it_for_those_who_make_functions(
    who: str, status: int, n_functions: int, workspace: Workspace, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(who)
    assert client.post(reverse("ops:load_demo")).status_code == status
    assert workspace.functions.count() == n_functions


def test_nobody_loads_it_by_opening_an_address(owner_client: Client, client: Client) -> None:
    assert owner_client.get(reverse("ops:load_demo")).status_code == 405
    assert client.post(reverse("ops:load_demo"))["Location"].startswith("/sign-in/")
